/* object_reader - reads a body wherever it is: in memory, arriving, or in the store. */
#include "cache/object.h"

#include "base/check.h"
#include "base/err.h"

/* ---- one body in one place ---- */

static struct span sub_span(struct span body, uint64_t from, uint64_t to)
{
    struct span rest = span_skip(body, from < body.len ? (size_t)from : body.len);
    uint64_t want = to > from ? to - from : 0;

    return span_take(rest, want < rest.len ? (size_t)want : rest.len);
}

static int plain_open(struct plain_reader *reader, const struct object *object, uint64_t from,
                      uint64_t to, struct waker waker)
{
    const struct object *owner = object_owner(object);
    struct span body;

    *reader = (struct plain_reader){.place = PLACE_SPAN, .owner = owner, .offset = from, .end = to};
    if (object_whole(object, &body)) {
        reader->rest = sub_span(body, from, to);
        return 0;
    }
    if (owner->spool) {
        reader->place = PLACE_SPOOL;
        return spool_reader_init(&reader->spool, owner->spool, from, to, waker);
    }
    if (owner->stored.chunk_count == 0) {
        reader->rest = sub_span(owner->stored.body, from, to);
        return 0;
    }
    uint64_t length = (uint64_t)owner->body_len;
    reader->place = PLACE_CHUNKS;
    reader->end = to < length ? to : length;
    return 0;
}

static void unpin(struct plain_reader *reader)
{
    if (reader->pin) {
        store_unpin(reader->owner->store, reader->pin);
        reader->pin = NULL;
    }
}

static void plain_close(struct plain_reader *reader)
{
    if (reader->place == PLACE_SPOOL) {
        spool_reader_fini(&reader->spool);
    } else if (reader->place == PLACE_CHUNKS) {
        unpin(reader);
    }
    reader->place = PLACE_NONE;
}

/* The rest of the chunk at the reader's offset. */
static int lend_chunk(struct plain_reader *reader)
{
    const struct object *owner = reader->owner;
    size_t number = (size_t)(reader->offset / STORE_CHUNK);
    uint64_t left = reader->end - reader->offset;

    CHECK(number < owner->stored.chunk_count);
    int err = store_lend(owner->store, &owner->stored.chunks[number], &reader->pin, &reader->rest);
    if (err) {
        return err;
    }
    reader->rest = span_skip(reader->rest, (size_t)(reader->offset % STORE_CHUNK));
    reader->rest = span_take(reader->rest, left < STORE_CHUNK ? (size_t)left : STORE_CHUNK);
    return reader->rest.len ? 0 : ERR_CORRUPT;
}

static int plain_peek(struct plain_reader *reader, struct span *out)
{
    int err = 0;

    if (reader->place == PLACE_SPOOL) {
        return spool_peek(&reader->spool, out);
    }
    if (reader->place == PLACE_CHUNKS && reader->rest.len == 0 && reader->offset < reader->end) {
        err = lend_chunk(reader);
    }
    *out = err ? SPAN_EMPTY : reader->rest;
    return err;
}

static void plain_advance(struct plain_reader *reader, size_t n)
{
    if (reader->place == PLACE_SPOOL) {
        spool_advance(&reader->spool, n);
        return;
    }
    CHECK(n <= reader->rest.len);
    reader->rest = span_skip(reader->rest, n);
    reader->offset += n;
    if (reader->place == PLACE_CHUNKS && reader->rest.len == 0) {
        unpin(reader);
    }
}

/* ---- the source ---- */

static struct object_reader *reader_of(struct source *source)
{
    return container_of(source, struct object_reader, source);
}

static int on_peek(struct source *source, struct span *out)
{
    return plain_peek(&reader_of(source)->plain, out);
}

static void on_advance(struct source *source, size_t n)
{
    plain_advance(&reader_of(source)->plain, n);
}

int object_reader_init(struct object_reader *reader, struct object *object, uint64_t from,
                       uint64_t to, struct waker waker)
{
    static const struct source_ops ops = {.peek = on_peek, .advance = on_advance};

    *reader = (struct object_reader){.source.ops = &ops};
    int err = plain_open(&reader->plain, object, from, to, waker);
    if (err) {
        reader->plain.place = PLACE_NONE;
        return err;
    }
    reader->object = object_ref(object);
    return 0;
}

void object_reader_fini(struct object_reader *reader)
{
    if (reader->object == NULL) {
        return;
    }
    plain_close(&reader->plain);
    object_unref(&reader->object);
}
