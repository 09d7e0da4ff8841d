/* object_reader - reads a body wherever it is: in memory, arriving, or in the store. */
#include "cache/object.h"

#include "base/check.h"
#include "base/err.h"
#include "base/prefetch.h"
#include "base/mem.h"
#include "cache/partial.h"

/* ---- one body in one place ---- */

enum {
    PREFETCHED = 1024
}; /* bytes of a body to prefetch; beyond them the processor prefetches by itself */

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

    *reader = (struct plain_reader){
        .place = PLACE_SPAN,
        .owner = owner,
        .offset = from,
        .end = to,
        .waker = waker,
    };
    if (object_whole(object, &body)) {
        reader->rest = sub_span(body, from, to);
        prefetch(reader->rest.at, reader->rest.len < PREFETCHED ? reader->rest.len : PREFETCHED);
        return 0;
    }
    if (owner->spool) {
        reader->place = PLACE_SPOOL;
        return spool_reader_init(&reader->spool, owner->spool, from, to, waker);
    }
    if (owner->stored.chunk_count == 0) {
        reader->rest = sub_span(owner->stored.body, from, to);
        reader->pin = owner->stored.pin;
        reader->moved = atomic_load_explicit(&owner->held, memory_order_relaxed);
        return 0;
    }
    uint64_t length = (uint64_t)owner->body_len;
    reader->place = PLACE_CHUNKS;
    reader->end = to < length ? to : length;
    return 0;
}

static void plain_close(struct plain_reader *reader)
{
    if (reader->place == PLACE_SPOOL) {
        spool_reader_fini(&reader->spool);
    }
    ahead_free(&reader->ahead);
    reader->place = PLACE_NONE;
}

/* Gives the reader the rest of the chunk at its offset. */
static int open_chunk(struct plain_reader *reader)
{
    const struct object *owner = reader->owner;
    const struct store_object *stored = &owner->stored;
    size_t number = (size_t)(reader->offset / STORE_CHUNK);
    uint64_t left = reader->end - reader->offset;
    struct span rest;

    CHECK(number < stored->chunk_count);
    ahead_need(&reader->ahead, reader->waker);
    int err = ahead_chunk(reader->ahead, owner->store, &stored->chunks[number],
                          stored->chunk_count - number, &rest);
    if (err) {
        return err;
    }
    rest = span_skip(rest, (size_t)(reader->offset % STORE_CHUNK));
    reader->rest = span_take(rest, left < rest.len ? (size_t)left : rest.len);
    reader->pin = reader->ahead->pin;
    return reader->rest.len ? 0 : ERR_CORRUPT;
}

static int plain_peek(struct plain_reader *reader, struct span *out)
{
    int err = 0;

    if (reader->place == PLACE_SPOOL) {
        return spool_peek(&reader->spool, out);
    }
    if (reader->place == PLACE_CHUNKS && reader->rest.len == 0 && reader->offset < reader->end) {
        err = open_chunk(reader);
    }
    *out = err ? SPAN_EMPTY : reader->rest;
    if (!err && reader->pin && reader->moved && reader->rest.len > 0) {
        ahead_need(&reader->ahead, reader->waker);
        err = ahead_lent(reader->ahead, reader->owner->store, reader->pin, reader->rest, out);
    }
    return err;
}

/* Is the span of the last peek() also in a file of the store? */
static bool plain_place(const struct plain_reader *reader, struct file_place *out)
{
    if (reader->place == PLACE_SPOOL) {
        return spool_place(&reader->spool, out);
    }
    if (reader->pin == NULL || (reader->ahead && reader->ahead->copied)) {
        return false;
    }
    *out = store_place(reader->pin, reader->rest);
    return true;
}

static void plain_advance(struct plain_reader *reader, size_t n)
{
    if (reader->place == PLACE_SPOOL) {
        spool_advance(&reader->spool, n);
        return;
    }
    CHECK(n <= reader->rest.len);
    ahead_moved(reader->ahead);
    reader->moved = true;
    reader->rest = span_skip(reader->rest, n);
    reader->offset += n;
    if (reader->place == PLACE_CHUNKS && reader->rest.len == 0) {
        ahead_close(reader->ahead);
        reader->pin = NULL;
    }
}

