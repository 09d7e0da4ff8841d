#include "base/folder_lock.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int folder_lock(const char *folder, const char *name, int *fd)
{
    char path[PATH_MAX];

    if (mkdir(folder, 0750) < 0 && errno != EEXIST) {
        return -errno;
    }
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path)) {
        return -ENAMETOOLONG;
    }
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (file < 0) {
        return -errno;
    }
    if (flock(file, LOCK_EX | LOCK_NB) < 0) {
        int err = errno == EWOULDBLOCK ? ERR_BUSY : -errno;
        close(file);
        return err;
    }
    *fd = file;
    return 0;
}
