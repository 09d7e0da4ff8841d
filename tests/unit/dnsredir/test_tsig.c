#include "dialogue.h"

#include "base/err.h"
#include "dnsredir/message/tsig.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* 00 01 02 ... 1f */
#define SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define NOW 1700000000u

static struct tsig_key make_key(const char *name, enum tsig_algorithm algorithm)
{
    struct tsig_key key = {.algorithm = algorithm};
    const char *what;

    cr_assert_eq(name_parse_absolute(span_str(name), &key.name), 0);
    cr_assert_eq(tsig_secret_parse(SPAN(SECRET), &key.secret, &what), 0);
    return key;
}

static size_t make_query(uint8_t *room, size_t len)
{
    const struct question question = {.name = "d.ex", .type = "A", .flags = 0x0100};
    return question_write(&question, room, len);
}

static void expect_hex(const uint8_t *got, const char *want)
{
    char text[2 * TSIG_MAC_MAX + 1] = "";

    for (size_t i = 0; i < strlen(want) / 2; i++) {
        snprintf(text + 2 * i, 3, "%02x", got[i]);
    }
    cr_expect_str_eq(text, want);
}

/* MACs that another implementation (Python's hmac over the bytes of RFC 8945 4.3) made. */
Test(tsig, digests_rfc8945_4_3)
{
    const struct tsig_key key = make_key("k", TSIG_SHA256);
    const struct tsig_keys keys = {&key, 1};
    struct tsig_reply reply;
    uint8_t room[512], mac[TSIG_MAC_MAX];
    size_t mac_len;

    size_t plain = make_query(room, sizeof(room));
    size_t len = tsig_sign_query(&key, room, plain, NOW, 300, mac, &mac_len);
    cr_assert_eq(mac_len, 32);
    expect_hex(mac, "8c8197b184fd353d83694eda97596e8b3811bdbdb06e140cb3575133d417dede");
    cr_expect_eq(room[11], 1, "the record is counted");
    cr_assert_eq(tsig_check(&keys, span_of(room, len), plain, NOW, &reply), RCODE_NOERROR);
    cr_expect(reply.good && reply.key == &key && reply.error == 0);

    room[2] = 0x85; /* the answer: QR, AA, RD; nothing else */
    room[3] = 0x80;
    room[11] = 0;
    size_t whole = tsig_sign(&reply, room, plain, NOW + 5);
    cr_assert_eq(whole, plain + reply.len);
    expect_hex(room + plain + 3 + 10 + 13 + 10,
               "1b75b880d038bf3334d26a2f8ddc2807a2f942f637300121990aff863e0ad15d");
    cr_expect(tsig_is_answer(&key, span_of(room, whole), plain, span_of(mac, mac_len)));
    mac[0] ^= 1;
    cr_expect_not(tsig_is_answer(&key, span_of(room, whole), plain, span_of(mac, mac_len)));
}

Test(tsig, every_algorithm_signs_and_checks)
{
    for (enum tsig_algorithm a = TSIG_SHA256; a < TSIG_ALGORITHMS; a++) {
        const struct tsig_key key = make_key("a.key.example", a);
        const struct tsig_keys keys = {&key, 1};
        struct tsig_reply reply;
        uint8_t room[512];
        size_t plain = make_query(room, sizeof(room));
        size_t len = tsig_sign_query(&key, room, plain, NOW, 300, NULL, NULL);
        cr_expect_eq(tsig_check(&keys, span_of(room, len), plain, NOW, &reply), RCODE_NOERROR, "%s",
                     tsig_words[a]);
        for (size_t i = 2; i < len; i++) { /* no byte may be another one, but for the ID */
            room[i] ^= 0x10;
            cr_expect_neq(tsig_check(&keys, span_of(room, len), plain, NOW, &reply), RCODE_NOERROR,
                          "%s, byte %zu", tsig_words[a], i);
            room[i] ^= 0x10;
        }
    }
}

