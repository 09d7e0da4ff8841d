#include "ctl/program.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { OUTPUT_MAX = 256 << 20 };

void program_find(enum ctl_program program, char *out)
{
    static const char *const places[] = {"", "../proxy/", "../dnsredir/", "../sbin/"};
    const char *name = program == CTL_DNS ? "larder-dns" : "larder-proxy";
    char self[1024];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    self[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(self, '/');
    for (size_t i = 0; slash && i < ARRAY_LEN(places); i++) {
        snprintf(out, PROGRAM_PATH_MAX, "%.*s%s%s", (int)(slash - self) + 1, self, places[i], name);
        if (access(out, X_OK) == 0) {
            return;
        }
    }
    snprintf(out, PROGRAM_PATH_MAX, "%s", name);
}

/* Standard output and error go to files in memory, so that neither can fill up while the other is
 * read. */
static int spawn(const char *program, const char *folder, char **arguments, int output, int errors,
                 pid_t *pid)
{
    posix_spawn_file_actions_t actions;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    if (folder) {
        posix_spawn_file_actions_addchdir_np(&actions, folder);
    }
    int err = posix_spawnp(pid, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return -err;
}

static void read_all(int fd, struct buf *out)
{
    off_t at = 0;
    ssize_t n = 1;

    while (n > 0 && at < OUTPUT_MAX) {
        n = pread(fd, buf_reserve(out, 65536), 65536, at);
        buf_commit(out, n > 0 ? (size_t)n : 0);
        at += n > 0 ? n : 0;
    }
}

static int run(const char *program, const char *folder, char **arguments, int output, int errors)
{
    int status;
    pid_t pid;
    int err = spawn(program, folder, arguments, output, errors, &pid);

    if (err) {
        return err;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : ERR_IO;
}

int program_run(const char *program, const char *folder, const char *const *words, size_t count,
                struct buf *output, struct buf *errors)
{
    char **arguments = xcalloc(count + 2, sizeof(*arguments));
    int out = memfd_create("output", MFD_CLOEXEC), err = memfd_create("errors", MFD_CLOEXEC);
    int status = out < 0 || err < 0 ? -errno : 0;

    arguments[0] = xspandup(span_str(program));
    for (size_t i = 0; i < count; i++) {
        arguments[i + 1] = xspandup(span_str(words[i]));
    }
    if (!status) {
        status = run(program, folder, arguments, out, err);
        read_all(out, output);
        read_all(err, errors);
    }
    for (size_t i = 0; i <= count; i++) {
        free(arguments[i]);
    }
    free(arguments);
    if (out >= 0) {
        close(out);
    }
    if (err >= 0) {
        close(err);
    }
    return status;
}
