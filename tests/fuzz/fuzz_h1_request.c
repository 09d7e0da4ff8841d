/* A request that parses is written as one that parses to the same; it parses no earlier when its
 * bytes trickle in. */
#include "base/check.h"
#include "base/err.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int parse(struct h1_scan *scan, struct span bytes, struct arena *arena,
                 struct http_head *head, size_t *used)
{
    struct h1_error error = {0};
    int err = h1_parse_request(scan, bytes, &h1_default_limits, arena, head, used, &error);

    CHECK(err == 0 || err == ERR_MORE || (err == ERR_SYNTAX && error.status >= 400 && error.what));
    return err;
}

static void check_round_trip(const struct http_head *head, struct arena *arena)
{
    struct h1_scan scan = {0};
    struct buf out = BUF_INIT;
    struct http_head again;
    size_t used;

    h1_write_request(&out, head);
    CHECK(parse(&scan, buf_span(&out), arena, &again, &used) == 0 || head->version == HTTP_1_0);
    if (head->version != HTTP_1_0) {
        CHECK(used == buf_len(&out) && again.framing == head->framing);
        CHECK(again.content_length == head->content_length);
        CHECK(again.keep_alive == head->keep_alive && again.upgrade == head->upgrade);
        CHECK(span_eq(again.target, head->target));
    }
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct h1_scan whole = {0}, slow = {0};
    struct span bytes = span_of(data, size);
    struct http_head head;
    struct arena arena;
    size_t used = 0, slow_used = 0;
    int err = ERR_MORE;

    arena_init(&arena, NULL, 0);
    for (size_t len = 0; len < size && err == ERR_MORE; len++) {
        err = parse(&slow, span_take(bytes, len), &arena, &head, &slow_used);
    }
    if (parse(&whole, bytes, &arena, &head, &used) == 0) {
        CHECK(err == ERR_MORE ? used == size : err == 0 && slow_used == used);
        check_round_trip(&head, &arena);
    } else {
        CHECK(err != 0);
    }
    arena_fini(&arena);
    return 0;
}