/* The places of the fields in a record with the key "k" and SHA-256, from its start. */
enum {
    CLASS_AT = 5,
    TTL_AT = 10,
    LENGTH_AT = 12,
    ALGORITHM_AT = 13,
    TIME_AT = 26,
    MAC_LEN_AT = 34,
    MAC_AT = 36,
    RECORD_LEN = 74
};

/* Cuts the MAC of the record at `at` to `bytes`. Returns the new length of the message. */
static size_t cut_mac(uint8_t *room, size_t at, size_t bytes)
{
    uint8_t *record = room + at;

    memmove(record + MAC_AT + bytes, record + MAC_AT + 32, 6);
    record[MAC_LEN_AT + 1] = (uint8_t)bytes;
    record[LENGTH_AT] = (uint8_t)(record[LENGTH_AT] - (32 - bytes));
    return at + RECORD_LEN - (32 - bytes);
}

Test(tsig, what_is_wrong_rfc8945_5_2)
{
    static const struct {
        const char *what;
        size_t at; /* in the record; 0: nothing is changed */
        uint8_t flip;
        size_t mac; /* its length; 0: whole */
        int64_t late;
        unsigned rcode, error;
        size_t len; /* of the reply's record */
    } cases[] = {
        {"nothing", 0, 0, 0, 0, RCODE_NOERROR, 0, RECORD_LEN},
        {"just in time", 0, 0, 0, 300, RCODE_NOERROR, 0, RECORD_LEN},
        {"early, but in time", 0, 0, 0, -300, RCODE_NOERROR, 0, RECORD_LEN},
        {"too late", 0, 0, 0, 301, RCODE_NOTAUTH, TSIG_BADTIME, RECORD_LEN + 6},
        {"too early", 0, 0, 0, -301, RCODE_NOTAUTH, TSIG_BADTIME, RECORD_LEN + 6},
        {"another key", 1, 1, 0, 0, RCODE_NOTAUTH, TSIG_BADKEY, RECORD_LEN - 32},
        {"another algorithm", ALGORITHM_AT + 1, 1, 0, 0, RCODE_NOTAUTH, TSIG_BADKEY,
         RECORD_LEN - 32},
        {"another time", TIME_AT + 5, 1, 0, 0, RCODE_NOTAUTH, TSIG_BADSIG, RECORD_LEN - 32},
        {"another MAC", MAC_AT, 1, 0, 0, RCODE_NOTAUTH, TSIG_BADSIG, RECORD_LEN - 32},
        {"another MAC, at its end", MAC_AT + 31, 0x80, 0, 0, RCODE_NOTAUTH, TSIG_BADSIG,
         RECORD_LEN - 32},
        {"another MAC and too late", MAC_AT, 1, 0, 999, RCODE_NOTAUTH, TSIG_BADSIG,
         RECORD_LEN - 32},
        {"a MAC cut to half", 0, 0, 16, 0, RCODE_NOERROR, 0, RECORD_LEN},
        {"cut to less", 0, 0, 15, 0, RCODE_FORMERR, 0, 0},
        {"cut and wrong", MAC_AT + 15, 1, 16, 0, RCODE_NOTAUTH, TSIG_BADSIG, RECORD_LEN - 32},
        {"a class that it cannot have", CLASS_AT + 1, 1, 0, 0, RCODE_FORMERR, 0, 0},
        {"a ttl", TTL_AT, 1, 0, 0, RCODE_FORMERR, 0, 0},
        {"a length that is not so", LENGTH_AT, 1, 0, 0, RCODE_FORMERR, 0, 0},
        {"a MAC that is longer than the record", MAC_LEN_AT, 1, 0, 0, RCODE_FORMERR, 0, 0},
    };
    const struct tsig_key key = make_key("k", TSIG_SHA256);
    const struct tsig_keys keys = {&key, 1};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tsig_reply reply;
        uint8_t room[512];
        size_t plain = make_query(room, sizeof(room));
        size_t len = tsig_sign_query(&key, room, plain, NOW, 300, NULL, NULL);
        cr_assert_eq(len, plain + RECORD_LEN);
        len = cases[i].mac ? cut_mac(room, plain, cases[i].mac) : len;
        room[plain + cases[i].at] ^= cases[i].flip;
        uint64_t now = (uint64_t)(NOW + cases[i].late);
        cr_expect_eq(tsig_check(&keys, span_of(room, len), plain, now, &reply), cases[i].rcode,
                     "%s", cases[i].what);
        cr_expect_eq(reply.len, cases[i].len, "%s: %zu", cases[i].what, reply.len);
        cr_expect_eq(reply.good, cases[i].rcode == RCODE_NOERROR, "%s", cases[i].what);
        cr_expect(reply.len == 0 || reply.error == cases[i].error, "%s", cases[i].what);
    }
}

