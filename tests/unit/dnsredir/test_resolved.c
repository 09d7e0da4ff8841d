#include "dialogue.h"

#include "dnsredir/resolver/resolved.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define WORLD                                                                                      \
    "resolver: { allow: [10.0.0.0/8], forward: 192.0.2.200 }\n"                                    \
    "identity: here\n"                                                                             \
    "zones:\n"                                                                                     \
    "  - name: ex\n"                                                                               \
    "    nameservers: ns.ex\n"                                                                     \
    "    names: [{ name: away, records: [\"CNAME a.example.org.\"] }]\n"

static struct dialogue d;
static uint8_t room[DNS_MESSAGE_MAX];
static uint8_t scratch[RESOLVED_SCRATCH];

static void set_up(void)
{
    dialogue_init(&d, WORLD);
    cr_assert_eq(ip_parse(SPAN("10.1.0.7"), &d.client.ip), 0);
}

static void tear_down(void)
{
    dialogue_fini(&d);
}

TestSuite(resolved, .init = set_up, .fini = tear_down);

/* ---- messages as the recursor gives them ---- */

struct message {
    uint8_t at[8192];
    size_t len;
};

static void put(struct message *m, const char *bytes, size_t len)
{
    cr_assert_leq(m->len + len, sizeof(m->at));
    memcpy(m->at + m->len, bytes, len);
    m->len += len;
}

#define PUT(m, bytes) put(m, bytes, sizeof(bytes) - 1)

/* The header and the question a.example.org, whose parts are at 12, 14 and 22. */
static void begin(struct message *m, char type, const char counts[3])
{
    m->len = 0;
    PUT(m, "\0\0\x81\x80\0\1");
    for (int i = 0; i < 3; i++) {
        PUT(m, "\0");
        put(m, &counts[i], 1);
    }
    PUT(m, "\1a\7example\3org\0\0");
    put(m, &type, 1);
    PUT(m, "\0\1");
}

#define OPT_RECORD "\0\0\x29\4\xd0\0\0\x80\0\0\0"
#define A_RECORD "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
#define SIGNATURE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define RRSIG_RECORD                                                                               \
    "\xc0\x0c\0\x2e\0\1\0\0\0\x3c\0\x5f"                                                           \
    "\0\1\x0d\3\0\0\0\x3c\x70\0\0\0\x60\0\0\0\0\1\7example\3org\0" SIGNATURE

static struct message address(void)
{
    struct message m;

    begin(&m, 1, "\2\0\1");
    PUT(&m, A_RECORD RRSIG_RECORD OPT_RECORD);
    return m;
}

/* ---- asking ---- */

static struct unresolved *defer(const struct question *q, bool dnssec_ok)
{
    struct deferral deferral;
    struct answer_note note;
    uint8_t packet[512];
    size_t len = question_write(q, packet, sizeof(packet));

    if (dnssec_ok) {
        packet[len - 4] |= 0x80;
    }
    d.client.deferral = &deferral;
    cr_assert_eq(answer(&d.view, &d.client, span_of(packet, len), room, &note), 0);
    cr_assert(note.deferred);
    return unresolved_new(&d.client, &deferral, &note, span_of(packet, len), room);
}

static const char *write_text(const struct unresolved *u, const struct resolution *resolution)
{
    size_t len = resolved_write(u, resolution, room, scratch, &d.note);

    cr_assert(u->tcp || len <= DNS_UDP_MAX);
    return response_text(span_of(room, len));
}

struct row {
    const char *what;
    uint16_t flags;
    bool edns, dnssec_ok, secure, bogus;
    const char *want;
};

