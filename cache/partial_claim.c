/*
 * partial_claim - claims missing bytes, from the claim to the end of the piece; pauses after
 * failures; representations that the origin no longer has.
 */
#include "base/check.h"
#include "cache/partial_parts.h"

/* The first pause after a failed claim; it doubles with each further failure. */
#define PAUSE_LEAST_MS UINT64_C(500)
#define PAUSE_STEPS 4

/* The first hole in [from, to). */
static struct piece_range first_hole(const struct partial *partial, uint64_t from, uint64_t to)
{
    size_t i = partial_piece_after(partial, from);

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

/* May a response add a piece that was not claimed? */
static bool takes_response(const struct partial *partial)
{
    return partial_takes_pieces(partial) || (!partial->dead && partial->count == 0);
}

void partial_put_in(struct partial *partial, struct piece *piece)
{
    size_t i = partial_piece_after(partial, piece->range.from);

    if (i < partial->count && partial->pieces[i]->range.from < piece->range.to) {
        piece->range.to = partial->pieces[i]->range.from;
    }
    partial_insert(partial, i, piece);
}

static struct piece *add(struct partial *partial, struct piece_range range)
{
    struct piece *piece = piece_new(range.from, range.to, PIECE_CLAIMED);

    partial_insert(partial, partial_piece_after(partial, range.from), piece);
    partial_wake_all(partial); /* wakes readers that waited for this hole to be claimed */
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
        partial_wake_all(partial);
    }
    partial_unlock(partial);
    return joins;
}

/* Sets the final length. The piece may already have been cut where the next piece begins. */
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
        partial_take_out(partial, piece);
    } else {
        partial->failures = 0;
    }
    partial_settle_overlaps(partial);
    partial_wake_all(partial);
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
    bool there = partial_holds(partial, piece);
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
    if (!partial_drop_overlap(partial, piece) && partial_take_out(partial, piece)) {
        partial->changed = partial->changed || was_stored;
        partial_settle_overlaps(partial);
        partial_wake_all(partial);
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
    partial_wake_all(partial);
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
