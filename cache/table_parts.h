/*
 * table_parts - the inside of the table, for the files it is made of: table.c (what is in it and
 * what leaves), table_look.c (looking without a trace).
 */
#ifndef LARDER_CACHE_TABLE_PARTS_H
#define LARDER_CACHE_TABLE_PARTS_H

#include "base/map.h"
#include "cache/hot.h"
#include "cache/table.h"

#include <pthread.h>

enum { SHARDS = 64 };

/* An entry exists while it has an object, a flight or a mark. */
struct entry {
    struct map_link link; /* what a lookup looks at comes first */
    uint8_t hash[KEY_HASH_SIZE];
    struct object *object;
    struct hot_entry hot; /* in a queue while it has an object or a mark */
    struct flight *flight;
    int64_t pass_until;
    enum reason pass_reason;
    size_t bodies; /* bytes of the object that are bodies */
};

struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct map map;
    struct hot hot;
    size_t bodies, flights;
    size_t fresh; /* bytes of HOT_NEW that the table knows of */
    uint64_t evicted;
};

struct table {
    struct shard shards[SHARDS];
    size_t limit;
    _Alignas(64) atomic_size_t bytes; /* of objects and marks */
    atomic_size_t fresh;              /* of them in HOT_NEW */
    atomic_uint turn;                 /* of the shards, to make room */
};

/* The shard of a key, locked. */
struct shard *table_lock(struct table *table, const uint8_t hash[KEY_HASH_SIZE]);
void table_unlock(struct shard *shard);

/* ---- under the shard's lock ---- */

/* NULL when there is none. */
struct entry *table_entry(struct shard *shard, const uint8_t hash[KEY_HASH_SIZE]);
/* The entry with an object under just this key, or NULL. */
struct entry *table_entry_with(struct shard *shard, const struct cache_key *key);

#endif
