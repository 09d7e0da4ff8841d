/* find - finds the stored response for a request, and decides whether it answers the request. */
#include "base/check.h"
#include "base/err.h"
#include "base/memory.h"
#include "cache/cache_parts.h"

/* ---- finding ---- */

static bool is_hot_size(const struct object *object)
{
    return object->body_len >= 0 && object->body_len <= RAM_OBJECT_MAX;
}

/* Finds the object in memory, else in the store. */
struct object *cache_load(struct cache *cache, const struct cache_key *key, struct cold *cold,
                          bool *from_memory)
{
    struct object *object = table_find(cache->table, key);

    *from_memory = object != NULL;
    if (object == NULL) {
        object_load(cache_shelf(cache, key), key, OBJECT_USED, 0, cold, &object);
    }
    return object;
}

/* Puts an object read from the store into the table, unless it may be outdated already. Of a
 * response known in parts only one object may exist, so one that is in the table already is
 * used. */
static struct object *warm(struct cache *cache, struct guard *guard, uint64_t changes,
                           struct object *object, bool seen)
{
    pthread_mutex_lock(&guard->lock);
    struct object *first = object_parts(object) ? table_find(cache->table, &object->key) : NULL;
    if (first == NULL && atomic_load(&guard->counts->changes) == changes) {
        table_warm(cache->table, object, seen);
    }
    pthread_mutex_unlock(&guard->lock);
    if (first) {
        object_unref(&object);
    }
    return first ? first : object;
}

/* Finds an object in the store. At its first use it is only remembered; if it was `seen` lately, it
 * is copied to memory. */
static struct object *find_stored(struct cache *cache, struct guard *guard, uint64_t changes,
                                  const struct cache_key *key, struct cold *cold, bool seen)
{
    struct object *object = NULL;
    bool copy = seen && !memory_is_tight();

    int err = object_load(cache_shelf(cache, key), key, OBJECT_USED, copy ? RAM_OBJECT_MAX : 0,
                          cold, &object);
    if (err == ERR_AGAIN) {
        return NULL;
    }
    if (object && (object_parts(object) || (copy && is_hot_size(object)))) {
        return warm(cache, guard, changes, object, seen);
    }
    if (object ? is_hot_size(object) : seen) {
        table_remember(cache->table, key);
    }
    return object;
}

struct object *cache_find(struct cache *cache, const struct cache_key *primary,
                          const struct cache_key *key, struct cold *cold, bool *from_memory)
{
    struct guard *guard = &cache->guards[cache_guard_of(primary)];
    uint64_t changes = atomic_load(&cache->counts[cache_guard_of(primary)].changes);
    unsigned tell;
    bool seen;
    struct object *object = table_use(cache->table, key, &tell, &seen);

    if (object && atomic_load_explicit(&object->damaged, memory_order_relaxed)) {
        /* forgetting it makes the next lookup ask the store, which checks the record again */
        table_forget(cache->table, object);
        object_unref(&object);
    }
    *from_memory = object != NULL;
    if (object == NULL) {
        return find_stored(cache, guard, changes, key, cold, seen);
    }
    /* will be in the processor's cache when the response head is made */
    if (object->spool) {
        spool_prefetch(object->spool);
    }
    if (tell) { /* otherwise the store would evict an object that is hot in memory */
        shelf_touch(cache_shelf(cache, key), key->hash, tell);
    }
    return object;
}

struct object *cache_peek(struct cache *cache, const struct cache_key *key, struct cold *cold,
                          bool *from_memory)
{
    struct table_view view;

    table_view(cache->table, key, &view);
    *from_memory = view.object != NULL;
    if (view.object == NULL &&
        object_load(cache_shelf(cache, key), key, OBJECT_PEEKED, 0, cold, &view.object) != 0) {
        return NULL;
    }
    return view.object;
}

static struct object *find_for(struct cache *cache, const struct cache_query *query,
                               struct lookup *lookup, const struct cache_key *key)
{
    return query->peek
               ? cache_peek(cache, key, NULL, &lookup->from_memory)
               : cache_find(cache, &lookup->primary, key, &lookup->cold, &lookup->from_memory);
}

/* What is stored for the request under one Vary specification. */
struct found {
    struct object *object; /* counted */
    struct cache_key key;
    bool from_memory;
};

