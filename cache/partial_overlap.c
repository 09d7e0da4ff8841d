/*
 * partial_overlap - claims inside an arriving piece. Bytes that a reader cannot wait for are
 * requested on a second connection. The piece is cut short only when their first bytes arrive:
 * until then the origin may still refuse, and nothing changes for the readers of the piece.
 *
 *   |=== arriving ->            : overlap :            |    in `overlaps`: has no readers
 *   |=== arriving ->            |== joins ->|   hole   |    moved to `pieces`
 *
 * Overlaps do not overlap each other, and each begins inside a piece. When no piece covers its
 * first byte any more, an overlap becomes an ordinary piece.
 */
#include "base/mem.h"
#include "cache/partial_parts.h"

/* A piece that will reach the awaited byte within this time, or within this many bytes, is waited
 * for: a second connection costs more. */
#define PATIENCE_MS 1000
#define NEAR_BYTES (UINT64_C(1) << 20)
/* How long no overlap is claimed in a piece after the origin has refused one. */
#define REFUSED_MS 10000
#define OVERLAPS_MAX 256

static uint64_t has_come(const struct piece *piece)
{
    return spool_length(piece->object->spool);
}

/* Will the awaited byte arrive too late, judged by the speed of the piece so far? A piece without
 * bytes is expected to need as much time again as has passed. */
static bool comes_too_late(const struct piece *piece, uint64_t offset, uint64_t now_ms)
{
    if (piece->state != PIECE_ARRIVING || offset <= piece->range.from) {
        return false;
    }
    uint64_t have = has_come(piece);
    uint64_t left = offset - piece->range.from > have ? offset - piece->range.from - have : 0;
    uint64_t elapsed = now_ms > piece->began_ms ? now_ms - piece->began_ms : 0;
    uint64_t speed = have / (elapsed + 1); /* bytes per ms */

    return left > NEAR_BYTES && (speed ? left / speed > PATIENCE_MS : elapsed > PATIENCE_MS / 2);
}

bool partial_comes_late(struct partial *partial, uint64_t offset, uint64_t now_ms)
{
    partial_lock(partial);
    const struct piece *piece = partial_at(partial, offset);
    bool late = piece && partial->dead && comes_too_late(piece, offset, now_ms);
    partial_unlock(partial);
    return late;
}

/* ---- under the lock ---- */

static bool was_refused(const struct piece *piece, uint64_t now_ms)
{
    return piece->refused_ms && now_ms < piece->refused_ms + REFUSED_MS;
}

/* The beginning of [from, to) that no other overlap covers; empty if one covers `from`. */
static struct piece_range without_others(const struct partial *partial, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < partial->overlap_count; i++) {
        struct piece_range other = partial->overlaps[i]->range;
        if (other.from <= from && from < other.to) {
            return (struct piece_range){from, from};
        }
        to = other.from > from && other.from < to ? other.from : to;
    }
    return (struct piece_range){from, to};
}

struct piece *partial_overlap(struct partial *partial, struct piece *piece, uint64_t from,
                              uint64_t to, uint64_t now_ms)
{
    if (!partial->ranges || partial->overlap_count == OVERLAPS_MAX || was_refused(piece, now_ms) ||
        !comes_too_late(piece, from, now_ms)) {
        return NULL;
    }
    to = to < piece->range.to ? to : piece->range.to;
    to = to - from > CLAIM_MAX ? from + CLAIM_MAX : to;
    struct piece_range range = without_others(partial, from, to);
    if (range.from == range.to) {
        return NULL;
    }
    if (partial->overlap_count == partial->overlap_cap) {
        partial->overlap_cap = partial->overlap_cap ? partial->overlap_cap * 2 : 4;
        partial->overlaps =
            xrealloc(partial->overlaps, partial->overlap_cap * sizeof(struct piece *));
    }
    struct piece *overlap = piece_new(range.from, range.to, PIECE_CLAIMED);
    overlap->began_ms = now_ms;
    partial->overlaps[partial->overlap_count++] = overlap;
    return piece_ref(overlap);
}

/* Index of the overlap; overlap_count if it is not in the list. */
static size_t number_of(const struct partial *partial, const struct piece *piece)
{
    size_t i = 0;

    while (i < partial->overlap_count && partial->overlaps[i] != piece) {
        i++;
    }
    return i;
}

/* Removes the overlap; the reference passes to the caller. */
static struct piece *take(struct partial *partial, size_t i)
{
    struct piece *piece = partial->overlaps[i];

    partial->overlaps[i] = partial->overlaps[--partial->overlap_count];
    return piece;
}

void partial_settle_overlaps(struct partial *partial)
{
    size_t i = 0;

    while (i < partial->overlap_count) {
        if (partial_at(partial, partial->overlaps[i]->range.from)) {
            i++;
        } else {
            partial_put_in(partial, take(partial, i));
        }
    }
}

bool partial_overlap_joins(struct partial *partial, struct piece *overlap)
{
    if (number_of(partial, overlap) == partial->overlap_count) {
        return true; /* the piece is not an overlap any more */
    }
    struct piece *piece = partial_at(partial, overlap->range.from);
    if (partial->dead || piece->state != PIECE_ARRIVING ||
        has_come(piece) >= overlap->range.from - piece->range.from) {
        return false;
    }
    piece->range.to = overlap->range.from;
    partial_settle_overlaps(partial);
    return true;
}

bool partial_drop_overlap(struct partial *partial, struct piece *overlap)
{
    size_t i = number_of(partial, overlap);

    if (i == partial->overlap_count) {
        return false;
    }
    struct piece *piece = partial_at(partial, overlap->range.from);
    piece->refused_ms = overlap->began_ms;
    overlap = take(partial, i);
    piece_unref(&overlap);
    return true;
}

bool partial_is_overlap(struct partial *partial, const struct piece *piece)
{
    partial_lock(partial);
    bool overlaps = number_of(partial, piece) < partial->overlap_count;
    partial_unlock(partial);
    return overlaps;
}
