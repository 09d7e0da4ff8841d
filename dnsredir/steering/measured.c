#include "dnsredir/steering/measured.h"

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "dnsredir/steering/geo.h"

/* Light in fibre, there and back. */
#define KM_PER_US 0.1
/* Where one of two has no place, nobody knows how far they are. */
#define FAR 1e12f

/* Two times that differ by less than this count as equal: 1/HAIR of the time, or HAIR_US µs. */
enum { HAIR = 64, HAIR_US = 300 };

/* What nearby networks have measured of one replica: the sum, in µs, by how much it was slower than
 * their best replica. */
struct kin {
    double sum;
    unsigned count;
};

struct interned {
    struct map_link link;
    uint32_t value;
};

/* The state while one network is ranked; arrays are indexed by replica. */
struct compiler {
    const struct measured_input *in;
    struct measured *out;
    struct arena scratch;
    struct map interned;
    size_t ranking_cap;
    struct netmap_entry *entries;
    size_t entry_count, entry_cap;
    float **between; /* by replica: µs to all others as light goes; NULL: not needed yet */
    uint32_t *us;    /* measured; 0: not */
    bool *lately;    /* and not long ago */
    bool *far;       /* or known to be farther than those */
    uint16_t *known; /* the measured replicas, the nearest first */
    size_t known_count;
    struct kin *kin;
    uint16_t *seen; /* the replicas with kin */
    size_t seen_count;
    const struct network_estimates **networks; /* sorted: those nearby follow each other */
    size_t network_count;
    struct ranking *draft;
};

static const struct sip_key no_key; /* nothing here is chosen by a peer */

static const float *from(struct compiler *c, uint16_t replica)
{
    const struct replica *a = &c->in->replicas[replica];
    size_t count = c->in->replica_count;

    if (c->between[replica]) {
        return c->between[replica];
    }
    float *all = arena_alloc(&c->scratch, count * sizeof(*all));
    for (size_t i = 0; i < count; i++) {
        const struct replica *b = &c->in->replicas[i];
        all[i] = a->has_location && b->has_location
                     ? (float)(geo_distance(a->latitude, a->longitude, b->latitude, b->longitude) /
                               KM_PER_US)
                     : FAR;
    }
    c->between[replica] = all;
    return all;
}

/* ---- what is known of the network ---- */

static void insert_known(struct compiler *c, uint16_t replica)
{
    size_t at = c->known_count++;

    for (; at > 0 && c->us[c->known[at - 1]] > c->us[replica]; at--) {
        c->known[at] = c->known[at - 1];
    }
    c->known[at] = replica;
}

static void load(struct compiler *c, const struct network_estimates *network)
{
    const struct measured_input *in = c->in;

    for (size_t i = 0; i < network->count; i++) {
        const struct estimate *estimate = &network->nearest[i];
        uint16_t replica = in->replica_of[estimate->slot];
        if (replica != MEASURED_NOBODY && estimate->samples >= MEASURED_SAMPLES &&
            estimate_is_good(in->estimates, estimate, in->now)) {
            c->us[replica] = estimate->us;
            c->lately[replica] = in->now - estimate->at <= in->estimates->max_age / 2;
            insert_known(c, replica);
        }
    }
}

/* All replicas of which nothing more is known than that they are far. */
static void load_far(struct compiler *c, const struct network_estimates *network, bool far)
{
    for (unsigned slot = 0; network->far_at && slot < REPLICAS_MAX; slot++) {
        uint16_t replica = c->in->replica_of[slot];
        if (replica != MEASURED_NOBODY &&
            estimates_is_far(c->in->estimates, network, (uint16_t)slot, c->in->now)) {
            c->far[replica] = far;
        }
    }
}

static void unload(struct compiler *c)
{
    for (size_t i = 0; i < c->known_count; i++) {
        c->us[c->known[i]] = 0;
        c->lately[c->known[i]] = false;
    }
    c->known_count = 0;
}

/* A replica cannot be nearer than this, µs; 0: nothing is known. */
static float least_us(struct compiler *c, uint16_t replica)
{
    float least = 0;

    for (size_t i = 0; i < c->known_count; i++) {
        uint16_t other = c->known[i];
        float apart = from(c, other)[replica];
        float bound = apart < FAR ? apart - (float)c->us[other] : 0;
        least = bound > least ? bound : least;
    }
    return least;
}

/* ---- the ranking ---- */

static void put(struct compiler *c, uint16_t replica)
{
    if (c->draft->count < MEASURED_RANKED) {
        c->draft->ids[c->draft->count++] = replica;
    }
}

/* The base's first measured one becomes the first of `known` if no other is better by a hair.
 * Before it come those of the base that nobody has measured, and that may be nearer. */
