#include "http/h1_parse.h"

#include <criterion/criterion.h>

#include "base/check.h"
#include "base/err.h"
#include "http/chars.h"

#include <stdio.h>

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, NULL, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(h1_parse, .init = setup, .fini = teardown);

struct parsed {
    int err;
    struct http_head head;
    size_t used;
    struct h1_error error;
};

static struct parsed request(struct span bytes)
{
    struct h1_scan scan = {0};
    struct parsed p = {0};

    p.err = h1_parse_request(&scan, bytes, &h1_default_limits, &arena, &p.head, &p.used, &p.error);
    return p;
}

static struct parsed response(struct span bytes, enum http_method method)
{
    struct h1_scan scan = {0};
    struct parsed p = {0};

    p.err = h1_parse_response(&scan, bytes, &h1_default_limits, method, &arena, &p.head, &p.used,
                              &p.error);
    return p;
}

Test(h1_parse, a_request_in_its_parts)
{
    struct span bytes = SPAN("GET /a?b HTTP/1.1\r\nHost: example.com\r\nX-Empty:\r\n"
                             "Accept:\t text/html, */* \t\r\n\r\nrest");
    struct parsed p = request(bytes);

    cr_assert_eq(p.err, 0);
    cr_expect_eq(p.used, bytes.len - 4);
    cr_expect_eq(p.head.method, METHOD_GET);
    cr_expect(span_eq(p.head.target, SPAN("/a?b")));
    cr_expect_eq(p.head.version, HTTP_1_1);
    cr_expect_eq(p.head.status, 0);
    cr_expect_eq(p.head.fields.count, 3);
    cr_expect(span_eq(fields_get(&p.head.fields, FIELD_HOST), SPAN("example.com")));
    cr_expect(span_eq(fields_get(&p.head.fields, FIELD_ACCEPT), SPAN("text/html, */*")));
    cr_expect_eq(fields_find_name(&p.head.fields, SPAN("x-empty"))->value.len, 0);
    cr_expect_eq(p.head.framing, BODY_NONE);
    cr_expect_eq(p.head.content_length, -1);
    cr_expect(p.head.keep_alive);
}

Test(h1_parse, a_response_in_its_parts)
{
    struct span bytes = SPAN("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello");
    struct parsed p = response(bytes, METHOD_GET);

    cr_assert_eq(p.err, 0);
    cr_expect_eq(p.used, bytes.len - 5);
    cr_expect_eq(p.head.status, 404);
    cr_expect(span_eq(p.head.reason, SPAN("Not Found")));
    cr_expect_eq(p.head.framing, BODY_LENGTH);
    cr_expect_eq(p.head.content_length, 5);
    cr_expect(p.head.keep_alive);
}

#define H "Host: a\r\n"

struct refused {
    const char *what;
    struct span bytes;
    int status;
};

#define ROW(what, text, status)                                                                    \
    {                                                                                              \
        what, {text, sizeof(text) - 1}, status                                                     \
    }

