#include "dnsredir/steering/nearest.h"

#include "base/check.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "dnsredir/steering/geo.h"

#include <errno.h>
#include <stdio.h>

#define ERRORS_SHOWN 20

/* Rankings are kept once each: neighbours of one ranking become one block of the map. */
struct interned {
    struct map_link link;
    uint32_t value;
};

/* Networks of the database share records. */
struct placed {
    struct map_link link;
    uint32_t record;
    uint32_t value;
};

struct entries {
    struct netmap_entry *at;
    size_t count, cap;
};

struct nearest_builder {
    struct arena *arena; /* memory of the result */
    struct arena scratch;
    const struct replica *replicas;
    size_t replica_count;
    struct map by_name;
    struct map interned;
    struct map placed;
    struct ranking *draft;
    uint16_t **neighbours; /* by replica; NULL: not needed yet */
    const struct ranking **rankings;
    size_t ranking_count, ranking_cap;
    struct entries prefixes; /* first layer */
    struct entries networks; /* second layer */
};

struct named {
    struct map_link link;
    uint16_t id;
};

static const struct sip_key no_key; /* nothing here is chosen by a peer */

static uint64_t hash_of(struct span bytes)
{
    return sip_hash64(&no_key, bytes);
}

static size_t ranking_size(const struct ranking *ranking)
{
    return sizeof(*ranking) + ranking->count * sizeof(ranking->ids[0]);
}

static uint32_t intern(struct nearest_builder *b, const struct ranking *ranking)
{
    size_t size = ranking_size(ranking);
    uint64_t hash = hash_of(span_of(ranking, size));

    for (struct map_link *at = map_first(&b->interned, hash); at; at = map_next(at)) {
        uint32_t value = container_of(at, struct interned, link)->value;
        if (memcmp(b->rankings[value], ranking, size) == 0) {
            return value;
        }
    }
    if (b->ranking_count == b->ranking_cap) {
        b->ranking_cap = b->ranking_cap ? 2 * b->ranking_cap : 64;
        b->rankings = xrealloc(b->rankings, b->ranking_cap * sizeof(struct ranking *));
    }
    struct interned *entry = arena_alloc(&b->scratch, sizeof(*entry));
    entry->value = (uint32_t)b->ranking_count;
    map_insert(&b->interned, &entry->link, hash);
    b->rankings[b->ranking_count++] =
        (const struct ranking *)(const void *)arena_copy(b->arena, span_of(ranking, size)).at;
    return entry->value;
}

/* An empty ranking with room for all replicas; valid until the next call. */
static struct ranking *draft_ranking(struct nearest_builder *b)
{
    memset(b->draft, 0, sizeof(*b->draft));
    b->draft->ordered = true;
    return b->draft;
}

struct nearest_builder *nearest_builder_new(struct arena *arena, const struct replica *replicas,
                                            size_t replica_count)
{
    struct nearest_builder *b = xcalloc(1, sizeof(*b));

    CHECK(replica_count <= REPLICAS_MAX);
    b->arena = arena;
    b->replicas = replicas;
    b->replica_count = replica_count;
    arena_init(&b->scratch, NULL, 0);
    map_init(&b->by_name, replica_count);
    map_init(&b->interned, 64);
    map_init(&b->placed, 64);
    for (size_t i = 0; i < replica_count; i++) {
        struct named *named = arena_alloc(&b->scratch, sizeof(*named));
        named->id = (uint16_t)i;
        map_insert(&b->by_name, &named->link, hash_of(span_str(replicas[i].name)));
    }

    b->draft =
        arena_alloc(&b->scratch, sizeof(*b->draft) + replica_count * sizeof(b->draft->ids[0]));

    b->neighbours = arena_zalloc(&b->scratch, replica_count * sizeof(b->neighbours[0]));

    struct ranking *all = draft_ranking(b); /* where nothing is known */
    all->ordered = false;
    all->count = all->listed = (uint16_t)replica_count;
    for (size_t i = 0; i < replica_count; i++) {
        all->ids[i] = (uint16_t)i;
    }
    CHECK(intern(b, all) == NETMAP_NONE);
    return b;
}

