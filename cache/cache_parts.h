/*
 * cache_parts - the inside of the cache, for the files it is made of: cache.c (its life), late.c (a
 * store that comes later), find.c (looking up), keep.c (what is kept of an answer), vary.c
 * (variants), claim*.c (responses known in parts), purge.c (what is to be gone), explain.c
 * (telling).
 */
#ifndef LARDER_CACHE_CACHE_PARTS_H
#define LARDER_CACHE_CACHE_PARTS_H

#include "cache/cache.h"
#include "cache/invalidated.h"
#include "cache/scopes.h"

#include <pthread.h>

/*
 * A URL whose responses vary has a Vary base under its primary key: the specifications seen, what
 * selects the last variants with an ETag, and a generation that is mixed into the keys of its
 * variants. Dropping the base makes all variants unreachable at once; the next base has another
 * generation, so they stay so.
 *
 * Table and store change together, under the guard of the URL (one of many, chosen by the primary
 * key): else an answer could be stored behind the invalidation that came after it. Its counters
 * tell what happened since somebody looked, without keeping the lock meanwhile:
 *   - a flight remembers `invalidations` as of its beginning. Its response is not kept if its URL
 *     was invalidated since, or if so many were that the guard does not remember them all;
 *   - a reader of the store remembers `changes`, which counts the beginning and the end of each
 *     change. What it has read does not go to the table if a change was under way or came since:
 *     it may be older than what the table had in between.
 */

enum {
    RAM_OBJECT_MAX = 32 * 1024, /* stored bodies up to here are copied to memory when used */
    SMALL_MAX = 1024 * 1024,    /* without a store: larger bodies have to be asked for again */
    GUARDS = 1024,
};

/* What every lookup reads of a guard: all of them fit the processor's cache. */
struct guard_counts {
    _Atomic uint64_t invalidations;
    _Atomic uint64_t changes; /* of any kind, invalidations too */
};

struct guard {
    pthread_mutex_t lock;
    struct guard_counts *counts;
    struct invalidated recent; /* URLs of invalidations, under numbers that begin with 1 */
};

struct cache {
    struct table *table;
    _Atomic(struct stores *) stores; /* NULL: memory only, or (late.c) not yet */
    struct late *late;               /* NULL: the store came with the start, or there is none */
    struct sip_key secret;
    struct scopes *scopes;
    _Atomic uint64_t purges;
    uint64_t memory;
    _Atomic uint64_t object_max_wanted; /* 0: what fits */
    _Atomic uint64_t object_max;
    _Atomic uint64_t
        parts_max; /* the same for a response known in parts, which is evicted in parts, too */
    atomic_size_t claims; /* pieces that somebody fetches */
    atomic_size_t saving; /* pieces and tables of pieces on their way to the store */
    struct guard guards[GUARDS];
    struct guard_counts counts[GUARDS];
};

/* ---- cache.c ---- */

/* The number of a URL's guard. */
uint32_t cache_guard_of(const struct cache_key *primary);
/* The name of a URL among those of one guard. */
uint64_t cache_url_of(const struct cache_key *primary);
/* A mark of this moment, to ask later what has happened to the URL since. */
struct flight_mark cache_mark(struct cache *cache, const struct cache_key *primary);
/* Where what is under the key is stored. */
struct shelf cache_shelf(struct cache *cache, const struct cache_key *key);
/* Around every change of what is under a URL's keys. */
struct guard *cache_guard_lock(struct cache *cache, uint32_t number);
void cache_guard_unlock(struct guard *guard);
/* The URL of the mark was invalidated after it was made. */
bool cache_invalidated_since(struct cache *cache, struct flight_mark mark);
/* Opens the store of the folders; changes nothing of the cache. 0 or an error. ERR_BUSY when
 * another process has a folder, which is logged unless that was to be expected (options->late). */
int cache_open_stores(const struct cache_options *options, struct stores **out);
/* How large what is kept may be, with a store or (NULL) without. */
void cache_set_limits(struct cache *cache, struct stores *stores);

/* ---- keep.c ---- */

