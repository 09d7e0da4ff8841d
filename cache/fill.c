/*
 * fill - responses known in parts: what is missing is claimed, arrives, and is stored piece by
 * piece.
 *
 * The object in the table has the head, and its `parts` are shared by whoever found it. While a
 * piece is under way the object is pending: SIEVE leaves it, so that there is one set of parts for
 * all. Whoever holds one that is in the table no more fills it for himself: nothing of it is kept.
 *
 * In the store there is a record under the response's key, whose body is the table of pieces, and
 * one for each piece. Pieces come first, the table follows when they are durable.
 */
#include "base/err.h"
#include "base/mem.h"
#include "cache/cache_parts.h"
#include "http/validator.h"

/* ---- what the table has ---- */

/* The object under the key with a reference, when it is `base` or has the same parts under a newer
 * head. Under the guard. */
static struct object *current(struct cache *cache, const struct object *base)
{
    struct object *found = table_find(cache->table, &base->key);

    if (found && object_parts(found) != object_parts(base)) {
        object_unref(&found);
    }
    return found;
}

/* The store has something else under its key, or does not say at once what. Under the guard. */
static bool store_has_another(struct cache *cache, const struct object *base)
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

/* Puts it (back) into the table, there to stay until it is settled. False when something else has
 * taken its place. Under the guard. */
static bool hold(struct cache *cache, struct object *base, struct flight_mark mark)
{
    struct object *there = table_find(cache->table, &base->key);
    bool ours = there ? object_parts(there) == object_parts(base)
                      : !cache_invalidated_since(cache, mark) && !store_has_another(cache, base);

    if (ours) {
        table_put(cache->table, there ? there : base, true);
    }
    object_unref(&there);
    return ours;
}

/* Nothing is under way any more: it is a hot object like others. */
static void settle(struct cache *cache, struct object *base, struct flight_mark mark)
{
    struct guard *guard = cache_guard_lock(cache, mark.guard);
    struct object *now = current(cache, base);

    if (now && partial_is_settled(object_parts(now))) {
        table_put(cache->table, now, false); /* accounts what it has grown by */
    }
    cache_guard_unlock(guard);
    object_unref(&now);
}

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

static void on_table_saved(void *arg, int err) /* the store's writer */
{
    struct saving *saving = arg;

    (void)err; /* what it lists is found again when it is saved the next time, or lost */
    if (partial_table_stored(object_parts(saving->base))) {
        save_table(saving);
        return;
    }
    settle(saving->cache, saving->base, saving->mark);
    saving_free(saving);
}

/* False when nothing was posted. Under the guard. */
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

/* Takes `saving` over. */
static void save_table(struct saving *saving)
{
    struct partial *parts = object_parts(saving->base);
    bool posted = false;

    if (partial_shelf(parts).stores && partial_table_begin(parts)) {
        struct guard *guard = cache_guard_lock(saving->cache, saving->mark.guard);
        struct object *now = current(saving->cache, saving->base);
        posted = now && post_table(saving, now);
        if (now && !posted && store_has_another(saving->cache, now)) { /* it is older */
            shelf_drop(cache_shelf(saving->cache, &now->key), now->key.hash, NULL, NULL);
        }
        cache_guard_unlock(guard);
        object_unref(&now);
        if (!posted) {
            partial_table_stored(parts);
            partial_touch(parts); /* what is saved next has it */
        }
    }
    if (!posted) {
        settle(saving->cache, saving->base, saving->mark);
        saving_free(saving);
    }
}

static void on_piece_saved(void *arg, int err) /* the store's writer */
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

void cache_save_parts(struct cache *cache, struct object *object, struct flight_mark mark)
{
    partial_touch(object_parts(object));
    save_table(saving_new(cache, object, mark));
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
        struct object *now = current(cache, order->base);
        out->base = now ? now : object_ref(order->base);
    }
    cache_guard_unlock(guard);
    return out->piece != NULL;
}

static void claim_fini(struct cache *cache, struct claim *claim)
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
    settle(cache, claim->base, claim->mark);
    claim_fini(cache, claim);
}

