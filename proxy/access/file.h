/*
 * file - a file that settings name, read whole, and whether it is still the same later. Errors are
 * lines for the administrator, as of base/conf.h. Waits for the disk: never on a loop.
 */
#ifndef LARDER_PROXY_ACCESS_FILE_H
#define LARDER_PROXY_ACCESS_FILE_H

#include "base/buf.h"

#include <sys/types.h>
#include <time.h>

/* What a file is known by; changes when somebody writes or replaces it. */
struct file_identity {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed, modified;
};

/* 0 or -errno. */
int file_identify(const char *path, struct file_identity *out);
bool file_same(const struct file_identity *a, const struct file_identity *b);

/* Appends the file to `out`, at most `max` bytes of it. `identity` is what it was before. 0, or
 * ERR_CONFIG with a line in `errors`. */
int file_read(const char *path, size_t max, struct file_identity *identity, struct buf *out,
              struct buf *errors);

/* Lines of error about one file: more than FILE_ERRORS_MAX are counted only. */
enum { FILE_ERRORS_MAX = 20 };
struct file_errors {
    const char *path;
    struct buf *out;
    size_t count;
};
/* "path:line: text". */
__attribute__((format(printf, 3, 4))) void file_complain(struct file_errors *errors, size_t line,
                                                         const char *format, ...);
/* Says how many more there were. 0 or ERR_CONFIG: there were some. */
int file_errors_end(struct file_errors *errors);

#endif
