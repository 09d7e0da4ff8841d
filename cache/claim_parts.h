/*
 * claim_parts - the inside of claims, for the files they are made of: claim.c (holes become
 * somebody's), claim_fill.c (what arrives), claim_save.c (what goes to the store).
 *
 * The object in the table has the head, and its `parts` are shared by all who found it. While a
 * piece is under way the object is pending, which eviction passes over, so that there is one set of
 * parts for all. Whoever holds one that has left the table fills it for that request alone: nothing
 * of it is kept.
 *
 * In the store there is a record under the response's key, whose body is the table of pieces, and
 * one for each piece. Pieces come first; the table follows when they are durable.
 */
#ifndef LARDER_CACHE_CLAIM_PARTS_H
#define LARDER_CACHE_CLAIM_PARTS_H

#include "cache/cache_parts.h"
#include "cache/claim.h"

/* ---- claim.c ---- */

/* The object under the key with a reference, when it is `base` or has the same parts under a newer
 * head; else NULL. Under the guard. */
struct object *claim_current(struct cache *cache, const struct object *base);
/* The store has something else under its key, or does not say at once what. Under the guard. */
bool claim_is_replaced(struct cache *cache, const struct object *base);
/* If nothing of it is under way any more, it is a hot object like others. */
void claim_settle(struct cache *cache, struct object *base, struct flight_mark mark);
/* Lets go of the piece and the response, whatever has become of them. */
void claim_fini(struct cache *cache, struct claim *claim);

/* ---- claim_save.c ---- */

/* The piece has ended after `length` bytes (because of `err` if it broke off) and goes to the
 * store, and then the table that lists it; its spool is ended. False, with nothing done, when
 * `object` has no record. */
bool claim_save_piece(struct cache *cache, const struct claim *claim, struct object *object,
                      uint64_t length, int err);

#endif
