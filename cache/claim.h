/*
 * claim - fetches missing pieces of responses known in parts (cache/partial.h). One fetch claims a
 * missing range; its bytes arrive in an object of their own, which is stored. Thread-safe like the
 * cache; a claim itself belongs to one fetch.
 *
 * A claim begins with cache_claim() for a hole, with cache_admit_partial() for a 206 when nothing
 * is known of the URL, or with cache_admit_as_parts() for a complete response. When the response
 * head has arrived, cache_admit_piece() makes the object for the bytes (with cache_admit_as_parts()
 * there is one already). The claim ends with exactly one of cache_end_piece(), cache_refuse_claim()
 * and cache_unclaim().
 */
#ifndef LARDER_CACHE_CLAIM_H
#define LARDER_CACHE_CLAIM_H

#include "cache/cache.h"

struct claim {
    struct object *base;      /* the response with its newest head; counted. NULL: no claim */
    struct piece *piece;      /* counted */
    struct piece_range range; /* as claimed; the piece may become shorter afterwards */
    struct flight_mark mark;
    bool kept;       /* other requests can find it */
    uint64_t now_ms; /* when it begins to arrive; to be set before admission */
    size_t promised; /* bytes reserved with memory_begin(); taken over; to be set likewise */
};

/* ---- to claim ---- */

/* Which bytes are needed of a response that `lookup` found. */
struct claim_order {
    const struct lookup *lookup;
    struct object *base;
    uint64_t from, to; /* `to` is exclusive */
    enum claim_where where;
    uint64_t now_ms; /* of a monotonic clock */
};

/* Claims a hole, which the caller must then fetch. False: there is none to claim. */
bool cache_claim(struct cache *cache, const struct claim_order *order, struct claim *out);

/* A 206 arrived for a URL of which nothing is known: makes claim->base, of which only `range` is
 * known, and puts it under its key. `admission` describes the complete response (status 200).
 * False, with *why: it cannot be stored, and there is no claim. */
bool cache_admit_partial(struct cache *cache, const struct admission *admission,
                         const struct flight *flight, struct piece_range range, struct claim *claim,
                         enum reason *why);

/* Turns a complete response that has just begun (from cache_admit(), with known length and a
 * strong validator) into one known in parts: other requests may fetch and read what is far ahead
 * of it, and its beginning is kept if it breaks off. False: that is not possible, and nothing
 * has changed. */
bool cache_admit_as_parts(struct cache *cache, const struct flight *flight, struct object *object,
                          struct claim *claim);

/* Should the fetch wait, because the disk that would store the response is behind? The response is
 * the claimed piece or, without a claim, one under `key`. */
bool cache_should_wait(struct cache *cache, const struct claim *claim, const struct cache_key *key);

/* Do the claimed bytes lie within a piece that is arriving? Then only the claimant needs them. */
bool cache_claim_overlaps(const struct claim *claim);

/* ---- the response head has arrived ---- */

/* Makes the object for the bytes of the claim; the caller writes to its spool. *why is as for
 * cache_admit(). NULL: the piece that it overlaps has brought the bytes meanwhile; call
 * cache_unclaim(). */
struct object *cache_admit_piece(struct cache *cache, const struct claim *claim, size_t spool_limit,
                                 struct waker writer, enum reason *why);

/* The response has updated the head (RFC 9111 3.4): `object`, made by object_updated() from
 * claim->base, replaces it for everybody and in the claim. Does nothing if another has replaced it
 * before. */
void cache_renew_claim(struct cache *cache, struct claim *claim, struct object *object);

/* The response is for this request only. The claim changes to one of a response outside the table
 * (piece_own() of the claimed piece), and other requests find the hole again. */
void cache_unshare_claim(struct cache *cache, struct claim *claim);

/* How many bytes the piece still takes after the first `have`. 0: the next piece begins there. */
uint64_t cache_piece_room(const struct claim *claim, uint64_t have);

/* ---- the end: each of these ends the claim ---- */

/* The piece, whose bytes are in `object`, is complete (`err` 0) or broke off (`err`); the latter
 * does not matter if all of it has come, or another piece goes on. Ends its spool. A piece that is
 * the complete response is stored as such. Returns REASON_STORED, or why the piece is not stored.
 */
enum reason cache_end_piece(struct cache *cache, struct flight *flight, struct claim *claim,
                            struct object *object, int err);
/* The origin has another representation by now. What is known of the old one is removed, and what
 * arrives is not stored; readers whose bytes are present or arriving go on. */
void cache_refuse_claim(struct cache *cache, struct claim *claim);
/* Nothing was fetched. Does nothing without a claim. */
void cache_unclaim(struct cache *cache, struct claim *claim);

#endif
