#include "dnsredir/steering/choose.h"

#include "base/check.h"

#include <endian.h>
#include <math.h>

/* A walk through the candidates, and what it has taken so far. */
struct walk {
    const struct policy *policy;
    const struct choice_input *input;
    enum choice_level level;
    struct choice *out;
    unsigned wanted;    /* addresses wanted; 0: those of `replicas` replicas */
    unsigned replicas;  /* at most */
    unsigned addresses; /* picked so far */
    unsigned own;       /* addresses, or replicas, of candidates so far, picked or not */
};

static uint64_t mix(uint64_t x)
{
    x *= UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ (x >> 32);
}

uint64_t choice_leaf_hash(uint64_t name_hash, const struct ip *ip, unsigned bits)
{
    uint64_t words[2];

    memcpy(words, ip->at, sizeof(words));
    uint64_t high = be64toh(words[0]);
    uint64_t low = be64toh(words[1]);
    high = bits >= 64 ? high : bits ? high & ~UINT64_C(0) << (64 - bits) : 0;
    low = bits >= 128 ? low : bits > 64 ? low & ~UINT64_C(0) << (128 - bits) : 0;
    return mix(mix(mix(name_hash) ^ high) ^ low);
}

bool choice_explore(const struct ranking *ranking, uint64_t leaf_hash, uint32_t now,
                    uint32_t period, uint32_t share, uint16_t *out)
{
    uint32_t phase = (uint32_t)(mix(leaf_hash ^ 1) % period);
    uint64_t draw = mix(leaf_hash + ((uint64_t)now + phase) / period);

    if (ranking->explorable == 0 || draw >> 48 >= share) {
        return false;
    }
    uint64_t first = (draw >> 32 & 0xffff) * ranking->explorable >> 16;
    uint64_t second = (draw >> 16 & 0xffff) * ranking->explorable >> 16;
    *out = ranking->ids[ranking->count + (first < second ? first : second)];
    return true;
}

bool choice_accepts(const struct policy *policy, const struct choice_input *input, unsigned replica,
                    bool own)
{
    const struct standing *standing = input->standing;

    if (!replica_set_has(&standing->throttled, replica)) {
        return true;
    }
    uint64_t place = mix(input->leaf_hash ^ policy->hashes[replica]) >> 48;
    return place < (own ? standing->keep : standing->take)[replica];
}

/* Is the replica a candidate? Only members of the policy have records, so one with a record of the
 * family is. */
static bool usable(const struct walk *w, unsigned replica)
{
    const struct standing *standing = w->input->standing;

    if (policy_record_count(w->policy, w->input->v6, replica) == 0) {
        return false;
    }
    switch (w->level) {
    case CHOICE_OPEN:
    case CHOICE_FULL:
        return replica_set_has(&standing->open, replica);
    case CHOICE_DRAINING:
        return replica_set_has(&standing->alive, replica);
    case CHOICE_DOWN:
    case CHOICE_LEVELS:
        break;
    }
    return true;
}

/* Takes the replica that is to be measured, but only if it is open and not too full. */
static void offer_explored(struct walk *w)
{
    unsigned replica = w->input->explored;

    if (w->input->explores && w->level == CHOICE_OPEN && usable(w, replica) &&
        choice_accepts(w->policy, w->input, replica, false)) {
        w->out->ids[w->out->picked++] = (uint16_t)replica;
        w->out->explored = true;
        w->addresses += policy_record_count(w->policy, w->input->v6, replica);
    }
}

static bool enough(const struct walk *w)
{
    return w->out->picked == ANSWERS_MAX ||
           (w->wanted ? w->addresses >= w->wanted : w->out->picked >= w->replicas);
}

/* Offers the client to the next usable candidate. The client is the candidate's own as long as the
 * candidates before it would not have been enough, had they all taken it. */
static void offer(struct walk *w, unsigned replica)
{
    unsigned count = policy_record_count(w->policy, w->input->v6, replica);
    bool own = w->own < (w->wanted ? w->wanted : w->replicas);

    w->own += w->wanted ? count : 1;
    if (w->level == CHOICE_OPEN && !choice_accepts(w->policy, w->input, replica, own)) {
        w->out->spilled = true;
        return;
    }
    w->out->ids[w->out->picked++] = (uint16_t)replica;
    w->addresses += count;
}

