#include "base/unix_socket.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

Test(unix_socket, takes_the_place_only_of_what_a_process_left_behind)
{
    struct sockaddr_un address;
    char path[64], text[8] = "";

    snprintf(path, sizeof(path), "/tmp/larder-unix-%d", (int)getpid());
    unlink(path);
    int first = unix_listen(path, 0);
    cr_assert(first >= 0, "%d", first);
    cr_expect_eq(unix_listen(path, 0), -EADDRINUSE, "somebody listens");
    cr_assert(unix_address(path, &address));
    for (int err = 0; err == 0;) { /* until it is too busy to accept; they end with us */
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        err = connect(fd, (const struct sockaddr *)&address, sizeof(address));
    }
    cr_expect_eq(unix_listen(path, 0), -EADDRINUSE, "somebody listens, and is busy");
    close(first);
    int second = unix_listen(path, 0);
    cr_expect(second >= 0, "%d: nobody listens any more", second);
    close(second);
    unlink(path);
    FILE *file = fopen(path, "w");
    fputs("mine", file);
    fclose(file);
    cr_expect_eq(unix_listen(path, 0), -EEXIST, "that is no socket");
    file = fopen(path, "r");
    cr_assert_not_null(file, "it was removed");
    cr_expect_eq(fread(text, 1, 4, file), 4);
    fclose(file);
    unlink(path);
    cr_expect_eq(unix_listen("/nonexistent/larder", 0), -ENOENT);
}
