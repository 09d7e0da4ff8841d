#include "cache/cache.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"
#include "cache/cache_parts.h"

enum {
    DIRTY_LIMIT_MIN = 16 << 20,
    INVALIDATED_PART = 16, /* of the memory, for the URLs that were invalidated lately */
    INVALIDATED_MIN = 64,  /* URLs of a guard */
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
        .invalidations = atomic_load(&cache->guards[number].invalidations),
        .changes = atomic_load(&cache->guards[number].changes),
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
    atomic_fetch_add(&guard->changes, 1);
    return guard;
}

void cache_guard_unlock(struct guard *guard)
{
    atomic_fetch_add(&guard->changes, 1);
    pthread_mutex_unlock(&guard->lock);
}

static uint64_t min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

int cache_open_stores(const struct cache_options *options, struct stores **out)
{
    uint64_t dirty = options->memory / 4;

    if (options->late && stores_are_busy(options->dirs, options->dir_count)) {
        return ERR_BUSY;
    }
    return stores_open(
        &(struct stores_options){
            .dirs = options->dirs,
            .count = options->dir_count,
            .dirty_limit = dirty > DIRTY_LIMIT_MIN ? dirty : DIRTY_LIMIT_MIN,
            .favor = options->favor,
        },
        out);
}

void cache_set_limits(struct cache *cache, struct stores *stores)
{
    uint64_t fits = stores ? stores_object_max(stores) : cache->memory / 4;
    uint64_t wanted = cache->object_max_wanted;
    uint64_t most = wanted ? wanted : UINT64_MAX;

    cache->object_max = min64(most, fits);
    cache->parts_max = min64(most, stores ? 3 * fits : fits);
}

void cache_set_object_max(struct cache *cache, uint64_t wanted)
{
    cache->object_max_wanted = wanted;
    cache_set_limits(cache, cache->stores);
}

/* How many URLs a guard remembers: a fetch that lasts is kept while so many others are invalidated.
 */
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
    cache_read_scopes(cache, options->dirs, options->dir_count);
    cache->secret = options->late ? *options->late : sip_key_random();
    for (size_t i = 0; i < GUARDS; i++) {
        CHECK(pthread_mutex_init(&cache->guards[i].lock, NULL) == 0);
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
    cache_keep_scopes(cache, stores);
    cache_set_object_max(cache, options->object_max);
    *out = cache;
    return 0;
}