_Static_assert(OBJECT_VARY_MAX <= POLICY_STORED_MAX, "policy must be able to choose");

/* Finds what the request selects under each specification; returns how many. lookup->key is that of
 * the newest. */
static size_t find_selected(struct cache *cache, const struct cache_query *query,
                            const struct object *base, struct lookup *lookup,
                            struct found out[OBJECT_VARY_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < base->fields.count && count < OBJECT_VARY_MAX; i++) {
        const struct http_field *line = &base->fields.at[i];
        if (line->id != FIELD_VARY) {
            continue;
        }
        cache_variant_key(cache, &lookup->primary, base, line->value, &query->request->fields,
                          query->arena, &lookup->key);
        struct object *object = find_for(cache, query, lookup, &lookup->key);
        if (object) {
            out[count++] = (struct found){object, lookup->key, lookup->from_memory};
        }
    }
    return count;
}

/* Chooses the most recent one (RFC 9111 4), and gives the others back. Of those dated in the same
 * second, and received in the same, it is the first that is chosen: so the newest specification,
 * found last, is named first. */
static size_t choose(struct found *found, size_t count)
{
    struct policy_stored stored[OBJECT_VARY_MAX];

    if (count == 1) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        const struct object *object = found[count - 1 - i].object;
        stored[i] = (struct policy_stored){&object->fields, &object->freshness, true};
    }
    size_t chosen = count - 1 - (size_t)policy_choose(stored, count);
    for (size_t i = 0; i < count; i++) {
        if (i != chosen) {
            object_unref(&found[i].object);
        }
    }
    return chosen;
}

/* Replaces a Vary base by the variant that the request selects. lookup->key is that of the variant,
 * even if there is none. */
static struct object *find_variant(struct cache *cache, const struct cache_query *query,
                                   const struct object *base, struct lookup *lookup)
{
    struct found found[OBJECT_VARY_MAX];
    size_t count = find_selected(cache, query, base, lookup, found);

    if (count == 0) {
        return NULL;
    }
    const struct found *chosen = &found[choose(found, count)];
    lookup->key = chosen->key;
    lookup->from_memory = chosen->from_memory;
    return chosen->object;
}

/* Finds the response for the request. Sets lookup->key and lookup->object. */
static void find_response(struct cache *cache, const struct cache_query *query,
                          struct lookup *lookup, bool *varies)
{
    struct object *object = find_for(cache, query, lookup, &lookup->primary);

    *varies = false;
    lookup->key = lookup->primary;
    if (object && object->kind == OBJECT_VARY) {
        struct object *base = object;
        object = find_variant(cache, query, base, lookup);
        *varies = object == NULL;
        object_unref(&base);
    }
    lookup->object = object;
}

/* ---- deciding ---- */

enum { TRIES_MAX = 3 }; /* lookups of a request while others change what it looks at */

/* Changes since the lookup began matter, unless there are too many of them. */
static const _Atomic uint64_t *changes_of(const struct cache *cache, const struct lookup *lookup)
{
    return lookup->tries + 1 < TRIES_MAX ? &cache->counts[lookup->mark.guard].changes : NULL;
}

static enum cache_result join(struct cache *cache, const struct cache_query *query,
                              struct lookup *lookup, bool *changed)
{
    struct table_request request = {
        .found = lookup->object,
        .failed = query->failed,
        .changes = changes_of(cache, lookup),
        .seen = lookup->mark.changes,
        .now = query->now,
        .waker = query->waker,
    };

    *changed = false;
    switch (table_join(cache->table, &lookup->key, &request, &lookup->member)) {
    case JOIN_LEAD:
        lookup->lead = true;
        flight_set_mark(lookup->member.flight, lookup->mark);
        return CACHE_LEAD;
    case JOIN_FOLLOW:
        return CACHE_FOLLOW;
    case JOIN_PASS:
        return CACHE_ALONE;
    case JOIN_CHANGED:
        *changed = true;
        return CACHE_ALONE;
    }
    UNREACHABLE();
}

/* The response is stale but may be used at once. Leads its validation, unless another request does
 * or the client forbids it. No client waits for a background validation, so HEAD and requests that
 * otherwise fetch alone may lead one, too. */
static enum cache_result refresh(struct cache *cache, const struct cache_query *query,
                                 struct lookup *lookup)
{
    bool changed;

