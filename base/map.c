#include "base/map.h"

#include "base/prefetch.h"
#include "base/mem.h"

enum { BUCKETS_MIN = 16 };

/* The store is atomic because map_prefetch() may read the pointer without the lock. */
static void set_buckets(struct map *map, struct map_link **buckets, size_t mask)
{
    __atomic_store_n(&map->buckets, buckets, __ATOMIC_RELAXED);
    __atomic_store_n(&map->mask, mask, __ATOMIC_RELAXED);
}

void map_init(struct map *map, size_t expected)
{
    size_t buckets = BUCKETS_MIN;

    while (buckets < expected) {
        buckets *= 2;
    }
    set_buckets(map, xcalloc(buckets, sizeof(struct map_link *)), buckets - 1);
    map->count = 0;
}

void map_fini(struct map *map)
{
    free(map->buckets);
    *map = (struct map){0};
}

static struct map_link *skip_to(struct map_link *link, uint64_t hash)
{
    while (link && link->hash != hash) {
        link = link->next;
    }
    return link;
}

void map_prefetch(const struct map *map, uint64_t hash)
{
    struct map_link **buckets = __atomic_load_n(&map->buckets, __ATOMIC_RELAXED);
    size_t mask = __atomic_load_n(&map->mask, __ATOMIC_RELAXED);

    prefetch(&buckets[hash & mask], 1); /* prefetches the cache line of the bucket */
}

void map_prefetch_first(const struct map *map, uint64_t hash, size_t size)
{
    prefetch(map->buckets[hash & map->mask], size);
}

struct map_link *map_first(const struct map *map, uint64_t hash)
{
    return skip_to(map->buckets[hash & map->mask], hash);
}

struct map_link *map_next(const struct map_link *link)
{
    return skip_to(link->next, link->hash);
}

static void push(struct map *map, struct map_link *link)
{
    struct map_link **bucket = &map->buckets[link->hash & map->mask];

    link->next = *bucket;
    *bucket = link;
}

static void grow(struct map *map)
{
    struct map old = *map;

    map_init(map, (old.mask + 1) * 2);
    map->count = old.count;
    for (size_t i = 0; i <= old.mask; i++) {
        struct map_link *link = old.buckets[i];
        while (link) {
            struct map_link *next = link->next;
            push(map, link);
            link = next;
        }
    }
    free(old.buckets);
}

void map_insert(struct map *map, struct map_link *link, uint64_t hash)
{
    if (map->count > map->mask) {
        grow(map);
    }
    link->hash = hash;
    push(map, link);
    map->count++;
}

void map_remove(struct map *map, struct map_link *link)
{
    struct map_link **at = &map->buckets[link->hash & map->mask];

    while (*at != link) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = link->next;
    link->next = NULL;
    map->count--;
}

void map_each(struct map *map, void (*visit)(struct map_link *link, void *arg), void *arg)
{
    for (size_t i = 0; i <= map->mask; i++) {
        struct map_link *link = map->buckets[i];
        while (link) {
            struct map_link *next = link->next;
            visit(link, arg);
            link = next;
        }
    }
}

bool map_walk(const struct map *map, size_t *bucket, size_t count,
              void (*visit)(struct map_link *link, void *arg), void *arg)
{
    for (; count > 0 && *bucket <= map->mask; count--, ++*bucket) {
        for (struct map_link *link = map->buckets[*bucket]; link; link = link->next) {
            visit(link, arg);
        }
    }
    return *bucket <= map->mask;
}