static void offer_all(struct walk *w, const uint16_t *ids, unsigned count)
{
    for (unsigned i = 0; i < count && !enough(w); i++) {
        if (usable(w, ids[i]) && !(w->out->explored && ids[i] == w->input->explored)) {
            offer(w, ids[i]);
        }
    }
}

/* Offers to replicas that are all equal. It starts with a different one at each turn, so that all
 * get the same share, whoever is down. */
static void walk_in_turn(struct walk *w, const uint16_t *ids, unsigned count)
{
    unsigned candidates = 0;

    for (unsigned i = 0; i < count; i++) {
        candidates += usable(w, ids[i]);
    }
    w->replicas = candidates < ANSWERS_MAX ? candidates : ANSWERS_MAX;
    unsigned skip = candidates && !w->policy->fixed_order ? w->input->turn % candidates : 0;
    for (unsigned i = 0, met = 0; met < skip + candidates && !enough(w); i++) {
        unsigned replica = ids[i % count];
        if (usable(w, replica) && met++ >= skip) {
            offer(w, replica);
        }
    }
}

static void walk_ranking(struct walk *w, const struct ranking *ranking)
{
    if (!ranking->ordered) {
        walk_in_turn(w, ranking->ids, ranking->count);
        return;
    }
    offer_all(w, ranking->ids, ranking->listed);
    if (w->out->picked == 0) {
        offer_all(w, ranking->ids + ranking->listed, (unsigned)(ranking->count - ranking->listed));
    }
}

static void walk_nearest(struct walk *w)
{
    offer_explored(w);
    walk_ranking(w, w->input->ranking);
    if (w->out->picked == 0 && w->input->ranking->rest) {
        walk_ranking(w, w->input->ranking->rest);
    }
}

/* Maps a hash to a number in (0, 1]. */
static double unit_of(uint64_t hash)
{
    return (double)(int64_t)((hash >> 11) + 1) * 0x1p-53;
}

/* The cheapest candidates met so far, in order of their cost. */
struct shortlist {
    unsigned most;
    unsigned count;
    double costs[ANSWERS_MAX];
    uint16_t ids[ANSWERS_MAX];
};

/* Candidates with this cost or more are not among the best. */
static double shortlist_bar(const struct shortlist *list)
{
    return list->count < list->most ? INFINITY : list->costs[list->most - 1];
}

/* Adds a replica whose cost is below the bar. */
static void shortlist_put(struct shortlist *list, double cost, unsigned replica)
{
    unsigned at = list->count < list->most ? list->count++ : list->most - 1;

    for (; at > 0 && list->costs[at - 1] > cost; at--) {
        list->costs[at] = list->costs[at - 1];
        list->ids[at] = list->ids[at - 1];
    }
    list->costs[at] = cost;
    list->ids[at] = (uint16_t)replica;
}

/* Rendezvous hashing (Thaler, Ravishankar 1998): the replicas with the highest scores for this
 * name. When one goes, only its own names move; when one is too full, those of its names that it
 * does not keep go to their next one (Mirrokni, Thorup, Zadimoghaddam 2016, without the order of
 * arrival: servers that do not talk must agree).
 *
 * With weights, every member rings for the leaf at a random time, the more often the greater its
 * weight (-ln u / weight has the exponential distribution), and the first that may be given are the
 * leaf's own. So each has a share by its weight; a member that goes gives away its leaves alone, to
 * the others by their weights; and one whose weight changes wins or loses leaves, and nobody else
 * does. As -ln u >= 1 - u, most are known to be behind the bar without a logarithm. */
static double cost_of(double unit, bool weighted, double weight, double bar)
{
    if (!weighted) {
        return 1 - unit;
    }
    return 1 - unit >= bar * weight ? INFINITY : -log(unit) / weight;
}

/* The best members with costs above `floor`; `taking`: of those that take clients for whom others
 * are too full. */
static struct shortlist best_members(const struct walk *w, double floor, bool taking)
{
    const struct policy *policy = w->policy;
    const struct choice_input *input = w->input;
    bool weighted = policy->kind == POLICY_WEIGHTED;
    /* not the hash of the leaf itself, by which choice_accepts() decides */
    uint64_t seed = weighted ? mix(input->leaf_hash + 1) : input->name_hash;
    unsigned most = input->standing->any_throttled ? ANSWERS_MAX : w->wanted ? w->wanted : 1;
    struct shortlist list = {.most = most}; /* each address wanted may be of another replica */

