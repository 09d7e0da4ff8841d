/*
 * cache_parts - the inside of the cache, shared by the files that it is made of:
 *
 * cache.c     its life
 * late.c      a store that is opened later
 * find.c      looking up
 * keep.c      storing
 * vary.c      variants
 * claim*.c    responses known in parts
 * purge.c     purges
 * explain.c   explanations
 */
#ifndef LARDER_CACHE_CACHE_PARTS_H
#define LARDER_CACHE_CACHE_PARTS_H

#include "cache/cache.h"
#include "cache/invalidated.h"
#include "cache/scopes.h"

#include <pthread.h>

/*
 * A URL whose responses vary has a Vary base under its primary key. The base lists the Vary
 * specifications seen, what selects the latest variants with an ETag, and a generation that is
 * mixed into the keys of its variants. Removing the base makes all variants unreachable at once,
 * for ever, since the next base has another generation.
 *
 * Table and store are changed together, under the guard of the URL (one of many, chosen by the
 * primary key). Otherwise a response could be stored after the invalidation that should remove it.
 * The guard's counters tell what has happened since, without holding the lock meanwhile:
 *   - a flight remembers `invalidations` of its beginning. Its response is not stored if its URL
 *     was invalidated since, or if there were too many invalidations to know;
 *   - a reader of the store remembers `changes`, which counts the beginning and the end of each
 *     change. What it has read does not go to the table if a change was in progress or came
 *     since: the table may have had something newer in between.
 */

enum {
    RAM_OBJECT_MAX = 32 * 1024, /* stored bodies up to this size are copied to memory when used */
    SMALL_MAX = 1024 * 1024, /* without a store: larger responses would have to be fetched again */
    GUARDS = 1024,
};

/* The part of a guard that every lookup reads; all of them fit the processor's cache. */
struct guard_counts {
    _Atomic uint64_t invalidations;
    _Atomic uint64_t changes; /* of any kind, including invalidations */
};

struct guard {
    pthread_mutex_t lock;
    struct guard_counts *counts;
    struct invalidated recent; /* invalidated URLs; numbers begin with 1 */
};

struct cache {
    struct table *table;
    _Atomic(struct stores *) stores; /* NULL: memory only, or (late.c) not opened so far */
    struct late *late;               /* NULL: the store was opened at the start, or there is none */
    struct sip_key secret;
    struct scopes *scopes;
    _Atomic uint64_t purges;
    uint64_t memory;
    _Atomic uint64_t object_max_wanted; /* 0: the largest that fits */
    _Atomic uint64_t object_max;
    _Atomic uint64_t
        parts_max; /* the same for responses known in parts, whose pieces are evicted one by one */
    atomic_size_t claims; /* pieces being fetched */
    atomic_size_t saving; /* pieces and tables of pieces being stored */
    struct guard guards[GUARDS];
    struct guard_counts counts[GUARDS];
};

/* ---- cache.c ---- */

/* Number of the guard of a URL. */
uint32_t cache_guard_of(const struct cache_key *primary);
/* Identifies a URL among those of one guard. */
uint64_t cache_url_of(const struct cache_key *primary);
/* Remembers the present state of a URL, to tell later what has changed since. */
struct flight_mark cache_mark(struct cache *cache, const struct cache_key *primary);
/* Where responses under this key are stored. */
struct shelf cache_shelf(struct cache *cache, const struct cache_key *key);
/* To be held during every change under the keys of a URL. */
struct guard *cache_guard_lock(struct cache *cache, uint32_t number);
void cache_guard_unlock(struct guard *guard);
/* Was the URL invalidated since the mark was made? */
bool cache_invalidated_since(struct cache *cache, struct flight_mark mark);
/* Notes that the URL (cache_url_of()) is being invalidated. Under the guard. */
void cache_note_invalidated(struct guard *guard, uint64_t url);
/* Opens the store of the folders, without changing the cache. Returns 0 or an error. ERR_BUSY:
 * another process uses a folder; this is logged unless it was to be expected (options->late). */
int cache_open_stores(const struct cache_options *options, struct stores **out);
/* Sets how large stored responses may be, with a store or (NULL) without. */
void cache_set_limits(struct cache *cache, struct stores *stores);

/* ---- keep.c ---- */

