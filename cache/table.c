/* table - the entries of the table and the objects in them. */
#include "base/mem.h"
#include "base/memory.h"
#include "base/prefetch.h"
#include "cache/partial.h"
#include "cache/table_parts.h"

enum {
    ENTRY_BYTES = 8,   /* memory of the map for each entry */
    USUAL_HEAD = 1024, /* bytes of a usual object without its body, to prefetch */
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
        hot_init(&shard->hot);
    }
    table->limit = bytes;
    memory_take(MEMORY_ENTRIES, sizeof(*table));
    return table;
}

static uint64_t hash_of(const uint8_t hash[KEY_HASH_SIZE])
{
    uint64_t word;

    memcpy(&word, hash, sizeof(word));
    return word;
}

/* Bits of the hash that choose neither the shard nor the bucket. */
static uint32_t tag_of(const uint8_t hash[KEY_HASH_SIZE])
{
    uint32_t word;

    memcpy(&word, hash + sizeof(uint64_t), sizeof(word));
    return word;
}

static struct shard *shard_of(struct table *table, const uint8_t hash[KEY_HASH_SIZE])
{
    return &table->shards[hash[KEY_HASH_SIZE - 1] % SHARDS];
}

struct shard *table_lock(struct table *table, const uint8_t hash[KEY_HASH_SIZE])
{
    struct shard *shard = shard_of(table, hash);

    pthread_mutex_lock(&shard->lock);
    return shard;
}

void table_unlock(struct shard *shard)
{
    pthread_mutex_unlock(&shard->lock);
}

/* Returns NULL instead of waiting when another thread holds the lock. */
static struct shard *try_lock(struct table *table, const uint8_t hash[KEY_HASH_SIZE])
{
    struct shard *shard = shard_of(table, hash);

    return pthread_mutex_trylock(&shard->lock) == 0 ? shard : NULL;
}

/* ---- entries, under the shard's lock ---- */

struct entry *table_entry(struct shard *shard, const uint8_t hash[KEY_HASH_SIZE])
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

static void prefetch_head(const struct entry *entry)
{
    if (entry && entry->object) {
        prefetch(entry->object, USUAL_HEAD);
    }
}

struct entry *table_entry_with(struct shard *shard, const struct cache_key *key)
{
    struct entry *entry = table_entry(shard, key->hash);

    prefetch_head(entry);
    return entry && entry->object && span_eq(entry->object->key.text, key->text) ? entry : NULL;
}

struct entry *table_entry_get(struct shard *shard, const uint8_t hash[KEY_HASH_SIZE])
{
    struct entry *entry = table_entry(shard, hash);

    if (entry == NULL) {
        entry = xcalloc(1, sizeof(*entry));
        memcpy(entry->hash, hash, KEY_HASH_SIZE);
        hot_entry_init(&entry->hot, tag_of(hash));
        memory_take(MEMORY_ENTRIES, sizeof(*entry) + ENTRY_BYTES);
        map_insert(&shard->map, &entry->link, hash_of(hash));
    }
    return entry;
}

/* Corrects the sums of the table and the shard: the entry now uses `bytes`, `bodies` of them for
 * the body. */
static void count(struct table *table, struct shard *shard, struct entry *entry, size_t bytes,
                  size_t bodies)
{
    atomic_fetch_add_explicit(&table->bytes, bytes - entry->hot.bytes, memory_order_relaxed);
    shard->bodies += bodies - entry->bodies;
    entry->bodies = bodies;
}

static void publish_change(atomic_size_t *sum, size_t *published, size_t now)
{
    if (*published != now) {
        atomic_fetch_add_explicit(sum, now - *published, memory_order_relaxed);
        *published = now;
    }
}

void table_publish_queues(struct table *table, struct shard *shard)
{
    publish_change(&table->new_bytes, &shard->new_bytes, shard->hot.bytes[HOT_NEW]);
    publish_change(&table->held_bytes, &shard->held_bytes, shard->hot.bytes[HOT_HELD]);
}

struct object *table_entry_clear(struct table *table, struct shard *shard, struct entry *entry)
{
    struct object *object = entry->object;

    count(table, shard, entry, 0, 0);
    hot_remove(&shard->hot, &entry->hot);
    table_publish_queues(table, shard);
    entry->pass_until = 0;
    entry->object = NULL;
    return object;
}

static void entry_free(struct entry *entry)
{
    memory_give(MEMORY_ENTRIES, sizeof(*entry) + ENTRY_BYTES);
    free(entry);
}

void table_entry_tidy(struct shard *shard, struct entry *entry)
{
    if (entry->object == NULL && entry->flight == NULL && entry->pass_until == 0) {
        map_remove(&shard->map, &entry->link);
        entry_free(entry);
    }
}

/* Bytes of an object with its body. After a 304 the body belongs to the object with the former
 * head, which counts, too. */
static size_t object_bytes(const struct object *object, size_t *bodies)
{
    const struct object *owner = object->body_of ? object->body_of : object;

    *bodies = (owner->spool ? spool_memory(owner->spool) : 0) +
              (owner->parts ? partial_memory(owner->parts) : 0);
    return sizeof(struct entry) + object->size + (owner == object ? 0 : owner->size) + *bodies;
}

void table_entry_put(struct table *table, struct shard *shard, struct entry *entry, bool pending)
{
    size_t bodies = 0;
    size_t bytes = entry->object ? object_bytes(entry->object, &bodies) : sizeof(*entry);

    count(table, shard, entry, bytes, bodies);
    hot_put(&shard->hot, &entry->hot, bytes, pending);
    table_publish_queues(table, shard);
}

