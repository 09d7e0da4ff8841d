#include "base/own.h"

#include <criterion/criterion.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct ip loopback = {{[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};

static bool bring_up(const char *interface)
{
    struct ifreq request = {.ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(request.ifr_name, interface, strlen(interface) + 1);
    bool up = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    close(fd);
    return up;
}

Test(own, what_came_later_is_found_within_its_time)
{
    struct own own = {0};

    if (unshare(CLONE_NEWNET) != 0) {
        cr_skip_test("no network of our own here");
    }
    own_refresh(&own, 5000);
    cr_expect_not(own_has(&own, &loopback), "it is down");
    cr_assert(bring_up("lo"));
    own_refresh(&own, 5000 + OWN_LASTS_MS - 1);
    cr_expect_not(own_has(&own, &loopback));
    own_refresh(&own, 5000 + OWN_LASTS_MS);
    cr_expect(own_has(&own, &loopback));
    own_fini(&own);
    cr_expect_not(own_has(&own, &loopback));
}
