#include "base/prefix.h"

#include <criterion/criterion.h>
#include <netinet/in.h>

#include "base/check.h"
#include "base/err.h"

static struct ip ip_of(const char *text)
{
    struct ip ip;

    cr_assert_eq(ip_parse(span_str(text), &ip), 0, "%s", text);
    return ip;
}

Test(prefix, addresses_are_read_strictly_and_printed_canonically)
{
    static const struct {
        const char *text, *want; /* NULL: refused */
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"9.10.99.100", "9.10.99.100"},
        {"199.200.249.255", "199.200.249.255"},
        {"2001:DB8:0::1", "2001:db8::1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::", "::"},
        {"", NULL},
        {"192.0.2", NULL},
        {"192.0.2.01", NULL},
        {"192.0.2.256", NULL},
        {"192.0.2.1 ", NULL},
        {"0x7f.0.0.1", NULL},
        {"fe80::1%eth0", NULL},
        {"[::1]", NULL},
        {"1:2:3:4:5:6:7:8:9", NULL},
        {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip ip;
        char text[IP_TEXT_MAX];
        int err = ip_parse(span_str(cases[i].text), &ip);

        cr_expect_eq(err, cases[i].want ? 0 : ERR_SYNTAX, "%s", cases[i].text);
        if (cases[i].want && !err) {
            cr_expect_str_eq(ip_text(&ip, text), cases[i].want);
        }
    }
    struct ip ip;
    cr_expect_eq(ip_parse(span_of("1.2.3.4\0x", 9), &ip), ERR_SYNTAX);
}

Test(prefix, prefixes_are_read_and_printed)
{
    static const struct {
        const char *text, *want, *what;
    } cases[] = {
        {"10.0.0.0/8", "10.0.0.0/8", NULL},
        {"0.0.0.0/0", "0.0.0.0/0", NULL},
        {"192.0.2.7", "192.0.2.7/32", NULL},
        {"2001:db8::/33", "2001:db8::/33", NULL},
        {"::1", "::1/128", NULL},
        {"::/0", "::/0", NULL},
        {"::ffff:0:0/96", "0.0.0.0/0", NULL},
        {"10.0.0.1/8", NULL, "bits are set after the prefix length"},
        {"10.192.0.0/9", NULL, "bits are set after the prefix length"},
        {"2001:db8::1/127", NULL, "bits are set after the prefix length"},
        {"10.0.0.0/33", NULL, "the prefix length is not 0 to 32"},
        {"10.0.0.0/", NULL, "the prefix length is not 0 to 32"},
        {"10.0.0.0/8/8", NULL, "the prefix length is not 0 to 32"},
        {"::/129", NULL, "the prefix length is not 0 to 128"},
        {"10/8", NULL, "not an IP address"},
        {"example.net/8", NULL, "not an IP address"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct prefix prefix;
        const char *what = NULL;
        char text[PREFIX_TEXT_MAX];
        int err = prefix_parse(span_str(cases[i].text), &prefix, &what);

        cr_expect_eq(err, cases[i].want ? 0 : ERR_SYNTAX, "%s", cases[i].text);
        if (!err) {
            cr_expect_str_eq(prefix_text(&prefix, text), cases[i].want);
        } else {
            cr_expect_str_eq(what, cases[i].what, "%s", cases[i].text);
        }
    }
}

Test(prefix, has)
{
    static const struct {
        const char *prefix, *ip;
        bool has;
    } cases[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.128.0.0/9", "10.128.0.1", true},
        {"10.128.0.0/9", "10.127.255.255", false},
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "203.0.113.9", false},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"10.0.0.0/8", "a00::", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct prefix prefix;
        const char *what;
        struct ip ip = ip_of(cases[i].ip);

        cr_assert_eq(prefix_parse(span_str(cases[i].prefix), &prefix, &what), 0);
        cr_expect_eq(prefix_has(&prefix, &ip), cases[i].has, "%s in %s", cases[i].ip,
                     cases[i].prefix);
    }
}

