/*
 * late - a store that is opened while requests are answered: another process has it still, whose
 * place we have taken (base/takeover.h). Until then the cache is in memory only. What changes
 * meanwhile is remembered by its hash, and what the store has there, which is older, is dropped
 * before anybody finds it.
 */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/cache_parts.h"

enum { LATE_MAX = 1 << 20 }; /* changes: 16 MiB */

struct late {
    pthread_mutex_t lock;
    atomic_bool awaits;
    struct store_dir *dirs;
    struct cache_options options;
    struct sip_key secret;
    uint8_t (*hashes)[KEY_HASH_SIZE];
    size_t count, room;
    bool overflows;
};

struct late *late_new(const struct cache_options *options)
{
    struct late *late = xcalloc(1, sizeof(*late));

    CHECK(pthread_mutex_init(&late->lock, NULL) == 0);
    late->options = *options;
    late->dirs = xcalloc(options->dir_count, sizeof(*late->dirs));
    for (size_t i = 0; i < options->dir_count; i++) {
        late->dirs[i] =
            (struct store_dir){xspandup(span_str(options->dirs[i].path)), options->dirs[i].size};
    }
    late->options.dirs = late->dirs;
    late->secret = *options->late;
    late->options.late = &late->secret;
    atomic_init(&late->awaits, true);
    return late;
}

void late_free(struct late **slot)
{
    struct late *late = *slot;

    *slot = NULL;
    if (late == NULL) {
        return;
    }
    for (size_t i = 0; i < late->options.dir_count; i++) {
        char *path;
        memcpy(&path, &late->dirs[i].path, sizeof(path)); /* made by us */
        free(path);
    }
    pthread_mutex_destroy(&late->lock);
    free(late->dirs);
    free(late->hashes);
    free(late);
}

/* Under the lock. */
static void remember(struct late *late, const uint8_t hash[KEY_HASH_SIZE])
{
    if (late->count == late->room && late->room < LATE_MAX) {
        late->room = late->room ? 2 * late->room : 1024;
        late->hashes = xrealloc(late->hashes, late->room * sizeof(*late->hashes));
    }
    if (late->count < late->room) {
        memcpy(late->hashes[late->count++], hash, KEY_HASH_SIZE);
    } else {
        late->overflows = true;
    }
}

void cache_changed(struct cache *cache, const struct cache_key *key)
{
    struct late *late = cache->late;

    if (late == NULL || !atomic_load_explicit(&late->awaits, memory_order_acquire)) {
        return;
    }
    pthread_mutex_lock(&late->lock);
    bool missed = !atomic_load(&late->awaits); /* it came just now, and was not told */
    if (!missed) {
        remember(late, key->hash);
    }
    pthread_mutex_unlock(&late->lock);
    if (missed) {
        shelf_drop(cache_shelf(cache, key), key->hash, NULL, NULL);
    }
}

bool cache_is_late(const struct cache *cache)
{
    return cache->late && atomic_load(&cache->late->awaits);
}

/* Under the lock: from here on everybody finds what is there. */
static void admit(struct cache *cache, struct stores *stores)
{
    struct late *late = cache->late;

    for (size_t i = 0; i < late->count; i++) {
        shelf_drop(stores_shelf(stores, late->hashes[i]), late->hashes[i], NULL, NULL);
    }
    cache_set_limits(cache, stores, late->options.object_max, late->options.memory);
    cache->stores = stores;
}

/* NULL, or why this store is none for us. */
static const char *judge(const struct cache *cache, const struct stores *stores)
{
    if (cache->late->overflows) {
        return "too much has changed meanwhile";
    }
    return memcmp(stores_secret(stores), &cache->secret, sizeof(cache->secret)) == 0
               ? NULL
               : "it is another one than the older process had";
}

int cache_open_late(struct cache *cache)
{
    struct late *late = cache->late;
    struct stores *stores = NULL;

    CHECK(cache_is_late(cache));
    int err = cache_open_stores(&late->options, &stores);
    if (err == ERR_BUSY) {
        return err;
    }
    pthread_mutex_lock(&late->lock);
    const char *why = err ? err_text(err) : judge(cache, stores);
    if (!why) {
        admit(cache, stores);
    }
    atomic_store_explicit(&late->awaits, false, memory_order_release);
    free(late->hashes);
    late->hashes = NULL;
    size_t count = late->count;
    late->count = late->room = 0;
    pthread_mutex_unlock(&late->lock);
    if (why) {
        log_error("store_late_failed", "dir=%s why=%s next=%s", late->dirs[0].path, why,
                  "nothing is stored on disk until a restart");
        stores_close(&stores);
        return err ? err : ERR_UNSUPPORTED;
    }
    log_info("store_late", "dir=%s changed_meanwhile=%zu", late->dirs[0].path, count);
    return 0;
}
