#include "cache/purge.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/cache_parts.h"
#include "cache/explain.h"
#include "cache/store/directory.h"

#include <errno.h>

enum {
    /* most pieces of one response that are deleted one by one; further pieces, unreachable, are
     * evicted in time */
    PURGE_PIECES = 4096
};

#define SCOPES_FILE "purged"

void cache_primary_key(struct cache *cache, const struct uri *uri, struct span zone,
                       struct arena *arena, struct cache_key *out)
{
    key_primary(uri, zone, &cache->secret, arena, out);
    uint64_t salt = scopes_salt(cache->scopes, uri, zone, arena);
    if (salt) {
        key_add_salt(out, salt);
    }
}

/* ---- a URL ---- */

static void invalidate(struct cache *cache, const struct cache_key *key,
                       void (*done)(void *arg, int err), void *arg)
{
    struct guard *guard = cache_guard_lock(cache, cache_guard_of(key));

    cache_note_invalidated(guard, cache_url_of(key));
    table_drop(cache->table, key);
    cache_changed(cache, key);
    struct shelf shelf = cache_shelf(cache, key);
    bool keeps = shelf.store || !cache_has_folders(cache);
    shelf_drop(shelf, key->hash, keeps ? done : NULL, arg);
    cache_guard_unlock(guard);
    if (done && !keeps) {
        done(arg, ERR_IO);
    }
}

void cache_invalidate(struct cache *cache, const struct uri *uri, struct span zone,
                      struct arena *arena)
{
    struct cache_key key;

    cache_primary_key(cache, uri, zone, arena, &key);
    invalidate(cache, &key, NULL, NULL);
}

/* Deletes the store's record under a key that nothing refers to any more. */
static void drop(struct cache *cache, const struct cache_key *key)
{
    table_drop(cache->table, key);
    shelf_drop(cache_shelf(cache, key), key->hash, NULL, NULL);
}

/* Deletes the stored pieces, unless they have readers, which still need them: the origin may have
 * another representation by now. */
static void drop_pieces(struct partial *parts, struct arena *arena)
{
    uint64_t *from = arena_alloc(arena, PURGE_PIECES * sizeof(*from));
    size_t count = partial_unread(parts, from, PURGE_PIECES);
    struct shelf shelf = partial_shelf(parts);
    struct cache_key key;

    for (size_t i = 0; i < count; i++) {
        partial_piece_key(parts, from[i], arena, &key);
        shelf_drop(shelf, key.hash, NULL, NULL);
    }
}

static uint64_t bytes_of(const struct object *object)
{
    struct partial *parts = object_parts(object);

    if (parts) {
        return partial_present(parts);
    }
    return object->body_len > 0 ? (uint64_t)object->body_len : 0;
}

static void count(struct cache *cache, const struct object *object, struct purge_found *found)
{
    struct table_view present;

    table_view(cache->table, &object->key, &present);
    object_unref(&present.object);
    found->responses++;
    found->bytes += bytes_of(object);
    found->fetches += present.fetching;
}

/* The objects known under one URL, each counted. */
struct known {
    struct object *at[1 + EXPLAIN_VARIANTS_MAX];
    size_t count;
};

static void find_known(struct cache *cache, const struct cache_key *primary, struct arena *arena,
                       struct known *known, struct purge_found *found)
{
    bool from_memory;
    struct object *object = cache_peek(cache, primary, NULL, &from_memory);
    struct table_view present;

    *known = (struct known){0};
    found->varies = object && object->kind == OBJECT_VARY;
    if (found->varies) {
        known->count = cache_known_variants(cache, object, arena, known->at);
        object_unref(&object);
    } else if (object) {
        known->at[known->count++] = object;
    }
    if (known->count == 0 || found->varies) {
        table_view(cache->table, primary, &present);
        object_unref(&present.object);
        found->fetches += present.fetching;
    }
    for (size_t i = 0; i < known->count; i++) {
        count(cache, known->at[i], found);
    }
}

int cache_purge(struct cache *cache, const struct uri *uri, struct span zone, struct arena *arena,
                struct purge_found *found, void (*done)(void *arg, int err), void *arg)
{
    struct cache_key primary;
    struct known known;