/* What is complete becomes durable, and nothing is left in memory that lies in a segment. */
static void settle_all(struct cache *cache)
{
    struct stores *stores = cache->stores;

    do {
        if (stores) {
            stores_flush(stores); /* its answers still need the table */
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

/* ---- keeping ---- */

static bool has_no_body(const struct http_head *response)
{
    return response->framing == BODY_NONE ||
           (response->framing == BODY_LENGTH && response->content_length == 0);
}

/* Without a store: how large a response may become and still be kept. A large one that is asked for
 * once must not push out what is hot: it is kept when there is room for it anyway, or at its second
 * request. */
static uint64_t keep_max(struct cache *cache, const struct cache_key *key, int64_t length)
{
    if (length >= 0 && (length <= SMALL_MAX || memory_has_free((size_t)length))) {
        return cache->object_max;
    }
    if (table_was_seen(cache->table, key)) {
        return cache->object_max;
    }
    table_remember(cache->table, key);
    return min64(SMALL_MAX, cache->object_max);
}

/* Prepares the spool: to be stored, kept in memory, or passed through. */
static enum reason prepare(struct cache *cache, const struct admission *admission,
                           const struct cache_key *key, struct spool *spool)
{
    struct store_put *put;
    struct shelf shelf = cache_shelf(cache, key);
    int64_t length = admission->response->content_length;

    if (length > 0 && (uint64_t)length > cache->object_max) {
        return REASON_TOO_LARGE;
    }
    if (shelf.store == NULL) {
        spool_keep(spool, keep_max(cache, key, length));
        return REASON_STORED;
    }
    memory_relieve();
    if (memory_is_tight()) {
        return REASON_MEMORY;
    }
    if (shelf_put_begin(shelf, key->hash, key->text, &put) != 0) {
        return REASON_STORE_BUSY;
    }
    if (length < 0) {
        store_put_unmeasured(put);
    }
    spool_store(spool, shelf, put);
    spool_bound(spool, cache->object_max);
    return REASON_STORED;
}

struct object *cache_admit(struct cache *cache, const struct admission *admission, enum reason *why)
{
    struct cache_key key = *admission->primary;
    int64_t length = has_no_body(admission->response) ? 0 : admission->response->content_length;
    struct spool *spool = spool_new(&(struct spool_options){
        .expected = length,
        .limit = admission->spool_limit,
        .promised = admission->promised,
        .writer = admission->writer,
    });

    if (admission->store) {
        *why = cache_response_key(cache, admission, &key);
    }
    if (admission->store && *why == REASON_STORED) {
        *why = prepare(cache, admission, &key, spool);
    }
    struct object *object =
        object_new(&key, admission->response, admission->fields, admission->freshness, spool);
    object->body_len =
        admission->response->framing == BODY_NONE ? admission->response->content_length : length;
    object->stored_reason = *why;
    return object;
}

/* ---- ending a flight ---- */

struct settling {
    struct cache *cache;
    struct object *object;
};

/* On the store's writer thread, or at once without a store. */
void cache_settle(void *arg, int err)
{
    struct settling *settling = arg;
    struct cache *cache = settling->cache;
    struct object *object = settling->object;
    struct span body;
    bool whole = object_whole(object, &body);
    struct shelf shelf = cache_shelf(cache, &object->key);
    bool keep =
        shelf.store == NULL ? object_in_memory(object) : whole && body.len <= RAM_OBJECT_MAX;

    /* A hot object serves from memory even when the disk would not have it; what the disk had
     * before is older, and has been dropped: by the store, or by keep(). */
    (void)err;
    table_settle(cache->table, object, keep);
    object_unref(&settling->object);
    free(settling);
}

struct settling *cache_settling(struct cache *cache, struct object *object)
{
    struct settling *settling = xmalloc(sizeof(*settling));

    *settling = (struct settling){cache, object_ref(object)};
    return settling;
}

/* Most flights see no invalidation on their guard, and ask no further. */
bool cache_invalidated_since(struct cache *cache, struct flight_mark mark)
{
    struct guard *guard = &cache->guards[mark.guard];

    return atomic_load(&guard->invalidations) != mark.invalidations &&
           invalidated_since(&guard->recent, mark.url, mark.invalidations);
}

bool cache_is_outdated(struct cache *cache, const struct flight *flight)
{
    return flight_is_doomed(flight) || cache_invalidated_since(cache, flight_mark(flight));
}

void cache_forget(struct cache *cache, const struct cache_key *key)
{
    table_clear(cache->table, key);
    cache_changed(cache, key);
    shelf_drop(cache_shelf(cache, key), key->hash, NULL, NULL);
}

/* Under the guard: in the table first, so that it is found before the store has it. What has no
 * record is not kept at all, nor is what it would have replaced. */
static void keep(struct cache *cache, struct object *object)
{
    struct buf head = BUF_INIT;
    struct object_meta meta;

    if (object_encode(object, &head, &meta) != 0) {
        spool_end(object->spool, 0);
        cache_forget(cache, &object->key);
        return;
    }
    table_put(cache->table, object, true);
    cache_changed(cache, &object->key);
    if (!spool_has_put(object->spool)) { /* the store has come since it began */
        shelf_drop(cache_shelf(cache, &object->key), object->key.hash, NULL, NULL);
    }
    spool_commit(object->spool, buf_span(&head), &meta, sizeof(meta), cache_settle,
                 cache_settling(cache, object));
    buf_fini(&head);
}

/* What is under the key now, as far as it is at hand: *unknown when it is on disk, and cold. */
static struct object *at_hand(struct cache *cache, const struct cache_key *key, bool *unknown)
{
    struct cold cold;
    bool from_memory;

    cold_init(&cold, COLD_NEVER, (struct waker){0});
    struct object *now = cache_peek(cache, key, &cold, &from_memory);
    *unknown = now == NULL && cold.again;
    return now;
}

/* Under the guard, which counts our own beginning already. What is on disk only and not at hand is
 * not waited for: it is not known to be newer. Nor is what seems to come from the future: the clock
 * was set back. */
static bool is_overtaken(struct cache *cache, const struct flight *flight,
                         const struct object *object)
{
    struct flight_mark mark = flight_mark(flight);
    bool unknown;

    if (atomic_load(&cache->guards[mark.guard].changes) - 1 == mark.changes) {
        return false;
    }
    struct object *now = at_hand(cache, &object->key, &unknown);
    int64_t then = now ? now->freshness.response_time : 0;

    object_unref(&now);
    return then > object->freshness.response_time && then <= clock_wall();
}

enum reason cache_why_unwanted(struct cache *cache, const struct object *object)
{
    bool had_room = cache->stores && !spool_lacks_room(object->spool);

    if (spool_is_wanted(object->spool)) {
        return REASON_STORED;
    }
    return had_room ? REASON_STORE_BUSY : REASON_MEMORY;
}

/* Under the guard. REASON_STORED, or why the complete object is not to be kept after all. */
static enum reason why_not_kept(struct cache *cache, const struct flight *flight,
                                const struct object *object)
{
    if (cache_is_outdated(cache, flight)) {
        return REASON_INVALIDATED;
    }
    if (is_overtaken(cache, flight, object)) {
        return REASON_OVERTAKEN;
    }
    if (spool_is_outgrown(object->spool) || spool_length(object->spool) > cache->object_max) {
        return REASON_TOO_LARGE; /* it had not said so */
    }
    return cache_why_unwanted(cache, object);
}

enum reason cache_commit(struct cache *cache, struct flight *flight, struct object *object)
{
    struct guard *guard = cache_guard_lock(cache, flight_mark(flight).guard);
    enum reason why = why_not_kept(cache, flight, object);

    object->body_len = (int64_t)spool_length(object->spool);
    switch (why) {
    case REASON_INVALIDATED:
    case REASON_OVERTAKEN:
        spool_end(object->spool, 0);
        break;
    case REASON_TOO_LARGE: /* but what it would have replaced is older */
        spool_end(object->spool, 0);
        cache_forget(cache, &object->key);
        break;
    default:
        keep(cache, object);
        break;
    }
    cache_guard_unlock(guard);
    table_land(cache->table, flight, 0);
    return why;
}

/* Under the guard. */
static void renew(struct cache *cache, struct object *object)
{
    struct buf head = BUF_INIT;
    struct object_meta meta;

    if (object_encode(object, &head, &meta) != 0) {
        cache_forget(cache, &object->key);
        return;
    }
    table_put(cache->table, object, true);
    cache_changed(cache, &object->key);
    if (object_parts(object)) {
        buf_fini(&head);
        return; /* cache_save_parts() follows */
    }
    struct shelf shelf = cache_shelf(cache, &object->key);
    if (shelf.store == NULL) {
        buf_fini(&head);
        cache_settle(cache_settling(cache, object), 0);
        return;
    }
    shelf_update(shelf, object->key.hash, object->key.text, buf_span(&head), &meta, sizeof(meta),
                 cache_settle, cache_settling(cache, object));
    buf_fini(&head);
}

/* Under the guard. A private flight is not the only one for its key: something newer than what it
 * validates may be stored by now, in the same second, too. What would have to be read from the disk
 * first counts as newer, and so does what is not known to have the same body: then the old one is
 * validated again by the next request. */
static bool is_newest(struct cache *cache, const struct flight *flight)
{
    struct object *stale = flight_stale(flight);
    bool unknown;
    struct object *now = at_hand(cache, &stale->key, &unknown);
    bool newest = now == NULL ? !unknown
                              : (now->freshness.response_time <= stale->freshness.response_time &&
                                 object_same_body(now, stale));

    object_unref(&now);
    return newest;
}

void cache_update(struct cache *cache, struct flight *flight, struct object *object)
{
    struct guard *guard = cache_guard_lock(cache, flight_mark(flight).guard);
    bool valid = !cache_is_outdated(cache, flight) && is_newest(cache, flight);

    if (valid) {
        renew(cache, object);
    }
    cache_guard_unlock(guard);
    if (valid && object_parts(object)) {
        cache_save_parts(cache, object, flight_mark(flight));
    }
    table_land(cache->table, flight, 0);
}

void cache_discard(struct cache *cache, struct flight *flight, int64_t pass_until)
{
    struct guard *guard = cache_guard_lock(cache, flight_mark(flight).guard);

    cache_forget(cache, flight_key(flight));
    cache_guard_unlock(guard);
    table_land(cache->table, flight, pass_until);
}

void cache_abandon(struct cache *cache, struct flight *flight, int64_t pass_until)
{
    table_land(cache->table, flight, pass_until);
}

void cache_unmark(struct cache *cache, const struct cache_key *key)
{
    table_unmark(cache->table, key);
}

struct flight *cache_private_flight(struct flight_member *member, struct object *stale,
                                    const struct cache_key *key, struct waker waker)
{
    struct flight *flight = flight_new(key, stale);

    flight_join(flight, member, true, waker);
    return flight;
}

void cache_adopt(struct cache *cache, struct flight *flight, const struct uri *uri,
                 struct span zone, struct arena *arena, struct cache_key *primary)
{
    cache_primary_key(cache, uri, zone, arena, primary);
    flight_set_mark(flight, cache_mark(cache, primary));
}

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
