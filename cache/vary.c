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

/* The prefix of the key texts of all variants of one generation. */
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

/* ---- the Vary base ---- */

enum { VARIANT_TEXT_MAX = 1024 /* most bytes of the selecting values of a listed variant */ };

/* The latest values of a list, oldest first. */
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

/* The content of a Vary base; borrowed from it. */
struct listing {
    struct span generation;
    struct recent specs;
    struct recent variants; /* what their key texts have behind the common prefix */
};

/* Reads a base. False, with *out empty: the object (may be NULL) is not a base. */
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

/* Under the guard. The base replaces the object under the primary key. It is put even into a store
 * that is behind: it is small and rarely written, and its variants are found only through it. */
static struct object *put_base(struct cache *cache, const struct cache_key *primary,
                               const struct listing *listing)
{
    struct object *base = listing_object(listing, primary);
    struct shelf shelf = cache_shelf(cache, primary);
    struct store_put *put;
    struct object_meta meta;
    struct buf head = BUF_INIT;

    /* a request must not find the older record of the store meanwhile */
    table_put(cache->table, base, true);
    cache_changed(cache, &base->key);
    if (shelf_put_begin_anyway(shelf, base->key.hash, base->key.text, &put) == 0) {
        /* cannot fail: the lines are few and short */
        CHECK(object_encode(base, &head, &meta) == 0);
        store_put_finish(put, buf_span(&head), &meta, sizeof(meta), 0, NULL, 0, cache_settle,
                         cache_settling(cache, base));
        buf_fini(&head);
    } else {
        shelf_drop(shelf, base->key.hash, NULL, NULL);
        table_settle(cache->table, base, true);
    }
    return base;
}

/* The Vary base of the URL, with `spec` among its specifications; made or extended if needed. NULL:
 * it would have to be read from the disk first. */
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

/* Adds the variant to the list of its base, unless the base was removed, is not in memory, or lists
 * it already. */
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

/* Can the variant be offered to the origin, and be told from others by its validator? A weak
 * entity-tag is not enough, as content codings may share it (RFC 9110 8.8.1). Origins that compress
 * while sending may even give several codings the same strong entity-tag, or compare a tag with
 * that of the uncompressed form; so a variant in a coding that the client cannot decode is not
 * offered. */
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

/* ---- for which requests a response is ---- */

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
        return false; /* the base has to be read first; a new lookup decides */
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
