/*
 * claim_fill - the bytes of claimed pieces: makes objects for arriving bytes, and decides at the
 * end whether to store them.
 */
#include "base/err.h"
#include "base/mem.h"
#include "cache/claim_parts.h"
#include "http/validator.h"

/* ---- arriving bytes ---- */

/* Makes the response one that is known in parts, with `range` claimed. */
static bool begin(struct cache *cache, struct object *base, const struct flight *flight,
                  struct piece_range range, struct claim *claim)
{
    claim->base = base;
    atomic_fetch_add_explicit(&cache->claims, 1, memory_order_relaxed);
    claim->range = range;
    claim->promised = 0;
    claim->mark = flight_mark(flight);
    claim->piece = partial_claim_all(object_parts(base), range.from, range.to);
    if (claim->piece == NULL) {
        claim_fini(cache, claim);
        return false;
    }
    struct guard *guard = cache_guard_lock(cache, claim->mark.guard);
    claim->kept = !cache_is_outdated(cache, flight);
    if (claim->kept) {
        table_put(cache->table, base, true);
        cache_changed(cache, &base->key);
    }
    cache_guard_unlock(guard);
    return true;
}

static struct partial *parts_new(struct cache *cache, const struct cache_key *key, uint64_t length,
                                 bool joins, bool ranges)
{
    return partial_new(&(struct partial_options){
        .stores = cache->stores,
        .key = key,
        .secret = &cache->secret,
        .length = length,
        .joins = joins,
        .ranges = ranges,
    });
}

/* A response known in parts, of the same representation, without pieces. */
static struct object *in_parts(struct cache *cache, const struct object *object, uint64_t length,
                               bool ranges)
{
    struct http_head head = {
        .version = object->received, .status = object->status, .reason = object->reason};

    return object_new_partial(&object->key, &head, &object->fields, &object->freshness,
                              parts_new(cache, &object->key, length, true, ranges));
}

void cache_unshare_claim(struct cache *cache, struct claim *claim)
{
    struct object *own =
        in_parts(cache, claim->base, partial_length(object_parts(claim->base)), true);

    piece_set_own(claim->piece, own);
    partial_forget(object_parts(claim->base), claim->piece);
    claim_settle(cache, claim->base, claim->mark);
    piece_unref(&claim->piece);
    object_unref(&claim->base);
    claim->base = own;
    claim->piece = partial_claim_all(object_parts(own), claim->range.from, claim->range.to);
    claim->kept = false;
    CHECK(claim->piece);
}

/* Is there room for the key of a piece, too, in the store's record? */
static bool fits(const struct cache *cache, const struct cache_key *key, uint64_t length)
{
    return length <= cache->parts_max && key->text.len + 64 <= STORE_KEY_MAX;
}

bool cache_admit_partial(struct cache *cache, const struct admission *admission,
                         const struct flight *flight, struct piece_range range, struct claim *claim,
                         enum reason *why)
{
    struct cache_key key;
    uint64_t length = (uint64_t)admission->response->content_length;
    bool joins =
        validator_strong(admission->fields, admission->freshness->response_time) != FIELD_OTHER;

    *why = cache_response_key(cache, admission, &key);
    if (*why != REASON_STORED) {
        return false;
    }
    if (!fits(cache, &key, length)) {
        *why = REASON_TOO_LARGE;
        return false;
    }
    struct object *base =
        object_new_partial(&key, admission->response, admission->fields, admission->freshness,
                           parts_new(cache, &key, length, joins, true));
    base->stored_reason = REASON_STORED;
    return begin(cache, base, flight, range, claim);
}

static bool offers_ranges(const struct object *object)
{
    return fields_list_has(&object->fields, FIELD_ACCEPT_RANGES, SPAN("bytes"));
}

bool cache_admit_as_parts(struct cache *cache, const struct flight *flight, struct object *object,
                          struct claim *claim)
{
    if (cache_shelf(cache, &object->key).store == NULL || object->status != 200 ||
        object->body_len <= 0 || !fits(cache, &object->key, (uint64_t)object->body_len)) {
        return false;
    }
    struct piece_range whole = {0, (uint64_t)object->body_len};
    struct object *base = in_parts(cache, object, whole.to, offers_ranges(object));
    base->stored_reason = object->stored_reason;
    if (!begin(cache, base, flight, whole, claim)) {
        return false;
    }
    partial_arrives(object_parts(base), claim->piece, object, claim->now_ms);
    return true;
}

/* Prepares how the bytes of a piece are stored, or returns why they are not. */
static enum reason prepare(struct cache *cache, const struct claim *claim,
                           const struct cache_key *key, struct spool *spool)
{
    struct store_put *put;
    struct shelf shelf = partial_shelf(object_parts(claim->base));

    if (!claim->kept || partial_is_full(object_parts(claim->base))) {
        return REASON_PARTIAL;
    }
    if (shelf.store == NULL) {
        spool_keep(spool, cache->object_max);
        return REASON_STORED;
    }
    if (shelf_put_begin_anyway(shelf, key->hash, key->text, &put) != 0) {
        return REASON_STORE_BUSY;
    }
    spool_store(spool, shelf, put, UINT64_MAX);
    return REASON_STORED;
}