/* A client whose clock is wrong must be able to believe that (RFC 8945 5.2.3). */
Test(tsig, bad_time_is_signed_with_the_time_of_the_client)
{
    const struct tsig_key key = make_key("k", TSIG_SHA256);
    const struct tsig_keys keys = {&key, 1};
    struct tsig_reply reply;
    struct tsig tsig;
    uint8_t room[512], mac[TSIG_MAC_MAX];
    size_t mac_len;
    size_t plain = make_query(room, sizeof(room));
    size_t len = tsig_sign_query(&key, room, plain, NOW, 300, mac, &mac_len);

    tsig_check(&keys, span_of(room, len), plain, NOW + 1000, &reply);
    room[11] = 0;
    len = tsig_sign(&reply, room, plain, NOW + 1000);
    cr_assert_eq(tsig_read(span_of(room, len), plain, &tsig), 0);
    cr_expect_eq(tsig.time, NOW);
    cr_expect_eq(tsig.error, TSIG_BADTIME);
    cr_assert_eq(tsig.other.len, 6);
    cr_expect_eq(memcmp(tsig.other.at, "\0\0\x65\x53\xf4\xe8", 6), 0, "the server's time");
    cr_expect(tsig_is_answer(&key, span_of(room, len), plain, span_of(mac, mac_len)));
}

