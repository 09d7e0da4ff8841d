/*
 * table_parts - the inside of the table, shared by table.c (content and eviction) and table_look.c
 * (looking without effects).
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
    size_t fresh; /* bytes of HOT_NEW that table->fresh includes */
    size_t held;  /* of HOT_HELD, likewise */
    uint64_t evicted;
};

struct table {
    struct shard shards[SHARDS];
    size_t limit;
    _Alignas(64) atomic_size_t bytes; /* of objects and marks */
    atomic_size_t fresh;              /* the part in HOT_NEW */
    atomic_size_t held;               /* the part in HOT_HELD */
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

#endif