Test(resolved, bits_and_signatures)
{
    static const struct row rows[] = {
        {"plain", 0, false, false, false, false, "NOERROR rd ra | a.example.org. 60 A 192.0.2.1"},
        {"with EDNS", 0, true, false, false, false,
         "NOERROR rd ra | a.example.org. 60 A 192.0.2.1 | edns"},
        {"validated, and nobody asks", 0, true, false, true, false,
         "NOERROR rd ra | a.example.org. 60 A 192.0.2.1 | edns"},
        {"AD asks (RFC 6840 5.7)", FLAG_AD, true, false, true, false,
         "NOERROR rd ra ad | a.example.org. 60 A 192.0.2.1 | edns"},
        {"AD asks and it is not", FLAG_AD, true, false, false, false,
         "NOERROR rd ra | a.example.org. 60 A 192.0.2.1 | edns"},
        {"bogus (RFC 4035 5.5)", 0, true, true, false, true, "SERVFAIL rd ra | edns do ede 6"},
        {"bogus, and the client checks itself", FLAG_CD, true, false, false, true,
         "NOERROR rd ra cd | a.example.org. 60 A 192.0.2.1 | edns"},
    };
    struct message m = address();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct question q = {.name = "a.example.org",
                             .type = "A",
                             .flags = FLAG_RD | rows[i].flags,
                             .edns = rows[i].edns};
        struct unresolved *u = defer(&q, rows[i].dnssec_ok);
        struct resolution r = {.message = span_of(m.at, m.len),
                               .secure = rows[i].secure,
                               .bogus = rows[i].bogus,
                               .ede = EDE_NONE};
        const char *got = write_text(u, &r);
        cr_expect_str_eq(got, rows[i].want, "%s:\n got %s\nwant %s", rows[i].what, got,
                         rows[i].want);
        free(u);
    }
}

Test(resolved, rfc4035_3_2_1_signatures_for_who_knows_them)
{
    struct question q = {.name = "a.example.org", .type = "A", .flags = FLAG_RD, .edns = true};
    struct message m = address();
    struct unresolved *u = defer(&q, true);
    struct resolution r = {.message = span_of(m.at, m.len), .secure = true, .ede = EDE_NONE};
    const char *got = write_text(u, &r);

    cr_expect_str_eq(
        got,
        "NOERROR rd ra ad | a.example.org. 60 A 192.0.2.1 | a.example.org. 60 RRSIG A 3 "
        "60 example.org. | edns do",
        "%s", got);
    free(u);
}

Test(resolved, the_case_of_the_question_is_kept)
{
    struct question q = {.name = "A.eXample.oRG", .type = "A", .flags = FLAG_RD};
    struct message m = address();
    struct unresolved *u = defer(&q, false);
    struct resolution r = {.message = span_of(m.at, m.len), .ede = EDE_NONE};

    write_text(u, &r);
    cr_expect_arr_eq(room + 12, unresolved_packet(u).at + 12, 19);
    cr_expect_eq(room[31], 0xc0, "and its name is pointed at");
    free(u);
}

Test(resolved, rfc2308_negative)
{
    struct question q = {.name = "a.example.org", .type = "A", .flags = FLAG_RD, .edns = true};
    struct unresolved *u = defer(&q, false);
    struct message m;

    begin(&m, 1, "\0\1\1");
    PUT(&m, "\xc0\x0e\0\6\0\1\0\0\0\x0a\0\x1d\2ns\xc0\x0e\1h\xc0\x0e"
            "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5" OPT_RECORD);
    struct resolution r = {
        .message = span_of(m.at, m.len), .rcode = RCODE_NXDOMAIN, .ede = EDE_NONE};
    const char *got = write_text(u, &r);
    cr_expect_str_eq(got,
                     "NXDOMAIN rd ra | ns example.org. 10 SOA ns.example.org. h.example.org. 1 2 3 "
                     "4 5 | edns",
                     "%s", got);
    free(u);
}

Test(resolved, failures_say_why)
{
    static const struct {
        unsigned rcode;
        enum ede ede;
        const char *want;
    } rows[] = {
        {RCODE_SERVFAIL, EDE_NONE, "SERVFAIL rd ra | edns nsid here ede 22"},
        {RCODE_SERVFAIL, EDE_OTHER, "SERVFAIL rd ra | edns nsid here ede 0"},
        {RCODE_REFUSED, EDE_NONE, "REFUSED rd ra | edns nsid here ede 22"},
    };
    struct question q = {.name = "away.ex", .type = "A", .flags = FLAG_RD, .edns = true};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct unresolved *u = defer(&q, false);
        struct resolution r = {.rcode = rows[i].rcode, .ede = rows[i].ede};
        u->nsid_len = 4;
        memcpy(u->nsid, "here", 4);
        const char *got = write_text(u, &r);
        cr_expect_str_eq(got, rows[i].want, "%s", got);
        free(u);
    }
}

