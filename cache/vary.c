/* vary - the Vary base of a URL, and the keys of its variants. */
#include "base/check.h"
#include "cache/cache_parts.h"
#include "http/coding.h"
#include "http/validator.h"

/* ---- keys ---- */

struct span cache_generation(const struct object *base)
{
    return fields_get(&base->fields, FIELD_ETAG);
}

/* The text that all keys of one generation's variants begin with. */
static struct span salted(const struct cache_key *primary, struct span generation,
                          struct span suffix, struct arena *arena)
{
    return arena_printf(arena, "%.*s %.*s%.*s", SPAN_ARGS(primary->text), SPAN_ARGS(generation),
                        SPAN_ARGS(suffix));
}

void cache_variant_key(struct cache *cache, const struct cache_key *primary,
                       const struct object *base, struct span spec,
                       const struct http_fields *request, struct arena *arena,
                       struct cache_key *out)
{
    struct cache_key of_base = {.text = salted(primary, cache_generation(base), SPAN_EMPTY, arena)};

    key_variant(&of_base, spec, request, &cache->secret, arena, out);
}

/* ---- the base ---- */

enum { VARIANT_TEXT_MAX = 1024 /* what selects a variant; one with more is not listed */ };

/* The last few of something, oldest first. */
struct recent {
    struct span at[OBJECT_VARY_MAX];
    size_t count;
};

static bool recent_has(const struct recent *recent, struct span value)
{
    for (size_t i = 0; i < recent->count; i++) {
        if (span_eq(recent->at[i], value)) {
            return true;
        }
    }
    return false;
}

static void recent_add(struct recent *recent, struct span value)
{
    if (recent->count == OBJECT_VARY_MAX) {
        recent->count--;
        memmove(recent->at, recent->at + 1, recent->count * sizeof(recent->at[0]));
    }
    recent->at[recent->count++] = value;
}

/* What a base says; borrowed from it. */
struct listing {
    struct span generation;
    struct recent specs;
    struct recent variants; /* their keys' text, behind the salted primary text */
};

/* False, and empty, when the object (may be NULL) is no base. */
static bool listing_read(const struct object *object, struct listing *out)
{
    *out = (struct listing){0};
    if (object == NULL || object->kind != OBJECT_VARY) {
        return false;
    }
    out->generation = cache_generation(object);
    for (size_t i = 0; i < object->fields.count; i++) {
        const struct http_field *line = &object->fields.at[i];
        if (line->id == FIELD_VARY) {
            recent_add(&out->specs, line->value);
        } else if (line->id != FIELD_ETAG) {
            recent_add(&out->variants, line->value);
        }
    }
    return true;
}

static struct object *listing_object(const struct listing *listing, const struct cache_key *primary)
{
    struct http_field lines[1 + 2 * OBJECT_VARY_MAX];
    struct http_fields fields = {.at = lines};

    lines[fields.count++] = (struct http_field){SPAN("etag"), listing->generation, FIELD_ETAG};
    for (size_t i = 0; i < listing->specs.count; i++) {
        lines[fields.count++] = (struct http_field){SPAN("vary"), listing->specs.at[i], FIELD_VARY};
    }
    for (size_t i = 0; i < listing->variants.count; i++) {
        lines[fields.count++] =
            (struct http_field){SPAN("variant"), listing->variants.at[i], FIELD_OTHER};
    }
    return object_new_vary(primary, &fields);
}

static struct span new_generation(struct arena *arena)
{
    struct sip_key random = sip_key_random();

    return arena_printf(arena, "%016llx", (unsigned long long)random.k0);
}

/* Under the guard: the base takes the place of what is under the primary key, also in a store that
 * has much to do, for it is small, and put once: its variants are found by it. */
static struct object *put_base(struct cache *cache, const struct cache_key *primary,
                               const struct listing *listing)
{
    struct object *base = listing_object(listing, primary);
    struct shelf shelf = cache_shelf(cache, primary);
    struct store_put *put;
    struct object_meta meta;
    struct buf head = BUF_INIT;

    table_put(cache->table, base, true); /* what the store has until then is older */
    cache_changed(cache, &base->key);
    if (shelf_put_begin_anyway(shelf, base->key.hash, base->key.text, &put) == 0) {
        CHECK(object_encode(base, &head, &meta) == 0); /* a few lines, with names of ours */
        store_put_finish(put, buf_span(&head), &meta, sizeof(meta), 0, NULL, 0, cache_settle,
                         cache_settling(cache, base));
        buf_fini(&head);
    } else {
        shelf_drop(shelf, base->key.hash, NULL, NULL);
        table_settle(cache->table, base, true);
    }
    return base;
}

/* The Vary base of the URL with `spec` in it; made or extended when needed. NULL when it would have
 * to be read from the disk first. */
static struct object *vary_base(struct cache *cache, const struct cache_key *primary,
                                struct span spec, struct arena *arena)
{
    struct listing listing;
    struct cold cold;
    bool from_memory;

