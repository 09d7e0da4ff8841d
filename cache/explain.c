#include "cache/explain.h"

#include "cache/cache_parts.h"

/* ---- variants ---- */

struct listing {
    struct object **at; /* array of EXPLAIN_VARIANTS_MAX */
    size_t count;
};

static bool is_listed(const struct listing *list, const struct object *object)
{
    for (size_t i = 0; i < list->count; i++) {
        if (span_eq(list->at[i]->key.text, object->key.text)) {
            return true;
        }
    }
    return false;
}

/* Adds the variants that the base lists by their selecting values; these may be on disk only. */
static void add_listed(struct cache *cache, struct span prefix, struct span suffix,
                       struct arena *arena, struct listing *list)
{
    struct cache_key key;
    bool from_memory;

    key_of_text(arena_printf(arena, "%.*s%.*s", SPAN_ARGS(prefix), SPAN_ARGS(suffix)),
                &cache->secret, &key);
    struct object *object = cache_peek(cache, &key, NULL, &from_memory);
    if (object && list->count < EXPLAIN_VARIANTS_MAX && !is_listed(list, object)) {
        list->at[list->count++] = object;
    } else {
        object_unref(&object);
    }
}

size_t cache_known_variants(struct cache *cache, const struct object *base, struct arena *arena,
                            struct object *out[EXPLAIN_VARIANTS_MAX])
{
    struct span prefix = arena_printf(arena, "%.*s %.*s", SPAN_ARGS(base->key.text),
                                      SPAN_ARGS(cache_generation(base)));
    struct span of_variant = arena_printf(arena, "%.*s\n", SPAN_ARGS(prefix));
    struct listing list = {.at = out};

    list.count = table_list(cache->table, of_variant, out, EXPLAIN_VARIANTS_MAX);
    for (size_t i = 0; i < base->fields.count; i++) {
        const struct http_field *line = &base->fields.at[i];
        if (line->id != FIELD_VARY && line->id != FIELD_ETAG) {
            add_listed(cache, prefix, line->value, arena, &list);
        }
    }
    return list.count;
}

static void list_variants(struct cache *cache, const struct cache_query *query,
                          struct explanation *out)
{
    bool from_memory;
    struct object *base = cache_peek(cache, &out->lookup.primary, NULL, &from_memory);

    if (base && base->kind == OBJECT_VARY) {
        for (size_t i = 0; i < base->fields.count && out->spec_count < OBJECT_VARY_MAX; i++) {
            const struct http_field *line = &base->fields.at[i];
            if (line->id == FIELD_VARY) {
                out->specs[out->spec_count++] = arena_copy(query->arena, line->value);
            }
        }
        out->variant_count = cache_known_variants(cache, base, query->arena, out->variants);
    }
    object_unref(&base);
}

/* How many variants a lookup would offer to the origin. */
static size_t count_offered(struct cache *cache, const struct cache_query *query,
                            const struct explanation *out)
{
    struct object *variants[OBJECT_VARY_MAX];
    size_t count = 0;

    if (out->result == CACHE_LEAD && cache_offers_variants(&out->lookup, &out->decision)) {
        count = cache_variants(cache, &out->lookup.primary, query, NULL, variants);
    }
    for (size_t i = 0; i < count; i++) {
        object_unref(&variants[i]);
    }
    return count;
}

struct selection explanation_selection(const struct object *variant)
{
    struct span rest = variant->key.text;

    span_cut(&rest, '\n');
    struct span names = span_cut(&rest, '\n');
    return (struct selection){names, rest};
}

bool selection_next(struct selection *rest, struct span *name, struct span *value, bool *absent)
{
    if (rest->names.len == 0) {
        return false;
    }
    *name = span_cut(&rest->names, ',');
    *value = span_cut(&rest->values, '\n');
    *absent = span_eq(*value, SPAN("-"));
    *value = span_skip(*value, 1);
    return true;
}

/* ---- the outcome ---- */

/* The result that table_join() would lead to. */
static enum cache_result joined(const struct cache_query *query, struct explanation *out)
{
    if (query->alone) {
        return CACHE_ALONE;
    }
    if (out->present.fetching) {
        return CACHE_FOLLOW;
    }
    if (out->present.pass_until > query->now) {
        cache_note_pass_mark(&out->decision);
        return CACHE_ALONE;
    }
    return CACHE_LEAD;
}

void cache_explain(struct cache *cache, const struct cache_query *query, struct explanation *out)
{
    struct cache_query peek = *query;

    peek.peek = true;
    *out = (struct explanation){0};
    cache_primary_key(cache, query->uri, query->zone, query->arena, &out->lookup.primary);
    out->result = cache_appraise(cache, &peek, &out->lookup, &out->decision);
    table_view(cache->table, &out->lookup.key, &out->present);
    object_unref(&out->present.object);
    if (out->result == CACHE_LEAD) {
        out->result = joined(query, out);
    }
    out->offered = count_offered(cache, query, out);
    list_variants(cache, query, out);
}

void explanation_fini(struct explanation *explanation)
{
    lookup_fini(&explanation->lookup);
    for (size_t i = 0; i < explanation->variant_count; i++) {
        object_unref(&explanation->variants[i]);
    }
    explanation->variant_count = 0;
}