Test(resolved, our_part_of_a_chain_comes_first)
{
    struct question q = {.name = "Away.ex", .type = "A", .flags = FLAG_RD, .edns = true};
    struct unresolved *u = defer(&q, true);
    struct message m = address();
    struct resolution r = {.message = span_of(m.at, m.len), .secure = true, .ede = EDE_NONE};
    const char *got = write_text(u, &r);

    cr_expect_str_eq(got,
                     "NOERROR aa rd ra | away.ex. 3600 CNAME a.example.org. | a.example.org. 60 A "
                     "192.0.2.1 | a.example.org. 60 RRSIG A 3 60 example.org. | edns do",
                     "%s", got);
    free(u);
}

Test(resolved, what_does_not_fit_is_asked_again_by_tcp)
{
    struct question q = {.name = "a.example.org", .type = "A", .flags = FLAG_RD};
    struct message m;

    begin(&m, 1, "\x64\0\1");
    for (int i = 0; i < 100; i++) {
        PUT(&m, A_RECORD);
    }
    PUT(&m, OPT_RECORD);
    struct resolution r = {.message = span_of(m.at, m.len), .ede = EDE_NONE};
    struct unresolved *u = defer(&q, false);
    cr_expect_str_eq(write_text(u, &r), "NOERROR tc rd ra");
    cr_expect(d.note.truncated);
    free(u);
    d.client.tcp = true;
    u = defer(&q, false);
    write_text(u, &r);
    cr_expect_eq(room[7], 100);
    free(u);
}

Test(resolved, names_in_data_are_expanded)
{
    struct question q = {.name = "a.example.org", .type = "MX", .flags = FLAG_RD};
    struct unresolved *u = defer(&q, false);
    struct message m;

    begin(&m, 15, "\3\0\0");
    PUT(&m, "\xc0\x0c\0\5\0\1\0\0\0\1\0\4\1b\xc0\x0e"         /* CNAME b.example.org at 43 */
            "\xc0\x2b\0\x0f\0\1\0\0\0\2\0\6\0\x0a\1m\xc0\x16" /* MX 10 m.org */
            "\xc0\x2b\0\x0f\0\1\0\0\0\2\0\4\0\x14\xc0\x2b");  /* MX 20 b.example.org */
    struct resolution r = {.message = span_of(m.at, m.len), .ede = EDE_NONE};
    const char *got = write_text(u, &r);
    cr_expect_str_eq(got,
                     "NOERROR rd ra | a.example.org. 1 CNAME b.example.org. | b.example.org. 2 MX "
                     "10 m.org. | b.example.org. 2 MX 20 b.example.org.",
                     "%s", got);
    free(u);
}

/* ---- what cannot be ---- */

Test(resolved, another_question_is_no_answer)
{
    struct question q = {.name = "b.example.org", .type = "A", .flags = FLAG_RD, .edns = true};
    struct question type = {.name = "a.example.org", .type = "MX", .flags = FLAG_RD, .edns = true};
    struct message m = address();
    struct resolution r = {.message = span_of(m.at, m.len), .ede = EDE_NONE};
    struct unresolved *u = defer(&q, false);

    cr_expect_str_eq(write_text(u, &r), "SERVFAIL rd ra | edns ede 0");
    free(u);
    u = defer(&type, false);
    cr_expect_str_eq(write_text(u, &r), "SERVFAIL rd ra | edns ede 0");
    free(u);
}

/* Whatever is wrong with a message, the response is a good one. */
Test(resolved, damaged_messages)
{
    struct question q = {.name = "a.example.org", .type = "A", .flags = FLAG_RD, .edns = true};
    struct message good = address();
    struct unresolved *u = defer(&q, true);

    for (size_t len = 0; len < good.len; len++) {
        uint8_t *copy = malloc(len ? len : 1); /* exactly as long: a sanitizer sees one byte more */
        memcpy(copy, good.at, len);
        struct resolution r = {.message = span_of(copy, len), .ede = EDE_NONE};
        write_text(u, &r);
        cr_expect_eq(room[3] & 15, RCODE_SERVFAIL, "%zu bytes", len);
        free(copy);
    }
    for (size_t i = 0; i < 8 * good.len; i++) {
        struct message bad = good;
        bad.at[i / 8] ^= (uint8_t)(1u << i % 8);
        struct resolution r = {.message = span_of(bad.at, bad.len), .ede = EDE_NONE};
        resolved_write(u, &r, room, scratch, &d.note);
        struct query echo;
        room[2] &= 0x7f;
        cr_expect_geq(query_read(span_of(room, DNS_HEADER_LEN), &echo), 0);
    }
    free(u);
}