    for (unsigned n = 0; n < policy->member_count; n++) {
        unsigned replica = policy->members[n];
        double unit = unit_of(mix(seed ^ policy->hashes[replica]));
        double bar = shortlist_bar(&list);
        double cost = cost_of(unit, weighted, policy->weights[n], bar);
        if (cost > floor && cost < bar && usable(w, replica) &&
            (!taking || choice_accepts(policy, input, replica, false))) {
            shortlist_put(&list, cost, replica);
        }
    }
    return list;
}

/* Offers to members in the order of rendezvous hashing. If the best ones are all too full, the next
 * one that takes the client may be far behind them. */
static void walk_rendezvous(struct walk *w)
{
    struct shortlist list = best_members(w, -1, false);

    offer_all(w, list.ids, list.count);
    if (list.count == ANSWERS_MAX && !enough(w)) {
        list = best_members(w, list.costs[list.count - 1], true);
        offer_all(w, list.ids, list.count);
    }
}

static void walk_any(struct walk *w)
{
    switch (w->policy->kind) {
    case POLICY_NEAREST:
        walk_nearest(w);
        return;
    case POLICY_HASHED:
    case POLICY_WEIGHTED:
        walk_rendezvous(w);
        return;
    case POLICY_FAILOVER:
        offer_all(w, w->policy->members, w->policy->member_count);
        return;
    case POLICY_STATIC:
        walk_in_turn(w, w->policy->members, w->policy->member_count);
        return;
    case POLICY_KINDS:
        break;
    }
    UNREACHABLE();
}

/* A turn serves several choices: where to begin among equals, among the addresses of a replica, and
 * in the whole list. Each uses different bits of it, or they would cancel each other. */
static unsigned turn_own(const struct walk *w, unsigned count)
{
    return w->policy->fixed_order || count < 2 ? 0 : (w->input->turn >> 8) % count;
}

static unsigned turn_list(const struct walk *w, unsigned count)
{
    return w->policy->fixed_order || w->policy->kind == POLICY_FAILOVER || count < 2
               ? 0
               : (w->input->turn >> 16) % count;
}

/* The place behind this one, going round. */
static unsigned next_place(unsigned place, unsigned count)
{
    return place + 1 < count ? place + 1 : 0;
}

/* Replicas may have an address in common, and a set of records has each once (RFC 2181 5). */
static bool is_listed(const uint8_t *const *list, unsigned count, const uint8_t *record, size_t len)
{
    bool found = false;

    for (unsigned i = 0; i < count && !found; i++) {
        found = memcmp(list[i], record, len) == 0;
    }
    return found;
}

/* Lists the addresses of the replicas picked: those of each replica are rotated, and then the whole
 * list. */
static void list_records(const struct walk *w, struct choice *out)
{
    const struct address_records *records = w->input->v6 ? &w->policy->v6 : &w->policy->v4;
    unsigned most = w->wanted ? w->wanted : ANSWERS_MAX;
    const uint8_t *list[ANSWERS_MAX];
    unsigned count = 0;

    for (unsigned i = 0; i < out->picked; i++) {
        unsigned own = policy_record_count(w->policy, w->input->v6, out->ids[i]);
        const uint8_t *first =
            records->wire + (size_t)records->first[out->ids[i]] * records->record_len;
        unsigned place = turn_own(w, own);
        for (unsigned n = 0; n < own && count < most; n++, place = next_place(place, own)) {
            const uint8_t *record = first + (size_t)place * records->record_len;
            list[count] = record;
            count += !is_listed(list, count, record, records->record_len);
        }
    }
    unsigned place = turn_list(w, count);
    for (unsigned i = 0; i < count; i++, place = next_place(place, count)) {
        out->records[i] = list[place];
    }
    out->count = count;
    out->record_len = records->record_len;
}

void choose(const struct policy *policy, const struct choice_input *input, struct choice *out)
{
    struct walk w = {.policy = policy, .input = input, .out = out};

    out->count = 0;
    out->picked = 0;
    out->spilled = false;
    out->explored = false;
    w.wanted = policy->targets ? 1 : policy->answers;
    out->level = CHOICE_OPEN;
    if (!policy_has(policy, input->v6)) {
        return;
    }
    for (unsigned level = CHOICE_OPEN; level < CHOICE_LEVELS && out->picked == 0; level++) {
        w.level = out->level = (enum choice_level)level;
        w.replicas = 1;
        w.own = 0;
        walk_any(&w);
    }
    if (!policy->targets) {
        list_records(&w, out);
    }
}
