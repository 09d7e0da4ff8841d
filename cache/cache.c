/*
 * The life of the cache: its store, its limits, its guards.
 */
#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "cache/cache_parts.h"

enum {
    /* divides memory: the share for bodies queued for writing. Pieces of responses known in parts
     * may take as much again, besides bodies that are still arriving */
    DIRTY_PART = 4,
    INVALIDATED_PART = 16, /* divides memory: the share for the lists of invalidated URLs */
    INVALIDATED_MIN = 64,  /* least number of URLs for each guard */
    INVALIDATED_MAX = 1024,
};

/* ---- guards ---- */

uint32_t cache_guard_of(const struct cache_key *primary)
{
    uint32_t word;

    memcpy(&word, primary->hash, sizeof(word));
    return word % GUARDS;
}

uint64_t cache_url_of(const struct cache_key *primary)
{
    uint64_t word;

    memcpy(&word, primary->hash + sizeof(word), sizeof(word));
    return word;
}

struct flight_mark cache_mark(struct cache *cache, const struct cache_key *primary)
{
    uint32_t number = cache_guard_of(primary);

    return (struct flight_mark){
        .guard = number,
        .url = cache_url_of(primary),
        .invalidations = atomic_load(&cache->counts[number].invalidations),
        .changes = atomic_load(&cache->counts[number].changes),
    };
}

struct shelf cache_shelf(struct cache *cache, const struct cache_key *key)
{
    return stores_shelf(cache->stores, key->hash);
}

struct guard *cache_guard_lock(struct cache *cache, uint32_t number)
{
    struct guard *guard = &cache->guards[number];

    pthread_mutex_lock(&guard->lock);
    atomic_fetch_add(&guard->counts->changes, 1);
    return guard;
}

void cache_guard_unlock(struct guard *guard)
{
    atomic_fetch_add(&guard->counts->changes, 1);
    pthread_mutex_unlock(&guard->lock);
}

/* Most flights see no invalidation on their guard, so the list is rarely searched. */
bool cache_invalidated_since(struct cache *cache, struct flight_mark mark)
{
    struct guard *guard = &cache->guards[mark.guard];

    return atomic_load(&guard->counts->invalidations) != mark.invalidations &&
           invalidated_since(&guard->recent, mark.url, mark.invalidations);
}

void cache_note_invalidated(struct guard *guard, uint64_t url)
{
    uint64_t number = atomic_load(&guard->counts->invalidations) + 1;

    invalidated_add(&guard->recent, url, number);
    atomic_store(&guard->counts->invalidations, number);
}

/* ---- life ---- */

int cache_open_stores(const struct cache_options *options, struct stores **out)
{
    if (options->late && stores_are_busy(options->dirs, options->dir_count)) {
        return ERR_BUSY;
    }
    return stores_open(
        &(struct stores_options){
            .dirs = options->dirs,
            .count = options->dir_count,
            .dirty_limit = options->memory / DIRTY_PART,
            .favor = options->favor,
        },
        out);
}

void cache_set_limits(struct cache *cache, struct stores *stores)
{
    uint64_t fits = stores ? stores_object_max(stores) : cache->memory / 4;
    uint64_t wanted = cache->object_max_wanted;
    uint64_t most = wanted ? wanted : UINT64_MAX;

    cache->object_max = min_u64(most, fits);
    cache->parts_max = min_u64(most, stores ? 3 * fits : fits);
}

void cache_set_object_max(struct cache *cache, uint64_t wanted)
{
    cache->object_max_wanted = wanted;
    cache_set_limits(cache, cache->stores);
}

/* How many URLs a guard remembers. A response can be stored if fewer other URLs of the guard were
 * invalidated during its fetch. */
static size_t invalidated_max(uint64_t memory)
{
    uint64_t fits = memory / INVALIDATED_PART / GUARDS / sizeof(struct invalidation);

    fits = fits < INVALIDATED_MAX ? fits : INVALIDATED_MAX;
    return fits > INVALIDATED_MIN ? (size_t)fits : INVALIDATED_MIN;
}

int cache_open(const struct cache_options *options, struct cache **out)
{
    struct cache *cache = xcalloc(1, sizeof(*cache));
    struct stores *stores = NULL;
    int err = 0;

    *out = NULL;
    cache->memory = options->memory;
    memory_set_limit(options->memory);
    cache->table = table_new(options->memory / 4 * 3);
    table_relieve_memory(cache->table);
    cache->scopes = scopes_new();
    cache->secret = options->late ? *options->late : sip_key_random();
    for (size_t i = 0; i < GUARDS; i++) {
        CHECK(pthread_mutex_init(&cache->guards[i].lock, NULL) == 0);
        cache->guards[i].counts = &cache->counts[i];
        invalidated_init(&cache->guards[i].recent, invalidated_max(options->memory));
    }
    if (options->dir_count) {
        err = cache_open_stores(options, &stores);
    }
    if (err == ERR_BUSY && options->late) {
        cache->late = late_new(options);
        err = 0;
    }
    if (err) {
        cache_close(&cache);
        return err;
    }
    if (stores) {
        cache->secret = *stores_secret(stores);
    }
    cache->stores = stores;
    cache_read_scopes(cache, options->dirs, options->dir_count, stores);
    cache_keep_scopes(cache, stores);
    cache_set_object_max(cache, options->object_max);
    *out = cache;
    return 0;
}

/* Waits until complete objects are durable, and removes objects that refer to segments from
 * memory. */
static void settle_all(struct cache *cache)
{
    struct stores *stores = cache->stores;

    do {
        if (stores) {
            stores_flush(stores); /* first, because the answers of the store still use the table */
        }
    } while (atomic_load(&cache->saving) > 0);
    table_free(&cache->table);
    cache->stores = NULL;
    stores_close(&stores);
}

void cache_let_go(struct cache *cache)
{
    settle_all(cache);
    cache->table = table_new(1);
}

void cache_close(struct cache **slot)
{
    struct cache *cache = *slot;

    *slot = NULL;
    if (cache == NULL) {
        return;
    }
    settle_all(cache);
    late_free(&cache->late);
    scopes_free(&cache->scopes);
    for (size_t i = 0; i < GUARDS; i++) {
        invalidated_fini(&cache->guards[i].recent);
        pthread_mutex_destroy(&cache->guards[i].lock);
    }
    free(cache);
}

/* ---- state and numbers ---- */

bool cache_is_failing(struct cache *cache)
{
    return cache->stores != NULL && stores_health(cache->stores) != 0;
}

const struct sip_key *cache_secret(const struct cache *cache)
{
    return &cache->secret;
}

struct stores *cache_stores(const struct cache *cache)
{
    return cache->stores;
}

void cache_stats(struct cache *cache, struct cache_stats *out)
{
    *out = (struct cache_stats){.has_store = cache->stores != NULL,
                                .body_memory = memory_sum(MEMORY_BODIES)};
    out->claims = atomic_load_explicit(&cache->claims, memory_order_relaxed);
    out->purges = atomic_load_explicit(&cache->purges, memory_order_relaxed);
    table_stats(cache->table, &out->table);
    if (cache->stores) {
        stores_stats(cache->stores, &out->store);
    }
}

size_t cache_directories(const struct cache *cache)
{
    return cache->stores ? stores_count(cache->stores) : 0;
}

void cache_directory(struct cache *cache, size_t number, struct store_member *out)
{
    stores_member(cache->stores, number, out);
}
