#include "world.h"

#include "base/check.h"
#include "base/mem.h"
#include "dnsredir/steering/geo.h"

#include <math.h>

/* Light in fibre, there and back; and how much longer than the great circle cables are. */
#define MS_PER_KM (1 / 100.0)
#define CABLE 1.25
#define CARRIERS 8

/* Where people are, and replicas with them. */
static const struct region {
    struct place middle;
    double spread; /* degrees */
    double part;
} regions[] = {
    {{39, -80}, 8, .16}, {{36, -119}, 6, .08}, {{-20, -48}, 9, .10},
    {{50, 8}, 8, .24},   {{5, 20}, 14, .08},   {{22, 76}, 8, .10},
    {{33, 118}, 9, .12}, {{4, 106}, 8, .08},   {{-34, 148}, 5, .04},
};

static const struct place exchanges[] = {
    {39.0, -77.5}, {37.4, -122.1}, {25.8, -80.2}, {-23.5, -46.6}, {51.5, 0.0},   {50.1, 8.7},
    {43.3, 5.4},   {-26.2, 28.0},  {19.1, 72.9},  {1.35, 103.8},  {35.7, 139.7}, {-33.9, 151.2},
};

double world_draw(struct world *w) /* xorshift64*, Vigna 2016 */
{
    w->random ^= w->random >> 12;
    w->random ^= w->random << 25;
    w->random ^= w->random >> 27;
    return (double)(w->random * UINT64_C(0x2545f4914f6cdd1d) >> 11) / 9007199254740992.0;
}

double world_wait(struct world *w, double mean)
{
    return -mean * log(1 - world_draw(w));
}

/* Bell-shaped around 0, from -3 to 3. */
static double bell(struct world *w)
{
    double sum = 0;

    for (int i = 0; i < 6; i++) {
        sum += world_draw(w);
    }
    return sum - 3;
}

static struct place somewhere(struct world *w, struct place middle, double spread)
{
    double latitude = middle.latitude + spread * bell(w);
    double longitude = middle.longitude + spread * bell(w);

    return (struct place){latitude > 70    ? 70
                          : latitude < -55 ? -55
                                           : latitude,
                          longitude > 180    ? longitude - 360
                          : longitude < -180 ? longitude + 360
                                             : longitude};
}

static const struct region *some_region(struct world *w)
{
    double draw = world_draw(w);
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(regions) && draw >= regions[i].part) {
        draw -= regions[i++].part;
    }
    return &regions[i];
}

static double km(struct place a, struct place b)
{
    return geo_distance(a.latitude, a.longitude, b.latitude, b.longitude);
}

/* ---- who meets whom ---- */

static unsigned nearest_exchange(struct place at)
{
    unsigned best = 0;

    for (unsigned i = 1; i < ARRAY_LEN(exchanges); i++) {
        best = km(at, exchanges[i]) < km(at, exchanges[best]) ? i : best;
    }
    return best;
}

/* Three of four meet others at home, the rest only across an ocean. */
static void make_provider(struct world *w, struct provider *p)
{
    const struct region *region = some_region(w);

    p->home = somewhere(w, region->middle, region->spread);
    p->detours = world_draw(w) < .25;
    unsigned near = nearest_exchange(p->home);
    if (!p->detours) {
        p->exchanges |= 1u << near;
    }
    for (unsigned i = 0; i < ARRAY_LEN(exchanges); i++) {
        bool far = km(p->home, exchanges[i]) > 3000;
        if (i != near && world_draw(w) < (p->detours ? (far ? .15 : 0) : far ? .05 : .4)) {
            p->exchanges |= 1u << i;
        }
    }
    if (p->exchanges == 0) {
        p->exchanges = 1u << (near + 3) % ARRAY_LEN(exchanges);
    }
}

/* Packets leave where their provider first meets the carrier: the exchange nearest to the client,
 * wherever the replica is. Who meets nowhere goes by way of a third. */
static double way_km(const struct world *w, const struct client_network *n, const struct site *site,
                     const uint32_t *carriers, bool direct)
{
    uint32_t both = w->providers[n->provider].exchanges & carriers[site->carrier];
    double best = 1e9;
    double way = 0;

    if (direct) {
        return km(n->at, site->at);
    }
    both = both ? both : w->providers[n->provider].exchanges;
    for (unsigned i = 0; i < ARRAY_LEN(exchanges); i++) {
        double first = km(n->at, exchanges[i]);
        if (both >> i & 1 && first < best) {
            best = first;
            way = first + km(exchanges[i], site->at);
        }
    }
    return way;
}

