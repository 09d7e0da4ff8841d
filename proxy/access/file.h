/*
 * file - reads a file that the settings name. Errors are lines for the administrator, as those of
 * base/conf.h. Waits for the disk, so never to be called on a loop.
 */
#ifndef LARDER_PROXY_ACCESS_FILE_H
#define LARDER_PROXY_ACCESS_FILE_H

#include "base/buf.h"
#include "base/file_identity.h"

/* Appends the content to `out`, at most `max` bytes. *identity is that of the version read. Returns
 * 0, or ERR_CONFIG with a line in `errors`. */
int file_read(const char *path, size_t max, struct file_identity *identity, struct buf *out,
              struct buf *errors);

/* Error lines about one file. Lines after FILE_ERRORS_MAX are only counted. */
enum { FILE_ERRORS_MAX = 20 };
struct file_errors {
    const char *path;
    struct buf *out;
    size_t count;
};
/* Adds the line "path:line: text". */
__attribute__((format(printf, 3, 4))) void file_complain(struct file_errors *errors, size_t line,
                                                         const char *format, ...);
/* Adds how many lines were left out. Returns 0, or ERR_CONFIG if there were errors. */
int file_errors_end(struct file_errors *errors);

#endif
