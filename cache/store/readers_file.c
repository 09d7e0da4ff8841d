#include "cache/store/readers_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* LMDB's own length is slightly smaller: a cache line for each reader, and some for the header. */
enum { LINE = 64, LINES_MORE = 16 };

static size_t length_for(unsigned readers)
{
    return ((size_t)readers + LINES_MORE) * LINE;
}

/* Any mapping will do, as the file's pages are locked. */
static void *keep(int fd, size_t len)
{
    void *pages = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);

    if (pages == MAP_FAILED) {
        return NULL;
    }
    if (mlock(pages, len) != 0) {
        munmap(pages, len);
        return NULL;
    }
    return pages;
}

int readers_file_make(const char *path, unsigned readers, mode_t mode, struct readers_file *out)
{
    char name[PATH_MAX];
    int len = snprintf(name, sizeof(name), "%s-lock", path);
    size_t size = length_for(readers);

    *out = (struct readers_file){0};
    if (len < 0 || (size_t)len >= sizeof(name)) {
        return ENAMETOOLONG;
    }
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, mode);
    if (fd < 0) {
        return errno;
    }
    int err = posix_fallocate(fd, 0, (off_t)size);
    if (!err) {
        *out = (struct readers_file){keep(fd, size), size};
    }
    close(fd);
    return err;
}

void readers_file_release(struct readers_file *file)
{
    if (file->pages) {
        munmap(file->pages, file->size);
    }
    *file = (struct readers_file){0};
}
