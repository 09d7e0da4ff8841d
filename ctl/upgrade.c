/*
 * larderctl upgrade: starts a newer process that takes over from the running daemon. The daemon
 * reports how it was started; its program is started with the same arguments, and asks the daemon
 * for its sockets. A pipe tells us when the newer process serves; if it ends first, the pipe is
 * closed without a word. A process that does neither in time is ended, and the older one goes on.
 */
#include "ctl/fetch.h"
#include "ctl/program.h"
#include "ctl/verbs.h"

#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Seconds. Long host lists take seconds to read; systemd allows 90 s for a reload. */
enum { NUMBER_MAX = 16, WAIT_DEFAULT = 60, WAIT_MAX = 86400 };

/* The arguments with which the daemon was started. It may itself have taken over from another. */
static void words_of(const struct conf_command *command, char *program, char **out)
{
    static char takeover[] = "--takeover";
    size_t count = 0;

    out[count++] = program;
    for (size_t i = 0; i < command->count; i++) {
        if (strcmp(command->arguments[i], takeover) != 0) {
            out[count++] = xspandup(span_str(command->arguments[i]));
        }
    }
    out[count++] = takeover;
    out[count] = NULL;
}

/* The process gets its own session, so that it outlives this terminal. */
static int start(const char *folder, char **words, int ready, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char number[NUMBER_MAX];

    snprintf(number, sizeof(number), "%d", ready);
    setenv("LARDER_READY_FD", number, 1);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    /* the duplicated descriptor stays open in the new program */
    posix_spawn_file_actions_adddup2(&actions, ready, ready);
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    int err = posix_spawnp(pid, words[0], &actions, &attributes, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return -err;
}

static int reap(pid_t pid, int options)
{
    int status = 0;

    while (waitpid(pid, &status, options) < 0 && errno == EINTR) {
    }
    return status;
}

static bool has_word(int ready, int ms)
{
    struct pollfd poll_of = {.fd = ready, .events = POLLIN};
    int n;

    do {
        n = poll(&poll_of, 1, ms);
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

/* Ends the newer process unless it serves. It reports to us before it reports to the older process,
 * so while it is stopped without having reported, the older process still serves. False: the newer
 * process serves. */
static bool end_unless_ready(pid_t pid, int ready)
{
    kill(pid, SIGSTOP);
    int status = reap(pid, WUNTRACED);
    if (has_word(ready, 0)) {
        kill(pid, SIGCONT);
        return false;
    }
    if (WIFSTOPPED(status)) {
        kill(pid, SIGKILL);
        reap(pid, 0);
    }
    return true;
}

/* Waits until the newer process serves or has ended, or until the time is over. */
static int await(const char *name, pid_t pid, int ready, uint64_t seconds)
{
    char word;
    ssize_t n;

    if (!has_word(ready, (int)seconds * 1000) && end_unless_ready(pid, ready)) {
        fprintf(
            stderr,
            "larderctl: the newer %s has not begun to serve within %llu s, and was ended; the "
            "older one still serves. Its log says how far it came; --wait SECONDS waits longer\n",
            name, (unsigned long long)seconds);
        return CTL_BAD;
    }
    do {
        n = read(ready, &word, 1);
    } while (n < 0 && errno == EINTR);
    if (n == 1) {
        printf("%s: process %d serves now; the older one ends what it has begun\n", name, (int)pid);
        return CTL_GOOD;
    }
    int status = reap(pid, 0);
    fprintf(stderr, "larderctl: the newer %s has not started (%s %d); the older one still serves\n",
            name, WIFSIGNALED(status) ? "signal" : "status",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return CTL_BAD;
}

static int replace(enum ctl_program which, const struct conf_command *command, uint64_t seconds)
{
    char *words[CONF_ARGUMENTS_MAX + 3];
    char program[PROGRAM_PATH_MAX];
    int ends[2];
    pid_t pid;

    program_find(which, program);
    words_of(command, program, words);
    int err = pipe2(ends, O_CLOEXEC) == 0 ? 0 : -errno;
    if (!err) {
        err = start(command->folder, words, ends[1], &pid);
        close(ends[1]);
    }
    for (size_t i = 1; words[i + 1]; i++) {
        free(words[i]);
    }
    if (err) {
        fprintf(stderr,
                "larderctl: %s cannot be run in %s: %s; it is looked for beside larderctl and in "
                "PATH\n",
                program, command->folder, err_text(err));
        return CTL_BAD;
    }
    int status = await(which == CTL_DNS ? "larder-dns" : "larder-proxy", pid, ends[0], seconds);
    close(ends[0]);
    return status;
}

int verb_upgrade(const struct ctl_options *options)
{
    enum ctl_program which = options->program == CTL_DNS ? CTL_DNS : CTL_PROXY;
    struct buf told = BUF_INIT, why = BUF_INIT;
    struct conf_command command;
    struct arena arena;
    uint64_t seconds = WAIT_DEFAULT;
    int status = CTL_BAD;

    if (options->wait && (!span_to_u64(span_str(options->wait), WAIT_MAX, &seconds) || !seconds)) {
        fprintf(stderr, "larderctl: --wait \"%s\" is no number of seconds from 1 to %d\n",
                options->wait, WAIT_MAX);
        return CTL_USAGE;
    }
    arena_init(&arena, NULL, 0);
    if (fetch(options->admin, "/config/settings", &told, &why) != 0) {
        fprintf(stderr, "larderctl: %.*s\n", SPAN_ARGS(buf_span(&why)));
    } else if (conf_read_command(buf_span(&told), &arena, &command) != 0) {
        fprintf(stderr, "larderctl: what answers there is not a daemon of Larder\n");
    } else {
        status = replace(which, &command, seconds);
    }
    buf_fini(&told);
    buf_fini(&why);
    arena_fini(&arena);
    return status;
}
