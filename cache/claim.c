/*
 * claim - claims holes of responses known in parts, and gives them back.
 */
#include "base/err.h"
#include "cache/claim_parts.h"

/* ---- the object in the table ---- */

struct object *claim_current(struct cache *cache, const struct object *base)
{
    struct object *found = table_find(cache->table, &base->key);

    if (found && object_parts(found) != object_parts(base)) {
        object_unref(&found);
    }
    return found;
}

bool claim_is_replaced(struct cache *cache, const struct object *base)
{
    struct object *stored;
    struct cold cold;

    cold_init(&cold, COLD_NEVER, (struct waker){0});
    if (object_load(cache_shelf(cache, &base->key), &base->key, OBJECT_PEEKED, 0, &cold, &stored) !=
        0) {
        return cold.again;
    }
    struct partial *parts = object_parts(stored);
    bool same = parts && partial_is_same(parts, object_parts(base));
    object_unref(&stored);
    return !same;
}

/* Puts the object into the table, where it stays until it is settled. False: another object has
 * taken its place. Under the guard. */
static bool hold(struct cache *cache, struct object *base, struct flight_mark mark)
{
    struct object *there = table_find(cache->table, &base->key);
    bool ours = there ? object_parts(there) == object_parts(base)
                      : !cache_invalidated_since(cache, mark) && !claim_is_replaced(cache, base);

    if (ours) {
        table_put(cache->table, there ? there : base, true);
    }
    object_unref(&there);
    return ours;
}

void claim_settle(struct cache *cache, struct object *base, struct flight_mark mark)
{
    struct guard *guard = cache_guard_lock(cache, mark.guard);
    struct object *now = claim_current(cache, base);

    if (now && partial_is_settled(object_parts(now))) {
        table_put(cache->table, now, false); /* put again, so that its growth is accounted for */
    }
    cache_guard_unlock(guard);
    object_unref(&now);
}

/* ---- claims ---- */

bool cache_claim(struct cache *cache, const struct claim_order *order, struct claim *out)
{
    struct flight_mark mark = order->lookup->mark;
    struct partial *parts = object_parts(order->base);

    *out = (struct claim){.mark = mark};
    struct guard *guard = cache_guard_lock(cache, mark.guard);
    out->piece = partial_claim(parts, order->from, order->to, order->where, order->now_ms);
    if (out->piece) {
        atomic_fetch_add_explicit(&cache->claims, 1, memory_order_relaxed);
        out->range = partial_range(parts, out->piece);
        out->kept = hold(cache, order->base, mark);
        struct object *now = claim_current(cache, order->base);
        out->base = now ? now : object_ref(order->base);
    }
    cache_guard_unlock(guard);
    return out->piece != NULL;
}

void claim_fini(struct cache *cache, struct claim *claim)
{
    atomic_fetch_sub_explicit(&cache->claims, 1, memory_order_relaxed);
    piece_unref(&claim->piece);
    object_unref(&claim->base);
}

void cache_unclaim(struct cache *cache, struct claim *claim)
{
    if (claim->base == NULL) {
        return;
    }
    partial_forget(object_parts(claim->base), claim->piece);
    claim_settle(cache, claim->base, claim->mark);
    claim_fini(cache, claim);
}

void cache_refuse_claim(struct cache *cache, struct claim *claim)
{
    struct guard *guard = cache_guard_lock(cache, claim->mark.guard);
    struct object *now = claim_current(cache, claim->base);

    if (now) {
        cache_forget(cache, &now->key);
    }
    cache_guard_unlock(guard);
    object_unref(&now);
    partial_kill(object_parts(claim->base));
    cache_unclaim(cache, claim);
}

void cache_renew_claim(struct cache *cache, struct claim *claim, struct object *object)
{
    struct guard *guard = cache_guard_lock(cache, claim->mark.guard);
    struct object *now = claim_current(cache, claim->base);

    if (now && now == claim->base) {
        table_put(cache->table, object,
                  true); /* held until the piece is settled, which also stores the object */
        cache_changed(cache, &object->key);
        object_unref(&claim->base);
        claim->base = object_ref(object);
    }
    cache_guard_unlock(guard);
    object_unref(&now);
}

bool cache_should_wait(struct cache *cache, const struct claim *claim, const struct cache_key *key)
{
    if (cache_is_failing(cache)) {
        return false;
    }
    return claim->base ? claim->kept && shelf_is_behind(partial_shelf(object_parts(claim->base)))
                       : shelf_is_behind(cache_shelf(cache, key));
}

bool cache_claim_overlaps(const struct claim *claim)
{
    return partial_is_overlap(object_parts(claim->base), claim->piece);
}

uint64_t cache_piece_room(const struct claim *claim, uint64_t have)
{
    struct piece_range range = partial_range(object_parts(claim->base), claim->piece);
    uint64_t whole = range.to - range.from;

    return have < whole ? whole - have : 0;
}
