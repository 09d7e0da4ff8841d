/* Options of EDNS, and what the header may say: packets in, one line out. */
#include "dialogue.h"

#include "base/check.h"

#include <criterion/criterion.h>

#define HEADER "\x12\x34\0\0\0\1\0\0\0\0\0\1"
#define WWW "\3www\2ex\0\0\1\0\1"
#define OUTSIDE "\3www\2no\0\0\1\0\1"
/* OPT up to the length of its data. */
#define OPT "\0\0\x29\x04\xd0\0\0\0\0"
#define CLIENT "clientck"
#define HALF "0123456789abcdef"
#define NSID "\0\x03\0\0"
#define KEEPALIVE "\0\x0b\0\0"
#define GOOD "NOERROR aa | www.ex. 3600 A 192.0.2.1"

#define ZONES                                                                                      \
    "zones: [{name: ex, nameservers: [ns.test], soa: {serial: 1}, names: [{name: www, records: "   \
    "[\"A 192.0.2.1\"]}]}]\n"
#define SECRET "cookies: { secrets: e5e973e5a6b2a43f48e7dc849e37bfcf"

static struct dialogue d;

static void begin(const char *yaml)
{
    dialogue_init(&d, yaml);
    d.client.now = 1559731985;
    d.client.keepalive = 100;
}

static void tear_down(void)
{
    dialogue_fini(&d);
}

TestSuite(edns, .fini = tear_down);

Test(edns, rfc7873_5_2_cookies)
{
    static const struct packet_row rows[] = {
        {"5.2.1: no option", SPAN_INIT(HEADER WWW OPT "\0\0"), GOOD " | edns"},
        {"5.2.3: the client's half", SPAN_INIT(HEADER WWW OPT "\0\x0c\0\x0a\0\x08" CLIENT),
         GOOD " | edns cookie clientck"},
        {"5.2.4: a half that is not ours",
         SPAN_INIT(HEADER WWW OPT "\0\x1c\0\x0a\0\x18" CLIENT HALF),
         GOOD " | edns cookie clientck"},
        {"of 8 bytes", SPAN_INIT(HEADER WWW OPT "\0\x14\0\x0a\0\x10" CLIENT "01234567"),
         GOOD " | edns cookie clientck"},
        {"of 32 bytes", SPAN_INIT(HEADER WWW OPT "\0\x2c\0\x0a\0\x28" CLIENT HALF HALF),
         GOOD " | edns cookie clientck"},
        {"5.2.2: empty", SPAN_INIT(HEADER WWW OPT "\0\4\0\x0a\0\0"), "FORMERR | edns"},
        {"5.2.2: 7 bytes",
         SPAN_INIT(HEADER WWW OPT "\0\x0b\0\x0a\0\x07"
                                  "clientc"),
         "FORMERR | edns"},
        {"5.2.2: 9 bytes", SPAN_INIT(HEADER WWW OPT "\0\x0d\0\x0a\0\x09" CLIENT "0"),
         "FORMERR | edns"},
        {"5.2.2: 15 bytes", SPAN_INIT(HEADER WWW OPT "\0\x13\0\x0a\0\x0f" CLIENT "0123456"),
         "FORMERR | edns"},
        {"5.2.2: 41 bytes", SPAN_INIT(HEADER WWW OPT "\0\x2d\0\x0a\0\x29" CLIENT HALF HALF "x"),
         "FORMERR | edns"},
        {"5.2: the first of several counts",
         SPAN_INIT(HEADER WWW OPT "\0\x11\0\x0a\0\x08" CLIENT "\0\x0a\0\1x"),
         GOOD " | edns cookie clientck"},
        {"refused names have cookies, too",
         SPAN_INIT(HEADER OUTSIDE OPT "\0\x0c\0\x0a\0\x08" CLIENT),
         "REFUSED | edns cookie clientck ede 20"},
    };
    begin(SECRET " }\n" ZONES);
    ask_rows(&d, rows, ARRAY_LEN(rows));
}

Test(edns, rfc7873_5_2_3_cookies_required)
{
    static const struct packet_row rows[] = {
        {"without one", SPAN_INIT(HEADER WWW OPT "\0\0"), GOOD " | edns"},
        {"half of one", SPAN_INIT(HEADER WWW OPT "\0\x0c\0\x0a\0\x08" CLIENT),
         "BADCOOKIE | edns cookie clientck"},
        {"a bad one", SPAN_INIT(HEADER WWW OPT "\0\x1c\0\x0a\0\x18" CLIENT HALF),
         "BADCOOKIE | edns cookie clientck"},
    };
    begin(SECRET ", mode: required }\n" ZONES);
    ask_rows(&d, rows, ARRAY_LEN(rows));
    cr_expect_eq(d.note.cookie, COOKIE_BAD);
    d.client.tcp = true;
    cr_expect_str_eq(ask_bytes(&d, rows[1].packet), GOOD " | edns cookie clientck");
}

