#include "base/unix_socket.h"

#include "base/inherited.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
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

/* Removes a socket left behind by a killed process, on which nobody listens. A socket with a
 * listener stays, even if the listener is too busy to accept or refuses us; so does a file that is
 * not a socket. */
static int make_room(int fd, const char *path, const struct sockaddr_un *address)
{
    struct stat there;

    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN) {
        return -EADDRINUSE;
    }
    if (errno == ENOENT) {
        return 0;
    }
    if (errno != ECONNREFUSED) {
        return -errno;
    }
    if (lstat(path, &there) != 0 || !S_ISSOCK(there.st_mode)) {
        return -EEXIST;
    }
    return unlink(path) == 0 ? 0 : -errno;
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
    int err = make_room(fd, path, &address);
    if (!err &&
        (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, backlog) != 0)) {
        err = -errno;
    }
    if (err) {
        close(fd);
        return err;
    }
    return fd;
}