    cold_init(&cold, COLD_NEVER, (struct waker){0});
    struct object *old = cache_find(cache, primary, primary, &cold, &from_memory);
    if (cold.again) {
        return NULL;
    }
    if (listing_read(old, &listing) && recent_has(&listing.specs, spec)) {
        return old;
    }
    object_unref(&old);
    struct guard *guard = cache_guard_lock(cache, cache_guard_of(primary));
    struct object *base = cache_load(cache, primary, &cold, &from_memory);
    bool is_base = listing_read(base, &listing);
    if (!cold.again && (!is_base || !recent_has(&listing.specs, spec))) {
        old = base;
        listing.generation = is_base ? listing.generation : new_generation(arena);
        recent_add(&listing.specs, spec);
        base = put_base(cache, primary, &listing);
        object_unref(&old);
    }
    cache_guard_unlock(guard);
    return base;
}

/* ---- several variants ---- */

/* Lists the variant in its base, unless that has gone, lists it already, or is not in memory. */
static void list_variant(struct cache *cache, const struct cache_key *primary,
                         const struct object *base, const struct cache_key *variant)
{
    struct listing listing;
    struct cold cold;
    bool from_memory;
    struct span suffix =
        span_skip(variant->text, primary->text.len + 1 + cache_generation(base).len);

    listing_read(base, &listing);
    if (suffix.len > VARIANT_TEXT_MAX || recent_has(&listing.variants, suffix)) {
        return;
    }
    cold_init(&cold, COLD_NEVER, (struct waker){0});
    struct guard *guard = cache_guard_lock(cache, cache_guard_of(primary));
    struct object *now = cache_load(cache, primary, &cold, &from_memory);
    if (listing_read(now, &listing) && span_eq(listing.generation, cache_generation(base)) &&
        !recent_has(&listing.variants, suffix)) {
        struct object *old = now;
        recent_add(&listing.variants, suffix);
        now = put_base(cache, primary, &listing);
        object_unref(&old);
    }
    cache_guard_unlock(guard);
    object_unref(&now);
}

/* Whole, and with a validator that tells it from others. A weak entity-tag does not: codings may
 * share it (RFC 9110 8.8.1). Origins that compress on their way out may give codings a strong one
 * in common, or hold a tag for that of the uncompressed form; so a coding that the client cannot
 * decode is none. */
static bool is_candidate(const struct object *object, const struct http_fields *request)
{
    struct span etag = fields_get(&object->fields, FIELD_ETAG);

    return object->kind == OBJECT_RESPONSE && object->status == 200 && object->body_len >= 0 &&
           etag_is_valid(etag) && !etag_is_weak(etag) && coding_is_named(request, &object->fields);
}

size_t cache_variants(struct cache *cache, const struct cache_key *primary,
                      const struct cache_query *query, struct cold *cold,
                      struct object *out[OBJECT_VARY_MAX])
{
    struct listing listing;
    struct cache_key key;
    bool from_memory;
    size_t count = 0;
    struct object *base = cache_peek(cache, primary, cold, &from_memory);

    listing_read(base, &listing);
    for (size_t i = listing.variants.count; i-- > 0;) {
        key_of_text(salted(primary, listing.generation, listing.variants.at[i], query->arena),
                    &cache->secret, &key);
        struct object *object = cache_peek(cache, &key, cold, &from_memory);
        if (object && is_candidate(object, &query->request->fields)) {
            out[count++] = object;
        } else {
            object_unref(&object);
        }
    }
    object_unref(&base);
    return count;
}

/* ---- what a response is for ---- */

bool cache_shares(struct cache *cache, const struct lookup *lookup, const struct object *object,
                  const struct http_fields *request, struct arena *arena)
{
    struct span spec;
    struct cache_key key;

    if (!key_vary_spec(&object->fields, arena, &spec)) {
        return false;
    }
    if (spec.len == 0) {
        return true;
    }
    struct object *base = vary_base(cache, &lookup->primary, spec, arena);
    if (base == NULL) {
        return false; /* looking again will tell */
    }
    cache_variant_key(cache, &lookup->primary, base, spec, request, arena, &key);
    object_unref(&base);
    return span_eq(key.text, object->key.text);
}

enum reason cache_response_key(struct cache *cache, const struct admission *admission,
                               struct cache_key *key)
{
    struct span spec;

    *key = *admission->primary;
    if (!key_vary_spec(&admission->response->fields, admission->arena, &spec)) {
        return REASON_VARY_STAR;
    }
    if (spec.len == 0) {
        return REASON_STORED;
    }
    struct object *base = vary_base(cache, admission->primary, spec, admission->arena);
    if (base == NULL) {
        return REASON_STORE_BUSY;
    }
    cache_variant_key(cache, admission->primary, base, spec, &admission->request->fields,
                      admission->arena, key);
    if (fields_has(&admission->response->fields, FIELD_ETAG)) {
        list_variant(cache, admission->primary, base, key);
    }
    object_unref(&base);
    return REASON_STORED;
}
