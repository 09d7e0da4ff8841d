/*
 * late - a store that is opened while requests are already served, because the process that we take
 * over from (base/takeover.h) still uses it. Until then the cache is in memory only. It remembers
 * the hashes of keys that change meanwhile: what the store has under them is outdated, and is
 * deleted before a lookup can find it.
 */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/cache_parts.h"

enum {
    LATE_MAX = 1 << 20, /* most keys remembered, in up to 32 MiB */
    LATE_ROOM = 1024,
    LATE_GROUP = 8192, /* how many deletions are committed together */
    LATE_FEW = 64,
    LATE_ROUNDS = 8,
};

/* A hash set. The hashes are keyed, so their first bytes serve as the index. A slot of all zeros is
 * free. (A key with that hash would be forgotten.) */
struct hashes {
    uint8_t (*slots)[KEY_HASH_SIZE];
    size_t count, room; /* room: number of slots, a power of two or 0 */
};

struct late {
    pthread_mutex_t lock;
    atomic_bool awaits;
    struct store_dir *dirs;
    struct cache_options options;
    struct sip_key secret;
    struct hashes changed;
    bool overflows;
};

/* ---- changed keys ---- */

/* The slot with this hash, or the free slot for it. */
static uint8_t *slot_of(const struct hashes *set, const uint8_t hash[KEY_HASH_SIZE])
{
    static const uint8_t none[KEY_HASH_SIZE];
    size_t at;

    memcpy(&at, hash, sizeof(at));
    for (;; at++) {
        uint8_t *slot = set->slots[at & (set->room - 1)];
        if (memcmp(slot, hash, KEY_HASH_SIZE) == 0 || memcmp(slot, none, KEY_HASH_SIZE) == 0) {
            return slot;
        }
    }
}

static void put(struct hashes *set, const uint8_t hash[KEY_HASH_SIZE])
{
    uint8_t *slot = slot_of(set, hash);

    set->count += memcmp(slot, hash, KEY_HASH_SIZE) != 0;
    memcpy(slot, hash, KEY_HASH_SIZE);
}

/* Calls `visit` for each hash. */
static void each(const struct hashes *set, void (*visit)(void *arg, const uint8_t *hash), void *arg)
{
    static const uint8_t none[KEY_HASH_SIZE];

    for (size_t i = 0; i < set->room; i++) {
        if (memcmp(set->slots[i], none, KEY_HASH_SIZE) != 0) {
            visit(arg, set->slots[i]);
        }
    }
}

static void put_again(void *arg, const uint8_t *hash)
{
    put(arg, hash);
}

static void make_room(struct hashes *set)
{
    struct hashes larger = {.room = set->room ? 2 * set->room : LATE_ROOM};

    larger.slots = xcalloc(larger.room, sizeof(*larger.slots));
    each(set, put_again, &larger);
    free(set->slots);
    *set = larger;
}

/* ---- life ---- */

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
        /* the path was copied by us, so it may be freed */
        memcpy(&path, &late->dirs[i].path, sizeof(path));
        free(path);
    }
    pthread_mutex_destroy(&late->lock);
    free(late->dirs);
    free(late->changed.slots);
    free(late);
}

/* Under the lock. Keeps at most half of the slots used. */
static void remember(struct late *late, const uint8_t hash[KEY_HASH_SIZE])
{
    struct hashes *set = &late->changed;

    if (2 * set->count >= set->room && set->count < LATE_MAX) {
        make_room(set);
    }
    if (2 * set->count < set->room) {
        put(set, hash);
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
    /* the store was opened just before, so it must learn of the change directly */
    bool missed = !atomic_load(&late->awaits);
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

bool cache_has_folders(const struct cache *cache)
{
    return cache->stores || cache->late;
}

bool cache_is_late_and_changed(const struct cache *cache)
{
    if (!cache_is_late(cache)) {
        return false;
    }
    pthread_mutex_lock(&cache->late->lock);
    bool changed = cache->late->changed.count > 0 || cache->late->overflows;
    pthread_mutex_unlock(&cache->late->lock);
    return changed;
}

/* ---- the store ---- */

struct dropping {
    struct stores *stores;
    size_t count;
};

static void drop(void *arg, const uint8_t *hash)
{
    struct dropping *dropping = arg;

    shelf_drop(stores_shelf(dropping->stores, hash), hash, NULL, NULL);
    if (++dropping->count % LATE_GROUP == 0) {
        stores_flush(dropping->stores);
    }
}

/* Deletes most of the changed keys before lookups use the store, because many pending deletions
 * make each lookup slow. */
static void drop_ahead(struct late *late, struct dropping *dropping)
{
    size_t count = SIZE_MAX;

    for (int i = 0; i < LATE_ROUNDS && count > LATE_FEW; i++) {
        pthread_mutex_lock(&late->lock);
        struct hashes taken = late->changed;
        late->changed = (struct hashes){0};
        pthread_mutex_unlock(&late->lock);
        count = taken.count;
        each(&taken, drop, dropping);
        stores_flush(dropping->stores);
        free(taken.slots);
    }
}

/* Returns NULL, or why this store cannot be used. */
static const char *judge(const struct cache *cache, const struct stores *stores)
{
    return memcmp(stores_secret(stores), &cache->secret, sizeof(cache->secret)) == 0
               ? NULL
               : "it is another one than the older process had";
}

/* Takes over the purges that the older process has done. Changes remembered here are under keys
 * from before those purges, whereas the older process has stored responses under the keys from
 * after them. So the keys are salted once more, which makes those responses unreachable. */
static void catch_up(struct cache *cache, struct stores *stores)
{
    struct late *late = cache->late;
    struct buf before = BUF_INIT;

    scopes_encode(cache->scopes, &before);
    cache_read_scopes(cache, late->options.dirs, late->options.dir_count, stores);
    scopes_renew(cache->scopes, buf_span(&before));
    cache_keep_scopes(cache, stores);
    buf_fini(&before);
}

/* Under the lock. From here on lookups use the store. */
static void admit(struct cache *cache, struct dropping *dropping)
{
    struct late *late = cache->late;

    each(&late->changed, drop, dropping);
    cache_set_limits(cache, dropping->stores);
    cache->stores = dropping->stores;
}

int cache_open_late(struct cache *cache)
{
    struct late *late = cache->late;
    struct dropping dropping = {0};

    CHECK(cache_is_late(cache));
    int err = cache_open_stores(&late->options, &dropping.stores);
    if (err == ERR_BUSY) {
        return err;
    }
    const char *why = err ? err_text(err) : judge(cache, dropping.stores);
    if (!why) {
        catch_up(cache, dropping.stores);
        drop_ahead(late, &dropping);
    }
    pthread_mutex_lock(&late->lock);
    why = !why && late->overflows ? "too much has changed meanwhile" : why;
    if (!why) {
        admit(cache, &dropping);
    }
    atomic_store_explicit(&late->awaits, false, memory_order_release);
    free(late->changed.slots);
    late->changed = (struct hashes){0};
    pthread_mutex_unlock(&late->lock);
    if (why) {
        log_error("store_late_failed", "dir=%s why=%s next=%s", late->dirs[0].path, why,
                  "nothing is stored on disk until a restart");
        stores_close(&dropping.stores);
        return err ? err : ERR_UNSUPPORTED;
    }
    log_info("store_late", "dir=%s changed_meanwhile=%zu", late->dirs[0].path, dropping.count);
    return 0;
}