/* REASON_STORED: the body is still on its way to where it is to be kept. Else why it is not. */
enum reason cache_why_unwanted(struct cache *cache, const struct object *object);
/* An object that the table has as pending stays so until cache_settle(), which the store calls with
 * this when the object is durable, or was refused. */
struct settling *cache_settling(struct cache *cache, struct object *object);
void cache_settle(void *arg, int err);
/* Nothing is under the key any more, in memory or on disk. Under the guard. */
void cache_forget(struct cache *cache, const struct cache_key *key);

/* ---- purge.c ---- */

/* key_primary(), with what the last purge of a prefix or host around it has changed mixed in. */
void cache_primary_key(struct cache *cache, const struct uri *uri, struct span zone,
                       struct arena *arena, struct cache_key *out);
/* The scopes that were purged, as the folders have them. */
void cache_read_scopes(struct cache *cache, const struct store_dir *dirs, size_t count);
/* Writes them to each folder of the store; what fails is logged. */
void cache_keep_scopes(struct cache *cache, struct stores *stores);

/* ---- late.c ---- */

/* Remembers which keys change until the store is opened: what it has under them is dropped then. */
struct late *late_new(const struct cache_options *options);
/* Accepts NULL. */
void late_free(struct late **late);
/* What is stored may come back with a restart: folders are used, or were to be, but could not be
 * opened late. */
bool cache_has_folders(const struct cache *cache);
/* What is under the key has changed or is gone, so what a store yet to be opened has there is
 * older. Costs nothing when none is to come. Under the guard, after the change in the table. */
void cache_changed(struct cache *cache, const struct cache_key *key);

/* ---- claim_save.c ---- */

/* The head is new: writes the record with the table of pieces again. Not under a guard. */
void cache_save_parts(struct cache *cache, struct object *object, struct flight_mark mark);

/* ---- find.c ---- */

/* From memory, else from the store. NULL when it is in neither, or (cold->again) not yet known.
 * With `cold` NULL it waits for the disk: not for event loops. */
struct object *cache_load(struct cache *cache, const struct cache_key *key, struct cold *cold,
                          bool *from_memory);
/* The same under one of the keys of `primary`; a small object then stays in memory. */
struct object *cache_find(struct cache *cache, const struct cache_key *primary,
                          const struct cache_key *key, struct cold *cold, bool *from_memory);
/* As cache_load(), without a trace: nothing is marked as used, nothing is copied to memory. */
struct object *cache_peek(struct cache *cache, const struct cache_key *key, struct cold *cold,
                          bool *from_memory);
/* Finds what is stored and judges it: CACHE_FRESH, _STALE, _REFUSED, _COLD, or CACHE_LEAD when
 * nothing there answers the request. lookup->primary must be set. */
enum cache_result cache_appraise(struct cache *cache, const struct cache_query *query,
                                 struct lookup *lookup, struct decision *decision);
/* The reason, when a pass mark is why others are not joined. */
void cache_note_pass_mark(struct decision *decision);
/* Is whoever leads to offer the origin other variants? */
bool cache_offers_variants(const struct lookup *lookup, const struct decision *decision);

/* ---- vary.c ---- */

/* What is mixed into the keys of a Vary base's variants. */
struct span cache_generation(const struct object *base);
/* The key of the variant that a request with these fields selects under one of the base's
 * specifications. */
void cache_variant_key(struct cache *cache, const struct cache_key *primary,
                       const struct object *base, struct span spec,
                       const struct http_fields *request, struct arena *arena,
                       struct cache_key *out);
/* The newest variants of a URL that a 304 could confirm (each counted), and how many. Does not
 * count as a use of them. */
size_t cache_variants(struct cache *cache, const struct cache_key *primary, struct cold *cold,
                      struct arena *arena, struct object *out[OBJECT_VARY_MAX]);
/* The key the response will be kept under, and REASON_STORED; or why it will not be kept:
 * REASON_VARY_STAR, or REASON_STORE_BUSY when the Vary base would have to be read from the disk
 * first. */
enum reason cache_response_key(struct cache *cache, const struct admission *admission,
                               struct cache_key *key);

#endif
