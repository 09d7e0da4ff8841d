#include "base/mem.h"
#include "base/memory.h"
#include "cache/partial_parts.h"

/* After a claim that came to nothing: this, and twice as much so often. */
#define PAUSE_LEAST_MS UINT64_C(500)
#define PAUSE_STEPS 4

/* ---- pieces ---- */

struct piece *piece_new(uint64_t from, uint64_t to, enum piece_state state)
{
    struct piece *piece = xcalloc(1, sizeof(*piece));
    memory_take(MEMORY_PARTS, sizeof(*piece) + sizeof(piece));

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
        memory_give(MEMORY_PARTS, sizeof(*piece) + sizeof(piece));
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
    memcpy(&text, &partial->key.text.at, sizeof(text)); /* ours, though spans are of const bytes */
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

/* ---- the row of pieces, under the lock ---- */

/* The first piece that ends behind `offset`. */
static size_t piece_after(const struct partial *partial, uint64_t offset)
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
    size_t i = piece_after(partial, offset);

    return i < partial->count && partial->pieces[i]->range.from <= offset ? partial->pieces[i]
                                                                          : NULL;
}

void partial_insert(struct partial *partial, size_t i, struct piece *piece)
{
    if (partial->count == partial->cap) {
        partial->cap = partial->cap ? partial->cap * 2 : 4;
        partial->pieces = xrealloc(partial->pieces, partial->cap * sizeof(partial->pieces[0]));
    }
    memmove(partial->pieces + i + 1, partial->pieces + i,
            (partial->count - i) * sizeof(partial->pieces[0]));
    partial->pieces[i] = piece;
    partial->count++;
}

static bool take_out(struct partial *partial, struct piece *piece)
{
    size_t i = piece_after(partial, piece->range.from);

    /* One that was cut to nothing is before its own place. */
    i = i > 0 && partial->pieces[i - 1] == piece ? i - 1 : i;
    if (i >= partial->count || partial->pieces[i] != piece) {
        return false;
    }
    partial->count--;
    memmove(partial->pieces + i, partial->pieces + i + 1,
            (partial->count - i) * sizeof(partial->pieces[0]));
    piece_unref(&piece);
    return true;
}

static bool holds(const struct partial *partial, const struct piece *piece)
{
    return partial_at(partial, piece->range.from) == piece;
}

static void wake_all(struct partial *partial)
{
    for (struct list *link; (link = list_pop_front(&partial->waiting));) {
        struct waker *waker = &list_entry(link, struct partial_reader, waiting)->waker;
        waker->wake(waker->arg);
    }
}

/* ---- looking ---- */

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

/* What is held but not kept only passes: whoever comes later may find it gone. */
static bool is_here(const struct piece *piece)
{
    return piece->state == PIECE_SAVING || piece->state == PIECE_STORED ||
           (piece->state == PIECE_HELD && spool_is_kept(piece->object->spool));
}

