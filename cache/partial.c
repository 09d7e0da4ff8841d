/*
 * The life of a partial and of its pieces, and which bytes are present.
 */
#include "base/mem.h"
#include "base/memory.h"
#include "cache/partial_parts.h"

/* ---- pieces ---- */

struct piece *piece_new(uint64_t from, uint64_t to, enum piece_state state)
{
    struct piece *piece = xcalloc(1, sizeof(*piece));
    memory_take(MEMORY_PARTS, sizeof(*piece) + sizeof(struct piece *));

    atomic_init(&piece->refs, 1);
    piece->range = (struct piece_range){from, to};
    piece->state = state;
    return piece;
}

struct piece *piece_ref(struct piece *piece)
{
    atomic_fetch_add_explicit(&piece->refs, 1, memory_order_relaxed);
    return piece;
}

void piece_unref(struct piece **slot)
{
    struct piece *piece = *slot;

    *slot = NULL;
    if (piece && atomic_fetch_sub_explicit(&piece->refs, 1, memory_order_acq_rel) == 1) {
        struct object *own = piece_own(piece);
        object_unref(&own);
        object_unref(&piece->object);
        memory_give(MEMORY_PARTS, sizeof(*piece) + sizeof(struct piece *));
        free(piece);
    }
}

void piece_set_own(struct piece *piece, struct object *own)
{
    atomic_store(&piece->own, object_ref(own));
}

struct object *piece_own(const struct piece *piece)
{
    return atomic_load(&piece->own);
}

/* ---- life ---- */

struct partial *partial_make(const struct partial_options *options, uint64_t version)
{
    struct partial *partial = xcalloc(1, sizeof(*partial));

    atomic_init(&partial->refs, 1);
    CHECK(pthread_mutex_init(&partial->lock, NULL) == 0);
    list_init(&partial->readers);
    list_init(&partial->waiting);
    partial->stores = options->stores;
    partial->secret = options->secret;
    partial->key = *options->key;
    partial->key.text = span_of(xspandup(options->key->text), options->key->text.len);
    memory_take(MEMORY_PARTS, sizeof(*partial) + partial->key.text.len);
    partial->length = options->length;
    partial->joins = options->joins;
    partial->ranges = options->ranges;
    partial->version = version;
    return partial;
}

struct partial *partial_new(const struct partial_options *options)
{
    struct sip_key random = sip_key_random();

    return partial_make(options, random.k0);
}

struct partial *partial_ref(struct partial *partial)
{
    atomic_fetch_add_explicit(&partial->refs, 1, memory_order_relaxed);
    return partial;
}

