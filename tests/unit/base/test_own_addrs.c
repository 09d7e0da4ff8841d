#include "base/check.h"
#include "base/own_addrs.h"

#include <arpa/inet.h>
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

Test(own_addrs, what_came_later_is_found_within_its_time)
{
    struct own_addrs own = {0};

    if (unshare(CLONE_NEWNET) != 0) {
        cr_skip_test("no network of our own here");
    }
    own_addrs_refresh(&own, 5000);
    cr_expect_not(own_addrs_has(&own, &loopback), "it is down");
    cr_assert(bring_up("lo"));
    own_addrs_refresh(&own, 5000 + OWN_ADDRS_LAST_MS - 1);
    cr_expect_not(own_addrs_has(&own, &loopback));
    own_addrs_refresh(&own, 5000 + OWN_ADDRS_LAST_MS);
    cr_expect(own_addrs_has(&own, &loopback));
    own_addrs_fini(&own);
    cr_expect_not(own_addrs_has(&own, &loopback));
}

static struct ip ip_of(const char *text)
{
    struct ip ip;

    cr_assert_eq(ip_parse(span_str(text), &ip), 0, "%s", text);
    return ip;
}

Test(own_addrs, a_listener_is_found_by_every_address_that_leads_to_it)
{
    struct own_listener listeners[] = {{ip_of("127.0.0.1"), 1},
                                       {ip_of("192.0.2.80"), 2},
                                       {ip_of("0.0.0.0"), 3},
                                       {ip_of("::"), 4},
                                       {ip_of("::1"), 5}};
    struct ip addresses[] = {ip_of("192.0.2.80"), ip_of("2001:db8::80")};
    struct own_addrs own = {addresses, ARRAY_LEN(addresses), 0, listeners, ARRAY_LEN(listeners)};
    static const struct {
        const char *ip;
        uint16_t port;
        bool is_listener;
    } cases[] = {
        {"127.0.0.1", 1, true},     {"127.0.0.1", 2, false}, {"127.0.0.2", 1, false},
        {"0.0.0.0", 1, true},       {"::", 1, true},         {"::ffff:127.0.0.1", 1, true},
        {"192.0.2.80", 1, false},   {"192.0.2.80", 2, true}, {"192.0.2.81", 2, false},
        {"127.9.9.9", 3, true},     {"192.0.2.80", 3, true}, {"198.51.100.1", 3, false},
        {"::1", 4, true},           {"127.0.0.1", 4, true},  {"2001:db8::80", 4, true},
        {"2001:db8::81", 4, false}, {"::1", 5, true},        {"127.0.0.1", 6, false},
        {"198.51.100.1", 0, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip ip = ip_of(cases[i].ip);
        cr_expect_eq(own_addrs_has_listener(&own, &ip, cases[i].port), cases[i].is_listener,
                     "%s %u", cases[i].ip, cases[i].port);
    }
}

Test(own_addrs, a_listener_has_the_address_that_the_kernel_gave_its_socket)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    struct own_addrs own = {0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    own_addrs_add_listener(&own, fd);
    own_addrs_add_listener(&own, other);
    own_addrs_add_listener(&own, -1);
    cr_expect_eq(own.listener_count, 1);
    cr_expect(own_addrs_has_listener(&own, &loopback, ntohs(address.sin_port)));
    close(fd);
    close(other);
    own_addrs_fini(&own);
    cr_expect_eq(own.listener_count, 0);
}
