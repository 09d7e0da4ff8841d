/* compile_map - checks everything about nearness: regions, maps, and map files. */
#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "dnsredir/config/compile_parts.h"
#include "dnsredir/steering/geo.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* The number of a replica; -1: an error was reported. */
int compile_find_replica(struct compiler *c, const char *directive, size_t index, const char *name)
{
    const struct settings *s = c->settings;
    const char *names[REPLICAS_MAX];
    bool all_known = name != NULL;

    for (size_t i = 0; name && i < s->replica_count; i++) {
        names[i] = s->replicas[i].name;
        all_known = all_known && names[i];
        if (span_eq(span_str(names[i]), span_str(name))) {
            return (int)i;
        }
    }
    if (!all_known) {
        return -1; /* it may be a replica whose row has an error, which was reported */
    }
    const char *closest = conf_closest(name, names, s->replica_count);
    COMPLAIN(c, directive, index, "no replica is called \"%s\"%s%s%s", name,
             CONF_HINT(closest, "; expected a name from \"replicas\""));
    return -1;
}

/* ---- checks ---- */

static const struct sip_key
    no_key; /* the keys come from the configuration, so collisions cannot be forced */

/* A prefix, where it was written, and what it maps to. */
struct mapped {
    struct map_link link;
    const struct prefix *prefix;
    char **replicas;
    size_t replica_count;
};

struct prefixes {
    struct map map;
    struct arena memory;
};

static void prefixes_init(struct prefixes *prefixes, size_t count)
{
    map_init(&prefixes->map, count);
    arena_init(&prefixes->memory, NULL, 0);
}

static void prefixes_fini(struct prefixes *prefixes)
{
    map_fini(&prefixes->map);
    arena_fini(&prefixes->memory);
}

/* Adds a prefix. Returns the same prefix if it was added before, else NULL. */
static const struct mapped *prefixes_add(struct prefixes *prefixes, struct mapped what)
{
    const struct prefix *prefix = what.prefix;
    uint64_t hash = sip_hash64(&no_key, span_of(&prefix->ip, sizeof(prefix->ip)));

    for (struct map_link *at = map_first(&prefixes->map, hash); at; at = map_next(at)) {
        const struct mapped *other = container_of(at, struct mapped, link);
        if (other->prefix->bits == prefix->bits && ip_eq(&other->prefix->ip, &prefix->ip)) {
            return other;
        }
    }
    struct mapped *entry = arena_alloc(&prefixes->memory, sizeof(*entry));
    *entry = what;
    map_insert(&prefixes->map, &entry->link, hash);
    return NULL;
}

static bool same_replicas(const struct mapped *a, const struct mapped *b)
{
    bool same = a->replica_count == b->replica_count;

    for (size_t i = 0; same && i < a->replica_count; i++) {
        same = strcmp(a->replicas[i], b->replicas[i]) == 0;
    }
    return same;
}

static void check_prefix(struct compiler *c, struct prefixes *prefixes, const char *directive,
                         size_t index, struct mapped what)
{
    const struct mapped *other = prefixes_add(prefixes, what);
    char text[PREFIX_TEXT_MAX];

    if (!other) {
        return;
    }
    prefix_text(what.prefix, text);
    if (same_replicas(other, &what)) {
        COMPLAIN(c, directive, index, "%s stands in the map twice; expected each prefix once",
                 text);
    } else {
        COMPLAIN(c, directive, index,
                 "%s stands in the map twice, and first for \"%s\"; expected each prefix once",
                 text, other->replicas[0]);
    }
}

/* The longest other prefix that contains this one, or NULL. */
static const struct mapped *prefixes_around(const struct prefixes *prefixes,
                                            const struct prefix *prefix)
{
    struct ip ip = prefix->ip;
    unsigned least = ip_is_v4(&ip) ? 96 : 0;

    for (unsigned bits = prefix->bits; bits-- > least;) {
        ip.at[bits / 8] = (uint8_t)(ip.at[bits / 8] & ~(0x80u >> bits % 8));
        uint64_t hash = sip_hash64(&no_key, span_of(&ip, sizeof(ip)));
        for (struct map_link *at = map_first(&prefixes->map, hash); at; at = map_next(at)) {
            const struct mapped *other = container_of(at, struct mapped, link);
            if (other->prefix->bits == bits && ip_eq(&other->prefix->ip, &ip)) {
                return other;
            }
        }
    }
    return NULL;
}

/* Remarks on a prefix inside another one with other replicas: it works, but a later change of one
 * may forget the other. */
