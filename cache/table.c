#include "base/prefetch.h"
#include "base/mem.h"
#include "base/memory.h"
#include "cache/partial.h"
#include "cache/table_parts.h"

enum {
    SHED_STEP = 8,     /* objects that leave while a shard is locked */
    SHED_MAX = 256,    /* and in one call: somebody's loop waits */
    ENTRY_BYTES = 8,   /* of the map, for each entry */
    USUAL_HEAD = 1024, /* bytes of an object, without its body */
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

/* Other bits than those that choose the shard or the bucket. */
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

/* NULL where that would be waited for. */
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

static struct entry *entry_get(struct shard *shard, const uint8_t hash[KEY_HASH_SIZE])
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

/* What counts of it changes by this. */
static void count(struct table *table, struct shard *shard, struct entry *entry, size_t bytes,
                  size_t bodies)
{
    atomic_fetch_add_explicit(&table->bytes, bytes - entry->hot.bytes, memory_order_relaxed);
    shard->bodies += bodies - entry->bodies;
    entry->bodies = bodies;
}

static void tell_change(atomic_size_t *sum, size_t *told, size_t now)
{
    if (*told != now) {
        atomic_fetch_add_explicit(sum, now - *told, memory_order_relaxed);
        *told = now;
    }
}

/* After the queues have changed. */
static void tell_queues(struct table *table, struct shard *shard)
{
    tell_change(&table->fresh, &shard->fresh, shard->hot.bytes[HOT_NEW]);
    tell_change(&table->held, &shard->held, shard->hot.bytes[HOT_HELD]);
}

/* No object and no mark any more; a flight stays. The object is the caller's to give back, better
 * without the lock. */
static struct object *entry_clear(struct table *table, struct shard *shard, struct entry *entry)
{
    struct object *object = entry->object;

    count(table, shard, entry, 0, 0);
    hot_remove(&shard->hot, &entry->hot);
    tell_queues(table, shard);
    entry->pass_until = 0;
    entry->object = NULL;
    return object;
}

static void entry_free(struct entry *entry)
{
    memory_give(MEMORY_ENTRIES, sizeof(*entry) + ENTRY_BYTES);
    free(entry);
}

static void entry_tidy(struct shard *shard, struct entry *entry)
{
    if (entry->object == NULL && entry->flight == NULL && entry->pass_until == 0) {
        map_remove(&shard->map, &entry->link);
        entry_free(entry);
    }
}

/* After a 304 the body, and the head it came with, are another object's. */
static size_t object_bytes(const struct object *object, size_t *bodies)
{
    const struct object *owner = object->body_of ? object->body_of : object;

    *bodies = (owner->spool ? spool_memory(owner->spool) : 0) +
              (owner->parts ? partial_memory(owner->parts) : 0);
    return sizeof(struct entry) + object->size + (owner == object ? 0 : owner->size) + *bodies;
}

/* `pending`: the store does not have it yet. */
static void entry_put(struct table *table, struct shard *shard, struct entry *entry, bool pending)
{
    size_t bodies = 0;
    size_t bytes = entry->object ? object_bytes(entry->object, &bodies) : sizeof(*entry);

    count(table, shard, entry, bytes, bodies);
    hot_put(&shard->hot, &entry->hot, bytes, pending);
    tell_queues(table, shard);
}

/* ---- making room ---- */

/* Lets go of a few; their bytes. */
static size_t shed_some(struct table *table, struct shard *shard, enum hot_queue from, size_t bytes,
                        size_t *left)
{
    struct object *gone[SHED_STEP];
    size_t count = 0, freed = 0;

    pthread_mutex_lock(&shard->lock);
    while (count<SHED_STEP && * left> 0 && freed < bytes) {
        struct hot_entry *hot = hot_evict(&shard->hot, from);
        if (hot == NULL) {
            break;
        }
        struct entry *entry = container_of(hot, struct entry, hot);
        freed += hot->bytes;
        gone[count++] = entry_clear(table, shard, entry);
        entry_tidy(shard, entry);
        shard->evicted++;
        --*left;
    }
    tell_queues(table, shard);
    pthread_mutex_unlock(&shard->lock);
    for (size_t i = 0; i < count; i++) {
        object_unref(&gone[i]);
    }
    return freed;
}

/* What waits for the disk cannot go: it gives what is new no larger share. */
static enum hot_queue victim(struct table *table)
{
    size_t bytes = atomic_load_explicit(&table->bytes, memory_order_relaxed);
    size_t held = atomic_load_explicit(&table->held, memory_order_relaxed);

