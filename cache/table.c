#include "cache/table.h"

#include "base/map.h"
#include "base/mem.h"
#include "cache/partial.h"

#include <pthread.h>

enum { SHARDS = 64 };

/* An entry exists while it has an object, a flight or a mark. */
struct entry {
    struct map_link link;
    struct list order; /* in the shard's SIEVE queue while it has an object or a mark */
    uint8_t hash[KEY_HASH_SIZE];
    struct object *object;
    struct flight *flight;
    int64_t pass_until;
    enum reason pass_reason;
    size_t bytes;
    bool visited;
    bool pending;
};

struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct map map;
    struct list queue; /* newest first */
    struct list *hand; /* next one to look at, or the queue's head */
    size_t bytes, limit, flights;
    uint64_t evicted;
};

struct table {
    struct shard shards[SHARDS];
};

struct table *table_new(size_t bytes)
{
    struct table *table = aligned_alloc(64, sizeof(*table));

    CHECK(table != NULL);
    memset(table, 0, sizeof(*table));
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &table->shards[i];
        CHECK(pthread_mutex_init(&shard->lock, NULL) == 0);
        map_init(&shard->map, 64);
        list_init(&shard->queue);
        shard->hand = &shard->queue;
        shard->limit = bytes / SHARDS;
    }
    return table;
}

static uint64_t hash_of(const uint8_t hash[KEY_HASH_SIZE])
{
    uint64_t word;

    memcpy(&word, hash, sizeof(word));
    return word;
}

static struct shard *lock_shard(struct table *table, const uint8_t hash[KEY_HASH_SIZE])
{
    struct shard *shard = &table->shards[hash[KEY_HASH_SIZE - 1] % SHARDS];

    pthread_mutex_lock(&shard->lock);
    return shard;
}

static void unlock_shard(struct shard *shard)
{
    pthread_mutex_unlock(&shard->lock);
}

/* ---- entries, under the shard's lock ---- */

static struct entry *entry_find(struct shard *shard, const uint8_t hash[KEY_HASH_SIZE])
{
    struct map_link *link = map_first(&shard->map, hash_of(hash));

    for (; link; link = map_next(link)) {
        struct entry *entry = container_of(link, struct entry, link);
        if (memcmp(entry->hash, hash, KEY_HASH_SIZE) == 0) {
            return entry;
        }
    }
    return NULL;
}

static struct entry *entry_get(struct shard *shard, const uint8_t hash[KEY_HASH_SIZE])
{
    struct entry *entry = entry_find(shard, hash);

    if (entry == NULL) {
        entry = xcalloc(1, sizeof(*entry));
        memcpy(entry->hash, hash, KEY_HASH_SIZE);
        list_init(&entry->order);
        map_insert(&shard->map, &entry->link, hash_of(hash));
    }
    return entry;
}

static void entry_dequeue(struct shard *shard, struct entry *entry)
{
    if (shard->hand == &entry->order) {
        shard->hand = entry->order.prev;
    }
    list_remove(&entry->order);
    shard->bytes -= entry->bytes;
    entry->bytes = 0;
}

/* No object and no mark any more; a flight stays. */
static void entry_clear(struct shard *shard, struct entry *entry)
{
    entry_dequeue(shard, entry);
    entry->pass_until = 0;
    entry->pending = false;
    object_unref(&entry->object);
}

static void entry_tidy(struct shard *shard, struct entry *entry)
{
    if (entry->object == NULL && entry->flight == NULL && entry->pass_until == 0) {
        map_remove(&shard->map, &entry->link);
        free(entry);
    }
}

/* After a 304 the body, and the head it came with, are another object's. */
static size_t object_bytes(const struct object *object)
{
    const struct object *owner = object->body_of ? object->body_of : object;
    size_t bytes = sizeof(struct entry) + object->size + (owner == object ? 0 : owner->size);

    return bytes + (owner->spool ? spool_memory(owner->spool) : 0) +
           (owner->parts ? partial_memory(owner->parts) : 0);
}

/* SIEVE (Zhang et al., NSDI 2024): the hand moves from old to new; what was used since its last
 * visit stays where it is, the first that was not goes. */