/* ---- a body known in parts: one piece after the other ---- */

struct parts_reader {
    struct partial *partial; /* parts of the object */
    uint64_t offset, end;
    bool waits;
    bool cold;                /* the record of the next piece has to be read from the disk first */
    bool told;                /* the owner knows that nobody fetches the byte at the offset */
    struct partial_view view; /* the piece being read; object NULL: none */
    struct partial_reader place;
};

static struct parts_reader *parts_open(struct partial *partial, uint64_t from, uint64_t to,
                                       struct waker waker)
{
    struct parts_reader *parts = xcalloc(1, sizeof(*parts));
    uint64_t length = partial_length(partial);

    parts->partial = partial;
    parts->offset = from;
    parts->end = to < length ? to : length;
    partial_join(partial, &parts->place, (struct piece_range){from, parts->end}, waker);
    return parts;
}

static void leave_piece(struct object_reader *reader)
{
    plain_close(&reader->plain);
    partial_view_fini(&reader->parts->view);
}

static void parts_close(struct object_reader *reader)
{
    leave_piece(reader);
    partial_leave(reader->parts->partial, &reader->parts->place);
    free(reader->parts);
    reader->parts = NULL;
}

/* Begins to read the piece at the current offset. */
static int enter_piece(struct object_reader *reader)
{
    struct parts_reader *parts = reader->parts;
    struct partial_view *view = &parts->view;
    bool told = parts->told;

    parts->told = false;
    switch (partial_look(parts->partial, &parts->place, parts->offset, view)) {
    case PARTIAL_HERE:
        break;
    case PARTIAL_COLD:
        parts->cold = true;
        return ERR_AGAIN;
    case PARTIAL_WAIT:
        return ERR_AGAIN;
    case PARTIAL_HOLE:
        parts->told = true;
        if (!told) { /* otherwise each look would lead to the next one */
            reader->waker.wake(reader->waker.arg);
        }
        return ERR_AGAIN;
    case PARTIAL_DEAD:
        return ERR_NOT_FOUND;
    }
    uint64_t to = parts->end < view->range.to ? parts->end : view->range.to;
    int err = plain_open(&reader->plain, view->object, parts->offset - view->range.from,
                         to - view->range.from, reader->waker);
    /* bytes that are only passed through are gone once read, so this one is part of a hole again */
    if (err) {
        reader->plain.place = PLACE_NONE;
        partial_forget(parts->partial, view->piece);
        partial_view_fini(view);
    }
    return 0;
}

/* Will the piece end before the awaited byte? It was cut there, for another one that brings the
 * byte, or it broke off far before. Far before it, the reader is told of the next cut; one that has
 * come as far as the byte cannot be cut there any more. */
static bool ends_before(struct object_reader *reader, int err)
{
    const struct plain_reader *plain = &reader->plain;
    struct parts_reader *parts = reader->parts;

    if (plain->place != PLACE_SPOOL) {
        return false;
    }
    uint64_t length = spool_length(plain->spool.spool), offset = plain->spool.offset;
    if (err != ERR_AGAIN) {
        return length < offset;
    }
    if (length == offset) {
        return partial_range(parts->partial, parts->view.piece).to <= parts->offset;
    }
    return length < offset &&
           partial_is_cut(parts->partial, &parts->place, parts->view.piece, parts->offset);
}

/* Can the store not deliver the piece? Nothing of it is lent then: a consumer looks again only when
 * it has sent what it got. */
static bool is_damaged(const struct plain_reader *plain, int err)
{
    return err && err != ERR_AGAIN && plain->place != PLACE_SPOOL;
}

/* The span may be empty at the end of a piece, which may turn out shorter than announced, or have
 * no successor. */
static int peek_piece(struct object_reader *reader, struct span *out)
{
    struct parts_reader *parts = reader->parts;
    int err = plain_peek(&reader->plain, out);

    if (err == 0 && out->len == 0) {
        leave_piece(reader);
    } else if (err && ends_before(reader, err)) {
        leave_piece(reader);
        err = 0;
    } else if (is_damaged(&reader->plain, err)) { /* the piece becomes a hole */
        partial_forget(parts->partial, parts->view.piece);
        leave_piece(reader);
        err = 0;
    }
    return err;
}

