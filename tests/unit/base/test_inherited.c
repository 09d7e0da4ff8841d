#include "base/inherited.h"

#include "base/environment.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

static int listening(struct sockaddr_in *address, bool shared)
{
    socklen_t len = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (!shared) {
        *address =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    }
    cr_assert_eq(bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
    cr_assert_eq(listen(fd, 1), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)address, &len), 0);
    return fd;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

Test(inherited, of_the_process_before_us_each_worker_gets_one)
{
    struct sockaddr_in address, strange;
    int one = listening(&address, false), two = listening(&address, true);
    int nobodys = listening(&strange, false);
    const struct sockaddr *at = (const struct sockaddr *)&address;

    inherited_add(one);
    inherited_add(two);
    inherited_add(nobodys);
    cr_expect(inherited_has(at, SOCK_STREAM));
    cr_expect_not(inherited_has(at, SOCK_DGRAM));
    cr_expect_eq(inherited_socket(at, SOCK_STREAM), one, "to ask whether there is one takes none");
    cr_expect_eq(inherited_socket(at, SOCK_STREAM), two);
    int third = inherited_socket(at, SOCK_STREAM);
    cr_expect(third >= 0 && third != one && third != two, "more workers than before share one");
    cr_expect_eq(inherited_socket(at, SOCK_DGRAM), -1);
    inherited_warn();
    cr_expect(is_open(one) && is_open(two));
    cr_expect_not(is_open(nobodys), "who connects there is refused, and does not wait for ever");
}

Test(inherited, what_the_next_one_gets)
{
    size_t count;

    inherited_offer(7);
    inherited_offer(9);
    const int *offers = inherited_offers(&count);
    cr_assert_eq(count, 2);
    cr_expect(offers[0] == 7 && offers[1] == 9);
    for (size_t i = 0; i < 2 * INHERITED_MAX; i++) {
        inherited_offer(11);
    }
    inherited_offers(&count);
    cr_expect_eq(count, INHERITED_MAX);
    inherited_withdraw();
    inherited_offers(&count);
    cr_expect_eq(count, 0);
}

Test(environment, numbers_and_nothing_else)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t number;
    } cases[] = {
        {"0", true, 0},   {"18446744073709551615", true, UINT64_MAX},
        {"", false, 0},   {"18446744073709551616", false, 0},
        {" 1", false, 0}, {"1 ", false, 0},
        {"-1", false, 0}, {"soon", false, 0},
    };
    uint64_t number = 0;

    unsetenv("LARDER_TEST");
    cr_expect_not(environment_number("LARDER_TEST", &number));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setenv("LARDER_TEST", cases[i].text, 1);
        number = 0;
        cr_expect_eq(environment_number("LARDER_TEST", &number), cases[i].good, "%s",
                     cases[i].text);
        cr_expect_eq(number, cases[i].number, "%s", cases[i].text);
    }
}
