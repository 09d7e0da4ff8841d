/*
 * table_parts - the inside of the table, shared by the files that it is made of:
 *
 * table.c         its entries and objects
 * table_flight.c  flights and pass marks
 * table_shed.c    eviction
 * table_look.c    looking without effects
 */
#ifndef LARDER_CACHE_TABLE_PARTS_H
#define LARDER_CACHE_TABLE_PARTS_H

#include "base/map.h"
#include "cache/hot.h"
#include "cache/table.h"

#include <pthread.h>

enum { SHARDS = 64 };

/* An entry exists while it has an object, a flight or a pass mark. */
struct entry {
    struct map_link link; /* fields that lookups read come first */
    uint8_t hash[KEY_HASH_SIZE];
    struct object *object;
    struct hot_entry hot; /* in a queue while there is an object or a mark */
    struct flight *flight;
    int64_t pass_until;
    enum reason pass_reason;
    size_t bodies; /* bytes of the object's body */
};

struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct map map;
    struct hot hot;
    size_t bodies, flights;
    size_t new_bytes;  /* bytes of HOT_NEW that table->new_bytes includes */
    size_t held_bytes; /* bytes of HOT_HELD that table->held_bytes includes */
    uint64_t evicted;
};

struct table {
    struct shard shards[SHARDS];
    size_t limit;
    _Alignas(64) atomic_size_t bytes; /* of objects and marks */
    atomic_size_t new_bytes;          /* the part in HOT_NEW */
    atomic_size_t held_bytes;         /* the part in HOT_HELD */
    atomic_uint turn;                 /* next shard to evict from */
};

/* Locks and returns the shard of a key. */
struct shard *table_lock(struct table *table, const uint8_t hash[KEY_HASH_SIZE]);
void table_unlock(struct shard *shard);

/* ---- under the shard's lock ---- */

/* The entry, or NULL. */
struct entry *table_entry(struct shard *shard, const uint8_t hash[KEY_HASH_SIZE]);
/* The entry if it has an object under exactly this key; else NULL. */
struct entry *table_entry_with(struct shard *shard, const struct cache_key *key);
/* The entry, made if there is none. */
struct entry *table_entry_get(struct shard *shard, const uint8_t hash[KEY_HASH_SIZE]);
/* Puts the entry, whose object or pass mark has changed, into its queue. `pending`: the store does
 * not have the object so far, so it must stay. */
void table_entry_put(struct table *table, struct shard *shard, struct entry *entry, bool pending);
/* Removes object and pass mark; a flight stays. Returns the object, whose reference the caller
 * gives back, preferably after unlocking. */
struct object *table_entry_clear(struct table *table, struct shard *shard, struct entry *entry);
/* Frees the entry if it is empty. */
void table_entry_tidy(struct shard *shard, struct entry *entry);
/* Clears and tidies the entry (NULL: none), and unlocks the shard. */
void table_entry_forget(struct table *table, struct shard *shard, struct entry *entry);
/* Adds to the sums of the table what the queues of the shard have gained or lost. */
void table_publish_queues(struct table *table, struct shard *shard);

/* ---- without a lock ---- */

/* Evicts what is too much after an insertion into the shard `grown`. That shard comes last: a shard
 * in which all others are in use would give up what has just come, as nobody can have used it. */
void table_trim(struct table *table, const struct shard *grown);

#endif
