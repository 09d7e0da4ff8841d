/*
 * map - an intrusive hash map with byte strings as keys. Not thread-safe; owns no entries. The
 * caller computes hashes (SipHash with a secret key if a peer chooses the keys) and puts a map_link
 * into each entry. The buckets are doubled when there are more entries than buckets.
 */
#ifndef LARDER_BASE_MAP_H
#define LARDER_BASE_MAP_H

#include "base/span.h"

struct map_link {
    struct map_link *next;
    uint64_t hash;
};

struct map {
    struct map_link **buckets;
    size_t mask; /* buckets - 1 */
    size_t count;
};

void map_init(struct map *map, size_t expected);
/* Frees the buckets; entries belong to the caller. */
void map_fini(struct map *map);

/* Prefetch what map_first() will read (base/prefetch.h): the bucket, for which no lock is needed
 * while other threads change the map; and, once that is in the processor's cache, the first `size`
 * bytes of the first entry, which begins with its link. */
void map_prefetch(const struct map *map, uint64_t hash);
void map_prefetch_first(const struct map *map, uint64_t hash, size_t size);
/* The first entry with this hash. Compare its key, and go on with map_next(). */
struct map_link *map_first(const struct map *map, uint64_t hash);
struct map_link *map_next(const struct map_link *link);

void map_insert(struct map *map, struct map_link *link, uint64_t hash);
/* `link` must be in the map. */
void map_remove(struct map *map, struct map_link *link);

/* Visits every entry; `visit` may remove the entry that it is given. */
void map_each(struct map *map, void (*visit)(struct map_link *link, void *arg), void *arg);

/* Visits the entries of the next `count` buckets at *bucket, which is advanced. False: that was the
 * end. The map may change between two calls: entries that stay are visited at least once, or twice
 * if the buckets are doubled. `visit` must not change the map. */
bool map_walk(const struct map *map, size_t *bucket, size_t count,
              void (*visit)(struct map_link *link, void *arg), void *arg);

#endif
