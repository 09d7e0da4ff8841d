#include "bench/hitratio/input.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *unpacker(struct span path)
{
    if (span_ends(path, SPAN(".xz"))) {
        return "xz";
    }
    return span_ends(path, SPAN(".gz")) ? "gzip" : NULL;
}

enum format input_format(struct span path)
{
    if (unpacker(path)) {
        path.len -= 3;
    }
    if (span_ends(path, SPAN(".trace"))) {
        return FORMAT_U32;
    }
    return span_ends(path, SPAN(".log")) ? FORMAT_SQUID : FORMAT_TEXT;
}

static void unpack(const char *program, int from, int to)
{
    if (dup2(from, STDIN_FILENO) >= 0 && dup2(to, STDOUT_FILENO) >= 0) {
        execlp(program, program, "-dc", (char *)NULL);
    }
    _exit(127);
}

/* The read end of a pipe from `program`, which reads `file`. Closes `file`. */
static int open_unpacked(const char *program, int file, pid_t *child)
{
    int ends[2], err;

    if (pipe2(ends, O_CLOEXEC) < 0) {
        err = -errno;
        close(file);
        return err;
    }
    *child = fork();
    if (*child == 0) {
        unpack(program, file, ends[1]);
    }
    err = *child < 0 ? -errno : 0;
    close(file);
    close(ends[1]);
    if (err) {
        close(ends[0]);
        return err;
    }
    return ends[0];
}

static int read_from(int file, enum format format, uint64_t limit, struct trace *trace,
                     struct format_counts *counts)
{
    FILE *from = fdopen(file, "r");
    int err = from ? 0 : -errno;

    if (!from) {
        close(file);
        return err;
    }
    *counts = format_read(format, from, limit, trace);
    err = ferror(from) ? -EIO : 0;
    fclose(from);
    return err;
}

/* An unpacker that was cut off because enough was read has not failed. */
static int unpacker_result(pid_t child, bool cut_off)
{
    int status;

    if (waitpid(child, &status, 0) < 0) {
        return -errno;
    }
    if (cut_off && WIFSIGNALED(status)) {
        return 0;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ERR_CORRUPT;
}

int input_read(const char *path, enum format format, uint64_t limit, struct trace *trace,
               struct format_counts *counts)
{
    const char *program = unpacker(span_str(path));
    pid_t child = -1;
    int file =
        span_eq(span_str(path), SPAN("-")) ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0) {
        return -errno;
    }
    if (program) {
        file = open_unpacked(program, file, &child);
    }
    if (file < 0) {
        return file;
    }
    int err = read_from(file, format, limit, trace, counts);
    if (child > 0) {
        int failed = unpacker_result(child, limit && counts->taken == limit);
        err = err ? err : failed;
    }
    return err;
}
