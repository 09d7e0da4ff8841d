#include "base/file_identity.h"

#include <errno.h>

struct file_identity file_identity_of(const struct stat *stat)
{
    return (struct file_identity){
        .device = stat->st_dev,
        .inode = stat->st_ino,
        .size = stat->st_size,
        .changed = stat->st_ctim,
        .modified = stat->st_mtim,
    };
}

int file_identify(const char *path, struct file_identity *out)
{
    struct stat found;

    *out = (struct file_identity){0};
    if (stat(path, &found) != 0) {
        return -errno;
    }
    *out = file_identity_of(&found);
    return 0;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool file_same(const struct file_identity *a, const struct file_identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           same_time(a->changed, b->changed) && same_time(a->modified, b->modified);
}