/* A list that was settled says of every address what its prefixes said one by one. */
Test(prefix, long_lists_say_what_their_prefixes_say)
{
    static const char *const texts[] = {
        "10.1.0.0/16",   "10.0.0.0/8",        "10.1.2.3",    "192.0.2.0/25",  "192.0.2.128/25",
        "192.0.2.0/24",  "0.0.0.0/32",        "2001:db8::1", "2001:db8::/48", "2001:db8::/48",
        "2001:db8:1::1", "255.255.255.255",   "::1",         "fe80::/10",     "172.16.0.0/12",
        "::/128",        "2001:db8:ffff::/64"};
    static const char *const clients[] = {"10.0.0.0",
                                          "10.255.255.255",
                                          "9.255.255.255",
                                          "11.0.0.0",
                                          "192.0.2.0",
                                          "192.0.2.255",
                                          "192.0.3.0",
                                          "192.0.1.255",
                                          "0.0.0.0",
                                          "0.0.0.1",
                                          "2001:db8::",
                                          "2001:db8::1",
                                          "2001:db8:1::",
                                          "2001:db8:1::1",
                                          "2001:db8:1::2",
                                          "2001:db7::",
                                          "::1",
                                          "::",
                                          "::2",
                                          "255.255.255.255",
                                          "255.255.255.254",
                                          "fe80::1",
                                          "febf::1",
                                          "fec0::",
                                          "172.31.255.255",
                                          "172.32.0.0",
                                          "2001:db8:ffff::ffff",
                                          "::a00:1",
                                          "ffff::"};
    struct prefix list[ARRAY_LEN(texts)], settled[ARRAY_LEN(texts)];
    const char *what;

    for (size_t count = 0; count <= ARRAY_LEN(texts); count++) {
        for (size_t i = 0; i < count; i++) {
            cr_assert_eq(prefix_parse(span_str(texts[i]), &list[i], &what), 0, "%s", texts[i]);
            settled[i] = list[i];
        }
        size_t kept = prefixes_settle(settled, count);
        cr_expect_leq(kept, count);
        for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
            struct ip ip = ip_of(clients[i]);
            bool want = false;
            for (size_t n = 0; n < count; n++) {
                want = want || prefix_has(&list[n], &ip);
            }
            cr_expect_eq(prefixes_have(settled, kept, &ip), want, "%s, %zu prefixes", clients[i],
                         count);
        }
    }
}

Test(prefix, all_of_ipv6_is_no_ipv4_in_a_list_either)
{
    struct prefix list[3];
    const char *what;
    static const char *const texts[] = {"10.0.0.0/8", "::/0", "2001:db8::/32"};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        cr_assert_eq(prefix_parse(span_str(texts[i]), &list[i], &what), 0);
    }
    cr_assert_eq(prefixes_settle(list, ARRAY_LEN(list)), 2);
    cr_expect(prefixes_have(list, 2, &(struct ip[]){ip_of("10.1.1.1")}[0]));
    cr_expect(prefixes_have(list, 2, &(struct ip[]){ip_of("2001:db9::1")}[0]));
    cr_expect(prefixes_have(list, 2, &(struct ip[]){ip_of("::1")}[0]));
    cr_expect_not(prefixes_have(list, 2, &(struct ip[]){ip_of("11.1.1.1")}[0]));
}

