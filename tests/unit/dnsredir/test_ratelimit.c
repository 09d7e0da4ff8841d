#include "dialogue.h"

#include "base/check.h"

#include <criterion/criterion.h>

#define SECOND UINT64_C(1000000)

static struct limiter *limiter;

static void set_up(void)
{
    limiter = limiter_new();
}

static void tear_down(void)
{
    limiter_free(&limiter);
}

TestSuite(ratelimit, .init = set_up, .fini = tear_down);

static const struct rate_limit limits = {.responses = 10, .errors = 2, .slip = 2};

/* How many of `count` pass that come at once. */
static unsigned passes(const struct rate_limit *limit, const char *client, enum limit_class class,
                       const void *subject, uint64_t now_us, unsigned count)
{
    struct ip ip;
    struct limit_case what = {.client = &ip, .class = class, .subject = subject, .now_us = now_us};
    unsigned passed = 0;

    cr_assert_eq(ip_parse(span_str(client), &ip), 0);
    for (; what.turn < count; what.turn++) {
        passed += limiter_ask(limiter, limit, &what) == LIMIT_PASS;
    }
    return passed;
}

Test(ratelimit, a_bucket_holds_a_second_and_fills_at_the_rate)
{
    static const struct {
        uint64_t at;
        unsigned want;
    } rows[] = {
        {100 * SECOND, 10},         {100 * SECOND + 99999, 0},
        {100 * SECOND + 100000, 1}, {100 * SECOND + 500000, 4},
        {102 * SECOND, 10},         {9999 * SECOND, 10}, /* it holds no more than that */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned got = passes(&limits, "192.0.2.1", LIMIT_RESPONSE, NULL, rows[i].at, 50);
        cr_expect_eq(got, rows[i].want, "row %zu: %u", i, got);
    }
}

Test(ratelimit, what_shares_a_bucket)
{
    int name, other;
    static const struct {
        const char *what, *client;
        enum limit_class class;
        bool other;
        unsigned want;
    } rows[] = {
        {"the first", "192.0.2.1", LIMIT_RESPONSE, false, 10},
        {"the same /24", "192.0.2.254", LIMIT_RESPONSE, false, 0},
        {"the next one", "192.0.3.1", LIMIT_RESPONSE, false, 10},
        {"another name", "192.0.2.1", LIMIT_RESPONSE, true, 10},
        {"errors", "192.0.2.1", LIMIT_ERROR, false, 2},
        {"IPv6", "2001:db8:0:100::1", LIMIT_RESPONSE, false, 10},
        {"the same /56", "2001:db8:0:1ff::1", LIMIT_RESPONSE, false, 0},
        {"the next one", "2001:db8:0:200::1", LIMIT_RESPONSE, false, 10},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const void *subject = rows[i].other ? &other : &name;
        unsigned got = passes(&limits, rows[i].client, rows[i].class, subject, SECOND, 50);
        cr_expect_eq(got, rows[i].want, "%s: %u", rows[i].what, got);
    }
}

/* Who is asked about many names is one victim all the same. */
Test(ratelimit, a_network_has_a_bucket_of_its_own)
{
    static const struct rate_limit limit = {.responses = 10, .errors = 2, .network = 25};
    int names[5];
    static const struct {
        const char *what, *client;
        enum limit_class class;
        unsigned name, want;
        uint64_t at;
    } rows[] = {
        {"one name", "192.0.2.1", LIMIT_RESPONSE, 0, 10, SECOND},
        {"no more of it", "192.0.2.1", LIMIT_RESPONSE, 0, 0, SECOND},
        {"errors count, too", "192.0.2.2", LIMIT_ERROR, 0, 2, SECOND},
        {"another name", "192.0.2.3", LIMIT_RESPONSE, 1, 10, SECOND},
        {"what is left for a third", "192.0.2.4", LIMIT_RESPONSE, 2, 3, SECOND},
        {"nothing for a fourth", "192.0.2.4", LIMIT_RESPONSE, 3, 0, SECOND},
        {"the next network", "192.0.3.4", LIMIT_RESPONSE, 3, 10, SECOND},
        {"at its rate again", "192.0.2.4", LIMIT_RESPONSE, 4, 5, SECOND + SECOND / 5},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned got =
            passes(&limit, rows[i].client, rows[i].class, &names[rows[i].name], rows[i].at, 50);
        cr_expect_eq(got, rows[i].want, "%s: %u", rows[i].what, got);
    }
}

Test(ratelimit, zero_is_no_limit_and_some_are_exempt)
{
    struct prefix exempt;
    const char *what;
    struct rate_limit none = {0};
    struct rate_limit some = {.responses = 1, .errors = 1, .exempt = &exempt, .exempt_count = 1};

    cr_assert_eq(prefix_parse(SPAN("192.0.2.0/25"), &exempt, &what), 0);
    cr_expect_eq(passes(&none, "192.0.2.1", LIMIT_RESPONSE, NULL, SECOND, 50), 50);
    cr_expect_eq(passes(&none, "192.0.2.1", LIMIT_ERROR, NULL, SECOND, 50), 50);
    cr_expect_eq(passes(&some, "192.0.2.1", LIMIT_RESPONSE, NULL, SECOND, 50), 50);
    cr_expect_eq(passes(&some, "192.0.2.128", LIMIT_RESPONSE, NULL, SECOND, 50), 0,
                 "the network is one, its bucket empty");
    cr_expect_eq(passes(&some, "192.0.2.128", LIMIT_RESPONSE, NULL, 2 * SECOND, 50), 1);
}