bool partial_covers(struct partial *partial, uint64_t from, uint64_t to, bool arriving)
{
    partial_lock(partial);
    for (size_t i = piece_after(partial, from); i < partial->count && from < to; i++) {
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

/* ---- fetching ---- */

/* [from, to) without what other pieces cover at its beginning and behind its first hole. */
static struct piece_range first_hole(const struct partial *partial, uint64_t from, uint64_t to)
{
    size_t i = piece_after(partial, from);

    while (i < partial->count && partial->pieces[i]->range.from <= from) {
        from = partial->pieces[i++]->range.to;
    }
    if (i < partial->count && partial->pieces[i]->range.from < to) {
        to = partial->pieces[i]->range.from;
    }
    return (struct piece_range){from, to};
}

bool partial_takes_pieces(const struct partial *partial)
{
    return !partial->dead && partial->count + partial->overlap_count < PIECES_LIMIT &&
           partial->joins;
}

/* A response that brings a piece by itself. */
static bool takes_response(const struct partial *partial)
{
    return partial_takes_pieces(partial) || (!partial->dead && partial->count == 0);
}

void partial_put_in(struct partial *partial, struct piece *piece)
{
    size_t i = piece_after(partial, piece->range.from);

    if (i < partial->count && partial->pieces[i]->range.from < piece->range.to) {
        piece->range.to = partial->pieces[i]->range.from;
    }
    partial_insert(partial, i, piece);
}

static struct piece *add(struct partial *partial, struct piece_range range)
{
    struct piece *piece = piece_new(range.from, range.to, PIECE_CLAIMED);

    partial_insert(partial, piece_after(partial, range.from), piece);
    wake_all(partial); /* what was a hole for them is not any more */
    return piece_ref(piece);
}

static struct piece *claim_hole(struct partial *partial, uint64_t from, uint64_t to)
{
    struct piece_range hole = first_hole(partial, from, to);

    if (partial->ranges && hole.to > hole.from + CLAIM_MAX) {
        hole.to = hole.from + CLAIM_MAX;
    }
    return hole.from < hole.to ? add(partial, hole) : NULL;
}

struct piece *partial_claim(struct partial *partial, uint64_t from, uint64_t to,
                            enum claim_where where, uint64_t now_ms)
{
    struct piece *claimed = NULL;

    to = to < partial->length ? to : partial->length;
    partial_lock(partial);
    if (partial_takes_pieces(partial) && from < to) {
        struct piece *there = where == CLAIM_HERE ? partial_at(partial, from) : NULL;
        claimed = there ? partial_overlap(partial, there, from, to, now_ms)
                        : claim_hole(partial, from, to);
    }
    partial_unlock(partial);
    return claimed;
}

void partial_ignores_ranges(struct partial *partial)
{
    partial_lock(partial);
    partial->ranges = false;
    partial_unlock(partial);
}

struct piece *partial_claim_all(struct partial *partial, uint64_t from, uint64_t to)
{
    struct piece *claimed = NULL;

    partial_lock(partial);
    struct piece_range hole = first_hole(partial, from, to);
    if (takes_response(partial) && from < to && to <= partial->length && hole.from == from &&
        hole.to == to) {
        claimed = add(partial, hole);
    }
    partial_unlock(partial);
    return claimed;
}

struct piece_range partial_range(struct partial *partial, const struct piece *piece)
{
    partial_lock(partial);
    struct piece_range range = piece->range;
    partial_unlock(partial);
    return range;
}

struct shelf partial_shelf(const struct partial *partial)
{
    return stores_shelf(partial->stores, partial->key.hash);
}

void partial_piece_key(const struct partial *partial, uint64_t from, struct arena *arena,
                       struct cache_key *out)
{
    key_piece(&partial->key, partial->version, from, partial->secret, arena, out);
}

bool partial_arrives(struct partial *partial, struct piece *piece, struct object *object,
                     uint64_t now_ms)
{
    partial_lock(partial);
    CHECK(piece->state == PIECE_CLAIMED && piece->object == NULL);
    bool joins = partial_overlap_joins(partial, piece);
    if (joins) {
        piece->state = PIECE_ARRIVING;
        piece->object = object_ref(object);
        piece->began_ms = now_ms;
        wake_all(partial);
    }
    partial_unlock(partial);
    return joins;
}

/* It may have been cut, which is where the next one begins. */
static void shorten(struct piece *piece, uint64_t length)
{
    if (length < piece->range.to - piece->range.from) {
        piece->range.to = piece->range.from + length;
    }
}

static void end_as(struct partial *partial, struct piece *piece, uint64_t length,
                   enum piece_state state)
{
    partial_lock(partial);
    CHECK(piece->state == PIECE_ARRIVING);
    shorten(piece, length);
    piece->state = state;
    if (length == 0) {
        take_out(partial, piece);
    } else {
        partial->failures = 0;
    }
    partial_settle_overlaps(partial);
    wake_all(partial);
    partial_unlock(partial);
}

void partial_ends(struct partial *partial, struct piece *piece, uint64_t length)
{
    end_as(partial, piece, length, PIECE_SAVING);
}

void partial_held(struct partial *partial, struct piece *piece, uint64_t length)
{
    end_as(partial, piece, length, PIECE_HELD);
}

bool partial_stored(struct partial *partial, struct piece *piece)
{
    struct object *object = NULL;

    partial_lock(partial);
    bool there = holds(partial, piece);
    if (there) {
        CHECK(piece->state == PIECE_SAVING);
        piece->state = PIECE_STORED;
        object = piece->object;
        piece->object = NULL;
        partial->changed = true;
    }
    partial_unlock(partial);
    object_unref(&object);
    return there;
}

void partial_forget(struct partial *partial, struct piece *piece)
{
    partial_lock(partial);
    bool was_stored = piece->state == PIECE_STORED;
    if (!partial_drop_overlap(partial, piece) && take_out(partial, piece)) {
        partial->changed = partial->changed || was_stored;
        partial_settle_overlaps(partial);
        wake_all(partial);
    }
    partial_unlock(partial);
}

void partial_failed(struct partial *partial, uint64_t now_ms, uint64_t wish_ms)
{
    partial_lock(partial);
    uint64_t pause = PAUSE_LEAST_MS << partial->failures;
    if (partial->failures < PAUSE_STEPS) {
        partial->failures++;
    }
    partial->calm_until_ms = now_ms + (pause > wish_ms ? pause : wish_ms);
    partial_unlock(partial);
}

uint64_t partial_pause(struct partial *partial, uint64_t now_ms)
{
    partial_lock(partial);
    uint64_t until = partial->calm_until_ms;
    partial_unlock(partial);
    return until > now_ms ? until - now_ms : 0;
}

void partial_kill(struct partial *partial)
{
    partial_lock(partial);
    partial->dead = true;
    wake_all(partial);
    partial_unlock(partial);
}

bool partial_is_dead(struct partial *partial)
{
    partial_lock(partial);
    bool dead = partial->dead;
    partial_unlock(partial);
    return dead;
}

bool partial_is_full(struct partial *partial)
{
    partial_lock(partial);
    bool full = partial->count > PIECES_MAX;
    partial_unlock(partial);
    return full;
}