static void make_ways(struct world *w)
{
    uint32_t carriers[CARRIERS];
    size_t pairs = w->provider_count * CARRIERS;
    double *busy_ms = xcalloc(pairs, sizeof(*busy_ms));
    bool *neighbours = xcalloc(w->provider_count * w->site_count, sizeof(*neighbours));

    for (unsigned i = 0; i < CARRIERS; i++) {
        carriers[i] = 0;
        for (unsigned n = 0; n < ARRAY_LEN(exchanges); n++) {
            carriers[i] |= (uint32_t)(world_draw(w) < .8) << n;
        }
    }
    for (size_t i = 0; i < pairs; i++) {
        busy_ms[i] = world_wait(w, 2);
    }
    for (size_t i = 0; i < w->provider_count * w->site_count; i++) {
        const struct provider *p = &w->providers[i / w->site_count];
        bool near = km(p->home, w->sites[i % w->site_count].at) < 1500;
        neighbours[i] = near && world_draw(w) < (p->detours ? .1 : .8);
    }
    for (size_t i = 0; i < w->network_count; i++) {
        const struct client_network *n = &w->networks[i];
        for (size_t s = 0; s < w->site_count; s++) {
            bool direct = neighbours[n->provider * w->site_count + s];
            double way = way_km(w, n, &w->sites[s], carriers, direct);
            w->ms[i * w->site_count + s] =
                n->access_ms + way * CABLE * MS_PER_KM +
                (direct ? 0 : busy_ms[n->provider * CARRIERS + w->sites[s].carrier]);
        }
    }
    free(busy_ms);
    free(neighbours);
}

/* ---- clients ---- */

/* The next network of a provider, of which the first have the most; every fifth is IPv6. */
static void make_network(struct world *w, struct client_network *n, uint32_t *given)
{
    double skew = world_draw(w);
    unsigned provider = (unsigned)(skew * skew * (double)w->provider_count);
    const struct provider *p;

    while (given[provider] == 256) {
        provider = (provider + 1) % (unsigned)w->provider_count;
    }
    p = &w->providers[provider];
    uint64_t number = given[provider]++;
    n->network = number % 5 == 4
                     ? NETWORK_V6 | UINT64_C(0x2400) << 32 | (uint64_t)provider << 16 | number
                     : NETWORK_V4 | UINT64_C(20) << 16 | (uint64_t)provider << 8 | number;
    n->provider = provider;
    n->at = somewhere(w, p->home, 4);
    n->believed = world_draw(w) < .1 ? p->home : somewhere(w, n->at, .3);
    n->access_ms = 1.5 + world_wait(w, 6);
    n->rate = .002 + world_wait(w, .05) * (world_draw(w) < .1 ? 10 : 1);
}

void world_init(struct world *w, struct world_size size, uint64_t seed)
{
    uint32_t *given = xcalloc(size.providers, sizeof(*given));

    CHECK(size.networks <= size.providers * 256 && size.providers <= 4096);
    *w = (struct world){.random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1,
                        .provider_count = size.providers,
                        .network_count = size.networks,
                        .site_count = size.sites};
    w->providers = xcalloc(size.providers, sizeof(*w->providers));
    w->networks = xcalloc(size.networks, sizeof(*w->networks));
    w->sites = xcalloc(size.sites, sizeof(*w->sites));
    w->ms = xcalloc(size.networks * size.sites, sizeof(*w->ms));
    for (size_t i = 0; i < size.sites; i++) {
        const struct region *region = some_region(w);
        w->sites[i].at = somewhere(w, region->middle, region->spread);
        w->sites[i].carrier = (unsigned)(world_draw(w) * CARRIERS);
    }
    for (size_t i = 0; i < size.providers; i++) {
        make_provider(w, &w->providers[i]);
    }
    for (size_t i = 0; i < size.networks; i++) {
        make_network(w, &w->networks[i], given);
    }
    make_ways(w);
    free(given);
}

void world_fini(struct world *w)
{
    free(w->providers);
    free(w->networks);
    free(w->sites);
    free(w->ms);
}