static bool evict_one(struct shard *shard)
{
    for (size_t looked = 0; looked <= 2 * shard->map.count + 1; looked++) {
        if (shard->hand == &shard->queue) {
            shard->hand = shard->queue.prev;
            if (shard->hand == &shard->queue) {
                return false;
            }
        }
        struct entry *entry = list_entry(shard->hand, struct entry, order);
        if (!entry->visited && !entry->pending) {
            entry_clear(shard, entry);
            entry_tidy(shard, entry);
            shard->evicted++;
            return true;
        }
        entry->visited = false;
        shard->hand = shard->hand->prev;
    }
    return false;
}

/* The entry becomes the newest of the queue; older ones make room. It may go itself when it alone
 * is too large: the caller must not use it afterwards. */
static void entry_enqueue(struct shard *shard, struct entry *entry, size_t bytes)
{
    entry->visited = false;
    entry->bytes = bytes;
    shard->bytes += bytes;
    list_push_front(&shard->queue, &entry->order);
    while (shard->bytes > shard->limit && evict_one(shard)) {
    }
}

static void free_entry(struct map_link *link, void *arg)
{
    struct entry *entry = container_of(link, struct entry, link);

    CHECK(entry->flight == NULL);
    entry_clear(arg, entry);
    free(entry);
}

void table_free(struct table **slot)
{
    struct table *table = *slot;

    *slot = NULL;
    for (size_t i = 0; table && i < SHARDS; i++) {
        struct shard *shard = &table->shards[i];
        map_each(&shard->map, free_entry, shard);
        map_fini(&shard->map);
        pthread_mutex_destroy(&shard->lock);
    }
    free(table);
}

/* ---- objects ---- */

struct object *table_find(struct table *table, const struct cache_key *key)
{
    struct shard *shard = lock_shard(table, key->hash);
    struct entry *entry = entry_find(shard, key->hash);
    struct object *object = NULL;

    if (entry && entry->object && span_eq(entry->object->key.text, key->text)) {
        entry->visited = true;
        object = object_ref(entry->object);
    }
    unlock_shard(shard);
    return object;
}

void table_put(struct table *table, struct object *object, bool pending)
{
    struct shard *shard = lock_shard(table, object->key.hash);
    struct entry *entry = entry_get(shard, object->key.hash);

    object_ref(object);
    entry_clear(shard, entry);
    entry->object = object;
    entry->pending = pending;
    entry_enqueue(shard, entry, object_bytes(object));
    unlock_shard(shard);
}

void table_settle(struct table *table, struct object *object, bool keep)
{
    struct shard *shard = lock_shard(table, object->key.hash);
    struct entry *entry = entry_find(shard, object->key.hash);

    if (entry && entry->object == object) {
        entry->pending = false;
        if (!keep) {
            entry_clear(shard, entry);
            entry_tidy(shard, entry);
        }
    }
    unlock_shard(shard);
}

void table_forget(struct table *table, const struct object *object)
{
    struct shard *shard = lock_shard(table, object->key.hash);
    struct entry *entry = entry_find(shard, object->key.hash);

    if (entry && entry->object == object) {
        entry_clear(shard, entry);
        entry_tidy(shard, entry);
    }
    unlock_shard(shard);
}

void table_clear(struct table *table, const struct cache_key *key)
{
    struct shard *shard = lock_shard(table, key->hash);
    struct entry *entry = entry_find(shard, key->hash);

    if (entry) {
        entry_clear(shard, entry);
        entry_tidy(shard, entry);
    }
    unlock_shard(shard);
}

void table_drop(struct table *table, const struct cache_key *key)
{
    struct shard *shard = lock_shard(table, key->hash);
    struct entry *entry = entry_find(shard, key->hash);

    if (entry) {
        entry_clear(shard, entry);
        if (entry->flight) {
            flight_doom(entry->flight);
            flight_unref(&entry->flight);
            shard->flights--;
        }
        entry_tidy(shard, entry);
    }
    unlock_shard(shard);
}

/* ---- flights ---- */

static void start_flight(struct shard *shard, struct entry *entry, const struct cache_key *key,
                         struct object *stale, struct flight_member *member, struct waker waker)
{
    entry->flight = flight_new(key, stale);
    shard->flights++;
    flight_join(entry->flight, member, true, waker);
}