/* clang-format off */
static const struct refused refused_requests[] = {
    ROW("bare LF after the request line",   "GET / HTTP/1.1\n" H "\r\n", 400),
    ROW("bare LF after a field",            "GET / HTTP/1.1\r\nHost: a\n\r\n\r\n", 400),
    ROW("bare LF as the empty line",        "GET / HTTP/1.1\r\n" H "\n\r\n\r\n", 400),
    ROW("bare CR in a value",               "GET / HTTP/1.1\r\n" H "A: b\rc\r\n\r\n", 400),
    ROW("bare CR in the target",            "GET /\r HTTP/1.1\r\n" H "\r\n", 400),
    ROW("CR CR LF",                         "GET / HTTP/1.1\r\r\n" H "\r\n", 400),
    ROW("obs-fold with a space",            "GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n", 400),
    ROW("obs-fold with a tab",              "GET / HTTP/1.1\r\n" H "A: b\r\n\tc\r\n\r\n", 400),
    ROW("space before the first field",     "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ROW("space before the colon",           "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    ROW("tab before the colon",             "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", 400),
    ROW("no colon",                         "GET / HTTP/1.1\r\n" H "Abc\r\n\r\n", 400),
    ROW("empty field name",                 "GET / HTTP/1.1\r\n" H ": b\r\n\r\n", 400),
    ROW("field name not a token",           "GET / HTTP/1.1\r\n" H "A(b: c\r\n\r\n", 400),
    ROW("field name not ASCII",             "GET / HTTP/1.1\r\n" H "A\xe4: c\r\n\r\n", 400),
    ROW("NUL in a name",                    "GET / HTTP/1.1\r\n" H "A\0b: c\r\n\r\n", 400),
    ROW("NUL in a value",                   "GET / HTTP/1.1\r\n" H "A: b\0c\r\n\r\n", 400),
    ROW("NUL deep in a long value",
        "GET / HTTP/1.1\r\n" H "A: 0123456789abcdef\x80\x80xyz\0c0123456789\r\n\r\n", 400),
    ROW("DEL in a value",                   "GET / HTTP/1.1\r\n" H "A: b\177cdefghijkl\r\n\r\n", 400),
    ROW("ESC in a value",                   "GET / HTTP/1.1\r\n" H "A: b\033c\r\n\r\n", 400),
    ROW("vertical tab before a value",      "GET / HTTP/1.1\r\n" H "A:\vb\r\n\r\n", 400),
    ROW("form feed in a value",             "GET / HTTP/1.1\r\n" H "A: b\fc\r\n\r\n", 400),
    ROW("two spaces after the method",      "GET  / HTTP/1.1\r\n" H "\r\n", 400),
    ROW("two spaces after the target",      "GET /  HTTP/1.1\r\n" H "\r\n", 400),
    ROW("a tab for a space",                "GET\t/ HTTP/1.1\r\n" H "\r\n", 400),
    ROW("a space behind the version",       "GET / HTTP/1.1 \r\n" H "\r\n", 400),
    ROW("a space before the method",        " GET / HTTP/1.1\r\n" H "\r\n", 400),
    ROW("a space in the target",            "GET /a b HTTP/1.1\r\n" H "\r\n", 400),
    ROW("NUL in the target",                "GET /\0 HTTP/1.1\r\n" H "\r\n", 400),
    ROW("non-ASCII in the target",          "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", 400),
    ROW("DEL in the target",                "GET /\177 HTTP/1.1\r\n" H "\r\n", 400),
    ROW("no target",                        "GET HTTP/1.1\r\n" H "\r\n", 400),
    ROW("no method",                        "/ HTTP/1.1\r\n" H "\r\n", 400),
    ROW("method not a token",               "G(T / HTTP/1.1\r\n" H "\r\n", 400),
    ROW("HTTP/0.9",                         "GET /\r\n\r\n", 400),
    ROW("version in lower case",            "GET / http/1.1\r\n" H "\r\n", 400),
    ROW("version with two digits",          "GET / HTTP/1.10\r\n" H "\r\n", 400),
    ROW("version with leading zero",        "GET / HTTP/01.1\r\n" H "\r\n", 400),
    ROW("version without a minor",          "GET / HTTP/1\r\n" H "\r\n", 400),
    ROW("version with a space",             "GET / HTTP/1. 1\r\n" H "\r\n", 400),
    ROW("version of another protocol",      "GET / HTTX/1.1\r\n" H "\r\n", 400),
    ROW("HTTP/2.0 in HTTP/1 clothes",       "GET / HTTP/2.0\r\n" H "\r\n", 505),
    ROW("HTTP/3.0",                         "GET / HTTP/3.0\r\n" H "\r\n", 505),
    ROW("HTTP/0.9 named",                   "GET / HTTP/0.9\r\n" H "\r\n", 505),
    ROW("three empty lines before",         "\r\n\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", 400),
    ROW("bare LF before",                   "\nGET / HTTP/1.1\r\n" H "\r\n", 400),

    ROW("no Host in 1.1",                   "GET / HTTP/1.1\r\n\r\n", 400),
    ROW("two Host",                         "GET / HTTP/1.1\r\n" H H "\r\n", 400),
    ROW("two Host in 1.0",                  "GET / HTTP/1.0\r\n" H H "\r\n", 400),
    ROW("Host with userinfo",               "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    ROW("Host with a path",                 "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ROW("Host with a space",                "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ROW("Host list",                        "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ROW("Host with a bad port",             "GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", 400),
    ROW("Host with a port too large",       "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400),
    ROW("Host with port 0",                 "GET / HTTP/1.1\r\nHost: a:0\r\n\r\n", 400),
    ROW("Host with only a port",            "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400),
    ROW("Host with a broken IPv6 address",  "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),

    ROW("Content-Length and chunked",
        "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ROW("chunked and Content-Length",
        "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400),
    ROW("two equal Content-Length",
        "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400),
    ROW("two different Content-Length",
        "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400),
    ROW("Content-Length list",      "POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\n", 400),
    ROW("Content-Length empty",     "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 400),
    ROW("Content-Length signed",    "POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\n", 400),
    ROW("Content-Length negative",  "POST / HTTP/1.1\r\n" H "Content-Length: -3\r\n\r\n", 400),
    ROW("Content-Length hex",       "POST / HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\n", 400),
    ROW("Content-Length decimal point", "POST / HTTP/1.1\r\n" H "Content-Length: 3.0\r\n\r\n", 400),
    ROW("Content-Length with a space inside", "POST / HTTP/1.1\r\n" H "Content-Length: 3 4\r\n\r\n", 400),
    ROW("Content-Length quoted",    "POST / HTTP/1.1\r\n" H "Content-Length: \"3\"\r\n\r\n", 400),
    ROW("Content-Length of 19 digits",
        "POST / HTTP/1.1\r\n" H "Content-Length: 1000000000000000000\r\n\r\n", 400),
    ROW("Content-Length that wraps",
        "POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551619\r\n\r\n", 400),
    ROW("chunked in HTTP/1.0",      "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400),
    ROW("unknown coding in HTTP/1.0", "POST / HTTP/1.0\r\n" H "Transfer-Encoding: gzip\r\n\r\n", 400),
    ROW("chunked twice",   "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n", 400),
    ROW("chunked on two lines",
        "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ROW("chunked not last", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, gzip\r\n\r\n", 400),
    ROW("chunked on the line before another coding",
        "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", 400),
    ROW("chunked with an empty member", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked,\r\n\r\n", 400),
    ROW("chunked after an empty member", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: ,chunked\r\n\r\n", 400),
    ROW("chunked with a parameter", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked;a=b\r\n\r\n", 400),
    ROW("chunked in quotes", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \"chunked\"\r\n\r\n", 400),
    ROW("empty coding",     "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", 400),
    ROW("vertical tab before chunked", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \vchunked\r\n\r\n", 400),
    ROW("unknown coding",   "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\n", 501),
    ROW("identity",         "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 501),
    ROW("almost chunked",   "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 501),
    ROW("unknown coding, then chunked",
        "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    ROW("CONNECT with a length", "CONNECT a:1 HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\n", 400),
    ROW("CONNECT chunked", "CONNECT a:1 HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400),
    ROW("TRACE with a length", "TRACE / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\n", 400),
    ROW("TRACE chunked", "TRACE / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400),
};
/* clang-format on */

Test(h1_parse, refuses_requests_rfc9112)
{
    for (size_t i = 0; i < ARRAY_LEN(refused_requests); i++) {
        const struct refused *row = &refused_requests[i];
        struct parsed p = request(row->bytes);
        cr_expect_eq(p.err, ERR_SYNTAX, "%s: %d", row->what, p.err);
        cr_expect_eq(p.error.status, row->status, "%s: %d", row->what, p.error.status);
        cr_expect_not_null(p.error.what, "%s", row->what);
    }
}

/* Whatever the order in which the bytes come in, the verdict is the same, and no earlier prefix is
 * taken for a whole message. */
Test(h1_parse, byte_by_byte_gives_the_same_verdict)
{
    for (size_t i = 0; i < ARRAY_LEN(refused_requests); i++) {
        const struct refused *row = &refused_requests[i];
        struct h1_scan scan = {0};
        struct parsed p = {.err = ERR_MORE};
        for (size_t len = 0; len <= row->bytes.len && p.err == ERR_MORE; len++) {
            p.err = h1_parse_request(&scan, span_take(row->bytes, len), &h1_default_limits, &arena,
                                     &p.head, &p.used, &p.error);
        }
        cr_expect_eq(p.err, ERR_SYNTAX, "%s", row->what);
        cr_expect_eq(p.error.status, row->status, "%s: %d", row->what, p.error.status);
    }
}

/* clang-format off */
static const struct {
    const char *what;
    struct span bytes;
    enum http_framing framing;
    int64_t length;
    bool keep_alive, expect_continue, upgrade;
} accepted_requests[] = {
#define OK(what, text, ...) {what, {text, sizeof(text) - 1}, __VA_ARGS__}
    OK("plain",             "GET / HTTP/1.1\r\n" H "\r\n", BODY_NONE, -1, true, false, false),
    OK("one empty line before", "\r\nGET / HTTP/1.1\r\n" H "\r\n", BODY_NONE, -1, true, false, false),
    OK("two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", BODY_NONE, -1, true, false, false),
    OK("1.0 closes",        "GET / HTTP/1.0\r\n\r\n", BODY_NONE, -1, false, false, false),
    OK("1.0 keep-alive",    "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", BODY_NONE, -1, true, false, false),
    OK("1.0 both: close wins", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", BODY_NONE, -1, false, false, false),
    OK("1.2 is 1.1",        "GET / HTTP/1.2\r\n" H "\r\n", BODY_NONE, -1, true, false, false),
    OK("1.9 is 1.1",        "GET / HTTP/1.9\r\n" H "\r\n", BODY_NONE, -1, true, false, false),
    OK("close",             "GET / HTTP/1.1\r\n" H "Connection: CLOSE\r\n\r\n", BODY_NONE, -1, false, false, false),
    OK("close in a list",   "GET / HTTP/1.1\r\n" H "Connection: a, close ,b\r\n\r\n", BODY_NONE, -1, false, false, false),
    OK("close on the second line", "GET / HTTP/1.1\r\n" H "Connection: a\r\nConnection: close\r\n\r\n", BODY_NONE, -1, false, false, false),
    OK("closed is not close", "GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n", BODY_NONE, -1, true, false, false),
    OK("a length",          "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n", BODY_LENGTH, 5, true, false, false),
    OK("length 0 is no body", "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", BODY_NONE, 0, true, false, false),
    OK("leading zeros",     "POST / HTTP/1.1\r\n" H "Content-Length: 0005\r\n\r\n", BODY_LENGTH, 5, true, false, false),
    OK("white space around", "POST / HTTP/1.1\r\n" H "Content-Length: \t 5 \t\r\n\r\n", BODY_LENGTH, 5, true, false, false),
    OK("18 digits",         "POST / HTTP/1.1\r\n" H "Content-Length: 999999999999999999\r\n\r\n", BODY_LENGTH, 999999999999999999, true, false, false),
    OK("1.0 with a length", "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, false, false, false),
    OK("chunked",           "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", BODY_CHUNKED, -1, true, false, false),
    OK("chunked in any case", "POST / HTTP/1.1\r\n" H "transfer-encoding:Chunked \r\n\r\n", BODY_CHUNKED, -1, true, false, false),
    OK("expect",            "POST / HTTP/1.1\r\n" H "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, true, true, false),
    OK("expect in a list",  "POST / HTTP/1.1\r\n" H "Expect: x, 100-continue\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, true, true, false),
    OK("expect in a string", "POST / HTTP/1.1\r\n" H "Expect: x=\", 100-continue, \"\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, true, false, false),
    OK("expect in 1.0",     "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, false, false, false),
    OK("expect something else", "POST / HTTP/1.1\r\n" H "Expect: x\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, true, false, false),
    OK("upgrade",           "GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", BODY_NONE, -1, true, false, true),
    OK("upgrade not named", "GET / HTTP/1.1\r\n" H "Upgrade: websocket\r\n\r\n", BODY_NONE, -1, true, false, false),
    OK("upgrade to nothing", "GET / HTTP/1.1\r\n" H "Connection: upgrade\r\n\r\n", BODY_NONE, -1, true, false, false),
    OK("upgrade in 1.0",    "GET / HTTP/1.0\r\nConnection: upgrade, keep-alive\r\nUpgrade: x\r\n\r\n", BODY_NONE, -1, true, false, false),
    OK("CONNECT",           "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", BODY_NONE, -1, true, false, false),
    OK("TRACE of length 0", "TRACE / HTTP/1.1\r\nHost: a:1\r\nContent-Length: 0\r\n\r\n", BODY_NONE, 0, true, false, false),
    OK("CONNECT of length 0", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 0\r\n\r\n", BODY_NONE, 0, true, false, false),
    OK("GET with a body",   "GET / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n", BODY_LENGTH, 5, true, false, false),
    OK("empty Host",        "GET / HTTP/1.1\r\nHost:\r\n\r\n", BODY_NONE, -1, true, false, false),
    OK("Host with a port",  "GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n", BODY_NONE, -1, true, false, false),
    OK("Host with IPv6",    "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n", BODY_NONE, -1, true, false, false),
    OK("unknown method",    "M-SEARCH / HTTP/1.1\r\n" H "\r\n", BODY_NONE, -1, true, false, false),
    OK("tabs and obs-text", "GET / HTTP/1.1\r\n" H "A: b\tc \x80\xff \t d\r\n\r\n", BODY_NONE, -1, true, false, false),
    OK("odd but a token",   "GET / HTTP/1.1\r\n" H "!#$%&'*+-.^_`|~09: x\r\n\r\n", BODY_NONE, -1, true, false, false),
#undef OK
};
/* clang-format on */

Test(h1_parse, accepts_requests_rfc9112)
{
    for (size_t i = 0; i < ARRAY_LEN(accepted_requests); i++) {
        const char *what = accepted_requests[i].what;
        struct parsed p = request(accepted_requests[i].bytes);
        cr_expect_eq(p.err, 0, "%s: %s", what, p.error.what);
        if (p.err) {
            continue;
        }
        cr_expect_eq(p.used, accepted_requests[i].bytes.len, "%s", what);
        cr_expect_eq(p.head.framing, accepted_requests[i].framing, "%s", what);
        cr_expect_eq(p.head.content_length, accepted_requests[i].length, "%s", what);
        cr_expect_eq(p.head.keep_alive, accepted_requests[i].keep_alive, "%s", what);
        cr_expect_eq(p.head.expect_continue, accepted_requests[i].expect_continue, "%s", what);
        cr_expect_eq(p.head.upgrade, accepted_requests[i].upgrade, "%s", what);
    }
}

/* No prefix of a good request is complete or refused, and the whole is one whatever came before. */
Test(h1_parse, accepts_requests_byte_by_byte)
{
    for (size_t i = 0; i < ARRAY_LEN(accepted_requests); i++) {
        struct span bytes = accepted_requests[i].bytes;
        struct h1_scan scan = {0};
        struct parsed p = {0};
        for (size_t len = 0; len <= bytes.len; len++) {
            p.err = h1_parse_request(&scan, span_take(bytes, len), &h1_default_limits, &arena,
                                     &p.head, &p.used, &p.error);
            cr_assert_eq(p.err, len < bytes.len ? ERR_MORE : 0, "%s at %zu",
                         accepted_requests[i].what, len);
        }
        cr_expect_eq(p.head.framing, accepted_requests[i].framing);
    }
}

Test(h1_parse, the_next_request_is_left_alone)
{
    struct span bytes = SPAN("GET /a HTTP/1.1\r\n" H "\r\nGET /b HTTP/1.1\r\n" H "\r\n");
    struct parsed first = request(bytes);

    cr_assert_eq(first.err, 0);
    cr_expect(span_eq(first.head.target, SPAN("/a")));
    struct parsed second = request(span_skip(bytes, first.used));
    cr_assert_eq(second.err, 0);
    cr_expect(span_eq(second.head.target, SPAN("/b")));
    cr_expect_eq(first.used + second.used, bytes.len);
}

Test(h1_parse, hopeless_requests_are_refused_before_they_end)
{
    static const struct refused rows[] = {
        ROW("TLS", "\x16\x03\x01\x02\x00\x01\x00", 400),
        ROW("one control byte", "\x16", 400),
        ROW("HTTP/0.9", "GET /\r\n", 400),
        ROW("another version", "GET / HTTP/2.0\r\n", 505),
        ROW("bare LF", "GET / HTTP/1.1\r\nA: b\n", 400),
        ROW("a lone LF", "\n", 400),
        ROW("PROXY protocol, version 2", "\r\n\r\n\0\r\nQUIT\n", 400),
        ROW("SSH", "SSH-2.0-OpenSSH_9.2\r\n", 400),
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct parsed p = request(rows[i].bytes);
        cr_expect_eq(p.err, ERR_SYNTAX, "%s: %d", rows[i].what, p.err);
        cr_expect_eq(p.error.status, rows[i].status, "%s: %d", rows[i].what, p.error.status);
    }
}

/* "GET /aaa… HTTP/1.1", with fields of one letter. */
static struct span make_request(size_t target, size_t fields, size_t value, bool complete)
{
    size_t size = target + fields * (value + 8) + 64;
    char *text = arena_alloc(&arena, size);
    size_t used = (size_t)sprintf(text, "GET /");

    memset(text + used, 'a', target - 1);
    used += target - 1;
    used += (size_t)sprintf(text + used, " HTTP/1.1\r\nHost: a\r\n");
    for (size_t i = 1; i < fields; i++) {
        used += (size_t)sprintf(text + used, "A: ");
        memset(text + used, 'b', value);
        used += value;
        used += (size_t)sprintf(text + used, "\r\n");
    }
    used += complete ? (size_t)sprintf(text + used, "\r\n") : 0;
    return span_of(text, used);
}

Test(h1_parse, limits)
{
    const struct h1_limits limits = h1_default_limits;
    static const struct {
        const char *what;
        size_t target, fields, value;
        bool complete;
        int err, status;
    } cases[] = {
        {"target at the limit", 8192, 1, 0, true, 0, 0},
        {"target beyond it", 8193, 1, 0, true, ERR_SYNTAX, 414},
        {"target beyond it, incomplete", 8193, 1, 0, false, ERR_SYNTAX, 414},
        {"fields at the limit", 1, 128, 1, true, 0, 0},
        {"fields beyond it", 1, 129, 1, true, ERR_SYNTAX, 431},
        {"head at the limit", 1, 2, 32768 - 32, true, 0, 0},
        {"head beyond it", 1, 2, 32768 - 31, true, ERR_SYNTAX, 431},
        {"incomplete within it", 1, 2, 32768 - 30, false, ERR_MORE, 0},
        {"incomplete beyond it", 1, 2, 32768 - 29, false, ERR_SYNTAX, 431},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct h1_scan scan = {0};
        struct parsed p = {0};
        struct span bytes =
            make_request(cases[i].target, cases[i].fields, cases[i].value, cases[i].complete);
        p.err = h1_parse_request(&scan, bytes, &limits, &arena, &p.head, &p.used, &p.error);
        cr_expect_eq(p.err, cases[i].err, "%s: %d", cases[i].what, p.err);
        cr_expect_eq(p.error.status, cases[i].status, "%s: %d", cases[i].what, p.error.status);
    }
}

Test(h1_parse, names_and_reasons_are_short_in_a_large_head)
{
    const struct h1_limits limits = {.target = 8192, .head = 1 << 20, .fields = 128};
    static const struct {
        const char *before, *behind;
        size_t len;
        int err;
    } cases[] = {
        {"HTTP/1.1 200 ", "\r\n\r\n", HEAD_NAME_MAX, 0},
        {"HTTP/1.1 200 ", "\r\n\r\n", HEAD_NAME_MAX + 1, ERR_SYNTAX},
        {"HTTP/1.1 200 OK\r\n", ": b\r\n\r\n", HEAD_NAME_MAX, 0},
        {"HTTP/1.1 200 OK\r\n", ": b\r\n\r\n", HEAD_NAME_MAX + 1, ERR_SYNTAX},
        {"GET / HTTP/1.1\r\nHost: a\r\n", ": b\r\n\r\n", HEAD_NAME_MAX, 0},
        {"GET / HTTP/1.1\r\nHost: a\r\n", ": b\r\n\r\n", HEAD_NAME_MAX + 1, ERR_SYNTAX},
    };
    static char text[HEAD_NAME_MAX + 64], many[HEAD_NAME_MAX + 1];

    memset(many, 'n', sizeof(many));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct h1_scan scan = {0};
        struct parsed p = {0};
        bool is_request = cases[i].before[0] == 'G';
        int n = snprintf(text, sizeof(text), "%s%.*s%s", cases[i].before, (int)cases[i].len, many,
                         cases[i].behind);
        struct span bytes = span_of(text, (size_t)n);
        p.err = is_request
                    ? h1_parse_request(&scan, bytes, &limits, &arena, &p.head, &p.used, &p.error)
                    : h1_parse_response(&scan, bytes, &limits, METHOD_GET, &arena, &p.head, &p.used,
                                        &p.error);
        cr_expect_eq(p.err, cases[i].err, "row %zu: %d", i, p.err);
        cr_expect(p.err == 0 || p.error.status == (is_request ? 431 : 502), "row %zu", i);
    }
}

Test(h1_parse, endless_lines_do_not_wait_for_the_head_limit)
{
    char text[9000];

    memset(text, 'A', sizeof(text));
    struct parsed p = request(span_of(text, 65));
    cr_expect_eq(p.err, ERR_SYNTAX);
    cr_expect_eq(p.error.status, 501);
    cr_expect_eq(request(span_of(text, 64)).err, ERR_MORE);
    text[3] = ' ';
    p = request(span_of(text, sizeof(text)));
    cr_expect_eq(p.err, ERR_SYNTAX);
    cr_expect_eq(p.error.status, 414);
    cr_expect_eq(request(span_of(text, 8000)).err, ERR_MORE);
}

/* clang-format off */
static const struct {
    const char *what;
    enum http_method method;
    struct span bytes;
    enum http_framing framing;
    int64_t length;
    bool keep_alive;
} accepted_responses[] = {
#define OK(what, method, text, ...) {what, METHOD_##method, {text, sizeof(text) - 1}, __VA_ARGS__}
    OK("length",            GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, true),
    OK("length 0",          GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", BODY_LENGTH, 0, true),
    OK("chunked",           GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", BODY_CHUNKED, -1, true),
    OK("until the close",   GET, "HTTP/1.1 200 OK\r\n\r\n", BODY_CLOSE, -1, false),
    OK("1.0",               GET, "HTTP/1.0 200 OK\r\n\r\n", BODY_CLOSE, -1, false),
    OK("1.0 with a length", GET, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, false),
    OK("1.0 keep-alive",    GET, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, true),
    OK("close",             GET, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, false),
    OK("no reason, space",  GET, "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, true),
    OK("no reason, no space", GET, "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, true),
    OK("reason not ASCII",  GET, "HTTP/1.1 200 \xc3\x9c" "ber\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, true),
    OK("status 999",        GET, "HTTP/1.1 999 X\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, true),
    OK("HEAD",              HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", BODY_NONE, 5, true),
    OK("HEAD chunked",      HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", BODY_NONE, -1, true),
    OK("HEAD without",      HEAD, "HTTP/1.1 200 OK\r\n\r\n", BODY_NONE, -1, true),
    OK("304",               GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", BODY_NONE, 5, true),
    OK("204",               GET, "HTTP/1.1 204 No Content\r\n\r\n", BODY_NONE, -1, true),
    OK("204 of length 0",   GET, "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", BODY_NONE, -1, true),
    OK("204 that announces a body", GET, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", BODY_NONE, -1, false),
    OK("204 that announces chunks", GET, "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", BODY_NONE, -1, false),
    OK("100",               GET, "HTTP/1.1 100 Continue\r\n\r\n", BODY_NONE, -1, true),
    OK("103",               GET, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", BODY_NONE, -1, true),
    OK("100 of length 0",   GET, "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n", BODY_NONE, -1, true),
    OK("101 that announces chunks", GET, "HTTP/1.1 101 Switching Protocols\r\nTransfer-Encoding: chunked\r\n\r\n", BODY_NONE, -1, false),
    OK("CONNECT",           CONNECT, "HTTP/1.1 200 OK\r\n\r\n", BODY_NONE, -1, true),
    OK("CONNECT with framing to be ignored", CONNECT, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", BODY_NONE, -1, true),
    OK("CONNECT refused",   CONNECT, "HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n", BODY_LENGTH, 5, true),
    OK("identity",          GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: Identity\r\n\r\n", BODY_CLOSE, -1, false),
    OK("HEAD with identity", HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", BODY_NONE, -1, true),
#undef OK
};

static const struct refused refused_responses[] = {
    ROW("another protocol",         "220 ftp.example ready\r\n", 502),
    ROW("its first byte is enough", "2", 502),
    ROW("lower case",               "http/1.1 200 OK\r\n\r\n", 502),
    ROW("an empty line before",     "\r\nHTTP/1.1 200 OK\r\n\r\n", 502),
    ROW("major version 2",          "HTTP/2.0 200 OK\r\n\r\n", 502),
    ROW("HTTP/2 without minor",     "HTTP/2 200\r\n\r\n", 502),
    ROW("two digits",               "HTTP/1.1 20 OK\r\n\r\n", 502),
    ROW("four digits",              "HTTP/1.1 2000 OK\r\n\r\n", 502),
    ROW("below 100",                "HTTP/1.1 099 OK\r\n\r\n", 502),
    ROW("no status",                "HTTP/1.1 OK\r\n\r\n", 502),
    ROW("two spaces",               "HTTP/1.1  200 OK\r\n\r\n", 502),
    ROW("control in the reason",    "HTTP/1.1 200 O\001K\r\n\r\n", 502),
    ROW("bare LF",                  "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\n", 502),
    ROW("bare CR",                  "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", 502),
    ROW("NUL in a value",           "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", 502),
    ROW("obs-fold",                 "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", 502),
    ROW("space before the colon of Content-Length", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n", 502),
    ROW("tab before the colon of Transfer-Encoding", "HTTP/1.1 200 OK\r\ntransfer-encoding\t: chunked\r\n\r\n", 502),
    ROW("space before the colon of Connection", "HTTP/1.1 200 OK\r\nConnection : close\r\n\r\n", 502),
    ROW("space, and no colon",      "HTTP/1.1 200 OK\r\nA b: c\r\n\r\n", 502),
    ROW("space up to the line's end", "HTTP/1.1 200 OK\r\nA  \r\nB: c\r\n\r\n", 502),
    ROW("both framings",            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 502),
    ROW("two equal lengths",        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 502),
    ROW("two lengths",              "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 502),
    ROW("length list",              "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", 502),
    ROW("negative length",          "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", 502),
    ROW("bad length of a 304",      "HTTP/1.1 304 Not Modified\r\nContent-Length: x\r\n\r\n", 502),
    ROW("chunked in 1.0",           "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 502),
    ROW("chunked twice",            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 502),
    ROW("chunked not last",         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 502),
    ROW("unknown coding",           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 502),
    ROW("identity and another",     "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, gzip\r\n\r\n", 502),
    ROW("identity twice",           "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: identity\r\n\r\n", 502),
    ROW("identity and a length",    "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n", 502),
    ROW("chunked over another",     "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 502),
    ROW("empty coding",             "HTTP/1.1 200 OK\r\nTransfer-Encoding: \r\n\r\n", 502),
    ROW("103 that announces a body", "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n", 502),
    ROW("100 that announces chunks", "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n", 502),
};
/* clang-format on */

Test(h1_parse, accepts_responses_rfc9112_6_3)
{
    for (size_t i = 0; i < ARRAY_LEN(accepted_responses); i++) {
        const char *what = accepted_responses[i].what;
        struct parsed p = response(accepted_responses[i].bytes, accepted_responses[i].method);
        cr_expect_eq(p.err, 0, "%s: %s", what, p.error.what);
        cr_expect_eq(p.head.framing, accepted_responses[i].framing, "%s", what);
        cr_expect_eq(p.head.content_length, accepted_responses[i].length, "%s", what);
        cr_expect_eq(p.head.keep_alive, accepted_responses[i].keep_alive, "%s", what);
    }
}

Test(h1_parse, white_space_before_a_colon_of_a_response_goes_rfc9112_5_1)
{
    struct parsed p =
        response(SPAN("HTTP/1.1 200 OK\r\nA \t : b\r\nETag\t:\"c\"\r\nContent-Length: 0\r\n\r\n"),
                 METHOD_GET);

    cr_assert_eq(p.err, 0, "%s", p.error.what);
    cr_assert_eq(p.head.fields.count, 3);
    cr_expect(span_eq(p.head.fields.at[0].name, SPAN("A")));
    cr_expect(span_eq(p.head.fields.at[0].value, SPAN("b")));
    cr_expect(span_eq(fields_get(&p.head.fields, FIELD_ETAG), SPAN("\"c\"")));
    cr_expect_eq(p.head.content_length, 0);
}

Test(h1_parse, refuses_responses_rfc9112)
{
    for (size_t i = 0; i < ARRAY_LEN(refused_responses); i++) {
        struct parsed p = response(refused_responses[i].bytes, METHOD_GET);
        cr_expect_eq(p.err, ERR_SYNTAX, "%s: %d", refused_responses[i].what, p.err);
        cr_expect_eq(p.error.status, refused_responses[i].status, "%s", refused_responses[i].what);
    }
}

Test(h1_parse, responses_trickle_in)
{
    struct span bytes = SPAN("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n");
    struct h1_scan scan = {0};
    struct parsed p = {0};

    for (size_t len = 0; len <= bytes.len; len++) {
        p.err = h1_parse_response(&scan, span_take(bytes, len), &h1_default_limits, METHOD_GET,
                                  &arena, &p.head, &p.used, &p.error);
        cr_assert_eq(p.err, len < bytes.len ? ERR_MORE : 0, "at %zu", len);
    }
    cr_expect_eq(p.head.fields.count, 2);
}

Test(h1_parse, response_limits_are_502)
{
    struct h1_limits limits = h1_default_limits;
    struct span bytes = SPAN("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n");
    struct h1_scan scan = {0};
    struct parsed p = {0};

    limits.fields = 1;
    p.err =
        h1_parse_response(&scan, bytes, &limits, METHOD_GET, &arena, &p.head, &p.used, &p.error);
    cr_expect_eq(p.err, ERR_SYNTAX);
    cr_expect_eq(p.error.status, 502);
    limits = (struct h1_limits){.target = 1, .head = bytes.len - 1, .fields = 9};
    p.err =
        h1_parse_response(&scan, bytes, &limits, METHOD_GET, &arena, &p.head, &p.used, &p.error);
    cr_expect_eq(p.err, ERR_SYNTAX);
    cr_expect_eq(p.error.status, 502);
}

/* ---- every byte in every place, eight of which are looked at together ---- */

static const char any_byte[] = "GET /0123456789abcdefghi HTTP/1.1\r\n"
                               "Host: a\r\n"
                               "X-Some-Name: 0123456789abcdefghijklmnop\r\n"
                               "User-Agent: b\r\n"
                               "\r\n";

static struct parsed with_byte(size_t at, int c)
{
    static char text[sizeof(any_byte) - 1];

    memcpy(text, any_byte, sizeof(text));
    text[at] = (char)c;
    arena_reset(&arena);
    return request(span_of(text, sizeof(text)));
}

static size_t place_of(const char *text)
{
    return (size_t)(strstr(any_byte, text) - any_byte);
}

Test(h1_parse, a_target_is_visible_ascii_rfc9112_3_2)
{
    size_t from = place_of("/0123"), to = place_of(" HTTP/1.1");

    for (size_t at = from; at < to; at++) {
        for (int c = 0; c < 256; c++) {
            struct parsed p = with_byte(at, c);
            cr_assert_eq(p.err, char_is((char)c, CHAR_VISIBLE) ? 0 : ERR_SYNTAX, "%zu: %d", at, c);
            cr_assert(p.err == 0 ? p.head.target.len == to - from : p.error.status == 400);
        }
    }
}

Test(h1_parse, a_value_holds_no_controls_rfc9110_5_5)
{
    size_t from = place_of("0123456789abcdefghijk") + 1, to = place_of("op\r\n");

    for (size_t at = from; at < to; at++) {
        for (int c = 0; c < 256; c++) {
            struct parsed p = with_byte(at, c);
            cr_assert_eq(p.err, char_is((char)c, CHAR_VALUE) ? 0 : ERR_SYNTAX, "%zu: %d", at, c);
            cr_assert(p.err == 0 ? p.head.fields.at[1].value.len == 26 : p.error.status == 400);
        }
    }
}

/* Known to us or not. */
Test(h1_parse, a_name_is_a_token_rfc9110_5_1)
{
    static const char *const names[] = {"Host: a", "X-Some-Name: ", "User-Agent: "};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t from = place_of(names[i]), to = from + strcspn(names[i], ":");
        for (size_t at = from; at < to; at++) {
            for (int c = 0; c < 256; c++) {
                bool ends_here = c == ':' && at > from; /* and the rest is its value */
                bool good = (ends_here || char_is((char)c, CHAR_TOKEN)) && i > 0;
                struct parsed p = with_byte(at, c);
                if (i == 0) { /* Host, or there is none */
                    good = ascii_lower((char)c) == ascii_lower(any_byte[at]);
                }
                cr_assert_eq(p.err, good ? 0 : ERR_SYNTAX, "%s %zu: %d", names[i], at, c);
                if (good && !ends_here) {
                    cr_assert_eq(p.head.fields.at[i].name.len, to - from);
                }
            }
        }
    }
}
