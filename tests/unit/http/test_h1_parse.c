#include "http/h1_parse.h"

#include <criterion/criterion.h>

#include "base/check.h"
#include "base/err.h"

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
