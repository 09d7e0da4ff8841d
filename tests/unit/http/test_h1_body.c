#include "http/h1_body.h"

#include <criterion/criterion.h>

#include "base/buf.h"
#include "base/check.h"

#include <stdio.h>

/* The trailer section of what was fed last. */
static char section[16384];
static size_t section_len;

/* Feeds `bytes` in pieces of that size; the body's bytes gather in `out`. Returns how it ended. */
static enum h1_body_result feed(struct h1_body *body, struct span bytes, size_t piece,
                                struct buf *out, size_t *consumed)
{
    enum h1_body_result result;

    *consumed = 0;
    section_len = 0;
    do {
        size_t used;
        struct span data;
        result = h1_body_next(body, span_take(span_skip(bytes, *consumed), piece), &used, &data);
        if (result == H1_BODY_TRAILERS) {
            cr_assert(data.len && section_len + data.len <= sizeof(section));
            memcpy(section + section_len, data.at, data.len);
            section_len += data.len;
        } else {
            buf_append(out, data);
        }
        *consumed += used;
    } while (result == H1_BODY_DATA || result == H1_BODY_TRAILERS ||
             (result == H1_BODY_MORE && *consumed < bytes.len));
    return result;
}

static const struct http_head chunked_head = {.framing = BODY_CHUNKED, .content_length = -1};

struct chunked {
    const char *what;
    struct span bytes;
    enum h1_body_result result;
    const char *data; /* when it ends well */
    size_t left;      /* bytes of the next message */
};

/* clang-format off */
#define ROW(what, text, ...) {what, {text, sizeof(text) - 1}, __VA_ARGS__}
#define GOOD(what, text, data) ROW(what, text, H1_BODY_END, data, 0)
#define BAD(what, text) ROW(what, text, H1_BODY_BAD, NULL, 0)
#define MORE(what, text) ROW(what, text, H1_BODY_MORE, NULL, 0)
static const struct chunked chunked_cases[] = {
    GOOD("nothing",                "0\r\n\r\n", ""),
    GOOD("one chunk",              "5\r\nhello\r\n0\r\n\r\n", "hello"),
    GOOD("several",                "1\r\na\r\n2\r\nbc\r\nA\r\n0123456789\r\n0\r\n\r\n", "abc0123456789"),
    GOOD("hex in both cases",      "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a"),
    GOOD("leading zeros",          "0005\r\nhello\r\n000\r\n\r\n", "hello"),
    GOOD("15 digits",              "000000000000005\r\nhello\r\n0\r\n\r\n", "hello"),
    GOOD("CR LF inside the data",  "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"),
    GOOD("extension, a name",      "5;a\r\nhello\r\n0\r\n\r\n", "hello"),
    GOOD("extension, a value",     "5;a=b\r\nhello\r\n0\r\n\r\n", "hello"),
    GOOD("extension, quoted",      "5;a=\"b;\\\"c\"\r\nhello\r\n0\r\n\r\n", "hello"),
    GOOD("extension, quoted, empty", "5;a=\"\"\r\nhello\r\n0\r\n\r\n", "hello"),
    GOOD("extensions",             "5;a;b=c;d=\"e\"\r\nhello\r\n0;x\r\n\r\n", "hello"),
    GOOD("white space in extensions", "5 ; a\t= b ; c\r\nhello\r\n0\r\n\r\n", "hello"),
    GOOD("trailers",               "0\r\nX-A: b\r\nX-C:\td \r\n\r\n", ""),
    GOOD("a trailer without value", "0\r\nX:\r\n\r\n", ""),
    GOOD("framing as a trailer is dropped", "0\r\nContent-Length: 5\r\n\r\n", ""),
    ROW("the next request stays",  "1\r\na\r\n0\r\n\r\nGET /", H1_BODY_END, "a", 5),
    ROW("even one byte",           "0\r\n\r\n\r", H1_BODY_END, "", 1),

    MORE("nothing yet",            ""),
    MORE("in the size",            "5"),
    MORE("in the data",            "5\r\nhel"),
    MORE("behind the data",        "5\r\nhello"),
    MORE("before the last LF",     "0\r\n\r"),
    MORE("15 digits of size",      "fffffffffffffff\r\nx"),

    BAD("no digit",                "\r\nhello\r\n"),
    BAD("no hex digit",            "g\r\n"),
    BAD("sign",                    "+5\r\nhello\r\n0\r\n\r\n"),
    BAD("negative",                "-5\r\nhello\r\n0\r\n\r\n"),
    BAD("0x",                      "0x5\r\nhello\r\n0\r\n\r\n"),
    BAD("underscore",              "1_0\r\n"),
    BAD("16 digits",               "0000000000000005\r\n"),
    BAD("a size that wraps",       "10000000000000005\r\n"),
    BAD("white space before",      " 5\r\nhello\r\n"),
    BAD("white space behind",      "5 \r\nhello\r\n0\r\n\r\n"),
    BAD("a tab behind",            "5\t\r\nhello\r\n"),
    BAD("a comma",                 "5,\r\nhello\r\n"),
    BAD("bare LF behind the size", "5\nhello\r\n0\r\n\r\n"),
    BAD("bare CR behind the size", "5\rhello"),
    BAD("CR CR LF",                "5\r\r\nhello"),
    BAD("bare LF behind the data", "5\r\nhello\n0\r\n\r\n"),
    BAD("bare CR behind the data", "5\r\nhello\r0\r\n\r\n"),
    BAD("too much data",           "5\r\nhellox\r\n0\r\n\r\n"),
    BAD("two bytes for CR LF",     "5\r\nhelloXX0\r\n\r\n"),
    BAD("no CR LF behind the data", "5\r\nhello0\r\n\r\n"),
    BAD("bare LF at the end",      "0\r\n\n"),
    BAD("bare LF behind size 0",   "0\n\r\n"),
    BAD("bare CR at the end",      "0\r\n\rX"),
    BAD("extension without a name", "5;\r\nhello\r\n"),
    BAD("extension without a value", "5;a=\r\nhello\r\n"),
    BAD("bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n"),
    BAD("bare CR in an extension", "5;a\rb\r\nhello\r\n"),
    BAD("bare LF in a quoted extension", "5;a=\"b\n\"\r\nhello\r\n"),
    BAD("CR LF in a quoted extension", "5;a=\"b\r\n\"\r\nhello\r\n"),
    BAD("escaped LF in an extension", "5;a=\"b\\\n\"\r\nhello\r\n"),
    BAD("NUL in an extension",     "5;a\0\r\nhello\r\n"),
    BAD("not ASCII in an extension name", "5;\xc3\xa4\r\nhello\r\n"),
    BAD("more behind the quote",   "5;a=\"b\"c\r\nhello\r\n"),
    BAD("trailer without a name",  "0\r\n: b\r\n\r\n"),
    BAD("trailer without a colon", "0\r\nabc\r\n\r\n"),
    BAD("space before the colon",  "0\r\na : b\r\n\r\n"),
    BAD("folded trailer",          "0\r\na: b\r\n c\r\n\r\n"),
    BAD("bare LF in a trailer",    "0\r\na: b\n\r\n"),
    BAD("bare CR in a trailer",    "0\r\na: b\rc\r\n\r\n"),
    BAD("NUL in a trailer",        "0\r\na: b\0c\r\n\r\n"),
    BAD("the next request as a trailer", "0\r\nGET / HTTP/1.1\r\n\r\n"),
};
/* clang-format on */