Test(tsig, secrets)
{
    static const struct {
        const char *text;
        size_t len; /* 0: refused */
        bool file;
    } cases[] = {
        {SECRET, 32, false},
        {"AAECAwQFBgcICQoLDA0ODw==", 16, false},
        {"AAECAwQFBgcICQoLDA0ODxA=", 17, false},
        {"AAECAwQFBgcICQoLDA0O", 0, false}, /* 15 bytes */
        {"AAECAwQFBgcICQoLDA0ODw=", 0, false},
        {"AAECAwQFBgcICQoLDA0ODw", 0, false},
        {"AAECAwQFBgcICQoLDA0ODx==", 0, false}, /* bits behind the end */
        {"AAECAwQFBgcICQoL DA0ODw=", 0, false},
        {"", 0, false},
        {"  " SECRET "\n", 32, true},
        {"key \"k\" {\n\talgorithm hmac-sha256;\n\tsecret \"" SECRET "\";\n};\n", 32, true},
        {"key \"k\" { secret " SECRET "; };", 0, true},
        {"secret \"" SECRET, 32, true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tsig_secret secret;
        const char *what = NULL;
        struct span text = span_str(cases[i].text);
        int err = cases[i].file ? tsig_secret_parse_file(text, &secret, &what)
                                : tsig_secret_parse(text, &secret, &what);
        cr_expect_eq(err, cases[i].len ? 0 : ERR_SYNTAX, "%s", cases[i].text);
        cr_expect(err ? what != NULL : secret.len == cases[i].len, "%s", cases[i].text);
    }
}

/* ---- in queries ---- */

#define CONFIG                                                                                     \
    "keys: [{name: k, secret: '" SECRET "'}]\n"                                                    \
    "identity: me\n"                                                                               \
    "zones: [{name: ex, nameservers: ns.ex, names: [{name: d, records: \"A 192.0.2.1\"},"          \
    " {name: t, records: [\"TXT " LONG "\"]}]}]\n"
#define LONG                                                                                       \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aa "                                                                                          \
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" \
    "bb "                                                                                          \
    "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc" \
    "cc "                                                                                          \
    "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd" \
    "dd "                                                                                          \
    "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

Test(tsig, signed_queries_get_signed_answers)
{
    static const struct {
        const char *what;
        struct question question;
        bool tcp, bad, stranger;
        unsigned rcode, answers;
        bool truncated, is_signed;
    } cases[] = {
        {"by UDP", {.name = "d.ex", .type = "A"}, .answers = 1, .is_signed = true},
        {"by TCP", {.name = "d.ex", .type = "A"}, .tcp = true, .answers = 1, .is_signed = true},
        {"with EDNS",
         {.name = "d.ex", .type = "A", .subnet = "10.0.0.0/8"},
         .answers = 1,
         .is_signed = true},
        {"a name that is not there",
         {.name = "x.ex", .type = "A"},
         .rcode = RCODE_NXDOMAIN,
         .is_signed = true},
        {"refused", {.name = "x", .type = "A"}, .rcode = RCODE_REFUSED, .is_signed = true},
        {"another opcode",
         {.name = "d.ex", .type = "A", .flags = 0x1000},
         .rcode = RCODE_NOTIMP,
         .is_signed = true},
        {"too large with a signature",
         {.name = "t.ex", .type = "TXT"},
         .truncated = true,
         .is_signed = true},
        {"a signature that is not good",
         {.name = "d.ex", .type = "A"},
         .bad = true,
         .rcode = RCODE_NOTAUTH},
        {"a stranger", {.name = "d.ex", .type = "A"}, .stranger = true, .rcode = RCODE_NOTAUTH},
    };
    struct dialogue d;

    dialogue_init(&d, CONFIG);
    d.client.now = NOW;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct tsig_key key = make_key(cases[i].stranger ? "s" : "k", TSIG_SHA256);
        uint8_t query[1024], mac[TSIG_MAC_MAX];
        static uint8_t room[DNS_MESSAGE_MAX];
        size_t mac_len;
        size_t plain = question_write(&cases[i].question, query, sizeof(query));
        size_t len = tsig_sign_query(&key, query, plain, NOW, 300, mac, &mac_len);
        query[len - 10] ^= cases[i].bad; /* in the MAC */
        d.client.tcp = cases[i].tcp;
        size_t got = answer(&d.view, &d.client, span_of(query, len), room, &d.note);
        cr_assert(got > 0 && (cases[i].tcp || got <= DNS_UDP_MAX), "%s", cases[i].what);
        cr_assert(cases[i].question.subnet || got <= DNS_UDP_PLAIN || cases[i].tcp);
        cr_expect_eq(room[3] & 15, cases[i].rcode, "%s: %u", cases[i].what, room[3] & 15);
        cr_expect_eq(room[7], cases[i].answers, "%s", cases[i].what);
        cr_expect_eq((room[2] & 2) != 0, cases[i].truncated, "%s", cases[i].what);
        size_t at = got - 74;
        cr_expect_eq(tsig_is_answer(&key, span_of(room, got), at, span_of(mac, mac_len)),
                     cases[i].is_signed, "%s", cases[i].what);
        cr_expect_eq(d.note.tsig, cases[i].is_signed ? TSIG_GOOD : TSIG_BAD, "%s", cases[i].what);
    }
    dialogue_fini(&d);
}

/* The longest question, and everything that is asked for by EDNS, and 512 bytes for it all. */
Test(tsig, the_longest_names_fit)
{
    char name[256] = "";
    struct dialogue d;
    uint8_t query[1024], room[DNS_UDP_MAX];
    const struct tsig_key key = make_key("k", TSIG_SHA256);
    struct question question = {.name = name, .type = "A", .subnet = "2001:db8::/128"};

    for (size_t i = 0; i < 62; i++) {
        strcat(name, "aaa.");
    }
    strcat(name, "ex");
    question.payload = 512;
    dialogue_init(&d, CONFIG);
    d.client.now = NOW;
    size_t plain = question_write(&question, query, sizeof(query));
    size_t len = tsig_sign_query(&key, query, plain, NOW, 300, NULL, NULL);
    size_t got = answer(&d.view, &d.client, span_of(query, len), room, &d.note);
    cr_expect(got > 0 && got <= 512, "%zu", got);
    dialogue_fini(&d);
}

