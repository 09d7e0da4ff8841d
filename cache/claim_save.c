/*
 * claim_save - stores responses known in parts: the pieces, and the table that lists them.
 */
#include "base/mem.h"
#include "cache/claim_parts.h"

/* ---- the table of pieces in the store ---- */

struct saving {
    struct cache *cache;
    struct object *base;
    struct piece *piece;
    struct flight_mark mark;
};

static struct saving *saving_new(struct cache *cache, struct object *base, struct flight_mark mark)
{
    struct saving *saving = xmalloc(sizeof(*saving));

    *saving = (struct saving){cache, object_ref(base), NULL, mark};
    atomic_fetch_add(&cache->saving, 1);
    return saving;
}

static void saving_free(struct saving *saving)
{
    struct cache *cache = saving->cache;

    object_unref(&saving->base);
    piece_unref(&saving->piece);
    free(saving);
    atomic_fetch_sub(&cache->saving, 1);
}

static void save_table(struct saving *saving);

static void on_table_saved(void *arg, int err) /* on the store's writer thread */
{
    struct saving *saving = arg;

    /* after an error the table is stored again with the next piece; otherwise the pieces are
     * lost */
    (void)err;
    if (partial_table_stored(object_parts(saving->base))) {
        save_table(saving);
        return;
    }
    claim_settle(saving->cache, saving->base, saving->mark);
    saving_free(saving);
}

/* Under the guard. False: nothing was posted to the store. */
static bool post_table(struct saving *saving, const struct object *now)
{
    struct shelf shelf = cache_shelf(saving->cache, &now->key);
    struct store_put *put;
    struct object_meta meta;
    struct buf head = BUF_INIT;
    struct buf rows = BUF_INIT;

    if (object_encode(now, &head, &meta) != 0) {
        return false;
    }
    if (shelf_put_begin_anyway(shelf, now->key.hash, now->key.text, &put) != 0) {
        buf_fini(&head);
        return false;
    }
    partial_encode(object_parts(now), &rows);
    struct store_piece body = {buf_span(&rows), free, rows.data};
    store_put_finish(put, buf_span(&head), &meta, sizeof(meta), body.bytes.len, &body, 1,
                     on_table_saved, saving);
    buf_fini(&head);
    return true;
}

/* Takes over `saving`. */
static void save_table(struct saving *saving)
{
    struct partial *parts = object_parts(saving->base);
    bool posted = false;

    if (partial_shelf(parts).stores && partial_table_begin(parts)) {
        struct guard *guard = cache_guard_lock(saving->cache, saving->mark.guard);
        struct object *now = claim_current(saving->cache, saving->base);
        posted = now && post_table(saving, now);
        /* what the store has under the key is older */
        if (now && !posted && claim_is_replaced(saving->cache, now)) {
            shelf_drop(cache_shelf(saving->cache, &now->key), now->key.hash, NULL, NULL);
        }
        cache_guard_unlock(guard);
        object_unref(&now);
        if (!posted) {
            partial_table_stored(parts);
            partial_touch(parts); /* marks the table as outdated, so that it is stored again */
        }
    }
    if (!posted) {
        claim_settle(saving->cache, saving->base, saving->mark);
        saving_free(saving);
    }
}

static void on_piece_saved(void *arg, int err) /* on the store's writer thread */
{
    struct saving *saving = arg;
    struct partial *parts = object_parts(saving->base);

    if (err) {
        partial_forget(parts, saving->piece);
    } else {
        partial_stored(parts, saving->piece);
    }
    save_table(saving);
}

/* The body that was to be stored as the complete response is stored as a piece of it. */
static void become_piece(const struct claim *claim, struct object *object)
{
    _Alignas(16) char first[1024];
    struct arena arena;
    struct cache_key key;

    arena_init(&arena, first, sizeof(first));
    partial_piece_key(object_parts(claim->base), claim->range.from, &arena, &key);
    spool_rename(object->spool, key.hash, key.text);
    arena_fini(&arena);
}

bool claim_save_piece(struct cache *cache, const struct claim *claim, struct object *object,
                      uint64_t length, int err)
{
    struct object_meta meta;
    struct buf head = BUF_INIT;

    if (object_encode(object, &head, &meta) != 0) {
        return false;
    }
    struct saving *saving = saving_new(cache, claim->base, claim->mark);
    if (span_eq(object->key.text, claim->base->key.text)) {
        become_piece(claim, object);
    }
    saving->piece = piece_ref(claim->piece);
    partial_ends(object_parts(claim->base), claim->piece, length);
    spool_commit_broken(object->spool, err, buf_span(&head), &meta, sizeof(meta), on_piece_saved,
                        saving);
    buf_fini(&head);
    return true;
}

void cache_save_parts(struct cache *cache, struct object *object, struct flight_mark mark)
{
    partial_touch(object_parts(object));
    save_table(saving_new(cache, object, mark));
}