/* May this object be stored? REASON_STORED (its body may still be arriving), or why not. */
enum reason cache_why_unwanted(struct cache *cache, const struct object *object);
/* A pending object stays in the table until cache_settle(), which the store calls with this when
 * the object is durable or was refused. */
struct settling *cache_settling(struct cache *cache, struct object *object);
void cache_settle(void *arg, int err);
/* Removes what is under the key from memory and disk. Under the guard. */
void cache_forget(struct cache *cache, const struct cache_key *key);

/* ---- purge.c ---- */

/* key_primary(), changed by the last purge of a prefix or host that covers the URI. */
void cache_primary_key(struct cache *cache, const struct uri *uri, struct span zone,
                       struct arena *arena, struct cache_key *out);
/* Reads the purged scopes from the folders. `stores` has opened them; NULL: that comes later. */
void cache_read_scopes(struct cache *cache, const struct store_dir *dirs, size_t count,
                       const struct stores *stores);
/* Writes them to each folder of the store; errors are logged. */
void cache_keep_scopes(struct cache *cache, struct stores *stores);

/* ---- late.c ---- */

/* Remembers which keys change until the store is opened; what the store has under them is dropped
 * then. */
struct late *late_new(const struct cache_options *options);
/* Accepts NULL. */
void late_free(struct late **late);
/* Can stored responses come back with a restart? True if folders are used, or were configured but
 * could not be opened late. */
bool cache_has_folders(const struct cache *cache);
/* Something under the key was changed or removed, so what a store that is opened later has there is
 * outdated. Does nothing otherwise. Under the guard, after the change in the table. */
void cache_changed(struct cache *cache, const struct cache_key *key);

/* ---- claim_save.c ---- */

/* The head has changed: writes the record with the table of pieces again. Not under a guard. */
void cache_save_parts(struct cache *cache, struct object *object, struct flight_mark mark);

/* ---- find.c ---- */

/* Finds an object in memory, else in the store. NULL: it is in neither, or (cold->again) the disk
 * has to be read first. With `cold` NULL it waits for the disk, so not on event loops. */
struct object *cache_load(struct cache *cache, const struct cache_key *key, struct cold *cold,
                          bool *from_memory);
/* The same under one of the keys of `primary`; a small object is then kept in memory. */
struct object *cache_find(struct cache *cache, const struct cache_key *primary,
                          const struct cache_key *key, struct cold *cold, bool *from_memory);
/* As cache_load(), but nothing is marked as used or copied to memory. */
struct object *cache_peek(struct cache *cache, const struct cache_key *key, struct cold *cold,
                          bool *from_memory);
/* Finds what is stored and judges it by policy: CACHE_FRESH, _STALE, _REFUSED, _COLD, or CACHE_LEAD
 * when nothing stored answers the request. lookup->primary must be set. */
enum cache_result cache_appraise(struct cache *cache, const struct cache_query *query,
                                 struct lookup *lookup, struct decision *decision);
/* Sets the reason when a pass mark prevents joining others. */
void cache_note_pass_mark(struct decision *decision);
/* Should the fetch offer other stored variants to the origin? */
bool cache_offers_variants(const struct lookup *lookup, const struct decision *decision);

/* ---- vary.c ---- */

/* The generation of a Vary base, which is mixed into its variants' keys. */
struct span cache_generation(const struct object *base);
/* The key of the variant that a request selects under one of the base's specifications. */
void cache_variant_key(struct cache *cache, const struct cache_key *primary,
                       const struct object *base, struct span spec,
                       const struct http_fields *request, struct arena *arena,
                       struct cache_key *out);
/* The newest variants of a URL that a 304 to the request could select, each counted. Returns how
 * many. They do not count as used. */
size_t cache_variants(struct cache *cache, const struct cache_key *primary,
                      const struct cache_query *query, struct cold *cold,
                      struct object *out[OBJECT_VARY_MAX]);
/* Sets the key that the response will be stored under, and returns REASON_STORED; or returns why it
 * will not be stored: REASON_VARY_STAR, or REASON_STORE_BUSY when the Vary base would have to be
 * read from the disk first. */
enum reason cache_response_key(struct cache *cache, const struct admission *admission,
                               struct cache_key *key);

#endif
