/*
 * A newer process takes the place of the running daemon. The daemon tells how it was started; its
 * program is started once more by the same words, and asks for its sockets. Whoever starts it (we)
 * is told by a pipe that it serves; that ends without a word when it does not.
 */
#include "ctl/fetch.h"
#include "ctl/program.h"
#include "ctl/verbs.h"

#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { NUMBER_MAX = 16 };

/* The words by which the daemon was started, which may itself have taken over. */
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

/* It has a session of its own, so that it outlives our terminal. */
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
    posix_spawn_file_actions_adddup2(&actions, ready, ready); /* not closed by exec */
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    int err = posix_spawnp(pid, words[0], &actions, &attributes, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return -err;
}

/* Waits until it serves, or has ended. */
static int await(const char *name, pid_t pid, int ready)
{
    char word;
    ssize_t n;
    int status = 0;

    do {
        n = read(ready, &word, 1);
    } while (n < 0 && errno == EINTR);
    if (n == 1) {
        printf("%s: process %d serves now; the older one ends what it has begun\n", name, (int)pid);
        return CTL_GOOD;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    fprintf(stderr, "larderctl: the newer %s has not started (%s %d); the older one serves on\n",
            name, WIFSIGNALED(status) ? "signal" : "status",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return CTL_BAD;
}

static int replace(enum ctl_program which, const struct conf_command *command)
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
    int status = await(which == CTL_DNS ? "larder-dns" : "larder-proxy", pid, ends[0]);
    close(ends[0]);
    return status;
}

int verb_upgrade(const struct ctl_options *options)
{
    enum ctl_program which = options->program == CTL_DNS ? CTL_DNS : CTL_PROXY;
    const char *usual = which == CTL_DNS ? FETCH_DNS_ADMIN : FETCH_DEFAULT_ADMIN;
    struct buf told = BUF_INIT, why = BUF_INIT;
    struct conf_command command;
    struct arena arena;
    int status = CTL_BAD;

    arena_init(&arena, NULL, 0);
    if (fetch(options->admin ? options->admin : usual, "/config/settings", &told, &why) != 0) {
        fprintf(stderr, "larderctl: %.*s\n", SPAN_ARGS(buf_span(&why)));
    } else if (conf_read_command(buf_span(&told), &arena, &command) != 0) {
        fprintf(stderr, "larderctl: what answers there is no daemon of Larder\n");
    } else {
        status = replace(which, &command);
    }
    buf_fini(&told);
    buf_fini(&why);
    arena_fini(&arena);
    return status;
}