    if (!query->policy->control.only_if_cached &&
        join(cache, query, lookup, &changed) == CACHE_FOLLOW) {
        flight_leave(&lookup->member);
    }
    return CACHE_STALE;
}

/* The value of fwd (RFC 9211 2.2): the response is fresh but not allowed for this request
 * (REQUEST), or it is not fresh. */
static enum forward forward_of(const struct decision *decision)
{
    bool fresh = decision->age < decision->lifetime && decision->reason != REASON_NO_CACHE;

    return fresh ? FORWARD_REQUEST : FORWARD_STALE;
}

static enum policy_verdict judge(const struct cache_query *query, const struct lookup *lookup,
                                 bool varies, struct decision *decision)
{
    *decision = DECISION_INIT;
    if (lookup->object == NULL) {
        decision->reason = varies ? REASON_VARY_MISS : REASON_NOT_STORED;
        decision->forward = varies ? FORWARD_VARY_MISS : FORWARD_URI_MISS;
        return POLICY_VALIDATE;
    }
    decision->age = policy_age(&lookup->object->freshness, query->now);
    decision->lifetime = lookup->object->freshness.lifetime;
    decision->served = lookup->from_memory ? SERVED_MEMORY : SERVED_DISK;
    enum policy_verdict verdict =
        policy_reuse(query->policy, &lookup->object->freshness, query->now, &decision->reason);
    decision->forward = verdict == POLICY_VALIDATE ? forward_of(decision) : FORWARD_NONE;
    return verdict;
}

/* Do both have the same body, whatever their heads are? A response known in parts may have been
 * loaded a second time. */
static bool is_same_body(const struct object *object, const struct object *other)
{
    const struct partial *parts = object_parts(object);
    const struct partial *others = object_parts(other);

    return object_owner(object) == object_owner(other) ||
           (parts && others && partial_is_same(parts, others));
}

/* Treats the response that was found as not stored. */
static void pass_over(struct cache *cache, const struct cache_query *query, struct lookup *lookup)
{
    if (!query->peek) {
        table_forget(cache->table, lookup->object);
    }
    object_unref(&lookup->object);
}

/* A partial response without a strong validator answers requests for ranges inside it while it is
 * fresh, or while the origin may not be asked. It is not worth validating: the complete response
 * would probably have to be fetched anyway. */
static bool is_worthless(const struct cache_query *query, const struct object *object,
                         enum policy_verdict verdict)
{
    bool asks = verdict == POLICY_VALIDATE ||
                (verdict == POLICY_STALE_NOW && !query->policy->control.only_if_cached);

    return asks && object && object_parts(object) && !partial_joins(object_parts(object));
}

enum cache_result cache_appraise(struct cache *cache, const struct cache_query *query,
                                 struct lookup *lookup, struct decision *decision)
{
    bool varies;

    find_response(cache, query, lookup, &varies);
    if (lookup->cold.again) {
        return CACHE_COLD;
    }
    if (query->useless && lookup->object && is_same_body(lookup->object, query->useless)) {
        pass_over(cache, query, lookup);
    }
    enum policy_verdict verdict = judge(query, lookup, varies, decision);
    if (is_worthless(query, lookup->object, verdict)) {
        pass_over(cache, query, lookup);
        verdict = judge(query, lookup, varies, decision);
    }
    switch (verdict) {
    case POLICY_FRESH:
        decision->outcome = lookup->from_memory ? OUTCOME_HIT_MEMORY : OUTCOME_HIT;
        return CACHE_FRESH;
    case POLICY_STALE_NOW:
        decision->outcome = OUTCOME_STALE;
        return CACHE_STALE;
    case POLICY_VALIDATE:
        break;
    }
    if (query->policy->control.only_if_cached) {
        decision->outcome = OUTCOME_LOCAL;
        decision->reason = REASON_ONLY_IF_CACHED;
        decision->forward = FORWARD_NONE;
        return CACHE_REFUSED;
    }
    decision->outcome = OUTCOME_MISS;
    return CACHE_LEAD;
}

void cache_note_pass_mark(struct decision *decision)
{
    if (decision->reason == REASON_NOT_STORED) {
        decision->reason = REASON_PASS_MARK;
    }
}