    return hot_victim(atomic_load_explicit(&table->fresh, memory_order_relaxed),
                      bytes > held ? bytes - held : 0);
}

/* Hot objects of about so many bytes go, a few from each shard in turn. When no shard has any in
 * the queue that is to become shorter, the other one must do. */
static void shed(struct table *table, size_t bytes)
{
    size_t left = SHED_MAX;

    for (unsigned barren = 0; bytes > 0 && left > 0 && barren < 2 * SHARDS;) {
        unsigned turn = atomic_fetch_add_explicit(&table->turn, 1, memory_order_relaxed);
        enum hot_queue from = victim(table);
        if (barren >= SHARDS) {
            from = from == HOT_NEW ? HOT_MAIN : HOT_NEW;
        }
        size_t freed = shed_some(table, &table->shards[turn % SHARDS], from, bytes, &left);
        bytes -= freed < bytes ? freed : bytes;
        barren = freed ? 0 : barren + 1;
    }
}

static void on_relief(void *arg, size_t bytes)
{
    shed(arg, bytes);
}

void table_relieve_memory(struct table *table)
{
    memory_set_relief(on_relief, table);
}

/* After something came in. Without a shard's lock. */
static void trim(struct table *table)
{
    size_t bytes = atomic_load_explicit(&table->bytes, memory_order_relaxed);
    size_t above = bytes > table->limit ? bytes - table->limit : 0;
    size_t excess = memory_excess();

    shed(table, excess > above ? excess : above);
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

/* ---- what is looked up soon ---- */

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
    struct entry *entry = entry_get(shard, object->key.hash);
    struct object *old = entry->object;

    entry->object = object_ref(object);
    entry->pass_until = 0;
    entry->hot.proven = entry->hot.proven || proven;
    entry_put(table, shard, entry, pending);
    table_unlock(shard);
    object_unref(&old);
    trim(table);
}

void table_put(struct table *table, struct object *object, bool pending)
{
    put(table, object, pending, false);
}

void table_warm(struct table *table, struct object *object, bool seen)
{
    put(table, object, false, seen);
}

/* The entry under the object's key, when it is still the object's. */
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
        entry_put(table, shard, entry, false);
    } else if (entry) {
        gone = entry_clear(table, shard, entry);
        entry_tidy(shard, entry);
    }
    table_unlock(shard);
    object_unref(&gone);
    trim(table);
}

static void forget(struct table *table, struct shard *shard, struct entry *entry)
{
    struct object *gone = NULL;

    if (entry) {
        gone = entry_clear(table, shard, entry);
        entry_tidy(shard, entry);
    }
    table_unlock(shard);
    object_unref(&gone);
}

void table_forget(struct table *table, const struct object *object)
{
    struct shard *shard = table_lock(table, object->key.hash);

    forget(table, shard, entry_of(shard, object));
}

void table_clear(struct table *table, const struct cache_key *key)
{
    struct shard *shard = table_lock(table, key->hash);

    forget(table, shard, table_entry(shard, key->hash));
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
    forget(table, shard, entry);
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
    struct shard *shard = table_lock(table, key->hash);
    struct entry *entry = entry_get(shard, key->hash);
    enum table_join result = JOIN_LEAD;

    if (entry->flight && !span_eq(flight_key(entry->flight)->text, key->text)) {
        result = JOIN_PASS; /* two keys with one 128-bit hash: never mixed */
    } else if (entry->flight) {
        flight_join(entry->flight, member, false, waker);
        result = JOIN_FOLLOW;
    } else if (entry->pass_until > now) {
        hot_use(&entry->hot, false);
        result = JOIN_PASS;
    } else if (entry->object && entry->object != found &&
               span_eq(entry->object->key.text, key->text)) {
        result = JOIN_CHANGED;
    } else {
        start_flight(shard, entry, key, found, member, waker);
    }
    table_unlock(shard);
    return result;
}

bool table_follow(struct table *table, const struct cache_key *key, const struct cache_key *wanted,
                  struct flight_member *member, struct waker waker)
{
    struct shard *shard = table_lock(table, key->hash);
    struct entry *entry = table_entry(shard, key->hash);
    struct flight *flight = entry ? entry->flight : NULL;
    bool follows =
        flight && span_eq(flight_key(flight)->text, key->text) && flight_may_bring(flight, wanted);

    if (follows) {
        flight_join(flight, member, false, waker);
    }
    table_unlock(shard);
    return follows;
}

void table_land(struct table *table, struct flight *flight, int64_t pass_until)
{
    struct shard *shard = table_lock(table, flight_key(flight)->hash);
    struct entry *entry = table_entry(shard, flight_key(flight)->hash);

    if (entry && entry->flight == flight) {
        entry->pass_reason = flight_why(flight);
        flight_unref(&entry->flight);
        shard->flights--;
        if (pass_until > 0 && entry->object == NULL) {
            entry->pass_until = pass_until;
            entry_put(table, shard, entry, false);
        } else {
            entry_tidy(shard, entry);
        }
    }
    table_unlock(shard);
    trim(table);
}

void table_unmark(struct table *table, const struct cache_key *key)
{
    struct shard *shard = table_lock(table, key->hash);
    struct entry *entry = table_entry(shard, key->hash);

    forget(table, shard, entry && entry->pass_until && !entry->object ? entry : NULL);
}
