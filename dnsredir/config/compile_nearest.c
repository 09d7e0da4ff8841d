/* compile_nearest - passes the checked regions, maps and files to nearest.h. */
#include "base/check.h"
#include "base/mem.h"
#include "dnsredir/config/compile_parts.h"

static unsigned known_replica(const struct settings *s, const char *name)
{
    unsigned id = 0;

    while (strcmp(s->replicas[id].name, name) != 0) {
        id++;
    }
    return id;
}

static size_t known_replicas(const struct settings *s, char **names, size_t count, uint16_t *ids)
{
    count = count < REPLICAS_MAX ? count : REPLICAS_MAX;
    for (size_t i = 0; i < count; i++) {
        ids[i] = (uint16_t)known_replica(s, names[i]);
    }
    return count;
}

static void add_rows(const struct settings *s, struct nearest_builder *builder)
{
    uint16_t ids[REPLICAS_MAX];

    for (size_t i = 0; i < s->map_count; i++) {
        const struct map_row *row = &s->map_rows[i];
        size_t count = known_replicas(s, row->replicas, row->replica_count, ids);
        nearest_add(builder, &row->prefix, ids, count);
    }
    for (size_t i = 0; i < s->region_count; i++) {
        const struct region_row *row = &s->regions[i];
        size_t count = known_replicas(s, row->replicas, row->replica_count, ids);
        for (size_t n = 0; n < row->prefix_count && count; n++) {
            nearest_add_region(builder, &row->prefixes[n], ids, count);
        }
    }
}

/* The map entries of one name, collected before the map is built. */
struct override {
    struct policy *policy;
    struct netmap_entry *entries;
    size_t count, cap;
};

static void override_put(struct override *o, const struct prefix *prefix, uint32_t value)
{
    if (o->count == o->cap) {
        o->cap = o->cap ? 2 * o->cap : 16;
        o->entries = xrealloc(o->entries, o->cap * sizeof(*o->entries));
    }
    o->entries[o->count++] = (struct netmap_entry){*prefix, value};
}

static void override_fill(struct override *o, const struct settings *s,
                          struct nearest_builder *builder, const struct name_row *name)
{
    uint16_t ids[REPLICAS_MAX];

    o->policy = name->compiled;
    for (size_t i = 0; i < name->map_count; i++) {
        const struct map_row *row = &name->map_rows[i];
        size_t count = known_replicas(s, row->replicas, row->replica_count, ids);
        uint32_t value = nearest_rank(builder, ids, count);
        if (row->has_prefix) {
            override_put(o, &row->prefix, value);
            continue;
        }
        const struct region_row *region = compile_find_region(s, row->region);
        for (size_t n = 0; n < region->prefix_count; n++) {
            override_put(o, &region->prefixes[n], value);
        }
    }
}

static size_t overrides_count(const struct settings *s)
{
    size_t count = 0;

    for (size_t i = 0; i < s->zone_count; i++) {
        for (size_t n = 0; n < s->zone_rows[i].name_count; n++) {
            count += s->zone_rows[i].names[n].map_count > 0;
        }
    }
    return count;
}

static struct override *overrides_collect(struct settings *s, struct nearest_builder *builder)
{
    struct override *list = xcalloc(overrides_count(s) + 1, sizeof(*list));
    size_t count = 0;

    for (size_t i = 0; i < s->zone_count; i++) {
        for (size_t n = 0; n < s->zone_rows[i].name_count; n++) {
            const struct name_row *name = &s->zone_rows[i].names[n];
            if (name->map_count > 0) {
                override_fill(&list[count++], s, builder, name);
            }
        }
    }
    return list;
}

/* Frees the list; builds its maps first if `build`. */
static void overrides_end(struct settings *s, struct override *list, bool build)
{
    size_t count = overrides_count(s);

    if (build) {
        s->overrides = arena_zalloc(s->memory, (count + 1) * sizeof(struct netmap *));
        s->override_count = count;
    }
    for (size_t i = 0; i < count; i++) {
        if (build) {
            CHECK(list[i].policy);
            s->overrides[i] = netmap_new(list[i].entries, list[i].count, NULL, 0);
            list[i].policy->overrides = s->overrides[i];
        }
        free(list[i].entries);
    }
    free(list);
}

int compile_nearest(struct settings *s, struct buf *errors)
{
    struct nearest_builder *builder = nearest_builder_new(s->memory, s->replicas, s->replica_count);
    int err = 0;

    if (s->map_file) {
        err = nearest_add_file(builder, s->map_file, errors);
    }
    if (!err) {
        add_rows(s, builder);
    }
    if (!err && s->geoip) {
        err = nearest_add_geo(builder, s->geoip, errors);
    }
    if (!err) {
        struct override *overrides = overrides_collect(s, builder);
        err = nearest_build(builder, errors, &s->nearest);
        overrides_end(s, overrides, !err);
    }
    nearest_builder_free(&builder);
    return err;
}
