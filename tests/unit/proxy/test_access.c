#include "base/check.h"
#include "proxy/client/access.h"
#include "proxy/origin/target.h"

#include <criterion/criterion.h>

static struct ip ip_of(const char *text)
{
    struct ip ip;

    cr_assert_eq(ip_parse(span_str(text), &ip), 0, "%s", text);
    return ip;
}

static struct prefix prefix_of(const char *text)
{
    struct prefix prefix;
    const char *what = "";

    cr_assert_eq(prefix_parse(span_str(text), &prefix, &what), 0, "%s: %s", text, what);
    return prefix;
}

Test(access_client, the_first_rule_that_names_the_client_decides)
{
    struct prefix bad[] = {prefix_of("10.1.0.0/16"), prefix_of("2001:db8:1::/48")};
    struct prefix good[] = {prefix_of("10.0.0.0/8"), prefix_of("2001:db8::/32")};
    struct access_rule rules[] = {
        {.allow = false, .from = bad, .from_count = ARRAY_LEN(bad)},
        {.allow = true, .from = good, .from_count = ARRAY_LEN(good)},
    };
    struct settings settings = {.access = rules, .access_count = ARRAY_LEN(rules)};
    static const struct {
        const char *client;
        bool allowed;
    } cases[] = {
        {"10.0.0.1", true},     {"10.1.2.3", false},       {"10.2.0.1", true},
        {"11.0.0.1", false},    {"2001:db8::1", true},     {"2001:db8:1::1", false},
        {"2001:db9::1", false}, {"::ffff:10.0.0.1", true}, {"::ffff:10.1.0.1", false},
        {"::a00:1", false},     {"127.0.0.1", false},      {"::1", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip client = ip_of(cases[i].client);
        cr_expect_eq(access_client(&settings, &client), cases[i].allowed, "%s", cases[i].client);
    }
}

Test(access_client, a_rule_without_prefixes_is_for_everybody_and_the_end_is_deny)
{
    struct access_rule rules[] = {{.allow = true}, {.allow = false}};
    struct settings settings = {.access = rules, .access_count = 1};
    struct ip client = ip_of("192.0.2.1");

    cr_expect(access_client(&settings, &client));
    settings.access = rules + 1;
    cr_expect(!access_client(&settings, &client));
    settings.access_count = 0;
    cr_expect(!access_client(&settings, &client));
}

/* ---- targets ---- */

Test(target_allowed, addresses_of_ourselves_in_every_disguise)
{
    struct ip own[] = {ip_of("192.0.2.80"), ip_of("2001:db8::80")};
    struct settings settings = {0};
    struct target_check check = {.settings = &settings, .own = own, .own_count = ARRAY_LEN(own)};
    static const struct {
        const char *ip;
        bool allowed;
    } cases[] = {
        {"198.51.100.1", true},
        {"10.0.0.1", true},
        {"2001:db8::1", true},
        {"127.0.0.1", false},
        {"127.255.255.254", false},
        {"0.0.0.0", false},
        {"0.1.2.3", false},
        {"169.254.169.254", false},
        {"224.0.0.1", false},
        {"255.255.255.255", false},
        {"192.0.2.80", false},
        {"192.0.2.81", true},
        {"::", false},
        {"::1", false},
        {"::127.0.0.1", false},
        {"fe80::1", false},
        {"ff02::1", false},
        {"2001:db8::80", false},
        {"::ffff:127.0.0.1", false},
        {"::ffff:192.0.2.80", false},
        {"::ffff:198.51.100.1", true},
        /* 6to4 */
        {"2002:7f00:1::", false},
        {"2002:a9fe:a9fe::1", false},
        {"2002:c000:250::1", false},
        {"2002:c633:6401::1", true},
        /* NAT64 */
        {"64:ff9b::127.0.0.1", false},
        {"64:ff9b::169.254.169.254", false},
        {"64:ff9b::192.0.2.80", false},
        {"64:ff9b::198.51.100.1", true},
        {"64:ff9b:1::198.51.100.1", false},
        /* SIIT */
        {"::ffff:0:127.0.0.1", false},
        {"::ffff:0:198.51.100.1", true},
        /* Teredo: the server, and the client's address inverted */
        {"2001:0:7f00:1::", false},
        {"2001:0:c633:6401::80ff:fffe", false},
        {"2001:0:c633:6401::39cc:9bfe", true},
        /* ISATAP */
        {"2001:db8::5efe:127.0.0.1", false},
        {"2001:db8::200:5efe:169.254.169.254", false},
        {"2001:db8::5efe:198.51.100.1", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip ip = ip_of(cases[i].ip);
        cr_expect_eq(target_allowed(&check, &ip, 80), cases[i].allowed, "%s", cases[i].ip);
        cr_expect(!target_allowed(&check, &ip, 0), "%s port 0", cases[i].ip);
    }
    check.configured = true;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip ip = ip_of(cases[i].ip);
        cr_expect(target_allowed(&check, &ip, 80), "configured %s", cases[i].ip);
    }
}

Test(target_allowed, allow_targets_opens_exactly_what_it_names)
{
    struct prefix open[] = {prefix_of("127.0.0.0/8"), prefix_of("64:ff9b:1::/96")};
    struct settings settings = {.allow_targets = open, .allow_target_count = ARRAY_LEN(open)};
    struct target_check check = {.settings = &settings};
    static const struct {
        const char *ip;
        bool allowed;
    } cases[] = {
        {"127.0.0.1", true},      {"::ffff:127.0.0.1", true},    {"169.254.0.1", false},
        {"::1", false},           {"64:ff9b::127.0.0.1", false}, {"64:ff9b:1::10.0.0.1", true},
        {"2002:7f00:1::", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip ip = ip_of(cases[i].ip);
        cr_expect_eq(target_allowed(&check, &ip, 80), cases[i].allowed, "%s", cases[i].ip);
    }
}

Test(target_port_allowed, listed_ports_for_connect_safe_ports_for_the_rest)
{
    struct port_range ranges[] = {{443, 443}, {8000, 8100}, {0, 10}};
    struct settings settings = {.connect_ports = ranges, .connect_port_count = ARRAY_LEN(ranges)};
    static const struct {
        uint16_t port;
        bool connect, allowed;
    } cases[] = {
        {443, true, true},   {80, true, false},    {8000, true, true},   {8100, true, true},
        {8101, true, false}, {0, true, false},     {25, true, false},    {80, false, true},
        {443, false, true},  {25, false, false},   {1023, false, false}, {1024, false, true},
        {0, false, false},   {65535, false, true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(target_port_allowed(&settings, cases[i].port, cases[i].connect),
                     cases[i].allowed, "%u %d", cases[i].port, cases[i].connect);
    }
}

Test(target_policy, targeted_fields_and_cookies_are_the_sites_own_matter)
{
    struct settings settings = {
        .cache = {.heuristic_percent = 20, .heuristic_max = 3600, .clients_may_bypass = true}};
    struct span targeted[] = {SPAN("CDN-Cache-Control"), SPAN("X-Cache-Control")};
    struct site site = {.targeted = targeted, .targeted_count = ARRAY_LEN(targeted)};
    struct policy_settings rules = target_policy(&settings, NULL);

    cr_expect_eq(rules.targeted_count, 0);
    cr_expect(!rules.refuse_set_cookie);
    cr_expect_eq(rules.heuristic_percent, 20);
    cr_expect_eq(rules.heuristic_max, 3600);
    cr_expect(!rules.ignore_client_control);
    settings.cache.clients_may_bypass = false;
    rules = target_policy(&settings, &site);
    cr_assert_eq(rules.targeted_count, 2);
    cr_expect(span_eq(rules.targeted[1], SPAN("X-Cache-Control")));
    cr_expect(rules.refuse_set_cookie);
    site.store_set_cookie = true;
    cr_expect(!target_policy(&settings, &site).refuse_set_cookie);
    cr_expect(rules.ignore_client_control);
}