static struct object *piece_object(const struct claim *claim, const struct cache_key *key,
                                   struct spool *spool)
{
    const struct http_fields none = {0};
    struct http_head head = {
        .status = 206,
        .framing = BODY_LENGTH,
        .content_length = (int64_t)(claim->range.to - claim->range.from),
    };

    return object_new(key, &head, &none, &claim->base->freshness, spool);
}

struct object *cache_admit_piece(struct cache *cache, const struct claim *claim, size_t spool_limit,
                                 struct waker writer, enum reason *why)
{
    _Alignas(16) char first[1024];
    struct arena arena;
    struct cache_key key;
    struct partial *parts = object_parts(claim->base);
    struct spool *spool = spool_new(&(struct spool_options){
        .expected = (int64_t)(claim->range.to - claim->range.from),
        .limit = spool_limit,
        .promised = claim->promised,
        .writer = writer,
    });

    arena_init(&arena, first, sizeof(first));
    partial_piece_key(parts, claim->range.from, &arena, &key);
    *why = prepare(cache, claim, &key, spool);
    struct object *object = piece_object(claim, &key, spool);
    object->stored_reason = *why;
    arena_fini(&arena);
    if (!partial_arrives(parts, claim->piece, object, claim->now_ms)) {
        object_unref(&object);
    }
    return object;
}

/* ---- the end of a piece ---- */

/* Is it the complete response under its own key, not cut, and still current? */
static bool is_whole(const struct claim *claim, const struct object *object, uint64_t length)
{
    return span_eq(object->key.text, claim->base->key.text) &&
           length == partial_length(object_parts(claim->base)) &&
           cache_piece_room(claim, length) == 0 && !partial_is_dead(object_parts(claim->base));
}

static void hold_piece(struct cache *cache, const struct claim *claim, struct object *object,
                       uint64_t length)
{
    partial_held(object_parts(claim->base), claim->piece, length);
    spool_end(object->spool, 0);
    claim_settle(cache, claim->base, claim->mark);
}

/* The piece is not stored. Bytes that have arrived stay for the readers that wait for them. */
static void pass_piece(struct cache *cache, const struct claim *claim, struct object *object,
                       uint64_t length, int err)
{
    if (err || length == 0) {
        partial_forget(object_parts(claim->base), claim->piece);
        spool_end(object->spool, err);
        claim_settle(cache, claim->base, claim->mark);
    } else {
        hold_piece(cache, claim, object, length);
    }
}

/* Stores the piece, or keeps it in memory, wherever the pieces of this response are. */
static void keep_piece(struct cache *cache, const struct claim *claim, struct object *object,
                       uint64_t length, int err)
{
    if (partial_shelf(object_parts(claim->base)).store == NULL) {
        hold_piece(cache, claim, object, length);
    } else if (!claim_save_piece(cache, claim, object, length, err)) {
        pass_piece(cache, claim, object, length, err);
    }
}

/* REASON_STORED, or why the bytes are not kept. The beginning of a broken piece is useful only if a
 * validator can show later that the rest belongs to the same representation. */
static enum reason why_not_kept(struct cache *cache, const struct claim *claim,
                                const struct object *object, uint64_t length, int err)
{
    bool good = err == 0 || (partial_shelf(object_parts(claim->base)).stores &&
                             partial_joins(object_parts(claim->base)));

    if (object->stored_reason != REASON_STORED) {
        return object->stored_reason;
    }
    if (!claim->kept || cache_invalidated_since(cache, claim->mark)) {
        return REASON_INVALIDATED;
    }
    /* the origin has another representation by now */
    if (partial_is_dead(object_parts(claim->base))) {
        return REASON_OVERTAKEN;
    }
    if (length == 0 || !good) {
        return REASON_INCOMPLETE;
    }
    return cache_why_unwanted(cache, object);
}

/* Was its head updated while it arrived? Then it continues as a response known in parts. */
static bool is_renewed(struct cache *cache, const struct claim *claim)
{
    struct guard *guard = cache_guard_lock(cache, claim->mark.guard);
    struct object *now = claim_current(cache, claim->base);
    bool renewed = now && now != claim->base;

    cache_guard_unlock(guard);
    object_unref(&now);
    return renewed;
}

enum reason cache_end_piece(struct cache *cache, struct flight *flight, struct claim *claim,
                            struct object *object, int err)
{
    uint64_t length = spool_length(object->spool);

    if (cache_piece_room(claim, length) == 0) {
        err = 0; /* all of it has come, or what is missing comes with the next piece */
    }
    enum reason why = why_not_kept(cache, claim, object, length, err);
    if (err == 0 && is_whole(claim, object, length) && !is_renewed(cache, claim)) {
        partial_held(object_parts(claim->base), claim->piece, length);
        why = cache_commit(cache, flight, object);
        claim_settle(cache, claim->base, claim->mark); /* in case the piece was not kept */
    } else if (why != REASON_STORED) {
        pass_piece(cache, claim, object, length, err);
    } else {
        keep_piece(cache, claim, object, length, err);
    }
    claim_fini(cache, claim);
    return why;
}
