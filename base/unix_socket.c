#include "base/unix_socket.h"

#include "base/inherited.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool unix_address(const char *path, struct sockaddr_un *out)
{
    size_t len = strlen(path);

    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len >= sizeof(out->sun_path)) {
        return false;
    }
    memcpy(out->sun_path, path, len + 1);
    return true;
}

int unix_listen(const char *path, int backlog)
{
    struct sockaddr_un address;

    if (!unix_address(path, &address)) {
        return -ENAMETOOLONG;
    }
    int inherited = inherited_socket((const struct sockaddr *)&address, SOCK_STREAM);
    if (inherited >= 0) {
        return inherited;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        close(fd);
        return -EADDRINUSE; /* somebody answers: it is not ours to remove */
    }
    unlink(path); /* a socket left behind by a process that was killed */
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, backlog) != 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}
