/* vary - the Vary base of a URL, and the keys of its variants. */
#include "base/check.h"
#include "cache/cache_parts.h"

/* ---- keys ---- */

struct span cache_generation(const struct object *base)
{
    return fields_get(&base->fields, FIELD_ETAG);
}

void cache_variant_key(struct cache *cache, const struct cache_key *primary,
                       const struct object *base, struct span spec,
                       const struct http_fields *request, struct arena *arena,
                       struct cache_key *out)
{
    struct cache_key salted = *primary;

    salted.text = arena_printf(arena, "%.*s %.*s", SPAN_ARGS(primary->text),
                               SPAN_ARGS(cache_generation(base)));
    key_variant(&salted, spec, request, &cache->secret, arena, out);
}

/* ---- the base ---- */

static struct span new_generation(struct arena *arena)
{
    struct sip_key random = sip_key_random();

    return arena_printf(arena, "%016llx", (unsigned long long)random.k0);
}

static bool base_has(const struct object *base, struct span spec)
{
    for (size_t i = 0; i < base->fields.count; i++) {
        if (base->fields.at[i].id == FIELD_VARY && span_eq(base->fields.at[i].value, spec)) {
            return true;
        }
    }
    return false;
}

static void store_base(struct cache *cache, const struct object *base)
{
    struct store_put *put;
    struct object_meta meta;
    struct buf head = BUF_INIT;

    if (cache->store && store_put_begin(cache->store, base->key.hash, base->key.text, &put) == 0) {
        object_encode(base, &head, &meta);
        store_put_finish(put, buf_span(&head), &meta, sizeof(meta), 0, NULL, 0, NULL, NULL);
        buf_fini(&head);
    }
}

/* A base with the specifications of `old` (may be NULL or something else) and one more. */
static struct object *extended_base(const struct cache_key *primary, const struct object *old,
                                    struct span spec, struct arena *arena)
{
    struct span specs[OBJECT_VARY_MAX];
    struct span generation = SPAN_EMPTY;
    size_t count = 0;

    if (old && old->kind == OBJECT_VARY) {
        generation = cache_generation(old);
        size_t skip = old->fields.count == OBJECT_VARY_MAX + 1 ? 2 : 1; /* generation, oldest */
        for (size_t i = skip; i < old->fields.count; i++) {
            specs[count++] = old->fields.at[i].value;
        }
    } else {
        generation = new_generation(arena);
    }
    specs[count++] = spec;
    return object_new_vary(primary, generation, specs, count);
}

static bool is_base_of(const struct object *object, struct span spec)
{
    return object && object->kind == OBJECT_VARY && base_has(object, spec);
}

/* The Vary base of the URL with `spec` in it; made or extended when needed. */
static struct object *vary_base(struct cache *cache, const struct cache_key *primary,
                                struct span spec, struct arena *arena)
{
    bool from_memory;
    struct object *old = cache_find(cache, primary, primary, &from_memory);

    if (is_base_of(old, spec)) {
        return old;
    }
    object_unref(&old);
    struct guard *guard = cache_guard_lock(cache, cache_guard_of(primary));
    struct object *base = cache_load(cache, primary, &from_memory);
    if (!is_base_of(base, spec)) {
        old = base;
        base = extended_base(primary, old, spec, arena);
        object_unref(&old);
        table_put(cache->table, base, false);
        store_base(cache, base);
    }
    cache_guard_unlock(guard);
    return base;
}

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
    cache_variant_key(cache, &lookup->primary, base, spec, request, arena, &key);
    object_unref(&base);
    return span_eq(key.text, object->key.text);
}

bool cache_response_key(struct cache *cache, const struct admission *admission,
                        struct cache_key *key)
{
    struct span spec;

    *key = *admission->primary;
    if (!key_vary_spec(&admission->response->fields, admission->arena, &spec)) {
        return false;
    }
    if (spec.len > 0) {
        struct object *base = vary_base(cache, admission->primary, spec, admission->arena);
        cache_variant_key(cache, admission->primary, base, spec, &admission->request->fields,
                          admission->arena, key);
        object_unref(&base);
    }
    return true;
}