/* In pieces of every size, down to single bytes: what comes out must not depend on it. */
Test(h1_body, chunked_rfc9112_7_1)
{
    for (size_t i = 0; i < ARRAY_LEN(chunked_cases); i++) {
        const struct chunked *row = &chunked_cases[i];
        for (size_t piece = 1; piece <= row->bytes.len + 1; piece++) {
            struct buf out = BUF_INIT;
            struct h1_body body;
            size_t consumed;
            h1_body_init(&body, &chunked_head);
            enum h1_body_result result = feed(&body, row->bytes, piece, &out, &consumed);
            cr_expect_eq(result, row->result, "%s by %zu: %d", row->what, piece, result);
            cr_expect_eq(h1_body_eof_is_end(&body), row->result == H1_BODY_END, "%s", row->what);
            if (row->result == H1_BODY_END) {
                cr_expect(span_eq(buf_span(&out), span_str(row->data)), "%s", row->what);
                cr_expect_eq(consumed, row->bytes.len - row->left, "%s by %zu", row->what, piece);
            }
            buf_fini(&out);
        }
    }
}

/* Old servers reserve room for eight digits. What a request says is not read so kindly: two who
 * read it differently would see two requests. */
Test(h1_body, size_lines_of_responses_may_be_padded)
{
    static const struct chunked cases[] = {
        GOOD("spaces", "5     \r\nhello\r\n0 \r\n\r\n", "hello"),
        GOOD("a tab", "5\t\r\nhello\r\n0\r\n\r\n", "hello"),
        GOOD("behind an extension", "5;a=b \r\nhello\r\n0\r\n\r\n", "hello"),
        GOOD("before an extension", "5 ;a=b\r\nhello\r\n0\r\n\r\n", "hello"),
        BAD("spaces first", " 5\r\nhello\r\n0\r\n\r\n"),
        BAD("spaces inside", "5 5\r\nhello\r\n0\r\n\r\n"),
        BAD("bare LF", "5 \nhello\r\n0\r\n\r\n"),
        BAD("no size", " \r\nhello\r\n0\r\n\r\n"),
        MORE("not yet", "5 \r"),
    };
    struct http_head head = chunked_head;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t piece = 1; piece <= cases[i].bytes.len + 1; piece++) {
            struct buf out = BUF_INIT;
            struct h1_body body;
            size_t consumed;
            head.status = 200;
            h1_body_init(&body, &head);
            enum h1_body_result result = feed(&body, cases[i].bytes, piece, &out, &consumed);
            cr_expect_eq(result, cases[i].result, "%s by %zu: %d", cases[i].what, piece, result);
            cr_expect(cases[i].data == NULL || span_eq(buf_span(&out), span_str(cases[i].data)),
                      "%s", cases[i].what);
            buf_fini(&out);
        }
    }
}

