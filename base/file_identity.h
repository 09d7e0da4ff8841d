/* file_identity - tells whether a file is still the one that was read. */
#ifndef LARDER_BASE_FILE_IDENTITY_H
#define LARDER_BASE_FILE_IDENTITY_H

#include <stdbool.h>
#include <sys/stat.h>

/* Identifies a version of a file: differs once somebody has written to it or replaced it. Zeros: no
 * file. */
struct file_identity {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed, modified;
};

struct file_identity file_identity_of(const struct stat *stat);
/* Returns 0 or -errno; then *out is all zeros. */
int file_identify(const char *path, struct file_identity *out);
bool file_same(const struct file_identity *a, const struct file_identity *b);

#endif