static void put_first_ones(struct compiler *c, const struct ranking *base)
{
    uint32_t best = c->us[c->known[0]];

    for (size_t i = 0; base->ordered && i < base->count; i++) {
        uint16_t replica = base->ids[i];
        if (c->us[replica] == 0) {
            if (!c->far[replica] && least_us(c, replica) < (float)best) {
                put(c, replica);
            }
            continue;
        }
        if (c->us[replica] <= best + best / HAIR + HAIR_US) {
            size_t at = 0;
            while (c->known[at] != replica) {
                at++;
            }
            memmove(c->known + 1, c->known, at * sizeof(c->known[0]));
            c->known[0] = replica;
        }
        return;
    }
}

static bool is_put(const struct compiler *c, uint16_t replica)
{
    for (size_t i = 0; i < c->draft->count; i++) {
        if (c->draft->ids[i] == replica) {
            return true;
        }
    }
    return false;
}

/* The expected time of a replica in µs: as measured; or from nearby networks; or by way of the
 * nearest replica. */
static float expected_us(struct compiler *c, uint16_t replica)
{
    uint16_t first = c->known[0];
    const struct kin *kin = &c->kin[replica];
    const struct kin *of_first = &c->kin[first];

    if (c->us[replica]) {
        return (float)c->us[replica];
    }
    if (kin->count && of_first->count) {
        return (float)(c->us[first] + kin->sum / kin->count - of_first->sum / of_first->count);
    }
    return (float)c->us[first] + from(c, first)[replica];
}

struct expected {
    float us;
    uint16_t replica;
};

static int expected_order(const void *a, const void *b)
{
    const struct expected *x = (const struct expected *)a;
    const struct expected *y = (const struct expected *)b;

    if (x->us != y->us) {
        return x->us < y->us ? -1 : 1;
    }
    return x->replica - y->replica;
}

/* The `count` best of all replicas that `wanted` is true for, in order; returns how many. */
static size_t expect(struct compiler *c, bool (*wanted)(struct compiler *c, uint16_t replica),
                     struct expected *out, size_t count)
{
    size_t found = 0;

    for (size_t i = 0; count > 0 && i < c->in->replica_count; i++) {
        uint16_t replica = (uint16_t)i;
        float us = expected_us(c, replica);
        if ((found == count && us >= out[count - 1].us) || !wanted(c, replica)) {
            continue;
        }
        out[found < count ? found++ : count - 1] = (struct expected){us, replica};
        qsort(out, found, sizeof(*out), expected_order);
    }
    return found;
}

static bool is_expected(struct compiler *c, uint16_t replica)
{
    return !is_put(c, replica) && !c->far[replica] && expected_us(c, replica) < FAR;
}

static bool is_explorable(struct compiler *c, uint16_t replica)
{
    return !c->lately[replica] && !c->far[replica] && replica != c->known[0] &&
           least_us(c, replica) < (float)c->us[c->known[0]];
}

static const struct ranking *rank(struct compiler *c, const struct ranking *base)
{
    struct expected best[MEASURED_RANKED];
    struct ranking *draft = c->draft;

    memset(draft, 0, sizeof(*draft));
    draft->ordered = true;
    draft->rest = base;
    put_first_ones(c, base);
    put(c, c->known[0]);
    size_t count = expect(c, is_expected, best, MEASURED_RANKED - draft->count);
    for (size_t i = 0; i < count; i++) {
        put(c, best[i].replica);
    }
    draft->listed = draft->count;
    count = expect(c, is_explorable, best, MEASURED_EXPLORABLE);
    for (size_t i = 0; i < count; i++) {
        draft->ids[draft->count + draft->explorable++] = best[i].replica;
    }
    return draft;
}

/* ---- the map ---- */

static uint32_t intern(struct compiler *c, const struct ranking *ranking)
{
    size_t count = (size_t)ranking->count + ranking->explorable;
    struct span bytes = span_of(ranking, sizeof(*ranking) + count * sizeof(ranking->ids[0]));
    uint64_t hash = sip_hash64(&no_key, bytes);
    struct measured *out = c->out;

    for (struct map_link *at = map_first(&c->interned, hash); at; at = map_next(at)) {
        uint32_t value = container_of(at, struct interned, link)->value;
        const struct ranking *other = out->rankings[value];
        if (ranking->count == other->count && ranking->explorable == other->explorable &&
            memcmp(other, bytes.at, bytes.len) == 0) {
            return value;
        }
    }
    if (out->ranking_count == c->ranking_cap) {
        c->ranking_cap = c->ranking_cap ? 2 * c->ranking_cap : 64;
        out->rankings = xrealloc(out->rankings, c->ranking_cap * sizeof(struct ranking *));
    }
    struct interned *entry = arena_alloc(&c->scratch, sizeof(*entry));
    entry->value = (uint32_t)out->ranking_count;
    map_insert(&c->interned, &entry->link, hash);
    out->rankings[out->ranking_count++] =
        (const struct ranking *)(const void *)arena_copy(&out->arena, bytes).at;
    return entry->value;
}

static void add_entry(struct compiler *c, const struct prefix *prefix, uint32_t value)
{
    if (c->entry_count == c->entry_cap) {
        c->entry_cap = c->entry_cap ? 2 * c->entry_cap : 1024;
        c->entries = xrealloc(c->entries, c->entry_cap * sizeof(*c->entries));
    }
    c->entries[c->entry_count++] = (struct netmap_entry){*prefix, value};
}