/* Split in two at every place: the first piece need not be as long as the second. */
Test(h1_body, chunked_split_anywhere)
{
    for (size_t i = 0; i < ARRAY_LEN(chunked_cases); i++) {
        const struct chunked *row = &chunked_cases[i];
        for (size_t split = 0; row->result == H1_BODY_END && split <= row->bytes.len; split++) {
            struct buf out = BUF_INIT;
            struct h1_body body;
            size_t consumed, more = 0;
            h1_body_init(&body, &chunked_head);
            enum h1_body_result result =
                feed(&body, span_take(row->bytes, split), row->bytes.len, &out, &consumed);
            if (result == H1_BODY_MORE) {
                result = feed(&body, span_skip(row->bytes, split), row->bytes.len, &out, &more);
            }
            cr_expect_eq(result, H1_BODY_END, "%s at %zu", row->what, split);
            cr_expect(span_eq(buf_span(&out), span_str(row->data)), "%s", row->what);
            cr_expect_eq(consumed + more, row->bytes.len - row->left, "%s", row->what);
            buf_fini(&out);
        }
    }
}

static enum h1_body_result feed_all(struct buf *text)
{
    struct buf out = BUF_INIT;
    struct h1_body body;
    size_t consumed;

    h1_body_init(&body, &chunked_head);
    enum h1_body_result result = feed(&body, buf_span(text), buf_len(text), &out, &consumed);
    buf_fini(&out);
    buf_fini(text);
    return result;
}

static void repeat(struct buf *text, char c, size_t times)
{
    memset(buf_reserve(text, times), c, times);
    buf_commit(text, times);
}

Test(h1_body, one_extension_is_bounded)
{
    struct buf text = BUF_INIT;

    buf_printf(&text, "1;");
    repeat(&text, 'x', 4000);
    buf_printf(&text, "\r\na\r\n0\r\n\r\n");
    cr_expect_eq(feed_all(&text), H1_BODY_END);
    buf_printf(&text, "1;");
    repeat(&text, 'x', 5000);
    buf_printf(&text, "\r\na\r\n0\r\n\r\n");
    cr_expect_eq(feed_all(&text), H1_BODY_BAD);
}

Test(h1_body, extensions_may_not_outweigh_the_data)
{
    struct buf text = BUF_INIT;

    for (int i = 0; i < 100; i++) {
        buf_printf(&text, "1;");
        repeat(&text, 'x', 500);
        buf_printf(&text, "\r\na\r\n");
    }
    cr_expect_eq(feed_all(&text), H1_BODY_BAD);
    for (int i = 0; i < 100; i++) {
        buf_printf(&text, "1000;signature=");
        repeat(&text, 'x', 500);
        buf_printf(&text, "\r\n");
        repeat(&text, 'a', 0x1000);
        buf_printf(&text, "\r\n");
    }
    buf_printf(&text, "0\r\n\r\n");
    cr_expect_eq(feed_all(&text), H1_BODY_END);
}

