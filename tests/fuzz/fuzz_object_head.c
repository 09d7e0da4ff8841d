/* The meta of a stored response, then its head: refused, or the same bytes when written again. */
#include "base/check.h"
#include "cache/object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size), meta = span_take(rest, sizeof(struct object_meta));
    struct span head = span_skip(rest, meta.len);
    struct cache_key key = {.text = SPAN("http://example.net:80/")};
    struct object *object = object_decode(&key, head, meta, size);
    struct object_meta again_meta;
    struct buf again = BUF_INIT;

    if (object) {
        CHECK(object_encode(object, &again, &again_meta) == 0);
        CHECK(span_eq(buf_span(&again), head));
        CHECK(span_eq(span_of(&again_meta, sizeof(again_meta)), meta));
        object_unref(&object);
    }
    buf_fini(&again);
    return 0;
}
