#include "dnsredir/message/cookie.h"

#include "base/check.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct span unhex(const char *text, uint8_t *room)
{
    size_t len = strlen(text) / 2;

    for (size_t i = 0; i < len; i++) {
        unsigned byte;
        cr_assert_eq(sscanf(text + 2 * i, "%2x", &byte), 1);
        room[i] = (uint8_t)byte;
    }
    return span_of(room, len);
}

#define OLD "dd3bdf9344b678b185a6f5cb60fca715"
#define NEW "445536bcd2513298075a5d379663c962"
#define ONE "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define V6 "2001:db8:220:1:59de:d0f4:8769:82b8"
#define CLIENT1 "2464c4abcf10c957"
#define CLIENT2 "fc93fc62807ddb86"
#define CLIENT3 "22681ab97d52c298"

static const struct row {
    const char *what, *secret, *previous, *client;
    uint32_t now;
    const char *option;
    enum cookie_state want;
    const char *reply; /* NULL: none, or not foretold */
} rows[] = {
    {"rfc9018 A.1: learning one", ONE, NULL, "198.51.100.100", 1559731985, CLIENT1, COOKIE_CLIENT,
     "010000005cf79f111f8130c3eee29480"},
    {"rfc9018 A.2: renewed after 40 minutes", ONE, NULL, "198.51.100.100", 1559734385,
     CLIENT1 "010000005cf79f111f8130c3eee29480", COOKIE_GOOD, "010000005cf7a871d4a564a1442aca77"},
    {"rfc9018 A.3: reserved bytes", ONE, NULL, "203.0.113.203", 1559734700,
     CLIENT2 "01abcdef5cf78f71a314227b6679ebf5", COOKIE_BAD, "010000005cf7a9acf73a7810aca2381e"},
    {"rfc9018 4.2: they need not be 0", ONE, NULL, "203.0.113.203", 1559728000,
     CLIENT2 "01abcdef5cf78f71a314227b6679ebf5", COOKIE_GOOD, "01abcdef5cf78f71a314227b6679ebf5"},
    {"rfc9018 A.4: the secret before", NEW, OLD, V6, 1559741961,
     CLIENT3 "010000005cf7c57926556bd0934c72f8", COOKIE_GOOD, "010000005cf7c609a6bb79d16625507a"},
    {"a secret that is forgotten", NEW, NULL, V6, 1559741961,
     CLIENT3 "010000005cf7c57926556bd0934c72f8", COOKIE_BAD, "010000005cf7c609a6bb79d16625507a"},
    {"rfc9018 4.3: young enough to keep", ONE, NULL, "198.51.100.100", 1559731985 + 1800,
     CLIENT1 "010000005cf79f111f8130c3eee29480", COOKIE_GOOD, "010000005cf79f111f8130c3eee29480"},
    {"an hour old", ONE, NULL, "198.51.100.100", 1559731985 + 3600,
     CLIENT1 "010000005cf79f111f8130c3eee29480", COOKIE_GOOD, NULL},
    {"more than an hour", ONE, NULL, "198.51.100.100", 1559731985 + 3601,
     CLIENT1 "010000005cf79f111f8130c3eee29480", COOKIE_BAD, NULL},
    {"five minutes ahead", ONE, NULL, "198.51.100.100", 1559731985 - 300,
     CLIENT1 "010000005cf79f111f8130c3eee29480", COOKIE_GOOD, NULL},
    {"more than that", ONE, NULL, "198.51.100.100", 1559731985 - 301,
     CLIENT1 "010000005cf79f111f8130c3eee29480", COOKIE_BAD, NULL},
    {"another address", ONE, NULL, "198.51.100.101", 1559731985,
     CLIENT1 "010000005cf79f111f8130c3eee29480", COOKIE_BAD, NULL},
    {"another client's half", ONE, NULL, "198.51.100.100", 1559731985,
     CLIENT2 "010000005cf79f111f8130c3eee29480", COOKIE_BAD, NULL},
    {"another version", ONE, NULL, "198.51.100.100", 1559731985,
     CLIENT1 "020000005cf79f111f8130c3eee29480", COOKIE_BAD, NULL},
    {"a bit of the hash", ONE, NULL, "198.51.100.100", 1559731985,
     CLIENT1 "010000005cf79f111f8130c3eee29481", COOKIE_BAD, NULL},
    {"a half of another length", ONE, NULL, "198.51.100.100", 1559731985,
     CLIENT1 "010000005cf79f11", COOKIE_BAD, "010000005cf79f111f8130c3eee29480"},
    {"no option", ONE, NULL, "198.51.100.100", 1559731985, "", COOKIE_NONE, NULL},
    {"no cookies", NULL, NULL, "198.51.100.100", 1559731985, CLIENT1, COOKIE_NONE, NULL},
};

Test(cookie, rfc9018)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct cookie_secrets secrets = {0};
        const char *texts[] = {row->secret, row->previous};
        uint8_t option[64], want[64], reply[COOKIE_SERVER_LEN] = {0};
        struct ip client;
        for (size_t n = 0; n < 2 && texts[n]; n++) {
            cr_assert_eq(cookie_secret_parse(span_str(texts[n]), &secrets.keys[n]), 0);
            secrets.count++;
        }
        cr_assert_eq(ip_parse(span_str(row->client), &client), 0);
        enum cookie_state state =
            cookie_check(&secrets, unhex(row->option, option), &client, row->now, reply);
        cr_expect_eq(state, row->want, "%s: %d", row->what, state);
        if (row->reply) {
            unhex(row->reply, want);
            cr_expect_arr_eq(reply, want, sizeof(reply), "%s", row->what);
        }
    }
}

Test(cookie, rfc9018_4_3_time_wraps)
{
    struct cookie_secrets secrets = {.count = 1, .keys = {{1, 2}}};
    struct ip client = {{[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}};
    uint8_t option[24] = "clientck";

    cr_assert_eq(cookie_check(&secrets, span_of(option, 8), &client, UINT32_MAX - 9, option + 8),
                 COOKIE_CLIENT);
    uint8_t reply[COOKIE_SERVER_LEN];
    cr_expect_eq(cookie_check(&secrets, span_of(option, 24), &client, 10, reply), COOKIE_GOOD);
    cr_expect_eq(cookie_check(&secrets, span_of(option, 24), &client, 3600, reply), COOKIE_BAD);
}

Test(cookie, secrets_are_32_hexadecimal_digits)
{
    static const char *const bad[] = {"", "e5e973e5a6b2a43f48e7dc849e37bfc",
                                      "e5e973e5a6b2a43f48e7dc849e37bfcff",
                                      "g5e973e5a6b2a43f48e7dc849e37bfcf"};
    struct sip_key key;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cr_expect_neq(cookie_secret_parse(span_str(bad[i]), &key), 0, "%s", bad[i]);
    }
    cr_expect_eq(cookie_secret_parse(SPAN("000102030405060708090A0b0c0d0e0f"), &key), 0);
    cr_expect_eq(key.k0, 0x0706050403020100u);
    cr_expect_eq(key.k1, 0x0f0e0d0c0b0a0908u);
}