Test(h1_body, trailers_are_bounded)
{
    struct buf text = BUF_INIT;

    for (size_t lines = 64; lines <= 65; lines++) {
        buf_printf(&text, "0\r\n");
        for (size_t i = 0; i < lines; i++) {
            buf_printf(&text, "a: b\r\n");
        }
        buf_printf(&text, "\r\n");
        cr_expect_eq(feed_all(&text), lines == 64 ? H1_BODY_END : H1_BODY_BAD);
    }
    for (size_t len = 8000; len <= 8400; len += 400) {
        buf_printf(&text, "0\r\na: ");
        repeat(&text, 'b', len);
        buf_printf(&text, "\r\n\r\n");
        cr_expect_eq(feed_all(&text), len == 8000 ? H1_BODY_END : H1_BODY_BAD);
    }
}

Test(h1_body, broken_stays_broken)
{
    struct h1_body body;
    size_t used;
    struct span data;

    h1_body_init(&body, &chunked_head);
    cr_expect_eq(h1_body_next(&body, SPAN("x"), &used, &data), H1_BODY_BAD);
    cr_expect_eq(h1_body_next(&body, SPAN("0\r\n\r\n"), &used, &data), H1_BODY_BAD);
    cr_expect_eq(used, 0);
}

Test(h1_body, by_length_rfc9112_6_2)
{
    const struct http_head head = {.framing = BODY_LENGTH, .content_length = 5};
    struct span bytes = SPAN("helloGET /");

    for (size_t piece = 1; piece <= bytes.len; piece++) {
        struct buf out = BUF_INIT;
        struct h1_body body;
        size_t consumed;
        h1_body_init(&body, &head);
        cr_expect_not(h1_body_eof_is_end(&body));
        cr_expect_eq(feed(&body, bytes, piece, &out, &consumed), H1_BODY_END);
        cr_expect(span_eq(buf_span(&out), SPAN("hello")));
        cr_expect_eq(consumed, 5);
        cr_expect(h1_body_eof_is_end(&body));
        buf_fini(&out);
    }
}

Test(h1_body, a_short_length_is_not_an_end)
{
    const struct http_head head = {.framing = BODY_LENGTH, .content_length = 5};
    struct buf out = BUF_INIT;
    struct h1_body body;
    size_t consumed;

    h1_body_init(&body, &head);
    cr_expect_eq(feed(&body, SPAN("hell"), 4, &out, &consumed), H1_BODY_MORE);
    cr_expect_not(h1_body_eof_is_end(&body));
    buf_fini(&out);
}

Test(h1_body, length_0_and_no_body_end_at_once)
{
    const struct http_head heads[] = {{.framing = BODY_NONE, .content_length = 5},
                                      {.framing = BODY_LENGTH, .content_length = 0}};

    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        struct h1_body body;
        size_t used;
        struct span data;
        h1_body_init(&body, &heads[i]);
        cr_expect_eq(h1_body_next(&body, SPAN("GET /"), &used, &data), H1_BODY_END);
        cr_expect_eq(used, 0);
        cr_expect_eq(data.len, 0);
        cr_expect(h1_body_eof_is_end(&body));
    }
}

Test(h1_body, until_the_close_rfc9112_6_3)
{
    const struct http_head head = {.framing = BODY_CLOSE, .content_length = -1};
    struct buf out = BUF_INIT;
    struct h1_body body;
    size_t consumed;

    h1_body_init(&body, &head);
    cr_expect_eq(feed(&body, SPAN("0\r\n\r\nmore"), 3, &out, &consumed), H1_BODY_MORE);
    cr_expect(span_eq(buf_span(&out), SPAN("0\r\n\r\nmore")));
    cr_expect(h1_body_eof_is_end(&body));
    buf_fini(&out);
}

Test(h1_body, trailers_are_handed_on_rfc9112_7_1_2)
{
    static const struct {
        const char *bytes, *section;
    } cases[] = {
        {"0\r\n\r\n", ""},
        {"3\r\nabc\r\n0;x=y\r\n\r\n", ""},
        {"0\r\nA: b\r\n\r\n", "A: b\r\n\r\n"},
        {"3\r\nabc\r\n0\r\nA: b\r\nC:\r\n\r\n", "A: b\r\nC:\r\n\r\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t piece = 1; piece < 40; piece++) {
            struct h1_body body;
            struct buf out = BUF_INIT;
            size_t consumed;
            h1_body_init(&body, &chunked_head);
            cr_assert_eq(feed(&body, span_str(cases[i].bytes), piece, &out, &consumed),
                         H1_BODY_END);
            /* The line end alone may come with it, or not. */
            struct span want = span_str(cases[i].section);
            cr_expect(span_eq(span_take(span_of(section, section_len), want.len), want),
                      "%zu in pieces of %zu: %.*s", i, piece, (int)section_len, section);
            buf_fini(&out);
        }
    }
}
