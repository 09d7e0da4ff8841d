/*
 * keep - stores fetched responses: makes their objects (admission), keeps them in memory and on
 * disk (commit), renews them after a 304, or gives them up.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "cache/cache_parts.h"

enum {
    ONCE_PART = 16, /* divides memory: the largest body kept at its first request */
    /* divides memory: most bytes of one arriving body in memory, without a store */
    TRANSIT_PART = 64,
    TRANSIT_LEAST = 128 * 1024, /* lower bound for that */
    /* lower bound for that with a store: one group of chunks is being written while the next
     * arrives */
    STORING_LEAST = 512 * 1024,
    CONFIRMED_EVERY_S = 60, /* a head that a 304 only confirmed is written at most this often */
};

/* ---- admission ---- */

static bool has_no_body(const struct http_head *response)
{
    return response->framing == BODY_NONE ||
           (response->framing == BODY_LENGTH && response->content_length == 0);
}

/* The largest body kept at its first request: the share of the small queue, in which such objects
 * stay (hot.h). */
static uint64_t once_max(const struct cache *cache)
{
    uint64_t part = memory_limit() ? memory_limit() / ONCE_PART : SMALL_MAX;

    return min_u64(min_u64(part, SMALL_MAX), cache->object_max);
}

/* Without a store: how long a response may become and still be kept. A large response requested
 * only once must not evict hot objects: it is kept if there is free memory for it, or at its second
 * request (cache_settle()). */
static uint64_t keep_max(const struct cache *cache, const struct cache_key *key, int64_t length)
{
    uint64_t once = once_max(cache);
    bool fits = length >= 0 && ((uint64_t)length <= once || memory_has_free((size_t)length));

    return fits || table_was_seen(cache->table, key) ? cache->object_max : once;
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
    spool_store(spool, shelf, put, once_max(cache));
    spool_bound(spool, cache->object_max);
    return REASON_STORED;
}

/* Arriving bodies take memory from hot objects: without a store until they were read, with a store
 * until they are on disk. */
static size_t spool_limit(const struct cache *cache, size_t wanted)
{
    size_t memory = memory_limit();
    size_t most = cache->stores ? max_u64(memory / ONCE_PART, STORING_LEAST)
                                : max_u64(memory / TRANSIT_PART, TRANSIT_LEAST);

    return memory ? min_u64(wanted, most) : wanted;
}

