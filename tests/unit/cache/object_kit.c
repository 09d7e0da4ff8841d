#include "tests/unit/cache/object_kit.h"

#include "base/check.h"
#include "base/mem.h"

static void on_release(void *arg)
{
    (void)arg;
}

static void on_chunk(void *arg, int err, const struct store_chunk *chunk)
{
    (void)arg;
    (void)chunk;
    CHECK(err == 0);
}

struct object *kit_object(struct store *store, const char *key, size_t len, size_t copy_max)
{
    static const struct freshness freshness;
    struct cache_key id = {.text = span_str(key)};
    struct http_head head;
    struct arena arena;
    struct buf text = BUF_INIT;
    struct object_meta meta;
    struct store_put *put;
    struct object *object;
    int result = 1;

    arena_init(&arena, NULL, 0);
    head_init(&head, &arena);
    head.status = 200;
    head.framing = BODY_LENGTH;
    head.content_length = (int64_t)len;
    kit_hash(store, id.text, id.hash);
    object = object_new(&id, &head, &head.fields, &freshness, NULL);
    CHECK(object_encode(object, &text, &meta) == 0);
    object_unref(&object);
    arena_fini(&arena);
    char *body = kit_body(id.text, len);
    bool is_inline = len < STORE_INLINE_MAX - 4096;
    struct store_piece whole = {.bytes = span_of(body, len), .release = on_release};
    CHECK(store_put_begin(store, id.hash, id.text, &put) == 0);
    for (size_t at = 0; !is_inline && at < len; at += STORE_CHUNK) {
        struct store_piece piece = whole;
        piece.bytes = span_take(span_skip(whole.bytes, at), STORE_CHUNK);
        store_put_chunk(put, &piece, 1, on_chunk, NULL);
    }
    store_put_finish(put, buf_span(&text), &meta, sizeof(meta), len, &whole, is_inline, kit_on_done,
                     &result);
    store_flush(store);
    CHECK(result == 0);
    CHECK(object_load((struct shelf){.store = store}, &id, OBJECT_PEEKED, copy_max, NULL,
                      &object) == 0);
    buf_fini(&text);
    free(body);
    return object;
}

bool kit_reads(struct source *source, struct span want, size_t bite, size_t *placed)
{
    struct file_place place;
    struct span span;
    int err;

    *placed = 0;
    while ((err = source_peek(source, &span)) == 0 && span.len > 0) {
        bool is_placed = source_place(source, &place);
        if (span.len > want.len || !span_eq(span, span_take(want, span.len)) ||
            (is_placed && !kit_same_in_file(place, span))) {
            return false;
        }
        span = span_take(span, bite);
        *placed += is_placed ? span.len : 0;
        source_advance(source, span.len);
        want = span_skip(want, span.len);
    }
    return err == 0 && want.len == 0;
}
