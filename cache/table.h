/*
 * table - what is in memory under each key: a finished object, a flight, a pass mark. One structure
 * serves hot objects, read-your-own-writes while the store commits, and collapsed forwarding.
 *
 * Thread-safe: 64 shards with a lock each. Bounded by its own bytes and by base/memory.h; what
 * leaves, cache/hot.h decides.
 */
#ifndef LARDER_CACHE_TABLE_H
#define LARDER_CACHE_TABLE_H

#include "cache/flight.h"

struct table;

struct table *table_new(size_t bytes);
/* From here on it gives back hot objects when memory is short, until table_free(). */
void table_relieve_memory(struct table *table);
/* No flight may be under way. Accepts NULL. */
void table_free(struct table **table);

/* The object under the key with a reference, or NULL; that is no use. */
struct object *table_find(struct table *table, const struct cache_key *key);
/* The same for a request. *tell: the store should be told of so many uses, of those since it was
 * last told; mostly 0, for that is done for the first uses and then for many at once. *seen, when
 * there is none: it has left, or been remembered, not long ago; that is forgotten now. */
struct object *table_use(struct table *table, const struct cache_key *key, unsigned *tell,
                         bool *seen);
/* As *seen of table_use(), and it goes on being so. */
bool table_was_seen(struct table *table, const struct cache_key *key);
/* It was used, from the store; should that happen again soon, it belongs in memory. */
void table_remember(struct table *table, const struct cache_key *key);

/* Keeps the object (a reference is taken), replacing what was there. `pending`: it must stay until
 * table_settle(), because the store does not have it yet. It must not be used without a reference
 * of the caller's afterwards: when memory is short it may leave at once. */
void table_put(struct table *table, struct object *object, bool pending);
/* The same for what was found in the store; `seen` as table_use() said. */
void table_warm(struct table *table, struct object *object, bool seen);
/* The store answered. `keep`: stays as a hot object if it is still the one under its key. */
void table_settle(struct table *table, struct object *object, bool keep);
/* Forgets the object if it is still the one under its key; a flight goes on. */
void table_forget(struct table *table, const struct object *object);
/* Forgets whatever object there is; a flight goes on. */
void table_clear(struct table *table, const struct cache_key *key);
/* Forgets the object and dooms the flight under the key. */
void table_drop(struct table *table, const struct cache_key *key);

enum table_join {
    JOIN_LEAD,    /* the caller must fetch, and end with table_land() */
    JOIN_FOLLOW,  /* somebody is fetching it already */
    JOIN_PASS,    /* a pass mark: go alone */
    JOIN_CHANGED, /* a newer object has appeared under the key: look again */
};

/* Joins the flight under the key or starts one. `found` (may be NULL) is what the caller found
 * there; it becomes the flight's stale object. */
enum table_join table_join(struct table *table, const struct cache_key *key, struct object *found,
                           int64_t now, struct flight_member *member, struct waker waker);
/* The flight is over (or has left for a private one): the next request starts anew. `pass_until`
 * > 0 leaves a pass mark. */
void table_land(struct table *table, struct flight *flight, int64_t pass_until);

/* Takes a pass mark away. */
void table_unmark(struct table *table, const struct cache_key *key);

/* ---- looking without a trace ---- */

struct table_view {
    struct object *object;   /* counted; NULL: none */
    size_t waiting;          /* requests that wait for the flight */
    int64_t pass_until;      /* of the pass mark; 0: none */
    enum reason pass_reason; /* why the response that left it could not be shared */
    bool pending;            /* the store does not have the object yet */
    bool fetching;           /* there is a flight */
};
/* What is under the key; nothing is marked as used by it. */
void table_view(struct table *table, const struct cache_key *key, struct table_view *out);

/* Objects whose key's text begins with `prefix`, with references, at most `max`; returns how many.
 * Goes through the table in steps that keep no lock for long, so it may miss one that comes or goes
 * meanwhile; and not further than TABLE_LIST_BUCKETS, about a tenth of a second. For
 * administrators. */
#define TABLE_LIST_BUCKETS ((size_t)1 << 20)
size_t table_list(struct table *table, struct span prefix, struct object **out, size_t max);

struct table_stats {
    size_t entries, flights;
    size_t bytes;  /* of what stays in memory, entries included */
    size_t bodies; /* of them: bodies, and heads */
    size_t heads;
    uint64_t evicted;
};
void table_stats(struct table *table, struct table_stats *out);

#endif
