#include "cache/explain.h"

#include "cache/cache_parts.h"

/* ---- variants ---- */

static void list_specs(const struct object *base, struct arena *arena, struct explanation *out)
{
    for (size_t i = 0; i < base->fields.count && out->spec_count < OBJECT_VARY_MAX; i++) {
        if (base->fields.at[i].id == FIELD_VARY) {
            out->specs[out->spec_count++] = arena_copy(arena, base->fields.at[i].value);
        }
    }
}

/* Keys of variants begin with the URL's and the generation of their base. */
static void list_variants(struct cache *cache, const struct cache_query *query,
                          struct explanation *out)
{
    bool from_memory;
    struct object *base = cache_peek(cache, &out->lookup.primary, &from_memory);

    if (base && base->kind == OBJECT_VARY) {
        struct span prefix =
            arena_printf(query->arena, "%.*s %.*s\n", SPAN_ARGS(out->lookup.primary.text),
                         SPAN_ARGS(cache_generation(base)));
        list_specs(base, query->arena, out);
        out->variant_count = table_list(cache->table, prefix, out->variants, EXPLAIN_VARIANTS_MAX);
    }
    object_unref(&base);
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

/* ---- what would happen ---- */

/* As table_join() decides. */
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
    key_primary(query->uri, query->zone, &cache->secret, query->arena, &out->lookup.primary);
    out->result = cache_appraise(cache, &peek, &out->lookup, &out->decision);
    table_view(cache->table, &out->lookup.key, &out->present);
    object_unref(&out->present.object);
    if (out->result == CACHE_LEAD) {
        out->result = joined(query, out);
    }
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