/* Does it wait because of the disk, and not because of the origin? */
static bool is_cold(const struct object_reader *reader)
{
    const struct plain_reader *plain = &reader->plain;
    const struct ahead *ahead = plain->place == PLACE_SPOOL ? plain->spool.ahead : plain->ahead;

    return (reader->parts && reader->parts->cold) || (ahead && ahead->behind);
}

static int peek_parts(struct object_reader *reader, struct span *out)
{
    struct parts_reader *parts = reader->parts;
    int err = 0;

    *out = SPAN_EMPTY;
    parts->cold = false;
    while (err == 0 && out->len == 0 && parts->offset < parts->end) {
        err = parts->view.object ? peek_piece(reader, out) : enter_piece(reader);
    }
    parts->waits = err == ERR_AGAIN && !is_cold(reader);
    return err;
}

bool object_reader_waits(const struct object_reader *reader, uint64_t *from, uint64_t *to)
{
    const struct parts_reader *parts = reader->parts;

    if (reader->object == NULL || parts == NULL || !parts->waits) {
        return false;
    }
    *from = parts->offset;
    *to = parts->end;
    return true;
}

/* ---- the source ---- */

static struct object_reader *reader_of(struct source *source)
{
    return container_of(source, struct object_reader, source);
}

static int peek(struct object_reader *reader, struct span *out)
{
    if (reader->parts) {
        return peek_parts(reader, out);
    }
    int err = plain_peek(&reader->plain, out);
    if (err && err != ERR_AGAIN) {
        atomic_store_explicit(&reader->object->damaged, true, memory_order_relaxed);
    }
    return err;
}

static int on_peek(struct source *source, struct span *out)
{
    struct object_reader *reader = reader_of(source);
    int err = peek(reader, out);

    if (err == ERR_AGAIN && is_cold(reader)) {
        disk_wait_begin(&reader->waited);
    } else {
        disk_wait_end(&reader->waited);
    }
    return err;
}

int object_reader_begin(struct object_reader *reader)
{
    struct span first;

    return reader->plain.place == PLACE_CHUNKS ? on_peek(&reader->source, &first) : 0;
}

static void on_advance(struct source *source, size_t n)
{
    struct object_reader *reader = reader_of(source);

    plain_advance(&reader->plain, n);
    if (reader->parts) {
        reader->parts->offset += n;
    }
}

static bool on_place(struct source *source, struct file_place *out)
{
    return plain_place(&reader_of(source)->plain, out);
}

int object_reader_init(struct object_reader *reader, struct object *object, uint64_t from,
                       uint64_t to, struct waker waker)
{
    static const struct source_ops ops = {
        .peek = on_peek,
        .advance = on_advance,
        .place = on_place,
    };
    struct partial *partial = object_parts(object);
    int err = 0;

    *reader = (struct object_reader){.source.ops = &ops, .waker = waker};
    if (partial) {
        reader->parts = parts_open(partial, from, to, waker);
    } else {
        err = plain_open(&reader->plain, object, from, to, waker);
    }
    if (err) {
        reader->plain.place = PLACE_NONE;
        return err;
    }
    reader->object = object_ref(object);
    return 0;
}

void object_reader_go_on(struct object_reader *reader, struct object *object)
{
    struct parts_reader *parts = reader->parts;

    CHECK(parts && object_parts(object));
    leave_piece(reader);
    partial_leave(parts->partial, &parts->place);
    parts->told = false;
    parts->partial = object_parts(object);
    partial_join(parts->partial, &parts->place, (struct piece_range){parts->offset, parts->end},
                 reader->waker);
    object_unref(&reader->object);
    reader->object = object_ref(object);
}

void object_reader_fini(struct object_reader *reader)
{
    if (reader->object == NULL) {
        return;
    }
    if (reader->parts) {
        parts_close(reader);
    } else {
        plain_close(&reader->plain);
    }
    object_unref(&reader->object);
    disk_wait_end(&reader->waited);
}