enum table_join table_join(struct table *table, const struct cache_key *key, struct object *found,
                           int64_t now, struct flight_member *member, struct waker waker)
{
    struct shard *shard = lock_shard(table, key->hash);
    struct entry *entry = entry_get(shard, key->hash);
    enum table_join result = JOIN_LEAD;

    if (entry->flight && !span_eq(flight_key(entry->flight)->text, key->text)) {
        result = JOIN_PASS; /* two keys with one 128-bit hash: never mixed */
    } else if (entry->flight) {
        flight_join(entry->flight, member, false, waker);
        result = JOIN_FOLLOW;
    } else if (entry->pass_until > now) {
        result = JOIN_PASS;
    } else if (entry->object && entry->object != found &&
               span_eq(entry->object->key.text, key->text)) {
        result = JOIN_CHANGED;
    } else {
        start_flight(shard, entry, key, found, member, waker);
    }
    unlock_shard(shard);
    return result;
}

void table_land(struct table *table, struct flight *flight, int64_t pass_until)
{
    struct shard *shard = lock_shard(table, flight_key(flight)->hash);
    struct entry *entry = entry_find(shard, flight_key(flight)->hash);

    if (entry && entry->flight == flight) {
        entry->pass_reason = flight_why(flight);
        flight_unref(&entry->flight);
        shard->flights--;
        if (pass_until > 0 && entry->object == NULL) {
            entry_dequeue(shard, entry);
            entry->pass_until = pass_until;
            entry_enqueue(shard, entry, sizeof(*entry));
        } else {
            entry_tidy(shard, entry);
        }
    }
    unlock_shard(shard);
}

void table_unmark(struct table *table, const struct cache_key *key)
{
    struct shard *shard = lock_shard(table, key->hash);
    struct entry *entry = entry_find(shard, key->hash);

    if (entry && entry->pass_until != 0 && entry->object == NULL) {
        entry_clear(shard, entry);
        entry_tidy(shard, entry);
    }
    unlock_shard(shard);
}

/* ---- looking without a trace ---- */

void table_view(struct table *table, const struct cache_key *key, struct table_view *out)
{
    struct shard *shard = lock_shard(table, key->hash);
    struct entry *entry = entry_find(shard, key->hash);

    *out = (struct table_view){0};
    if (entry && entry->object && span_eq(entry->object->key.text, key->text)) {
        out->object = object_ref(entry->object);
        out->pending = entry->pending;
    }
    if (entry && entry->flight) {
        out->fetching = true;
        out->waiting = flight_members(entry->flight);
    }
    if (entry && entry->object == NULL && entry->pass_until > 0) {
        out->pass_until = entry->pass_until;
        out->pass_reason = entry->pass_reason;
    }
    unlock_shard(shard);
}

struct listing {
    struct span prefix;
    struct object **out;
    size_t count, max;
};

static void list_one(struct map_link *link, void *arg)
{
    struct entry *entry = container_of(link, struct entry, link);
    struct listing *listing = arg;

    if (entry->object == NULL || listing->count == listing->max ||
        !span_starts(entry->object->key.text, listing->prefix)) {
        return;
    }
    for (size_t i = 0; i < listing->count; i++) {
        if (listing->out[i] == entry->object) {
            return; /* the table has grown meanwhile */
        }
    }
    listing->out[listing->count++] = object_ref(entry->object);
}

size_t table_list(struct table *table, struct span prefix, struct object **out, size_t max)
{
    enum { STEP = 256 }; /* buckets looked at under the lock */
    struct listing listing = {.prefix = prefix, .out = out, .max = max};
    size_t steps = TABLE_LIST_BUCKETS / STEP;

    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &table->shards[i];
        size_t bucket = 0;
        bool more = true;
        while (more && listing.count < max && steps > 0) {
            steps--;
            pthread_mutex_lock(&shard->lock);
            more = map_walk(&shard->map, &bucket, STEP, list_one, &listing);
            pthread_mutex_unlock(&shard->lock);
        }
    }
    return listing.count;
}

void table_stats(struct table *table, struct table_stats *out)
{
    *out = (struct table_stats){0};
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &table->shards[i];
        pthread_mutex_lock(&shard->lock);
        out->entries += shard->map.count;
        out->bytes += shard->bytes;
        out->flights += shard->flights;
        out->evicted += shard->evicted;
        pthread_mutex_unlock(&shard->lock);
    }
}