static void add_network(struct compiler *c, const struct network_estimates *network)
{
    struct prefix prefix = network_prefix(network->network);
    unsigned bits = network_is_v4(network->network) ? NETWORK_BITS_V4 : NETWORK_BITS_V6;

    load(c, network);
    load_far(c, network, true);
    const struct ranking *base = c->in->rankings[netmap_find(c->in->base, &prefix.ip, bits).value];
    bool enough = base->ordered ? c->known_count > 0 : c->known_count > 1;
    if (enough && !netmap_is_listed(c->in->base, &prefix.ip, bits)) {
        const struct ranking *ranking = rank(c, base);
        add_entry(c, &prefix, intern(c, ranking));
        c->out->network_count++;
        c->out->moved_count += base->ordered && ranking->ids[0] != base->ids[0];
    }
    load_far(c, network, false);
    unload(c);
}

/* ---- networks nearby ---- */

/* The IPv4 /16 or IPv6 /32 of a network: mostly one provider's. */
static uint64_t vicinity(uint64_t network)
{
    return network >> (network_is_v4(network) ? 8 : 16);
}

static int network_order(const void *a, const void *b)
{
    const struct network_estimates *const *x = (const struct network_estimates *const *)a;
    const struct network_estimates *const *y = (const struct network_estimates *const *)b;

    return (*x)->network < (*y)->network ? -1 : (*x)->network > (*y)->network;
}

static void collect(void *arg, const struct network_estimates *network)
{
    struct compiler *c = arg;
    c->networks[c->network_count++] = network;
}

static void add_kin(struct compiler *c, const struct network_estimates *network)
{
    load(c, network);
    for (size_t i = 0; i < c->known_count && c->known_count > 1; i++) {
        struct kin *kin = &c->kin[c->known[i]];
        if (kin->count++ == 0) {
            c->seen[c->seen_count++] = c->known[i];
        }
        kin->sum += c->us[c->known[i]] - c->us[c->known[0]];
    }
    unload(c);
}

static void forget_kin(struct compiler *c)
{
    while (c->seen_count) {
        c->kin[c->seen[--c->seen_count]] = (struct kin){0};
    }
}

/* All networks, those of a vicinity together. */
static void add_networks(struct compiler *c)
{
    for (size_t from_here = 0, to; from_here < c->network_count; from_here = to) {
        uint64_t where = vicinity(c->networks[from_here]->network);
        for (to = from_here; to < c->network_count; to++) {
            if (vicinity(c->networks[to]->network) != where) {
                break;
            }
            add_kin(c, c->networks[to]);
        }
        for (size_t i = from_here; i < to; i++) {
            add_network(c, c->networks[i]);
        }
        forget_kin(c);
    }
}

static void compiler_init(struct compiler *c, const struct measured_input *in)
{
    size_t count = in->replica_count;
    size_t ids = MEASURED_RANKED + MEASURED_EXPLORABLE;

    *c = (struct compiler){.in = in, .out = xcalloc(1, sizeof(*c->out))};
    arena_init(&c->scratch, NULL, 0);
    arena_init(&c->out->arena, NULL, 0);
    map_init(&c->interned, 1024);
    c->between = arena_zalloc(&c->scratch, count * sizeof(*c->between));
    c->us = arena_zalloc(&c->scratch, count * sizeof(*c->us));
    c->lately = arena_zalloc(&c->scratch, count * sizeof(*c->lately));
    c->far = arena_zalloc(&c->scratch, count * sizeof(*c->far));
    c->known = arena_zalloc(&c->scratch, ESTIMATES_NEAREST * sizeof(*c->known));
    c->kin = arena_zalloc(&c->scratch, count * sizeof(*c->kin));
    c->seen = arena_zalloc(&c->scratch, count * sizeof(*c->seen));
    c->networks = xcalloc(in->estimates->count, sizeof(struct network_estimates *));
    c->draft = arena_zalloc(&c->scratch, sizeof(*c->draft) + ids * sizeof(c->draft->ids[0]));
}

struct measured *measured_new(const struct measured_input *input)
{
    struct compiler c;

    compiler_init(&c, input);
    CHECK(intern(&c, c.draft) == NETMAP_NONE);
    estimates_each(input->estimates, collect, &c);
    qsort(c.networks, c.network_count, sizeof(struct network_estimates *), network_order);
    add_networks(&c);
    c.out->map = netmap_new(c.entries, c.entry_count, NULL, 0);
    map_fini(&c.interned);
    arena_fini(&c.scratch);
    free(c.entries);
    free(c.networks);
    return c.out;
}

void measured_free(struct measured **measured)
{
    if (*measured) {
        netmap_free(&(*measured)->map);
        free((*measured)->rankings);
        arena_fini(&(*measured)->arena);
        free(*measured);
        *measured = NULL;
    }
}