/* What the server gave is good when it comes back; from the same address only. */
Test(edns, rfc7873_5_2_5_a_cookie_comes_back)
{
    uint8_t query[] = HEADER WWW OPT "\0\x1c\0\x0a\0\x18" CLIENT HALF;
    uint8_t room[DNS_UDP_MAX];
    struct span packet = span_of(query, sizeof(query) - 1);

    begin(SECRET ", mode: required }\n" ZONES);
    size_t len = answer(&d.view, &d.client, packet, room, &d.note);
    cr_assert_eq(len, sizeof(query) - 1, "BADCOOKIE is not larger than what asked");
    memcpy(query + len - 16, room + len - 16, 16);
    cr_expect_str_eq(ask_bytes(&d, packet), GOOD " | edns cookie clientck");
    cr_expect_eq(d.note.cookie, COOKIE_GOOD);
    d.client.ip.at[15]++;
    cr_expect_str_eq(ask_bytes(&d, packet), "BADCOOKIE | edns cookie clientck");
}

Test(edns, rfc7873_5_4_a_cookie_without_a_question)
{
#define NO_QUESTION "\x12\x34\0\0\0\0\0\0\0\0\0\1"
    static const struct packet_row rows[] = {
        {"for a cookie", SPAN_INIT(NO_QUESTION OPT "\0\x0c\0\x0a\0\x08" CLIENT),
         "NOERROR | edns cookie clientck"},
        {"is this one good?", SPAN_INIT(NO_QUESTION OPT "\0\x1c\0\x0a\0\x18" CLIENT HALF),
         "BADCOOKIE | edns cookie clientck"},
        {"without an option", SPAN_INIT(NO_QUESTION OPT "\0\0"), "FORMERR | edns"},
        {"with another one", SPAN_INIT(NO_QUESTION OPT "\0\4" NSID), "FORMERR | edns"},
        {"without OPT", SPAN_INIT("\x12\x34\0\0\0\0\0\0\0\0\0\0"), "FORMERR"},
    };
    begin(SECRET " }\n" ZONES);
    ask_rows(&d, rows, ARRAY_LEN(rows));
}

Test(edns, rfc7873_without_cookies_the_option_is_unknown)
{
    static const struct packet_row rows[] = {
        {"half of one", SPAN_INIT(HEADER WWW OPT "\0\x0c\0\x0a\0\x08" CLIENT), GOOD " | edns"},
        {"without a question", SPAN_INIT(NO_QUESTION OPT "\0\x0c\0\x0a\0\x08" CLIENT),
         "FORMERR | edns"},
    };
    begin(SECRET ", mode: off }\n" ZONES);
    ask_rows(&d, rows, ARRAY_LEN(rows));
}

Test(edns, rfc5001_nsid)
{
    static const struct packet_row rows[] = {
        {"asked for", SPAN_INIT(HEADER WWW OPT "\0\4" NSID), GOOD " | edns nsid fra-1"},
        {"not asked for", SPAN_INIT(HEADER WWW OPT "\0\0"), GOOD " | edns"},
        {"2.1: what the option holds does not matter", SPAN_INIT(HEADER WWW OPT "\0\6\0\3\0\2xx"),
         GOOD " | edns nsid fra-1"},
        {"with a cookie, when refused",
         SPAN_INIT(HEADER OUTSIDE OPT "\0\x10" NSID "\0\x0a\0\x08" CLIENT),
         "REFUSED | edns cookie clientck nsid fra-1 ede 20"},
    };
    begin(SECRET " }\nidentity: fra-1\n" ZONES);
    ask_rows(&d, rows, ARRAY_LEN(rows));
    dialogue_fini(&d);
    begin(ZONES);
    cr_expect_str_eq(ask_bytes(&d, rows[0].packet), GOOD " | edns", "none is configured");
}

Test(edns, rfc7828_keepalive)
{
    struct span asks = SPAN(HEADER WWW OPT "\0\4" KEEPALIVE);

    begin(ZONES);
    cr_expect_str_eq(ask_bytes(&d, asks), GOOD " | edns", "3.2.1: ignored over UDP");
    d.client.tcp = true;
    cr_expect_str_eq(ask_bytes(&d, asks), GOOD " | edns keepalive 100");
    cr_expect_str_eq(ask_bytes(&d, SPAN(HEADER WWW OPT "\0\0")), GOOD " | edns");
}

Test(edns, rfc7830_padding_is_not_answered_with_padding)
{
    begin(ZONES);
    cr_expect_str_eq(ask_bytes(&d, SPAN(HEADER WWW OPT "\0\x08\0\x0c\0\4\0\0\0\0")),
                     GOOD " | edns");
}