/* ---- life ---- */

static void free_entry(struct map_link *link, void *arg)
{
    struct entry *entry = container_of(link, struct entry, link);

    CHECK(entry->flight == NULL);
    hot_remove(arg, &entry->hot);
    object_unref(&entry->object);
    entry_free(entry);
}

void table_free(struct table **slot)
{
    struct table *table = *slot;

    *slot = NULL;
    if (table == NULL) {
        return;
    }
    memory_set_relief(NULL, NULL);
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &table->shards[i];
        map_each(&shard->map, free_entry, &shard->hot);
        map_fini(&shard->map);
        hot_fini(&shard->hot);
        pthread_mutex_destroy(&shard->lock);
    }
    memory_give(MEMORY_ENTRIES, sizeof(*table));
    free(table);
}

/* ---- prefetching for lookups that come soon ---- */

void table_prefetch(struct table *table, const struct cache_key *key)
{
    map_prefetch(&shard_of(table, key->hash)->map, hash_of(key->hash));
}

void table_prefetch_entry(struct table *table, const struct cache_key *key)
{
    struct shard *shard = try_lock(table, key->hash);

    if (shard) {
        map_prefetch_first(&shard->map, hash_of(key->hash), sizeof(struct entry));
        table_unlock(shard);
    }
}

void table_prefetch_object(struct table *table, const struct cache_key *key)
{
    struct shard *shard = try_lock(table, key->hash);

    if (shard) {
        prefetch_head(table_entry(shard, key->hash));
        table_unlock(shard);
    }
}

/* ---- objects ---- */

struct object *table_find(struct table *table, const struct cache_key *key)
{
    struct shard *shard = table_lock(table, key->hash);
    struct entry *entry = table_entry_with(shard, key);
    struct object *object = entry ? object_ref(entry->object) : NULL;

    table_unlock(shard);
    return object;
}

struct object *table_use(struct table *table, const struct cache_key *key, unsigned *tell,
                         bool *seen)
{
    struct shard *shard = table_lock(table, key->hash);
    struct entry *entry = table_entry_with(shard, key);
    struct object *object = NULL;

    *tell = 0;
    *seen = false;
    if (entry) {
        *tell = hot_use(&entry->hot, !hot_is_held(&entry->hot));
        object = object_ref(entry->object);
    } else {
        *seen = hot_was_seen(&shard->hot, tag_of(key->hash));
    }
    table_unlock(shard);
    return object;
}

bool table_was_seen(struct table *table, const struct cache_key *key)
{
    struct shard *shard = table_lock(table, key->hash);
    bool seen = hot_was_seen(&shard->hot, tag_of(key->hash));

    if (seen) {
        hot_remember(&shard->hot, tag_of(key->hash));
    }
    table_unlock(shard);
    return seen;
}

void table_remember(struct table *table, const struct cache_key *key)
{
    struct shard *shard = table_lock(table, key->hash);

    hot_remember(&shard->hot, tag_of(key->hash));
    table_unlock(shard);
}

static void put(struct table *table, struct object *object, bool pending, bool proven)
{
    struct shard *shard = table_lock(table, object->key.hash);
    struct entry *entry = table_entry_get(shard, object->key.hash);
    struct object *old = entry->object;

    entry->object = object_ref(object);
    entry->pass_until = 0;
    entry->hot.proven = entry->hot.proven || proven;
    table_entry_put(table, shard, entry, pending);
    table_unlock(shard);
    object_unref(&old);
    table_trim(table, shard);
}

void table_put(struct table *table, struct object *object, bool pending)
{
    put(table, object, pending, false);
}

void table_warm(struct table *table, struct object *object, bool seen)
{
    put(table, object, false, seen);
}

/* The entry that holds this object. NULL: another object has taken its place, or none is there. */
static struct entry *entry_of(struct shard *shard, const struct object *object)
{
    struct entry *entry = table_entry(shard, object->key.hash);

    return entry && entry->object == object ? entry : NULL;
}

void table_settle(struct table *table, struct object *object, bool keep)
{
    struct shard *shard = table_lock(table, object->key.hash);
    struct entry *entry = entry_of(shard, object);
    struct object *gone = NULL;

    if (entry && keep) {
        table_entry_put(table, shard, entry, false);
    } else if (entry) {
        gone = table_entry_clear(table, shard, entry);
        table_entry_tidy(shard, entry);
    }
    table_unlock(shard);
    object_unref(&gone);
    table_trim(table, shard);
}

void table_entry_forget(struct table *table, struct shard *shard, struct entry *entry)
{
    struct object *gone = NULL;

    if (entry) {
        gone = table_entry_clear(table, shard, entry);
        table_entry_tidy(shard, entry);
    }
    table_unlock(shard);
    object_unref(&gone);
}

void table_forget(struct table *table, const struct object *object)
{
    struct shard *shard = table_lock(table, object->key.hash);

    table_entry_forget(table, shard, entry_of(shard, object));
}

void table_clear(struct table *table, const struct cache_key *key)
{
    struct shard *shard = table_lock(table, key->hash);

    table_entry_forget(table, shard, table_entry(shard, key->hash));
}

void table_drop(struct table *table, const struct cache_key *key)
{
    struct shard *shard = table_lock(table, key->hash);
    struct entry *entry = table_entry(shard, key->hash);

    if (entry && entry->flight) {
        flight_doom(entry->flight);
        flight_unref(&entry->flight);
        shard->flights--;
    }
    table_entry_forget(table, shard, entry);
}