    *found = (struct purge_found){0};
    if (cache_is_late(cache)) {
        return ERR_BUSY;
    }
    cache_primary_key(cache, uri, zone, arena, &primary);
    find_known(cache, &primary, arena, &known, found);
    atomic_fetch_add_explicit(&cache->purges, 1, memory_order_relaxed);
    invalidate(cache, &primary, done, arg);
    for (size_t i = 0; i < known.count; i++) {
        if (found->varies) {
            drop(cache, &known.at[i]->key);
        }
        if (object_parts(known.at[i])) {
            drop_pieces(object_parts(known.at[i]), arena);
        }
        object_unref(&known.at[i]);
    }
    return 0;
}

/* ---- scopes ---- */

/* Are exactly these scopes in the folder's file already? */
static bool has(const char *path, struct span scopes)
{
    struct buf bytes = BUF_INIT;
    int err = directory_read(path, SCOPES_FILE, SCOPES_BYTES_MAX, &bytes);
    bool equal = err == 0 && span_eq(buf_span(&bytes), scopes);

    buf_fini(&bytes);
    return equal;
}

/* Writes the scopes to one folder. A member that has left the store is still in use by this
 * process. A folder that could not be opened may come back later with what it has stored, so it
 * gets the scopes, too. */
static int keep_in(struct stores *stores, size_t number, struct span scopes)
{
    struct store_member member;

    stores_member(stores, number, &member);
    if (has(member.path, scopes)) {
        return 0;
    }
    int err =
        stores_store(stores, number) ? directory_write(member.path, SCOPES_FILE, scopes) : ERR_IO;
    if (err) {
        log_error("purge_not_kept", "dir=%s err=%s next=%s", member.path, err_text(err),
                  "what was purged may be found again after a restart: purge it again");
    }
    return err;
}

/* Writes the scopes to each folder. Returns the first error; the remaining folders are written all
 * the same. */
static int keep(struct cache *cache, struct stores *stores)
{
    struct buf bytes = BUF_INIT;
    int first = stores || !cache_has_folders(cache) ? 0 : ERR_IO;

    scopes_encode(cache->scopes, &bytes);
    for (size_t i = 0; stores && i < stores_count(stores); i++) {
        int err = keep_in(stores, i, buf_span(&bytes));
        first = first ? first : err;
    }
    buf_fini(&bytes);
    return first;
}

int cache_purge_scope(struct cache *cache, struct span scope)
{
    if (cache_is_late(cache)) {
        return ERR_BUSY;
    }
    int err = scopes_purge(cache->scopes, scope);
    if (!err) {
        atomic_fetch_add_explicit(&cache->purges, 1, memory_order_relaxed);
        err = keep(cache, cache->stores);
    }
    return err;
}

/* Takes over the scopes of a folder. -ENOENT: it has none. */
static int read_scopes(struct cache *cache, const char *path)
{
    bool agree = true;
    struct buf bytes = BUF_INIT;
    int err = directory_read(path, SCOPES_FILE, SCOPES_BYTES_MAX, &bytes);

    err = err ? err : scopes_decode(cache->scopes, buf_span(&bytes), &agree);
    if (!agree) {
        log_error("purges_disagree", "dir=%s file=%s next=%s", path, SCOPES_FILE,
                  "the cache starts empty: the folders were purged without each other");
    }
    buf_fini(&bytes);
    return err;
}

/* What is in a folder that could not be opened is not used, so its scopes are not missed. */
static bool is_left_out(const struct stores *stores, size_t number)
{
    return stores && stores_store(stores, number) == NULL;
}

/* One readable folder is enough, because a purge is confirmed only after all folders have it. A
 * folder without scopes may be new. */
void cache_read_scopes(struct cache *cache, const struct store_dir *dirs, size_t count,
                       const struct stores *stores)
{
    size_t good = 0, bad = 0;

    for (size_t i = 0; i < count; i++) {
        int err = read_scopes(cache, dirs[i].path);
        good += err == 0;
        if (err && err != -ENOENT && !is_left_out(stores, i)) {
            bad++;
            log_error("purges_damaged", "dir=%s file=%s err=%s", dirs[i].path, SCOPES_FILE,
                      err_text(err));
        }
    }
    if (bad > 0 && good == 0) {
        log_error("purges_lost", "next=%s",
                  "the cache starts empty: what was purged must not come back");
        scopes_purge(cache->scopes, SPAN_EMPTY);
    }
}

void cache_keep_scopes(struct cache *cache, struct stores *stores)
{
    if (scopes_serial(cache->scopes) > 0) {
        keep(cache, stores);
    }
}
