#include "http/h1_write.h"

#include <criterion/criterion.h>

#include "base/check.h"

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, NULL, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(h1_write, .init = setup, .fini = teardown);

/* What a head has besides its first line; names and values in turn. */
struct parts {
    enum http_framing framing;
    int64_t length;
    bool close, upgrade;
    const char *fields[10];
};

static struct http_head make(const struct parts *parts)
{
    struct http_head head;

    head_init(&head, &arena);
    head.framing = parts->framing;
    head.content_length = parts->length;
    head.keep_alive = !parts->close;
    head.upgrade = parts->upgrade;
    for (size_t i = 0; parts->fields[i]; i += 2) {
        fields_add(&head.fields, span_str(parts->fields[i]), span_str(parts->fields[i + 1]));
    }
    return head;
}

/* clang-format off */
#define FRAMING_OF_OTHERS "content-length", "99", "TRANSFER-ENCODING", "chunked", "Connection", "x"

Test(h1_write, requests_rfc9112_3)
{
    static const struct { const char *what; enum http_method method; struct parts parts; const char *want; } cases[] = {
        {"plain", METHOD_GET, {BODY_NONE, -1, 0, 0, {"Host", "a"}},
         "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"Host comes first", METHOD_GET, {BODY_NONE, -1, 0, 0, {"A", "b", "host", "a", "C", ""}},
         "GET /x HTTP/1.1\r\nhost: a\r\nA: b\r\nC: \r\n\r\n"},
        {"framing of others is dropped", METHOD_GET, {BODY_NONE, -1, 0, 0, {FRAMING_OF_OTHERS}},
         "GET /x HTTP/1.1\r\n\r\n"},
        {"and what belongs to it", METHOD_GET, {BODY_NONE, -1, 0, 0, {"Keep-Alive", "1", "Proxy-Connection", "x"}},
         "GET /x HTTP/1.1\r\n\r\n"},
        {"a length", METHOD_POST, {BODY_LENGTH, 5, 0, 0, {FRAMING_OF_OTHERS}},
         "POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\n"},
        {"announced emptiness", METHOD_POST, {BODY_NONE, 0, 0, 0, {NULL}},
         "POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n"},
        {"chunked", METHOD_POST, {BODY_CHUNKED, -1, 0, 0, {NULL}},
         "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"a stream of unknown length", METHOD_POST, {BODY_STREAM, -1, 0, 0, {NULL}},
         "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"a stream of known length", METHOD_POST, {BODY_STREAM, 7, 0, 0, {NULL}},
         "POST /x HTTP/1.1\r\nContent-Length: 7\r\n\r\n"},
        {"close", METHOD_GET, {BODY_NONE, -1, 1, 0, {"Host", "a"}},
         "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"},
        {"upgrade", METHOD_GET, {BODY_NONE, -1, 0, 1, {"Upgrade", "websocket"}},
         "GET /x HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"},
        {"upgrade and close", METHOD_GET, {BODY_NONE, -1, 1, 1, {"Upgrade", "websocket"}},
         "GET /x HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade, close\r\n\r\n"},
        {"TE is for this hop", METHOD_GET, {BODY_NONE, -1, 0, 0, {"TE", "trailers"}},
         "GET /x HTTP/1.1\r\nTE: trailers\r\nConnection: TE\r\n\r\n"},
        {"TE and close", METHOD_GET, {BODY_NONE, -1, 1, 0, {"TE", "trailers"}},
         "GET /x HTTP/1.1\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n"},
        {"Upgrade alone stays here", METHOD_GET, {BODY_NONE, -1, 0, 0, {"Upgrade", "websocket"}},
         "GET /x HTTP/1.1\r\n\r\n"},
        {"upgrade to nothing", METHOD_GET, {BODY_NONE, -1, 0, 1, {NULL}},
         "GET /x HTTP/1.1\r\n\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = BUF_INIT;
        struct http_head head = make(&cases[i].parts);
        head.method = cases[i].method;
        head.target = SPAN("/x");
        h1_write_request(&out, &head);
        cr_expect(span_eq(buf_span(&out), span_str(cases[i].want)), "%s:\n%.*s", cases[i].what,
                  SPAN_ARGS(buf_span(&out)));
        buf_fini(&out);
    }
}

Test(h1_write, responses_rfc9112_4)
{
    static const struct {
        const char *what; int status; enum http_version client; enum http_method method;
        struct parts parts; const char *want;
    } cases[] = {
        {"a length", 200, HTTP_1_1, METHOD_GET, {BODY_LENGTH, 5, 0, 0, {"A", "b", FRAMING_OF_OTHERS}},
         "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\n"},
        {"TE is a request's", 200, HTTP_1_1, METHOD_GET, {BODY_LENGTH, 5, 0, 0, {"TE", "trailers"}},
         "HTTP/1.1 200 OK\r\nTE: trailers\r\nContent-Length: 5\r\n\r\n"},
        {"a status without a text", 299, HTTP_1_1, METHOD_GET, {BODY_LENGTH, 0, 0, 0, {NULL}},
         "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n"},
        {"close", 200, HTTP_1_1, METHOD_GET, {BODY_LENGTH, 5, 1, 0, {NULL}},
         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"},
        {"chunked", 200, HTTP_1_1, METHOD_GET, {BODY_CHUNKED, -1, 0, 0, {NULL}},
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"a stream", 200, HTTP_1_1, METHOD_GET, {BODY_STREAM, -1, 0, 0, {NULL}},
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"a stream of known length", 200, HTTP_1_1, METHOD_GET, {BODY_STREAM, 5, 0, 0, {NULL}},
         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
        {"until the close", 200, HTTP_1_1, METHOD_GET, {BODY_CLOSE, -1, 0, 0, {NULL}},
         "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"},
        {"1.0, a length", 200, HTTP_1_0, METHOD_GET, {BODY_LENGTH, 5, 0, 0, {NULL}},
         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n"},
        {"1.0, close", 200, HTTP_1_0, METHOD_GET, {BODY_LENGTH, 5, 1, 0, {NULL}},
         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n"},
        {"1.0, unknown length", 200, HTTP_1_0, METHOD_GET, {BODY_CHUNKED, -1, 0, 0, {NULL}},
         "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"},
        {"1.0, a stream", 200, HTTP_1_0, METHOD_GET, {BODY_STREAM, -1, 0, 0, {NULL}},
         "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"},
        {"HEAD shows the length", 200, HTTP_1_1, METHOD_HEAD, {BODY_NONE, 5, 0, 0, {NULL}},
         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
        {"HEAD without one", 200, HTTP_1_1, METHOD_HEAD, {BODY_NONE, -1, 0, 0, {NULL}},
         "HTTP/1.1 200 OK\r\n\r\n"},
        {"304 shows the length", 304, HTTP_1_1, METHOD_GET, {BODY_NONE, 5, 0, 0, {NULL}},
         "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"},
        {"304 without one", 304, HTTP_1_1, METHOD_GET, {BODY_NONE, -1, 0, 0, {NULL}},
         "HTTP/1.1 304 Not Modified\r\n\r\n"},
        {"204", 204, HTTP_1_1, METHOD_GET, {BODY_NONE, 5, 0, 0, {NULL}},
         "HTTP/1.1 204 No Content\r\n\r\n"},
        {"204 with a length all the same", 204, HTTP_1_1, METHOD_GET, {BODY_LENGTH, 0, 0, 0, {NULL}},
         "HTTP/1.1 204 No Content\r\n\r\n"},
        {"no body, nothing announced", 404, HTTP_1_1, METHOD_GET, {BODY_NONE, -1, 0, 0, {NULL}},
         "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"},
        {"no body, whatever was announced", 200, HTTP_1_1, METHOD_GET, {BODY_NONE, 5, 0, 0, {NULL}},
         "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
        {"100", 100, HTTP_1_1, METHOD_POST, {BODY_NONE, -1, 0, 0, {NULL}},
         "HTTP/1.1 100 Continue\r\n\r\n"},
        {"103 keeps its fields", 103, HTTP_1_1, METHOD_GET, {BODY_NONE, -1, 1, 0, {"Link", "x"}},
         "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"},
        {"101", 101, HTTP_1_1, METHOD_GET, {BODY_NONE, -1, 0, 1, {"Upgrade", "websocket"}},
         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"},
        {"426", 426, HTTP_1_1, METHOD_GET, {BODY_LENGTH, 0, 0, 1, {"Upgrade", "h2c"}},
         "HTTP/1.1 426 Upgrade Required\r\nUpgrade: h2c\r\nContent-Length: 0\r\nConnection: upgrade\r\n\r\n"},
        {"a tunnel", 200, HTTP_1_1, METHOD_CONNECT, {BODY_NONE, -1, 0, 0, {FRAMING_OF_OTHERS}},
         "HTTP/1.1 200 OK\r\n\r\n"},
        {"a tunnel, 1.0", 200, HTTP_1_0, METHOD_CONNECT, {BODY_NONE, -1, 0, 0, {NULL}},
         "HTTP/1.1 200 OK\r\n\r\n"},
        {"no tunnel", 403, HTTP_1_1, METHOD_CONNECT, {BODY_LENGTH, 5, 0, 0, {NULL}},
         "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = BUF_INIT;
        struct http_head head = make(&cases[i].parts);
        head.status = cases[i].status;
        h1_write_response(&out, &head, cases[i].client, cases[i].method);
        cr_expect(span_eq(buf_span(&out), span_str(cases[i].want)), "%s:\n%.*s", cases[i].what,
                  SPAN_ARGS(buf_span(&out)));
        buf_fini(&out);
    }
}
/* clang-format on */

Test(h1_write, the_reason_is_relayed_and_bytes_before_stay)
{
    struct buf out = BUF_INIT;
    struct http_head head = make(&(struct parts){.framing = BODY_LENGTH});

    head.status = 200;
    head.reason = SPAN("Fine");
    buf_append(&out, SPAN("before"));
    h1_write_response(&out, &head, HTTP_1_1, METHOD_GET);
    cr_expect(
        span_eq(buf_span(&out), SPAN("beforeHTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n")));
    buf_fini(&out);
}

Test(h1_write, unknown_methods_and_the_largest_length)
{
    struct buf out = BUF_INIT;
    struct http_head head =
        make(&(struct parts){.framing = BODY_LENGTH, .length = INT64_MAX, .close = true});

    head.method_text = SPAN("M-SEARCH");
    head.target = SPAN("*");
    h1_write_request(&out, &head);
    cr_expect(span_eq(buf_span(&out), SPAN("M-SEARCH * HTTP/1.1\r\nContent-Length: "
                                           "9223372036854775807\r\nConnection: close\r\n\r\n")));
    buf_fini(&out);
}

Test(h1_write, chunk_lines_rfc9112_7_1)
{
    static const struct {
        size_t len;
        const char *want;
    } cases[] = {
        {1, "1\r\n"},   {9, "9\r\n"},         {10, "a\r\n"},
        {16, "10\r\n"}, {0xffff, "ffff\r\n"}, {SIZE_MAX, "ffffffffffffffff\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char line[H1_CHUNK_LINE_MAX];
        size_t len = h1_chunk_line(line, cases[i].len);
        cr_expect(span_eq(span_of(line, len), span_str(cases[i].want)));
    }
}