bool cache_offers_variants(const struct lookup *lookup, const struct decision *decision)
{
    return lookup->object == NULL && decision->forward == FORWARD_VARY_MISS;
}

static void give_back(struct object **objects, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        object_unref(&objects[i]);
    }
}

/* The Vary base of a URL exists as soon as the head of its first response has arrived. That
 * response is fetched under the primary key, and stored only when its body is complete. A request
 * that finds the base in between, but no variant, joins that fetch, as did the requests before the
 * base existed. If the response turns out to be another variant, the followers look up again. */
static bool follow_first(struct cache *cache, const struct cache_query *query,
                         struct lookup *lookup)
{
    return table_follow(cache->table, &lookup->primary, &lookup->key, &lookup->member,
                        query->waker);
}

/* Nothing stored answers the request. If there are variants, the origin may select one of them by a
 * 304. */
static enum cache_result turn_to_origin(struct cache *cache, const struct cache_query *query,
                                        struct lookup *lookup, struct decision *decision,
                                        bool *changed)
{
    struct object *variants[OBJECT_VARY_MAX];
    size_t count = 0;

    *changed = false;
    if (!query->alone && cache_offers_variants(lookup, decision)) {
        if (follow_first(cache, query, lookup)) {
            return CACHE_FOLLOW;
        }
        count = cache_variants(cache, &lookup->primary, query, &lookup->cold, variants);
    }
    if (lookup->cold.again) {
        give_back(variants, count);
        return CACHE_COLD;
    }
    enum cache_result result = query->alone ? CACHE_ALONE : join(cache, query, lookup, changed);
    if (result == CACHE_LEAD && count > 0) {
        flight_set_variants(lookup->member.flight, variants, count);
    } else {
        give_back(variants, count);
    }
    if (result == CACHE_ALONE && !*changed && !query->alone) {
        cache_note_pass_mark(decision);
    }
    return result;
}

static enum cache_result decide(struct cache *cache, const struct cache_query *query,
                                struct lookup *lookup, struct decision *decision, bool *changed)
{
    enum cache_result result = cache_appraise(cache, query, lookup, decision);

    *changed = false;
    if (result == CACHE_STALE) {
        return refresh(cache, query, lookup);
    }
    return result == CACHE_LEAD ? turn_to_origin(cache, query, lookup, decision, changed) : result;
}

enum cache_result cache_lookup_on(struct cache *cache, const struct cache_query *query,
                                  struct lookup *lookup, struct decision *decision)
{
    enum cache_result result = CACHE_ALONE;
    bool changed = true;

    cold_begin(&lookup->cold);
    for (lookup->tries = 0; changed && lookup->tries < TRIES_MAX; lookup->tries++) {
        object_unref(&lookup->object);
        lookup->mark = cache_mark(cache, &lookup->primary);
        result = decide(cache, query, lookup, decision, &changed);
    }
    if (result == CACHE_COLD) {
        object_unref(&lookup->object);
    } else {
        cold_fini(&lookup->cold);
    }
    return result;
}

static void name(struct cache *cache, const struct cache_query *query, struct lookup *lookup)
{
    *lookup = (struct lookup){0};
    cold_init(&lookup->cold, COLD_ASK, query->waker);
    cache_primary_key(cache, query->uri, query->zone, query->arena, &lookup->primary);
}

void cache_name(struct cache *cache, const struct cache_query *query, struct lookup *lookup)
{
    name(cache, query, lookup);
    table_prefetch(cache->table, &lookup->primary);
}

void cache_prefetch_soon(struct cache *cache, const struct lookup *lookup)
{
    table_prefetch_entry(cache->table, &lookup->primary);
}

void cache_prefetch_next(struct cache *cache, const struct lookup *lookup)
{
    table_prefetch_object(cache->table, &lookup->primary);
}

enum cache_result cache_lookup(struct cache *cache, const struct cache_query *query,
                               struct lookup *lookup, struct decision *decision)
{
    name(cache, query, lookup);
    return cache_lookup_on(cache, query, lookup, decision);
}

bool lookup_is_ready(const struct lookup *lookup)
{
    return cold_is_ready(&lookup->cold);
}

void lookup_fini(struct lookup *lookup)
{
    flight_leave(&lookup->member);
    object_unref(&lookup->object);
    cold_fini(&lookup->cold);
}