/* BADKEY tells the stranger his own key, however long its name is (RFC 8945 5.2.1), as far as he
 * takes so much. */
Test(tsig, a_stranger_with_a_long_name_is_told_so)
{
    char name[256] = "";
    struct dialogue d;

    for (size_t i = 0; i < 63; i++) {
        strcat(name, "aaa.");
    }
    const struct tsig_key key = make_key(name, TSIG_SHA256);
    static const struct {
        uint16_t payload; /* 0: no EDNS */
        bool tcp, told;
    } cases[] = {{0, false, false}, {512, false, false}, {1232, false, true}, {0, true, true}};
    dialogue_init(&d, CONFIG);
    d.client.now = NOW;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct question question = {.name = "d.ex", .type = "A", .payload = cases[i].payload};
        static uint8_t room[DNS_MESSAGE_MAX];
        uint8_t query[1024];
        question.edns = cases[i].payload != 0;
        size_t plain = question_write(&question, query, sizeof(query));
        size_t len = tsig_sign_query(&key, query, plain, NOW, 300, NULL, NULL);
        d.client.tcp = cases[i].tcp;
        size_t got = answer(&d.view, &d.client, span_of(query, len), room, &d.note);
        cr_assert_geq(got, plain);
        cr_expect(cases[i].tcp || got <= (cases[i].payload ? cases[i].payload : 512), "%zu", got);
        cr_expect_eq(d.note.rcode, RCODE_NOTAUTH);
        struct tsig tsig;
        bool told = tsig_read(span_of(room, got), plain, &tsig) == 0;
        cr_expect_eq(told, cases[i].told, "case %zu", i);
        cr_expect(!told || (tsig.error == TSIG_BADKEY && tsig.mac.len == 0 &&
                            name_eq(&tsig.key, &key.name)));
    }
    dialogue_fini(&d);
}

/* Who has seen a signed query can send it again, with the address of a victim. */
Test(tsig, is_no_proof_of_an_address)
{
    const struct tsig_key key = make_key("k", TSIG_SHA256);
    struct dialogue d;
    uint8_t query[512], room[DNS_UDP_MAX];

    dialogue_init(&d, CONFIG);
    d.settings->rates.responses = 1;
    d.settings->rates.slip = 1;
    d.client.now = NOW;
    d.client.now_us = UINT64_C(1000000);
    d.client.limiter = limiter_new();
    size_t plain = make_query(query, sizeof(query));
    size_t len = tsig_sign_query(&key, query, plain, NOW, 300, NULL, NULL);
    cr_assert(answer(&d.view, &d.client, span_of(query, len), room, &d.note) > 0);
    cr_expect_eq(d.note.limited, LIMIT_PASS);
    cr_assert(answer(&d.view, &d.client, span_of(query, len), room, &d.note) > 0);
    cr_expect_eq(d.note.limited, LIMIT_SLIP);
    cr_expect(room[2] & 2, "truncated");
    limiter_free(&d.client.limiter);
    dialogue_fini(&d);
}

/* RFC 8945 5.1: one, at the end, or it is malformed. */
Test(tsig, stands_at_the_end)
{
    const struct tsig_key key = make_key("k", TSIG_SHA256);
    uint8_t room[512];
    struct query query;
    size_t plain = make_query(room, sizeof(room));
    size_t len = tsig_sign_query(&key, room, plain, NOW, 300, NULL, NULL);

    cr_expect_eq(query_read(span_of(room, len), &query), RCODE_NOERROR);
    cr_expect_eq(query.tsig_at, plain);
    len = tsig_sign_query(&key, room, len, NOW, 300, NULL, NULL);
    cr_expect_eq(query_read(span_of(room, len), &query), RCODE_FORMERR, "twice");
    len = tsig_sign_query(&key, room, make_query(room, sizeof(room)), NOW, 300, NULL, NULL);
    room[11] = 0;
    room[9] = 1;
    room[2] = 0x28; /* an update, where records may stand everywhere */
    cr_expect_eq(message_read(span_of(room, len), &query), RCODE_FORMERR, "elsewhere");
}
