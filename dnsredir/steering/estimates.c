#include "dnsredir/steering/estimates.h"

#include "base/mem.h"

enum {
    WAYS = 8,
    SURE = 8,     /* samples from which on a report counts whole */
    SAME = 32,    /* within one part in so many, and */
    SAME_US = 200 /* so much, times are the same */
};

struct estimates *estimates_new(size_t networks, uint32_t max_age)
{
    struct estimates *e = xcalloc(1, sizeof(*e));

    e->key = sip_key_random();
    e->max_age = max_age;
    e->sets = (networks + WAYS - 1) / WAYS;
    e->sets = e->sets ? e->sets : 1;
    e->at = xcalloc(e->sets * WAYS, sizeof(*e->at));
    return e;
}

void estimates_free(struct estimates **estimates)
{
    if (*estimates) {
        free((*estimates)->at);
        free(*estimates);
        *estimates = NULL;
    }
}

struct estimates *estimates_copy(const struct estimates *e)
{
    struct estimates *copy = xmalloc(sizeof(*copy));

    *copy = *e;
    copy->at = xmalloc(e->sets * WAYS * sizeof(*e->at));
    memcpy(copy->at, e->at, e->sets * WAYS * sizeof(*e->at));
    return copy;
}

size_t estimates_size(const struct estimates *e)
{
    return e->sets * WAYS * sizeof(*e->at);
}

static struct network_estimates *set_of(const struct estimates *e, uint64_t network)
{
    uint64_t hash = sip_hash64(&e->key, span_of(&network, sizeof(network)));
    return &e->at[hash % e->sets * WAYS];
}

static struct network_estimates *find(const struct estimates *e, uint64_t network)
{
    struct network_estimates *set = set_of(e, network);

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].network == network) {
            return &set[i];
        }
    }
    return NULL;
}

const struct network_estimates *estimates_find(const struct estimates *e, uint64_t network)
{
    return find(e, network);
}

static unsigned good_in(const struct estimates *e, const struct network_estimates *network,
                        uint32_t now)
{
    unsigned good = 0;

    for (size_t i = 0; i < network->count; i++) {
        good += estimate_is_good(e, &network->nearest[i], now);
    }
    return good;
}

/* What an entry is worth: 0 if it is free, 1 without good estimates, 2 with one, 3 with more. */
static unsigned worth(const struct estimates *e, const struct network_estimates *network,
                      uint32_t now)
{
    unsigned good = network->network ? good_in(e, network, now) : 0;
    return network->network ? 1 + (good < 2 ? good : 2) : 0;
}

static struct network_estimates *place_for(struct estimates *e, uint64_t network, uint32_t now)
{
    struct network_estimates *set = set_of(e, network);
    struct network_estimates *at = &set[0];
    unsigned least = worth(e, at, now);

    for (size_t i = 1; i < WAYS; i++) {
        unsigned is = worth(e, &set[i], now);
        if (is < least || (is == least && set[i].heard < at->heard)) {
            at = &set[i];
            least = is;
        }
    }
    e->count += at->network == 0;
    *at = (struct network_estimates){.network = network};
    return at;
}

/* Does `a` leave before `b`, when a network has too many? */
static bool leaves_before(const struct estimates *e, const struct estimate *a,
                          const struct estimate *b, uint32_t now)
{
    bool good_a = estimate_is_good(e, a, now);
    bool good_b = estimate_is_good(e, b, now);

    return good_a != good_b ? good_b : a->us > b->us;
}

/* Remembers that the replica is farther, until all such replicas are forgotten together and
 * measured again. */
static void note_far(const struct estimates *e, struct network_estimates *network, uint16_t slot,
                     uint32_t now)
{
    if (network->far_at == 0 || now - network->far_at > e->max_age / 2) {
        network->far = (struct replica_set){{0}};
        network->far_at = now;
    }
    replica_set_put(&network->far, slot, true);
}

/* Makes room for the estimate of another replica. Returns NULL if all that are there are nearer. */
static struct estimate *room_for(struct estimates *e, struct network_estimates *network,
                                 const struct estimate *newcomer, uint32_t now)
{
    if (network->count < ESTIMATES_NEAREST) {
        return &network->nearest[network->count++];
    }
    struct estimate *last = &network->nearest[0];
    for (size_t i = 1; i < ESTIMATES_NEAREST; i++) {
        last = leaves_before(e, &network->nearest[i], last, now) ? &network->nearest[i] : last;
    }
    if (!leaves_before(e, last, newcomer, now)) {
        note_far(e, network, newcomer->slot, now);
        return NULL;
    }
    if (estimate_is_good(e, last, now)) {
        note_far(e, network, last->slot, now);
    }
    return last;
}

static uint32_t apart(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

/* Takes a report about what is known; one of few samples (the replica has started again) counts in
 * part. */
static bool update(const struct estimates *e, struct estimate *is, const struct estimate *reported,
                   uint32_t now)
{
    bool was_good = estimate_is_good(e, is, now);
    int64_t weight = reported->samples < SURE && was_good ? reported->samples : SURE;
    int64_t us = is->us + ((int64_t)reported->us - is->us) * weight / SURE;
    bool moves = apart((uint32_t)us, is->us) > is->us / SAME + SAME_US;
    bool counts = reported->samples != is->samples && is->samples < SURE;

    if (moves || !was_good) {
        is->us = (uint32_t)us;
    }
    is->samples = reported->samples > is->samples || !was_good ? reported->samples : is->samples;
    is->at = reported->at > is->at ? reported->at : is->at;
    return moves || counts || !was_good;
}

bool estimates_note(struct estimates *e, uint16_t slot, const struct rtt_line *line, uint32_t now)
{
    struct estimate reported = {.slot = slot,
                                .samples = (uint16_t)line->samples,
                                .us = line->us,
                                .at = now > line->age ? now - line->age : 0};

    if (!estimate_is_good(e, &reported, now)) {
        return false;
    }
    struct network_estimates *network = find(e, line->network);
    if (!network) {
        network = place_for(e, line->network, now);
    }
    network->heard = now;
    for (size_t i = 0; i < network->count; i++) {
        if (network->nearest[i].slot == slot) {
            return update(e, &network->nearest[i], &reported, now);
        }
    }
    struct estimate *room = room_for(e, network, &reported, now);
    if (room) {
        *room = reported;
        replica_set_put(&network->far, slot, false);
    }
    return room != NULL;
}

void estimates_forget(struct estimates *e, uint16_t slot)
{
    for (size_t i = 0; i < e->sets * WAYS; i++) {
        struct network_estimates *network = &e->at[i];
        replica_set_put(&network->far, slot, false);
        for (size_t n = 0; n < network->count; n++) {
            if (network->nearest[n].slot == slot) {
                network->nearest[n--] = network->nearest[--network->count];
            }
        }
    }
}

void estimates_each(const struct estimates *e,
                    void (*visit)(void *arg, const struct network_estimates *network), void *arg)
{
    for (size_t i = 0; i < e->sets * WAYS; i++) {
        if (e->at[i].network) {
            visit(arg, &e->at[i]);
        }
    }
}