void nearest_builder_free(struct nearest_builder **builder)
{
    struct nearest_builder *b = *builder;

    if (b) {
        map_fini(&b->by_name);
        map_fini(&b->interned);
        map_fini(&b->placed);
        arena_fini(&b->scratch);
        free(b->rankings);
        free(b->prefixes.at);
        free(b->networks.at);
        free(b);
        *builder = NULL;
    }
}

static void entries_put(struct entries *entries, const struct prefix *prefix, uint32_t value)
{
    if (entries->count == entries->cap) {
        entries->cap = entries->cap ? 2 * entries->cap : 1024;
        entries->at = xrealloc(entries->at, entries->cap * sizeof(*entries->at));
    }
    entries->at[entries->count++] = (struct netmap_entry){*prefix, value};
}

/* A replica and how far it is; those without a place are farther than any other. */
struct distant {
    double distance;
    uint16_t id;
};

static int distant_order(const void *a, const void *b)
{
    const struct distant *x = (const struct distant *)a;
    const struct distant *y = (const struct distant *)b;

    if (x->distance != y->distance) {
        return x->distance < y->distance ? -1 : 1;
    }
    return x->id - y->id;
}

#define NOWHERE 1e9 /* km */

/* All replicas by their distance from a point, which nobody knows without `has_place`. Returns how
 * many of them have a place. */
static unsigned sort_by_distance(const struct nearest_builder *b, bool has_place, double latitude,
                                 double longitude, uint16_t *out)
{
    struct distant all[REPLICAS_MAX];
    unsigned placed = 0;

    for (unsigned i = 0; i < b->replica_count; i++) {
        const struct replica *r = &b->replicas[i];
        bool known = has_place && r->has_location;
        double km = known ? geo_distance(latitude, longitude, r->latitude, r->longitude) : NOWHERE;
        all[i] = (struct distant){km, (uint16_t)i};
        placed += known;
    }
    qsort(all, b->replica_count, sizeof(all[0]), distant_order);
    for (size_t i = 0; i < b->replica_count; i++) {
        out[i] = all[i].id;
    }
    return placed;
}

/* As above, from the place of a replica: many prefixes have the same first replica. */
static const uint16_t *neighbours(struct nearest_builder *b, uint16_t id)
{
    const struct replica *r = &b->replicas[id];

    if (!b->neighbours[id]) {
        b->neighbours[id] =
            arena_alloc(&b->scratch, b->replica_count * sizeof(b->neighbours[id][0]));
        sort_by_distance(b, r->has_location, r->latitude, r->longitude, b->neighbours[id]);
    }
    return b->neighbours[id];
}

uint32_t nearest_rank(struct nearest_builder *b, const uint16_t *ids, size_t count)
{
    struct ranking *ranking = draft_ranking(b);
    struct replica_set taken = {{0}};
    const uint16_t *others = neighbours(b, ids[0]);

    for (size_t i = 0; i < count; i++) {
        if (!replica_set_has(&taken, ids[i])) {
            replica_set_put(&taken, ids[i], true);
            ranking->ids[ranking->count++] = ids[i];
        }
    }
    ranking->listed = ranking->count;
    for (size_t i = 0; i < b->replica_count; i++) {
        if (!replica_set_has(&taken, others[i])) {
            ranking->ids[ranking->count++] = others[i];
        }
    }
    return intern(b, ranking);
}

void nearest_add(struct nearest_builder *b, const struct prefix *prefix, const uint16_t *ids,
                 size_t count)
{
    entries_put(&b->prefixes, prefix, nearest_rank(b, ids, count));
}

void nearest_add_region(struct nearest_builder *b, const struct prefix *prefix, const uint16_t *ids,
                        size_t count)
{
    entries_put(&b->networks, prefix, nearest_rank(b, ids, count));
}