void cache_refuse_claim(struct cache *cache, struct claim *claim)
{
    struct guard *guard = cache_guard_lock(cache, claim->mark.guard);
    struct object *now = current(cache, claim->base);

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
    struct object *now = current(cache, claim->base);

    if (now && now == claim->base) {
        table_put(cache->table, object, true); /* until the piece is settled, which saves it */
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

/* ---- what arrives ---- */

/* A response becomes known in parts, with `range` claimed. */
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

/* The same representation, of which nothing is known yet. */
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
    settle(cache, claim->base, claim->mark);
    piece_unref(&claim->piece);
    object_unref(&claim->base);
    claim->base = own;
    claim->piece = partial_claim_all(object_parts(own), claim->range.from, claim->range.to);
    claim->kept = false;
    CHECK(claim->piece);
}

/* The key of a piece must fit, too. */
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

/* How the bytes of a piece are to be kept, or why they will not be. */
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
    spool_store(spool, shelf, put);
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

/* It is the whole response, under the response's own key, and nobody has cut it, nor heard that the
 * origin has a newer one. */
static bool is_whole(const struct claim *claim, const struct object *object, uint64_t length)
{
    return span_eq(object->key.text, claim->base->key.text) &&
           length == partial_length(object_parts(claim->base)) &&
           cache_piece_room(claim, length) == 0 && !partial_is_dead(object_parts(claim->base));
}

/* What was to be stored as the whole response is a piece of it. */
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

static void hold_piece(struct cache *cache, const struct claim *claim, struct object *object,
                       uint64_t length)
{
    partial_held(object_parts(claim->base), claim->piece, length);
    spool_end(object->spool, 0);
    settle(cache, claim->base, claim->mark);
}

/* Not kept. What is there and was not read yet stays for those who waited for it. */
static void pass_piece(struct cache *cache, const struct claim *claim, struct object *object,
                       uint64_t length, int err)
{
    if (err || length == 0) {
        partial_forget(object_parts(claim->base), claim->piece);
        spool_end(object->spool, err);
        settle(cache, claim->base, claim->mark);
    } else {
        hold_piece(cache, claim, object, length);
    }
}

static void store_piece(struct cache *cache, const struct claim *claim, struct object *object,
                        uint64_t length, int err)
{
    struct object_meta meta;
    struct buf head = BUF_INIT;

    if (object_encode(object, &head, &meta) != 0) {
        pass_piece(cache, claim, object, length, err);
        return;
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
}

/* REASON_STORED, or why what has come is not kept. What came before it broke off is good when a
 * validator tells later whether the rest is of the same representation. */
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
    if (partial_is_dead(object_parts(claim->base))) { /* the origin has another by now */
        return REASON_OVERTAKEN;
    }
    if (length == 0 || !good) {
        return REASON_INCOMPLETE;
    }
    return cache_why_unwanted(cache, object);
}

/* While it arrived its head was renewed: then it is what is known in parts that goes on. */
static bool is_renewed(struct cache *cache, const struct claim *claim)
{
    struct guard *guard = cache_guard_lock(cache, claim->mark.guard);
    struct object *now = current(cache, claim->base);
    bool renewed = now && now != claim->base;

    cache_guard_unlock(guard);
    object_unref(&now);
    return renewed;
}

enum reason cache_end_piece(struct cache *cache, struct flight *flight, struct claim *claim,
                            struct object *object, int err)
{
    uint64_t length = spool_length(object->spool);
    enum reason why = why_not_kept(cache, claim, object, length, err);

    if (err == 0 && is_whole(claim, object, length) && !is_renewed(cache, claim)) {
        partial_held(object_parts(claim->base), claim->piece, length);
        why = cache_commit(cache, flight, object);
        settle(cache, claim->base, claim->mark); /* if it was not kept */
    } else if (why != REASON_STORED) {
        pass_piece(cache, claim, object, length, err);
    } else if (partial_shelf(object_parts(claim->base)).store) {
        store_piece(cache, claim, object, length, err);
    } else {
        hold_piece(cache, claim, object, length);
    }
    claim_fini(cache, claim);
    return why;
}