void partial_unref(struct partial **slot)
{
    struct partial *partial = *slot;
    char *text;

    *slot = NULL;
    if (partial == NULL ||
        atomic_fetch_sub_explicit(&partial->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    CHECK(list_empty(&partial->readers));
    for (size_t i = 0; i < partial->count; i++) {
        piece_unref(&partial->pieces[i]);
    }
    memcpy(&text, &partial->key.text.at,
           sizeof(text)); /* the text is owned, though spans point to const bytes */
    free(text);
    for (size_t i = 0; i < partial->overlap_count; i++) {
        piece_unref(&partial->overlaps[i]);
    }
    free(partial->pieces);
    free(partial->overlaps);
    memory_give(MEMORY_PARTS, sizeof(*partial) + partial->key.text.len);
    pthread_mutex_destroy(&partial->lock);
    free(partial);
}

/* ---- the sorted pieces, under the lock ---- */

size_t partial_piece_after(const struct partial *partial, uint64_t offset)
{
    size_t low = 0, high = partial->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (partial->pieces[middle]->range.to <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct piece *partial_at(const struct partial *partial, uint64_t offset)
{
    size_t i = partial_piece_after(partial, offset);

    return i < partial->count && partial->pieces[i]->range.from <= offset ? partial->pieces[i]
                                                                          : NULL;
}

void partial_insert(struct partial *partial, size_t i, struct piece *piece)
{
    if (partial->count == partial->cap) {
        partial->cap = partial->cap ? partial->cap * 2 : 4;
        partial->pieces = xrealloc(partial->pieces, partial->cap * sizeof(struct piece *));
    }
    memmove(partial->pieces + i + 1, partial->pieces + i,
            (partial->count - i) * sizeof(struct piece *));
    partial->pieces[i] = piece;
    partial->count++;
}

bool partial_take_out(struct partial *partial, struct piece *piece)
{
    size_t i = partial_piece_after(partial, piece->range.from);

    /* a piece that was cut to length 0 stands before the index found by its offset */
    i = i > 0 && partial->pieces[i - 1] == piece ? i - 1 : i;
    if (i >= partial->count || partial->pieces[i] != piece) {
        return false;
    }
    partial->count--;
    memmove(partial->pieces + i, partial->pieces + i + 1,
            (partial->count - i) * sizeof(struct piece *));
    piece_unref(&piece);
    return true;
}

bool partial_holds(const struct partial *partial, const struct piece *piece)
{
    return partial_at(partial, piece->range.from) == piece;
}

void partial_wake_all(struct partial *partial)
{
    for (struct list *link; (link = list_pop_front(&partial->waiting));) {
        struct waker *waker = &list_entry(link, struct partial_reader, waiting)->waker;
        waker->wake(waker->arg);
    }
}

/* ---- what is present ---- */

uint64_t partial_length(const struct partial *partial)
{
    return partial->length;
}

bool partial_joins(const struct partial *partial)
{
    return partial->joins;
}

bool partial_is_same(const struct partial *partial, const struct partial *other)
{
    return partial->version == other->version;
}

/* Are its bytes available to any reader? Bytes that are only passed through may be gone for later
 * readers. */
static bool is_here(const struct piece *piece)
{
    return piece->state == PIECE_SAVING || piece->state == PIECE_STORED ||
           (piece->state == PIECE_HELD && spool_is_kept(piece->object->spool));
}

bool partial_covers(struct partial *partial, uint64_t from, uint64_t to, bool arriving)
{
    partial_lock(partial);
    for (size_t i = partial_piece_after(partial, from); i < partial->count && from < to; i++) {
        const struct piece *piece = partial->pieces[i];
        if (piece->range.from > from || (!arriving && !is_here(piece))) {
            break;
        }
        from = piece->range.to;
    }
    partial_unlock(partial);
    return from >= to;
}

size_t partial_ranges(struct partial *partial, struct piece_range *out, size_t max)
{
    size_t n = 0;

    partial_lock(partial);
    for (size_t i = 0; i < partial->count; i++) {
        const struct piece *piece = partial->pieces[i];
        if (!is_here(piece)) {
            continue;
        }
        if (n > 0 && out[n - 1].to == piece->range.from) {
            out[n - 1].to = piece->range.to;
        } else if (n < max) {
            out[n++] = piece->range;
        } else {
            break;
        }
    }
    partial_unlock(partial);
    return n;
}

uint64_t partial_present(struct partial *partial)
{
    uint64_t bytes = 0;

    partial_lock(partial);
    for (size_t i = 0; i < partial->count; i++) {
        const struct piece *piece = partial->pieces[i];
        bytes += is_here(piece) ? piece->range.to - piece->range.from : 0;
    }
    partial_unlock(partial);
    return bytes;
}

size_t partial_memory(struct partial *partial)
{
    partial_lock(partial);
    size_t bytes =
        sizeof(*partial) + partial->key.text.len +
        (partial->count + partial->overlap_count) * (sizeof(struct piece) + sizeof(struct piece *));
    for (size_t i = 0; i < partial->count; i++) {
        const struct piece *piece = partial->pieces[i];
        if (piece->state == PIECE_HELD) {
            bytes += piece->object->size + spool_memory(piece->object->spool);
        }
    }
    partial_unlock(partial);
    return bytes;
}

bool partial_is_settled(struct partial *partial)
{
    partial_lock(partial);
    bool settled = partial->overlap_count == 0;
    for (size_t i = 0; i < partial->count && settled; i++) {
        enum piece_state state = partial->pieces[i]->state;
        settled = state == PIECE_STORED || state == PIECE_HELD;
    }
    partial_unlock(partial);
    return settled;
}