Test(ratelimit, one_in_slip_gets_a_small_answer)
{
    for (uint32_t slip = 0; slip < 4; slip++) {
        struct rate_limit limit = {.responses = 1, .slip = slip};
        struct ip ip = {{[10] = 0xff, [11] = 0xff, 10, (uint8_t)slip, 0, 1}};
        struct limit_case what = {.client = &ip, .now_us = SECOND};
        unsigned verdicts[3] = {0};
        for (what.turn = 0; what.turn < 61; what.turn++) {
            verdicts[limiter_ask(limiter, &limit, &what)]++;
        }
        cr_expect_eq(verdicts[LIMIT_PASS], 1);
        cr_expect_eq(verdicts[LIMIT_SLIP],
                     slip == 0   ? 0
                     : slip == 1 ? 60
                     : slip == 2 ? 30
                                 : 20,
                     "%u: %u", slip, verdicts[LIMIT_SLIP]);
    }
}

/* A victim is still protected while a million other networks come and go. */
Test(ratelimit, the_busiest_stay_in_the_table)
{
    unsigned passed = 0;

    for (unsigned i = 0; i < 1000000; i++) {
        struct ip ip = {{0x20, 1, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
        struct limit_case what = {.client = &ip, .now_us = SECOND};
        limiter_ask(limiter, &limits, &what);
        passed += passes(&limits, "192.0.2.1", LIMIT_RESPONSE, NULL, SECOND, 1);
    }
    cr_expect_eq(passed, 10, "%u", passed);
}

/* ---- in answers ---- */

static struct dialogue d;

#define YAML                                                                                       \
    "rate-limit: { responses-per-second: 1, errors-per-second: 1, slip: 1 }\n"                     \
    "zones: [{name: ex, nameservers: [ns.test], soa: {serial: 1, minimum: 60s}, names: [{name: "   \
    "www, records: [\"A 192.0.2.1\"]}, {name: \"*.w\", records: [\"A 192.0.2.2\"]}]}]\n"
#define HEADER "\x12\x34\0\0\0\1\0\0\0\0\0\1"
#define WWW "\3www\2ex\0\0\1\0\1"
#define OPT "\0\0\x29\x04\xd0\0\0\0\0"
#define GOOD "NOERROR aa | www.ex. 3600 A 192.0.2.1 | edns"

static const char *twice(struct span packet)
{
    ask_bytes(&d, packet);
    return ask_bytes(&d, packet);
}

Test(ratelimit, answers_slip)
{
    struct span plain = SPAN(HEADER WWW OPT "\0\0");
    struct span cookie = SPAN(HEADER WWW OPT "\0\x0c\0\x0a\0\x08"
                                             "clientck");
    struct span refused = SPAN(HEADER "\2no\0\0\1\0\1" OPT "\0\0");

    dialogue_init(&d, YAML);
    d.client.limiter = limiter;
    d.client.now_us = SECOND;
    cr_expect_str_eq(ask_bytes(&d, plain), GOOD);
    cr_expect_eq(d.note.limited, LIMIT_PASS);
    cr_expect_str_eq(ask_bytes(&d, plain), "NOERROR aa tc | edns");
    cr_expect_eq(d.note.limited, LIMIT_SLIP);
    cr_expect_str_eq(twice(refused), "REFUSED | edns ede 20", "errors cannot be truncated");
    d.client.tcp = true;
    cr_expect_str_eq(ask_bytes(&d, plain), GOOD, "TCP is not limited");
    d.client.tcp = false;
    d.settings->identity.cookies = (struct cookie_secrets){1, {{1, 2}}};
    cr_expect_str_eq(ask_bytes(&d, cookie), "BADCOOKIE | edns cookie clientck");
    d.settings->rates.slip = 0;
    cr_expect_str_eq(ask_bytes(&d, plain), "nothing");
    cr_expect_eq(d.note.limited, LIMIT_DROP);
    dialogue_fini(&d);
}

Test(ratelimit, a_good_cookie_is_not_limited)
{
    uint8_t query[] = HEADER WWW OPT "\0\x1c\0\x0a\0\x18"
                                     "clientck"
                                     "0123456789abcdef";
    struct span packet = span_of(query, sizeof(query) - 1);
    uint8_t room[DNS_UDP_MAX];

    dialogue_init(&d, YAML);
    d.settings->identity.cookies = (struct cookie_secrets){1, {{1, 2}}};
    size_t len = answer(&d.view, &d.client, packet, room, &d.note);
    memcpy(query + sizeof(query) - 17, room + len - 16, 16);
    d.client.limiter = limiter;
    d.client.now_us = SECOND;
    for (int i = 0; i < 5; i++) {
        cr_expect_str_eq(ask_bytes(&d, packet), GOOD " cookie clientck");
    }
    dialogue_fini(&d);
}

/* Random names below a wildcard, or below nothing, are one subject each. */
Test(ratelimit, invented_names_share_a_bucket)
{
    static const char *const subjects[] = {"%c.w.ex", "%c.ex"};

    dialogue_init(&d, YAML);
    d.client.limiter = limiter;
    d.client.now_us = SECOND;
    for (size_t s = 0; s < ARRAY_LEN(subjects); s++) {
        for (char c = 'a'; c < 'f'; c++) {
            char name[16] = "";
            strcpy(name, subjects[s]);
            name[0] = c;
            memmove(name + 1, name + 2, strlen(name + 1));
            struct question q = {.name = name, .type = "A"};
            cr_expect_eq(strstr(ask(&d, &q), " tc") == NULL, c == 'a', "%s: %s", name, ask(&d, &q));
        }
    }
    dialogue_fini(&d);
}