/* ---- the map file ---- */

struct lines {
    const char *path;
    unsigned number;
    unsigned faults;
    struct buf *errors;
    struct map seen; /* prefixes so far: struct seen */
};

/* A prefix of the file. */
struct seen {
    struct map_link link;
    size_t entry; /* in the builder's prefixes */
    unsigned line;
};

static void complain(struct lines *lines, const char *line, struct span word, const char *what)
{
    if (lines->faults++ < ERRORS_SHOWN) {
        size_t column = word.at ? (size_t)(word.at - line) + 1 : 1;
        buf_printf(lines->errors, "%s:%u:%zu: %s\n", lines->path, lines->number, column, what);
    }
}

/* Two lines for one prefix are a mistake, unless they say the same. */
static void check_last_entry(struct nearest_builder *b, struct lines *lines, const char *line,
                             struct span word)
{
    const struct netmap_entry *last = &b->prefixes.at[b->prefixes.count - 1];
    uint64_t hash = hash_of(span_of(&last->prefix.ip, sizeof(last->prefix.ip)));

    for (struct map_link *at = map_first(&lines->seen, hash); at; at = map_next(at)) {
        const struct seen *seen = container_of(at, struct seen, link);
        const struct netmap_entry *entry = &b->prefixes.at[seen->entry];
        if (entry->prefix.bits == last->prefix.bits && ip_eq(&entry->prefix.ip, &last->prefix.ip)) {
            if (entry->value != last->value) {
                char what[80];
                snprintf(what, sizeof(what), "line %u has other replicas for this prefix",
                         seen->line);
                complain(lines, line, word, what);
            }
            return;
        }
    }
    struct seen *seen = arena_alloc(&b->scratch, sizeof(*seen));
    seen->entry = b->prefixes.count - 1;
    seen->line = lines->number;
    map_insert(&lines->seen, &seen->link, hash);
}

static int replica_id(const struct nearest_builder *b, struct span name)
{
    struct map_link *at = map_first(&b->by_name, hash_of(name));

    for (; at; at = map_next(at)) {
        uint16_t id = container_of(at, struct named, link)->id;
        if (span_eq(span_str(b->replicas[id].name), name)) {
            return id;
        }
    }
    return -1;
}

static void complain_of_replica(const struct nearest_builder *b, struct lines *lines,
                                const char *line, struct span word)
{
    const char *names[REPLICAS_MAX];
    char text[65], what[256];

    for (size_t i = 0; i < b->replica_count; i++) {
        names[i] = b->replicas[i].name;
    }
    snprintf(text, sizeof(text), "%.*s", SPAN_ARGS(word));
    const char *closest = conf_closest(text, names, b->replica_count);
    snprintf(what, sizeof(what), "no replica is called \"%s\"%s%s%s", text,
             CONF_HINT(closest, "; expected a name from \"replicas\""));
    complain(lines, line, word, what);
}

static void add_line(struct nearest_builder *b, struct lines *lines, const char *line,
                     struct span rest)
{
    struct prefix prefix;
    const char *what = NULL;
    uint16_t ids[REPLICAS_MAX];
    size_t count = 0;
    struct span word = span_trim(span_cut(&rest, ','));
    struct span prefix_word = word;

    if (prefix_parse(word, &prefix, &what)) {
        complain(lines, line, word, what ? what : "not a prefix; expected one such as 10.0.0.0/8");
        return;
    }
    do {
        word = span_trim(span_cut(&rest, ','));
        int id = replica_id(b, word);
        if (id < 0) {
            complain_of_replica(b, lines, line, word);
            return;
        }
        if (count == ARRAY_LEN(ids)) {
            complain(lines, line, word, "too many replicas; expected each once");
            return;
        }
        ids[count++] = (uint16_t)id;
    } while (rest.len);
    nearest_add(b, &prefix, ids, count);
    check_last_entry(b, lines, line, prefix_word);
}

