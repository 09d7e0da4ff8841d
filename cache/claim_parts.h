/*
 * claim_parts - the inside of claims, shared by claim.c (claiming holes), claim_fill.c (arriving
 * pieces) and claim_save.c (storing).
 *
 * The object in the table has the head; its `parts` are shared by all who found it. While a piece
 * is in progress the object is pending, so that eviction leaves it and all share one set of parts.
 * Whoever has an object that has left the table fills it for one request only: nothing is stored.
 *
 * The store has one record under the response's key, whose body is the table of pieces, and one for
 * each piece. The pieces are written first; the table follows when they are durable.
 */
#ifndef LARDER_CACHE_CLAIM_PARTS_H
#define LARDER_CACHE_CLAIM_PARTS_H

#include "cache/cache_parts.h"
#include "cache/claim.h"

/* ---- claim.c ---- */

/* The object under the key, with a reference, if it is `base` or has the same parts under a newer
 * head; else NULL. Under the guard. */
struct object *claim_current(struct cache *cache, const struct object *base);
/* Does the store have something else under its key, or cannot tell without reading the disk? Under
 * the guard. */
bool claim_is_replaced(struct cache *cache, const struct object *base);
/* If no piece is in progress any more, makes it an ordinary hot object. */
void claim_settle(struct cache *cache, struct object *base, struct flight_mark mark);
/* Releases the piece and the response. */
void claim_fini(struct cache *cache, struct claim *claim);

/* ---- claim_save.c ---- */

/* Stores a piece that has ended after `length` bytes (because of `err`, if it broke off), and then
 * the table that lists it; ends its spool. False: `object` has no record, and nothing was done. */
bool claim_save_piece(struct cache *cache, const struct claim *claim, struct object *object,
                      uint64_t length, int err);

#endif
