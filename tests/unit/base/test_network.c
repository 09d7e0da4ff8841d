#include "base/network.h"

#include <criterion/criterion.h>

Test(network, slash_24_and_slash_48)
{
    static const struct {
        const char *address, *prefix;
    } cases[] = {
        {"192.0.2.0", "192.0.2.0/24"},
        {"192.0.2.255", "192.0.2.0/24"},
        {"0.0.0.1", "0.0.0.0/24"},
        {"255.255.255.255", "255.255.255.0/24"},
        {"2001:db8:1:2::3", "2001:db8:1::/48"},
        {"::1", "::/48"},
        {"ffff:ffff:ffff:ffff::", "ffff:ffff:ffff::/48"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ip ip;
        char text[PREFIX_TEXT_MAX];
        cr_assert_eq(ip_parse(span_str(cases[i].address), &ip), 0);
        uint64_t network = network_of(&ip);
        struct prefix prefix = network_prefix(network);
        cr_expect_str_eq(prefix_text(&prefix, text), cases[i].prefix);
        cr_expect(prefix_has(&prefix, &ip));
        cr_expect_eq(network_of_prefix(&prefix), network);
        cr_expect_neq(network, 0);
    }
}

Test(network, other_lengths_are_none)
{
    static const char *const prefixes[] = {"10.0.0.0/8",    "192.0.2.0/23",  "192.0.2.0/25",
                                           "2001:db8::/32", "2001:db8::/47", "2001:db8::/49",
                                           "::/0",          "192.0.2.1"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        struct prefix prefix;
        const char *what;
        cr_assert_eq(prefix_parse(span_str(prefixes[i]), &prefix, &what), 0, "%s", prefixes[i]);
        cr_expect_eq(network_of_prefix(&prefix), 0, "%s", prefixes[i]);
    }
}
