/*
 * claim - fetching responses known in parts (cache/partial.h): a missing range is claimed by one
 * fetch, its bytes arrive in an object of their own, and that is kept. Thread-safe, as the cache
 * is; a claim itself belongs to one fetch.
 *
 * A claim begins with cache_claim() of a hole, cache_admit_partial() for a 206 to a URL of which
 * nothing is known, or cache_admit_as_parts() for a whole response. When the head of the answer is
 * there, cache_admit_piece() makes the object that takes the bytes (cache_admit_as_parts() has one
 * already). It ends with exactly one of cache_end_piece(), cache_refuse_claim() and
 * cache_unclaim().
 */
#ifndef LARDER_CACHE_CLAIM_H
#define LARDER_CACHE_CLAIM_H

#include "cache/cache.h"

struct claim {
    struct object *base;      /* the response, under its newest head; counted. NULL: no claim */
    struct piece *piece;      /* counted */
    struct piece_range range; /* as claimed; the piece may be cut short afterwards */
    struct flight_mark mark;
    bool kept;       /* other requests will find it */
    uint64_t now_ms; /* when it begins to arrive; to be set before it is admitted */
    size_t promised; /* bytes of memory_begin() for it, taken over; likewise */
};

/* ---- to claim ---- */

/* What is wanted of a response that `lookup` found. */
struct claim_order {
    const struct lookup *lookup;
    struct object *base;
    uint64_t from, to; /* `to` is exclusive */
    enum claim_where where;
    uint64_t now_ms; /* of a clock that does not jump */
};

/* Claims a hole, which the caller must then fetch. False when there is none to claim. */
bool cache_claim(struct cache *cache, const struct claim_order *order, struct claim *out);

/* A 206 has come for a URL of which nothing is known: makes claim->base, of which only `range` is
 * known, and puts it under its key. `admission` describes the whole response (status 200). False,
 * with *why, when it will not be kept; then there is no claim. */
bool cache_admit_partial(struct cache *cache, const struct admission *admission,
                         const struct flight *flight, struct piece_range range, struct claim *claim,
                         enum reason *why);

/* Turns a whole response that has just begun (from cache_admit(), of known length and with a strong
 * validator) into one known in parts: other requests may read, and fetch, what is far ahead of it,
 * and its beginning is kept if it breaks off. False, with nothing changed, when it cannot be. */
bool cache_admit_as_parts(struct cache *cache, const struct flight *flight, struct object *object,
                          struct claim *claim);

/* The origin need not be asked yet: the disk that would store the answer is behind with its writes.
 * The answer is the claimed piece or, without a claim, a response under `key`. */
bool cache_should_wait(struct cache *cache, const struct claim *claim, const struct cache_key *key);

/* The claimed bytes lie within a piece that arrives already: only the claimant needs them. */
bool cache_claim_overlaps(const struct claim *claim);

/* ---- the answer's head is there ---- */

/* Makes the object for the bytes of the claim; the caller appends to its spool. *why as in
 * cache_admit(). NULL when the piece it overlaps has brought the bytes meanwhile: call
 * cache_unclaim(). */
struct object *cache_admit_piece(struct cache *cache, const struct claim *claim, size_t spool_limit,
                                 struct waker writer, enum reason *why);

/* The answer has updated the head of the response (RFC 9111 3.4): `object`, which object_updated()
 * made of claim->base, replaces it for everybody, and in the claim. Does nothing when somebody else
 * has replaced it before. */
void cache_renew_claim(struct cache *cache, struct claim *claim, struct object *object);

/* The origin has answered for this one request only. The claim becomes one of a response that is in
 * no table (piece_own() of the piece that was claimed), and other requests find the hole again. */
void cache_unshare_claim(struct cache *cache, struct claim *claim);

/* Bytes the piece still takes after `have` of them. 0: the next piece begins there. */
uint64_t cache_piece_room(const struct claim *claim, uint64_t have);

/* ---- the end; each of these gives the claim back ---- */

/* The piece, whose bytes are in `object`, has ended: complete (0) or broken off because of `err`.
 * Ends its spool. A piece that is the whole response is stored as such. REASON_STORED, or why the
 * piece is not kept. */
enum reason cache_end_piece(struct cache *cache, struct flight *flight, struct claim *claim,
                            struct object *object, int err);
/* The origin no longer has this representation. What is known of it is forgotten, and what arrives
 * is not kept; readers whose bytes are there or on their way read on. */
void cache_refuse_claim(struct cache *cache, struct claim *claim);
/* Nothing came of it. Harmless without a claim. */
void cache_unclaim(struct cache *cache, struct claim *claim);

#endif