Test(prefix, special_addresses)
{
    static const struct {
        const char *ip;
        bool special;
    } cases[] = {
        {"127.0.0.1", true},
        {"127.255.0.1", true},
        {"0.0.0.0", true},
        {"0.1.2.3", true},
        {"169.254.169.254", true},
        {"224.0.0.1", true},
        {"255.255.255.255", true},
        {"::", true},
        {"::1", true},
        {"::127.0.0.1", true},
        {"::ffff:127.0.0.1", true},
        {"fe80::1", true},
        {"febf::1", true},
        {"ff02::1", true},
        {"100.100.100.200", true},
        {"192.0.0.192", true},
        {"fd00:ec2::254", true},
        {"100.100.100.201", false},
        {"192.0.0.191", false},
        {"fd00:ec2::253", false},
        {"fd00:ec2::64:64:64c8", false},
        {"10.0.0.1", false},
        {"169.253.0.1", false},
        {"223.255.255.255", false},
        {"fec0::1", false},
        {"2001:db8::1", false},
        {"fd00::1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip ip = ip_of(cases[i].ip);
        cr_expect_eq(ip_is_special(&ip), cases[i].special, "%s", cases[i].ip);
    }
}

Test(prefix, loopback)
{
    static const struct {
        const char *ip;
        bool loopback;
    } cases[] = {
        {"127.0.0.1", true},    {"127.255.0.1", true}, {"::ffff:127.0.0.1", true},
        {"::1", true},          {"0.0.0.0", false},    {"::", false},
        {"128.0.0.1", false},   {"126.0.0.1", false},  {"::2", false},
        {"::127.0.0.1", false}, {"fe80::1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip ip = ip_of(cases[i].ip);
        cr_expect_eq(ip_is_loopback(&ip), cases[i].loopback, "%s", cases[i].ip);
    }
}

Test(prefix, socket_addresses_and_back)
{
    static const char *const texts[] = {"192.0.2.1", "2001:db8::1", "::"};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct ip ip = ip_of(texts[i]);
        struct sockaddr_storage storage;
        socklen_t len = ip_to_sockaddr(&ip, 80, &storage);
        struct ip back = ip_of_sockaddr((struct sockaddr *)&storage);

        cr_expect(ip_eq(&ip, &back), "%s", texts[i]);
        cr_expect_eq(len, ip_is_v4(&ip) ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    }
    struct sockaddr_storage other = {.ss_family = AF_UNIX};
    struct ip any = ip_of_sockaddr((struct sockaddr *)&other);
    struct ip zero = ip_of("::");
    cr_expect(ip_eq(&any, &zero));
}

Test(prefix, endpoints)
{
    static const struct {
        const char *text;
        uint16_t default_port;
        const char *ip; /* NULL: refused */
        uint16_t port;
    } cases[] = {
        {"127.0.0.1:3128", 0, "127.0.0.1", 3128},
        {"[::1]:3128", 0, "::1", 3128},
        {":3128", 0, "::", 3128},
        {"3128", 0, "::", 3128},
        {"3128", 53, "::", 3128},
        {"127.0.0.1:0", 0, "127.0.0.1", 0},
        {"127.0.0.1", 53, "127.0.0.1", 53},
        {"[2001:db8::1]", 53, "2001:db8::1", 53},
        {"127.0.0.1", 0, NULL, 0},
        {"[::1]", 0, NULL, 0},
        {"::1", 53, NULL, 0},
        {"[127.0.0.1]:80", 0, NULL, 0},
        {"127.0.0.1:", 53, NULL, 0},
        {"127.0.0.1:65536", 0, NULL, 0},
        {"65536", 0, NULL, 0},
        {"localhost:80", 0, NULL, 0},
        {"[::1:80", 0, NULL, 0},
        {"]:80", 0, NULL, 0},
        {"[]:80", 0, NULL, 0},
        {"", 53, NULL, 0},
        {":", 53, NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sockaddr_storage storage;
        socklen_t len;
        int err = endpoint_parse(span_str(cases[i].text), cases[i].default_port, &storage, &len);

        cr_expect_eq(err, cases[i].ip ? 0 : ERR_SYNTAX, "%s", cases[i].text);
        if (err || !cases[i].ip) {
            continue;
        }
        struct ip got = ip_of_sockaddr((struct sockaddr *)&storage);
        struct ip want = ip_of(cases[i].ip);
        struct sockaddr_in6 v6; /* the port sits at the same place in both families */
        memcpy(&v6, &storage, sizeof(v6));
        cr_expect(ip_eq(&got, &want), "%s", cases[i].text);
        cr_expect_eq(ntohs(v6.sin6_port), cases[i].port, "%s", cases[i].text);
    }
}