static void remark_around(struct compiler *c, const struct prefixes *prefixes,
                          const char *directive, size_t index, struct mapped what)
{
    const struct mapped *around = prefixes_around(prefixes, what.prefix);
    char text[PREFIX_TEXT_MAX], outer[PREFIX_TEXT_MAX];

    if (around && same_replicas(around, &what)) {
        conf_remark(c->at, directive, index,
                    "%s lies in %s, which has the same replicas; expected only the larger one",
                    prefix_text(what.prefix, text), prefix_text(around->prefix, outer));
    }
}

static struct mapped mapped_of(const struct prefix *prefix, char **replicas, size_t count)
{
    return (struct mapped){.prefix = prefix, .replicas = replicas, .replica_count = count};
}

static void check_replicas(struct compiler *c, char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        compile_find_replica(c, "replica", i, names[i]);
    }
}

const struct region_row *compile_find_region(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->region_count; i++) {
        if (span_eq(span_str(s->regions[i].name), span_str(name))) {
            return &s->regions[i];
        }
    }
    return NULL;
}

static void remark_regions(struct compiler *c, const struct prefixes *prefixes)
{
    const struct settings *s = c->settings;

    for (size_t i = 0; i < s->region_count; i++) {
        const struct region_row *row = &s->regions[i];
        const struct conf_at *outer = compile_enter(c, "regions", i);
        bool whole = conf_is_whole(c->at);
        for (size_t n = 0; whole && n < row->prefix_count && row->replica_count; n++) {
            remark_around(c, prefixes, "prefixes", n,
                          mapped_of(&row->prefixes[n], row->replicas, row->replica_count));
        }
        compile_leave(c, outer);
    }
}

static void check_regions(struct compiler *c)
{
    const struct settings *s = c->settings;
    struct prefixes prefixes;

    prefixes_init(&prefixes, s->region_count);
    for (size_t i = 0; i < s->region_count; i++) {
        const struct region_row *row = &s->regions[i];
        const struct conf_at *outer = compile_enter(c, "regions", i);
        bool whole = conf_is_whole(c->at);
        if (row->name && compile_find_region(s, row->name) != row) {
            COMPLAIN(c, "name", 0, "a second region \"%s\"; expected each name once", row->name);
        }
        for (size_t n = 0; whole && n < row->prefix_count && row->replica_count; n++) {
            check_prefix(c, &prefixes, "prefixes", n,
                         mapped_of(&row->prefixes[n], row->replicas, row->replica_count));
        }
        check_replicas(c, row->replicas, row->replica_count);
        compile_leave(c, outer);
    }
    remark_regions(c, &prefixes);
    prefixes_fini(&prefixes);
}

static void check_nearest(struct compiler *c)
{
    const struct conf_at *outer = compile_enter(c, "nearest", 0);
    struct prefixes prefixes;

    check_regions(c);
    prefixes_init(&prefixes, c->settings->map_count);
    for (size_t i = 0; i < c->settings->map_count; i++) {
        const struct map_row *row = &c->settings->map_rows[i];
        const struct conf_at *nearest = compile_enter(c, "map", i);
        if (conf_is_whole(c->at)) {
            check_prefix(c, &prefixes, "prefix", 0,
                         mapped_of(&row->prefix, row->replicas, row->replica_count));
        }
        check_replicas(c, row->replicas, row->replica_count);
        compile_leave(c, nearest);
    }
    for (size_t i = 0; i < c->settings->map_count; i++) {
        const struct map_row *row = &c->settings->map_rows[i];
        const struct conf_at *nearest = compile_enter(c, "map", i);
        if (conf_is_whole(c->at)) {
            remark_around(c, &prefixes, "prefix", 0,
                          mapped_of(&row->prefix, row->replicas, row->replica_count));
        }
        compile_leave(c, nearest);
    }
    prefixes_fini(&prefixes);
    compile_leave(c, outer);
}

static void complain_of_region(struct compiler *c, const char *name)
{
    const struct settings *s = c->settings;
    const char **names = xcalloc(s->region_count + 1, sizeof(*names));
    bool all_known = true;

    for (size_t i = 0; i < s->region_count; i++) {
        names[i] = s->regions[i].name;
        all_known = all_known && names[i];
    }
    if (!all_known) {
        free(names);
        return; /* it may be a region whose row has an error, which was reported */
    }
    const char *closest = conf_closest(name, names, s->region_count);
    COMPLAIN(c, "region", 0, "no region is called \"%s\"%s%s%s", name,
             CONF_HINT(closest, "; expected a name from \"nearest.regions\""));
    free(names);
}

