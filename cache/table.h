/*
 * table - what is in memory under each key: a finished object, a flight, or a pass mark. Serves hot
 * objects, objects that the store has not committed so far, and collapsed forwarding.
 *
 * Thread-safe: 64 shards, with a lock each. Bounded by its own bytes and by base/memory.h;
 * cache/hot.h decides what is evicted.
 */
#ifndef LARDER_CACHE_TABLE_H
#define LARDER_CACHE_TABLE_H

#include "cache/flight.h"

struct table;

struct table *table_new(size_t bytes);
/* Evicts hot objects whenever memory is short, from now on until table_free(). */
void table_relieve_memory(struct table *table);
/* No flight may be in progress. Accepts NULL; sets *table to NULL. */
void table_free(struct table **table);

/* Prefetch what a lookup of the key will read (base/prefetch.h), one after the other: the bucket,
 * the entry, its object. They count as no use, and do not wait for a lock. */
void table_prefetch(struct table *table, const struct cache_key *key);
void table_prefetch_entry(struct table *table, const struct cache_key *key);
void table_prefetch_object(struct table *table, const struct cache_key *key);

/* The object under the key, with a reference, or NULL. Does not count as a use. */
struct object *table_find(struct table *table, const struct cache_key *key);
/* The same for a request, as a use. *tell: how many uses the store should be told of; mostly 0, as
 * uses are reported in groups. *seen, if there is no object: was it evicted or remembered lately?
 * That is forgotten by this call. */
struct object *table_use(struct table *table, const struct cache_key *key, unsigned *tell,
                         bool *seen);
/* *seen as of table_use(), without forgetting it. */
bool table_was_seen(struct table *table, const struct cache_key *key);
/* The object was used from the store; if it is used again soon, it should go to memory. */
void table_remember(struct table *table, const struct cache_key *key);

/* Puts an object (a reference is taken) in place of what was under its key. `pending`: it must stay
 * until table_settle(), because the store does not have it so far. The caller needs a reference of
 * its own: when memory is short the object may be evicted at once. */
void table_put(struct table *table, struct object *object, bool pending);
/* The same for an object found in the store; `seen` is from table_use(). */
void table_warm(struct table *table, struct object *object, bool seen);
/* The store has answered. `keep`: the object, if it is still under its key, becomes a hot
 * object. */
void table_settle(struct table *table, struct object *object, bool keep);
/* Removes this object if it is still under its key; a flight goes on. */
void table_forget(struct table *table, const struct object *object);
/* Removes whatever object is under the key; a flight goes on. */
void table_clear(struct table *table, const struct cache_key *key);
/* Removes the object under the key, and dooms the flight. */
void table_drop(struct table *table, const struct cache_key *key);

enum table_join {
    JOIN_LEAD,    /* the caller must fetch, and call table_land() at the end */
    JOIN_FOLLOW,  /* another request is fetching it */
    JOIN_PASS,    /* a pass mark: fetch separately */
    JOIN_CHANGED, /* a newer object is under the key, or may have been: look again */
};

/* A request that nothing under the key answers. */
struct table_request {
    struct object *found;  /* was found there, and becomes the flight's stale object; or NULL */
    struct flight *failed; /* the flight that it has waited for in vain; or NULL */
    /* How many changes there were, and how many before it looked. An object may have come since,
     * and gone on to the store. NULL: that does not matter. */
    const _Atomic uint64_t *changes;
    uint64_t seen;
    int64_t now; /* seconds since 1970 */
    struct waker waker;
};

/* Joins the flight under the key, or starts one. All who have waited for a failed flight share the
 * next one, also its failure, however late they come. */
enum table_join table_join(struct table *table, const struct cache_key *key,
                           const struct table_request *request, struct flight_member *member);
/* Joins the flight under the key if it may bring the response under `wanted`, one of its variants.
 * False: there is none; none is started. */
bool table_follow(struct table *table, const struct cache_key *key, const struct cache_key *wanted,
                  struct flight_member *member, struct waker waker);
/* Ends a flight (or takes it out of the table): the next request starts a new one. `pass_until` > 0
 * leaves a pass mark, until that time in seconds since 1970. */
void table_land(struct table *table, struct flight *flight, int64_t pass_until);
/* Ends it together with flight_fail(): who finds no flight under the key finds that this one has
 * failed. */
void table_fail(struct table *table, struct flight *flight, struct failure failure);

/* Removes a pass mark. */
void table_unmark(struct table *table, const struct cache_key *key);

/* ---- looking without effects ---- */

struct table_view {
    struct object *object;   /* counted; NULL: none */
    size_t waiting;          /* requests waiting for the flight */
    int64_t pass_until;      /* of the pass mark; 0: none */
    enum reason pass_reason; /* why the response that left the mark could not be shared */
    bool pending;            /* the store does not have the object so far */
    bool fetching;           /* there is a flight */
};
/* Shows what is under the key. Does not count as a use. */
void table_view(struct table *table, const struct cache_key *key, struct table_view *out);

/* Finds objects whose key text begins with `prefix`, at most `max`; each is counted. Returns how
 * many. Holds no lock for long, so it may miss objects that come or go meanwhile. Stops after
 * TABLE_LIST_BUCKETS, about a tenth of a second. For administrators. */
#define TABLE_LIST_BUCKETS ((size_t)1 << 20)
size_t table_list(struct table *table, struct span prefix, struct object **out, size_t max);

struct table_stats {
    size_t entries, flights;
    size_t bytes;  /* of everything evictable, including entries */
    size_t bodies; /* the part that is bodies, and the part that is heads */
    size_t heads;
    uint64_t evicted;
};
void table_stats(struct table *table, struct table_stats *out);

#endif