struct object *cache_admit(struct cache *cache, const struct admission *admission, enum reason *why)
{
    struct cache_key key = *admission->primary;
    int64_t length = has_no_body(admission->response) ? 0 : admission->response->content_length;
    struct spool *spool = spool_new(&(struct spool_options){
        .expected = length,
        .limit = spool_limit(cache, admission->spool_limit),
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

/* Is its body small enough to stay in memory, and there as a whole? */
static bool is_hot(const struct object *object)
{
    struct span body;

    return object_whole(object, &body) && body.len <= RAM_OBJECT_MAX;
}

/* Called on the store's writer thread, or at once when there is no store. */
void cache_settle(void *arg, int err)
{
    struct settling *settling = arg;
    struct cache *cache = settling->cache;
    struct object *object = settling->object;
    struct shelf shelf = cache_shelf(cache, &object->key);
    bool keep = shelf.store == NULL ? object_in_memory(object) : is_hot(object);

    /* A hot object answers from memory even if the store has refused it. An older record under its
     * key has been deleted, by the store or by keep(). */
    if (!err && shelf.store) {
        object->saved = object->freshness.response_time;
    }
    table_settle(cache->table, object, keep);
    /* remembered, so that it is kept in memory when requested again */
    if (shelf.store == NULL && !keep) {
        table_remember(cache->table, &object->key);
    }
    object_unref(&settling->object);
    free(settling);
}

struct settling *cache_settling(struct cache *cache, struct object *object)
{
    struct settling *settling = xmalloc(sizeof(*settling));

    *settling = (struct settling){cache, object_ref(object)};
    return settling;
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

/* Under the guard. The object enters the table first, so that requests find it before the store has
 * committed it. If it cannot be encoded, neither it nor the response it replaces is kept. */
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
    /* the store was opened after the response began to arrive, so it may have an older record */
    if (!spool_has_put(object->spool)) {
        shelf_drop(cache_shelf(cache, &object->key), object->key.hash, NULL, NULL);
    }
    spool_commit(object->spool, buf_span(&head), &meta, sizeof(meta), cache_settle,
                 cache_settling(cache, object));
    buf_fini(&head);
}

/* The object under the key, if memory has it or its record can be read without waiting. *unknown:
 * it may exist on disk, but reading it would have to wait. */
static struct object *at_hand(struct cache *cache, const struct cache_key *key, bool *unknown)
{
    struct cold cold;
    bool from_memory;

    cold_init(&cold, COLD_NEVER, (struct waker){0});
    struct object *now = cache_peek(cache, key, &cold, &from_memory);
    *unknown = now == NULL && cold.again;
    return now;
}

/* Under the guard, whose `changes` already include this change. Has nothing else changed since the
 * flight began? Then what was found at its beginning is there still, if it was not evicted. */
static bool is_unchanged(struct cache *cache, const struct flight *flight)
{
    struct flight_mark mark = flight_mark(flight);

    return atomic_load(&cache->counts[mark.guard].changes) - 1 == mark.changes;
}

/* Under the guard. Was a newer response stored during the fetch? A record that could only be read
 * by waiting for the disk is not taken for newer. Nor is one from the future: then the clock was
 * set back. */
static bool is_overtaken(struct cache *cache, const struct flight *flight,
                         const struct object *object)
{
    bool unknown;

    if (is_unchanged(cache, flight)) {
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

/* Under the guard. REASON_STORED, or why the complete object is not kept after all. */
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
        return REASON_TOO_LARGE; /* the response had not announced its length */
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
    case REASON_TOO_LARGE: /* also removes the older response that it would have replaced */
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

/* Does the table have this very object under its key? */
static bool is_in_table(struct cache *cache, const struct object *object)
{
    struct object *now = table_find(cache->table, &object->key);
    bool is_this = now == object;

    object_unref(&now);
    return is_this;
}

/* A 304 has updated `stale` to `object`. Would writing the new head tell the disk only that the
 * response was confirmed later? When each use is validated, that would cost a write for each
 * request, only to change Date. A use that finds the old head on disk validates it in any case. */
static bool is_saved(struct cache *cache, const struct object *stale, const struct object *object)
{
    int64_t saved = stale->saved;
    int64_t since = object->freshness.response_time - saved;

    return saved != 0 && since >= 0 && since < CONFIRMED_EVERY_S && is_hot(object) &&
           policy_only_confirms(
               &(struct policy_stored){&stale->fields, &stale->freshness, true},
               &(struct policy_stored){&object->fields, &object->freshness, true}) &&
           is_in_table(cache, stale);
}

/* Writes the head of an object whose body is stored already. */
static void write_head(struct cache *cache, struct object *object, struct span head,
                       const struct object_meta *meta)
{
    struct shelf shelf = cache_shelf(cache, &object->key);

    if (shelf.store == NULL) {
        cache_settle(cache_settling(cache, object), 0);
        return;
    }
    shelf_update(shelf, object->key.hash, object->key.text, head, meta, sizeof(*meta), cache_settle,
                 cache_settling(cache, object));
}

/* Under the guard. */
static void renew(struct cache *cache, const struct object *stale, struct object *object)
{
    struct buf head = BUF_INIT;
    struct object_meta meta;

    if (is_saved(cache, stale, object)) {
        object->saved = stale->saved;
        table_put(cache->table, object, false);
        cache_changed(cache, &object->key);
        return;
    }
    if (object_encode(object, &head, &meta) != 0) {
        cache_forget(cache, &object->key);
        return;
    }
    table_put(cache->table, object, true);
    cache_changed(cache, &object->key);
    if (!object_parts(object)) { /* otherwise cache_save_parts() follows */
        write_head(cache, object, buf_span(&head), &meta);
    }
    buf_fini(&head);
}

/* Under the guard. Is the validated response still the newest under its key? Other fetches exist
 * besides a private flight, so something newer may have been stored meanwhile, even in the same
 * second. A record that would have to be read from the disk first counts as newer, and so does one
 * whose body is not known to be the same: the next request then validates the stored response
 * again. */
static bool is_newest(struct cache *cache, const struct flight *flight)
{
    struct object *stale = flight_stale(flight);
    bool unknown;

    if (is_unchanged(cache, flight)) {
        return true;
    }
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
        renew(cache, flight_stale(flight), object);
    }
    cache_guard_unlock(guard);
    if (valid && object_parts(object)) {
        cache_save_parts(cache, object, flight_mark(flight));
    }
    table_land(cache->table, flight, 0);
}

void cache_discard(struct cache *cache, struct flight *flight, int64_t pass_until)
{
    struct flight_mark mark = flight_mark(flight);
    struct guard *guard = cache_guard_lock(cache, mark.guard);

    /* whoever still delivers it fetches pieces that are missing, but must not bring it back */
    cache_note_invalidated(guard, mark.url);
    cache_forget(cache, flight_key(flight));
    cache_guard_unlock(guard);
    table_land(cache->table, flight, pass_until);
}

void cache_abandon(struct cache *cache, struct flight *flight, int64_t pass_until)
{
    table_land(cache->table, flight, pass_until);
}

void cache_fail(struct cache *cache, struct flight *flight, struct failure failure)
{
    table_fail(cache->table, flight, failure);
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
