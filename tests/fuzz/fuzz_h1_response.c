/* The first byte chooses the request's method. A response that parses is written as one that
 * parses, and its body is framed the same way. */
#include "base/check.h"
#include "base/err.h"
#include "http/h1_body.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int parse(struct span bytes, enum http_method method, struct arena *arena,
                 struct http_head *head, size_t *used)
{
    struct h1_scan scan = {0};
    struct h1_error error = {0};
    int err =
        h1_parse_response(&scan, bytes, &h1_default_limits, method, arena, head, used, &error);

    CHECK(err == 0 || err == ERR_MORE || (err == ERR_SYNTAX && error.status == 502 && error.what));
    return err;
}

static void check_round_trip(const struct http_head *head, enum http_method method,
                             struct arena *arena)
{
    struct buf out = BUF_INIT;
    struct http_head again;
    size_t used;

    h1_write_response(&out, head, HTTP_1_1, method);
    CHECK(parse(buf_span(&out), method, arena, &again, &used) == 0);
    CHECK(used == buf_len(&out) && again.framing == head->framing);
    CHECK(again.status == head->status);
    buf_fini(&out);
}

static void read_body(const struct http_head *head, struct span rest)
{
    enum h1_body_result result = H1_BODY_DATA;
    struct h1_body body;

    h1_body_init(&body, head);
    while (result == H1_BODY_DATA || result == H1_BODY_TRAILERS) {
        size_t used;
        struct span data;
        result = h1_body_next(&body, rest, &used, &data);
        CHECK(used <= rest.len && data.len <= used);
        rest = span_skip(rest, used);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = span_of(data + 1, size ? size - 1 : 0);
    enum http_method method = (enum http_method)(size ? data[0] % (METHOD_PURGE + 1) : 0);
    struct http_head head;
    struct arena arena;
    size_t used = 0;

    arena_init(&arena, NULL, 0);
    if (size && parse(bytes, method, &arena, &head, &used) == 0) {
        CHECK(used <= bytes.len);
        read_body(&head, span_skip(bytes, used));
        check_round_trip(&head, method, &arena);
    }
    arena_fini(&arena);
    return 0;
}