Test(edns, rfc8914_extended_errors)
{
    static const struct packet_row rows[] = {
        {"4.21: not our zone", SPAN_INIT(HEADER OUTSIDE OPT "\0\0"), "REFUSED | edns ede 20"},
        {"3: only in OPT", SPAN_INIT("\x12\x34\0\0\0\1\0\0\0\0\0\0" OUTSIDE), "REFUSED"},
        {"4.19: a transfer", SPAN_INIT(HEADER "\2ex\0\0\xfc\0\1" OPT "\0\0"),
         "REFUSED | edns ede 18"},
        {"4.19: CHAOS", SPAN_INIT(HEADER "\7version\4bind\0\0\x10\0\3" OPT "\0\0"),
         "REFUSED | edns ede 18"},
        {"another class", SPAN_INIT(HEADER "\3www\2ex\0\0\1\0\4" OPT "\0\0"),
         "REFUSED | edns ede 20"},
        {"4.22: NOTIFY", SPAN_INIT("\x12\x34\x20\0\0\1\0\0\0\0\0\1" WWW OPT "\0\0"),
         "NOTIMP | edns ede 21"},
    };
    begin(ZONES);
    ask_rows(&d, rows, ARRAY_LEN(rows));
}

Test(edns, rfc4892_chaos)
{
#define CHAOS(name, type) SPAN_INIT("\x12\x34\0\0\0\1\0\0\0\0\0\0" name "\0\0" type "\0\3")
    static const struct packet_row rows[] = {
        {"version.bind", CHAOS("\7version\4bind", "\x10"),
         "NOERROR aa | version.bind. 0 CH TXT \\06larder"},
        {"version.server", CHAOS("\7VERSION\6server", "\x10"),
         "NOERROR aa | version.server. 0 CH TXT \\06larder"},
        {"ANY", CHAOS("\7version\4bind", "\xff"), "NOERROR aa | version.bind. 0 CH TXT \\06larder"},
        {"another type", CHAOS("\7version\4bind", "\1"), "REFUSED"},
        {"below it", CHAOS("\1x\7version\4bind", "\x10"), "REFUSED"},
        {"authors.bind", CHAOS("\7authors\4bind", "\x10"), "REFUSED"},
        {"hostname.bind, not set", CHAOS("\10hostname\4bind", "\x10"), "REFUSED"},
        {"id.server, not set", CHAOS("\2id\6server", "\x10"), "REFUSED"},
    };
    begin("version: larder\n" ZONES);
    ask_rows(&d, rows, ARRAY_LEN(rows));
    dialogue_fini(&d);
    begin("identity: fra-1\n" ZONES);
    cr_expect_str_eq(ask_bytes(&d, rows[0].packet), "REFUSED");
    cr_expect_str_eq(ask_bytes(&d, rows[6].packet),
                     "NOERROR aa | hostname.bind. 0 CH TXT \\05fra-1");
    cr_expect_str_eq(ask_bytes(&d, rows[7].packet), "NOERROR aa | id.server. 0 CH TXT \\05fra-1");
}

/* All options that are known, the longest name and NSID: an answer is never larger than 512. */
Test(edns, everything_at_once_fits)
{
#define L63                                                                                        \
    "\x3f"                                                                                         \
    "012345678901234567890123456789012345678901234567890123456789abc"
    static const char query[] =
        HEADER L63 L63 L63 "\x3d"
                           "0123456789012345678901234567890123456789012345678901234567890"
                           "\0\0\1\0\1"
                           "\0\0\x29\x02\0\0\0\x80\0"
                           "\0\x2c" NSID KEEPALIVE "\0\x0a\0\x08" CLIENT "\0\x08\0\x14\0\2\x80\0"
                           "0123456789abcdef";
    struct span packet = span_of(query, sizeof(query) - 1);

    begin("identity: 0123456789012345678901234567890123456789012345678901234567890123\n" SECRET
          " }\n" ZONES);
    d.client.tcp = true;
    const char *got = ask_bytes(&d, packet);
    cr_expect_not_null(strstr(got, "ede 20"), "%s", got);
    uint8_t room[DNS_UDP_MAX];
    d.client.tcp = false;
    cr_expect_leq(answer(&d.view, &d.client, packet, room, &d.note), 512);
}

/* AD, CD and Z of a query are not echoed; RD is (RFC 1035 4.1.1, 4035 3.1.6). ask_bytes() checks
 * the first. */
Test(edns, rfc4035_3_1_6_header_bits)
{
    begin(ZONES);
    cr_expect_str_eq(ask_bytes(&d, SPAN("\x12\x34\x01\x70\0\1\0\0\0\0\0\0" WWW)),
                     "NOERROR aa rd | www.ex. 3600 A 192.0.2.1");
    cr_expect_str_eq(ask_bytes(&d, SPAN("\x12\x34\x07\xff\0\1\0\0\0\0\0\0" WWW)),
                     "NOERROR aa rd | www.ex. 3600 A 192.0.2.1", "AA, TC, RA and rcode of a query");
}

Test(edns, transfers_are_refused_by_tcp_too)
{
    begin(ZONES);
    d.client.tcp = true;
    cr_expect_str_eq(ask_bytes(&d, SPAN(HEADER "\2ex\0\0\xfc\0\1" OPT "\0\0")),
                     "REFUSED | edns ede 18");
    cr_expect_str_eq(ask_bytes(&d, SPAN(HEADER "\2ex\0\0\xfb\0\1" OPT "\0\0")),
                     "REFUSED | edns ede 18");
}