static void check_override(struct compiler *c, const struct name_row *name, size_t index,
                           struct prefixes *prefixes)
{
    const struct map_row *row = &name->map_rows[index];
    const struct conf_at *outer = compile_enter(c, "map", index);

    for (size_t i = 0; i < row->replica_count; i++) {
        int id = compile_find_replica(c, "replica", i, row->replicas[i]);
        if (id >= 0 && !replica_set_has(&name->compiled->member_set, (unsigned)id)) {
            COMPLAIN(c, "replica", i,
                     "\"%s\" is not among the replicas of the name; expected one of them",
                     row->replicas[i]);
        }
    }
    const struct region_row *region =
        row->region ? compile_find_region(c->settings, row->region) : NULL;
    if (row->has_prefix) {
        check_prefix(c, prefixes, "prefix", 0,
                     mapped_of(&row->prefix, row->replicas, row->replica_count));
    } else if (!region) {
        complain_of_region(c, row->region);
    }
    for (size_t i = 0; region && i < region->prefix_count; i++) {
        check_prefix(c, prefixes, "region", 0,
                     mapped_of(&region->prefixes[i], row->replicas, row->replica_count));
    }
    compile_leave(c, outer);
}

static void remark_overrides(struct compiler *c, const struct name_row *name,
                             const struct prefixes *prefixes)
{
    for (size_t i = 0; i < name->map_count; i++) {
        const struct map_row *row = &name->map_rows[i];
        const struct conf_at *outer = compile_enter(c, "map", i);
        if (row->has_prefix) {
            remark_around(c, prefixes, "prefix", 0,
                          mapped_of(&row->prefix, row->replicas, row->replica_count));
        }
        compile_leave(c, outer);
    }
}

static void check_overrides(struct compiler *c, size_t zone_index)
{
    const struct zone_row *zone = &c->settings->zone_rows[zone_index];
    const struct conf_at *outer = compile_enter(c, "zones", zone_index);

    for (size_t i = 0; i < zone->name_count; i++) {
        const struct name_row *name = &zone->names[i];
        struct prefixes prefixes;
        if (name->map_count == 0 || !name->compiled) {
            continue;
        }
        const struct conf_at *names = compile_enter(c, "names", i);
        prefixes_init(&prefixes, name->map_count);
        for (size_t n = 0; n < name->map_count; n++) {
            check_override(c, name, n, &prefixes);
        }
        remark_overrides(c, name, &prefixes);
        prefixes_fini(&prefixes);
        compile_leave(c, names);
    }
    compile_leave(c, outer);
}

/* Can the file be read? 0 or a negative errno. */
static int look_at_file(const char *path)
{
    struct stat about;

    if (access(path, R_OK) < 0 || stat(path, &about) < 0) {
        return -errno;
    }
    return S_ISDIR(about.st_mode) ? -EISDIR : 0;
}

static bool check_file(struct compiler *c, const char *directive, const char *path)
{
    int err = look_at_file(path);

    if (err) {
        COMPLAIN(c, directive, 0, "%s cannot be read: %s; expected a readable file", path,
                 err_text(err));
    }
    return err == 0;
}

/* The files are loaded only when the configuration has no errors, but whether they can be read is
 * checked together with everything else. */
static void check_files(struct compiler *c)
{
    const struct conf_at *outer = compile_enter(c, "nearest", 0);
    const char *map_file = c->settings->map_file, *geoip = c->settings->geoip, *what;

    if (map_file) {
        check_file(c, "map-file", map_file);
    }
    if (geoip && check_file(c, "geoip", geoip) && geo_check(geoip, &what)) {
        COMPLAIN(c, "geoip", 0,
                 "%s: %s; expected a MaxMind database with places, such as GeoLite2-City", geoip,
                 what);
    }
    compile_leave(c, outer);
}

void compile_check_maps(struct compiler *c)
{
    check_files(c);
    check_nearest(c);
    for (size_t i = 0; i < c->settings->zone_count; i++) {
        check_overrides(c, i);
    }
}

void compile_check_map_file(struct settings *s, struct buf *errors)
{
    struct nearest_builder *builder = nearest_builder_new(s->memory, s->replicas, s->replica_count);

    if (look_at_file(s->map_file) == 0) { /* otherwise the error was reported */
        nearest_add_file(builder, s->map_file, errors);
    }
    nearest_builder_free(&builder);
}