int nearest_add_file(struct nearest_builder *b, const char *path, struct buf *errors)
{
    struct lines lines = {.path = path, .errors = errors};
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;

    if (!file) {
        buf_printf(errors, "%s: %s\n", path, err_text(-errno));
        return ERR_CONFIG;
    }
    map_init(&lines.seen, 1024);
    for (ssize_t n = getline(&line, &cap, file); n >= 0; n = getline(&line, &cap, file)) {
        struct span text = span_of(line, (size_t)n);
        lines.number++;
        if (lines.number == 1 && span_starts(text, SPAN("\xef\xbb\xbf"))) {
            text = span_skip(text, 3);
        }
        while (text.len && (text.at[text.len - 1] == '\n' || text.at[text.len - 1] == '\r')) {
            text.len--;
        }
        text = span_trim(span_take(text, span_find(text, '#')));
        if (text.len) {
            add_line(b, &lines, line, text);
        }
    }
    if (ferror(file)) {
        complain(&lines, line, SPAN_EMPTY, "cannot be read");
    }
    map_fini(&lines.seen);
    free(line);
    fclose(file);
    if (lines.faults > ERRORS_SHOWN) {
        buf_printf(errors, "%s: %u more errors\n", path, lines.faults - ERRORS_SHOWN);
    }
    return lines.faults ? ERR_CONFIG : 0;
}

/* ---- the database ---- */

static uint32_t place_value(struct nearest_builder *b, uint32_t record, double latitude,
                            double longitude)
{
    uint64_t hash = hash_of(span_of(&record, sizeof(record)));

    for (struct map_link *at = map_first(&b->placed, hash); at; at = map_next(at)) {
        const struct placed *placed = container_of(at, struct placed, link);
        if (placed->record == record) {
            return placed->value;
        }
    }
    struct ranking *ranking = draft_ranking(b);
    unsigned known = sort_by_distance(b, true, latitude, longitude, ranking->ids);
    ranking->count = (uint16_t)b->replica_count;
    ranking->listed = (uint16_t)known;

    struct placed *placed = arena_alloc(&b->scratch, sizeof(*placed));
    placed->record = record;
    placed->value = known ? intern(b, ranking) : NETMAP_NONE;
    map_insert(&b->placed, &placed->link, hash);
    return placed->value;
}

static void on_network(void *arg, const struct prefix *network, uint32_t record, double latitude,
                       double longitude)
{
    struct nearest_builder *b = arg;
    entries_put(&b->networks, network, place_value(b, record, latitude, longitude));
}

int nearest_add_geo(struct nearest_builder *b, const char *path, struct buf *errors)
{
    const char *what;

    if (geo_each(path, on_network, b, &what)) {
        buf_printf(errors,
                   "%s: %s; expected a MaxMind database with places, such as GeoLite2-City\n", path,
                   what);
        return ERR_CONFIG;
    }
    return 0;
}

int nearest_build(struct nearest_builder *b, struct buf *errors, struct nearest *out)
{
    if (b->ranking_count > NETMAP_VALUE_MAX) {
        buf_printf(errors, "nearest: more than %d different orders of replicas\n",
                   NETMAP_VALUE_MAX);
        return ERR_CONFIG;
    }
    struct span rankings = span_of(b->rankings, b->ranking_count * sizeof(struct ranking *));
    out->rankings = (const struct ranking **)(void *)arena_alloc(b->arena, rankings.len);
    memcpy(out->rankings, rankings.at, rankings.len);
    out->ranking_count = b->ranking_count;
    out->prefixes = arena_alloc(b->arena, b->prefixes.count * sizeof(*out->prefixes));
    for (size_t i = 0; i < b->prefixes.count; i++) {
        out->prefixes[i] = b->prefixes.at[i].prefix;
    }
    out->prefix_count = b->prefixes.count;
    out->network_count = b->networks.count;
    out->map = netmap_new(b->prefixes.at, b->prefixes.count, b->networks.at, b->networks.count);
    return 0;
}
