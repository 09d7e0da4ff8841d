#include "proxy/access/file.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, size_t max, struct buf *out)
{
    size_t start = buf_len(out);
    ssize_t n = 1;

    while (n > 0 && buf_len(out) - start <= max) {
        n = read(fd, buf_reserve(out, 1 << 18), 1 << 18);
        if (n < 0 && errno == EINTR) {
            n = 1;
        } else if (n > 0) {
            buf_commit(out, (size_t)n);
        }
    }
    return n < 0 ? -errno : buf_len(out) - start > max ? ERR_TOO_LARGE : 0;
}

int file_read(const char *path, size_t max, struct file_identity *identity, struct buf *out,
              struct buf *errors)
{
    /* O_NONBLOCK: a fifo is an error instead of a wait */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat found = {0};
    int err = fd < 0 || fstat(fd, &found) != 0 ? -errno : 0;

    if (!err && !S_ISREG(found.st_mode)) {
        err = S_ISDIR(found.st_mode) ? -EISDIR : ERR_UNSUPPORTED;
    }
    if (!err) {
        *identity = file_identity_of(&found);
        err = read_all(fd, max, out);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (err == ERR_TOO_LARGE) {
        buf_printf(errors, "%s: larger than %zu MiB; expected a smaller file\n", path, max >> 20);
    } else if (err) {
        buf_printf(errors, "%s: cannot be read: %s; expected a readable file\n", path,
                   err_text(err));
    }
    return err ? ERR_CONFIG : 0;
}

void file_complain(struct file_errors *errors, size_t line, const char *format, ...)
{
    char text[512];
    va_list args;

    if (errors->count++ >= FILE_ERRORS_MAX) {
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    buf_printf(errors->out, "%s:%zu: %s\n", errors->path, line, text);
}

int file_errors_end(struct file_errors *errors)
{
    if (errors->count > FILE_ERRORS_MAX) {
        buf_printf(errors->out, "%s: and %zu more errors\n", errors->path,
                   errors->count - FILE_ERRORS_MAX);
    }
    return errors->count ? ERR_CONFIG : 0;
}
