#include "dnsredir/choose.h"

#include "base/check.h"
#include "dnsredir/rrset.h"

/* Replicas in the order of preference, and how many addresses they bring together. */
struct picked {
    unsigned count;
    unsigned addresses;
    uint16_t ids[ANSWERS_MAX];
};

static unsigned address_count(const struct address_records *records, unsigned replica)
{
    return records->first[replica + 1] - records->first[replica];
}

static void render_records(struct arena *arena, const struct replica *replicas,
                           size_t replica_count, const struct policy *policy, uint32_t ttl, bool v4,
                           struct address_records *out)
{
    size_t len = v4 ? 4 : 16;
    size_t count = 0;

    for (size_t i = 0; i < replica_count; i++) {
        count += replicas[i].address_count;
    }
    out->record_len = (uint16_t)(RR_FIXED_LEN + len);
    out->first = arena_alloc(arena, (replica_count + 1) * sizeof(*out->first));
    out->wire = arena_alloc(arena, count * out->record_len);
    struct wire_out wire = wire_out_of(out->wire, count * out->record_len);
    count = 0;
    for (unsigned i = 0; i < replica_count; i++) {
        out->first[i] = (uint32_t)count;
        for (size_t n = 0; n < replicas[i].address_count; n++) {
            const struct ip *ip = &replicas[i].addresses[n];
            if (ip_is_v4(ip) != v4 || !replica_set_has(&policy->member_set, i)) {
                continue;
            }
            wire_put_u16(&wire, RR_OWNER);
            wire_put_u16(&wire, v4 ? TYPE_A : TYPE_AAAA);
            wire_put_u16(&wire, CLASS_IN);
            wire_put_u32(&wire, ttl);
            wire_put_u16(&wire, (uint16_t)len);
            wire_put_bytes(&wire, ip->at + 16 - len, len);
            count++;
        }
    }
    out->first[replica_count] = (uint32_t)count;
}

struct policy *policy_new(struct arena *arena, enum policy_kind kind, unsigned answers,
                          uint32_t ttl, const struct replica *replicas, size_t replica_count,
                          const struct replica_set *members)
{
    struct policy *policy = arena_zalloc(arena, sizeof(*policy));

    CHECK(replica_count <= REPLICAS_MAX && answers <= ANSWERS_MAX);
    policy->kind = kind;
    policy->answers = (uint16_t)answers;
    policy->member_set = *members;
    policy->members = arena_alloc(arena, replica_count * sizeof(*policy->members));
    for (unsigned i = 0; i < replica_count; i++) {
        if (replica_set_has(members, i)) {
            policy->members[policy->member_count++] = (uint16_t)i;
        }
    }
    policy->hashes = arena_alloc(arena, replica_count * sizeof(*policy->hashes));
    for (unsigned i = 0; i < replica_count; i++) {
        policy->hashes[i] = replicas[i].hash;
    }
    render_records(arena, replicas, replica_count, policy, ttl, true, &policy->v4);
    render_records(arena, replicas, replica_count, policy, ttl, false, &policy->v6);
    policy->replica_count = (uint16_t)replica_count;
    return policy;
}

static const struct address_records *family(const struct policy *policy, bool v6)
{
    return v6 ? &policy->v6 : &policy->v4;
}

bool policy_has(const struct policy *policy, bool v6)
{
    return family(policy, v6)->first[policy->replica_count] > 0;
}

/* Only members have records, so having one of the family makes a replica a candidate. */
static bool usable(const struct policy *policy, const struct choice_input *input, bool any_health,
                   unsigned replica)
{
    return address_count(family(policy, input->v6), replica) > 0 &&
           (any_health || replica_set_has(input->up, replica));
}

static bool enough(const struct policy *policy, const struct picked *picked, unsigned without)
{
    return picked->count == ANSWERS_MAX ||
           (policy->answers ? picked->addresses >= policy->answers : picked->count >= without);
}

static void pick(const struct policy *policy, const struct choice_input *input, unsigned replica,
                 struct picked *out)
{
    out->ids[out->count++] = (uint16_t)replica;
    out->addresses += address_count(family(policy, input->v6), replica);
}

/* The first usable ones of ids[from, to). */
static void pick_ordered(const struct policy *policy, const struct choice_input *input,
                         bool any_health, unsigned from, unsigned to, struct picked *out)
{
    const uint16_t *ids = input->ranking->ids;

    for (unsigned i = from; i < to && !enough(policy, out, 1); i++) {
        if (usable(policy, input, any_health, ids[i])) {
            pick(policy, input, ids[i], out);
        }
    }
}

/* All are equal: starts with a different one at each turn, so that each gets the same share
 * whoever is down. */
static void pick_in_turn(const struct policy *policy, const struct choice_input *input,
                         bool any_health, struct picked *out)
{
    const struct ranking *ranking = input->ranking;
    unsigned candidates = 0;

    for (unsigned i = 0; i < ranking->count; i++) {
        candidates += usable(policy, input, any_health, ranking->ids[i]);
    }
    unsigned wanted = candidates < ANSWERS_MAX ? candidates : ANSWERS_MAX;
    unsigned skip = candidates ? input->turn % candidates : 0;
    for (unsigned i = 0; out->count < wanted && !enough(policy, out, wanted); i++) {
        unsigned replica = ranking->ids[i % ranking->count];
        if (!usable(policy, input, any_health, replica)) {
            continue;
        }
        if (skip > 0) {
            skip--;
        } else {
            pick(policy, input, replica, out);
        }
    }
}

static void pick_nearest(const struct policy *policy, const struct choice_input *input,
                         bool any_health, struct picked *out)
{
    const struct ranking *ranking = input->ranking;

    if (!ranking->ordered) {
        pick_in_turn(policy, input, any_health, out);
        return;
    }
    pick_ordered(policy, input, any_health, 0, ranking->listed, out);
    if (out->count == 0) {
        pick_ordered(policy, input, any_health, ranking->listed, ranking->count, out);
    }
}

static uint64_t score(uint64_t name_hash, uint64_t replica_hash)
{
    uint64_t x = (name_hash ^ replica_hash) * UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ (x >> 32);
}

/* Rendezvous hashing (Thaler, Ravishankar 1998): the replicas with the highest scores for this
 * name. When one goes, only its own names move. */
static void pick_hashed(const struct policy *policy, const struct choice_input *input,
                        bool any_health, struct picked *out)
{
    uint64_t scores[ANSWERS_MAX];
    unsigned most = policy->answers ? policy->answers : 1;

    for (unsigned n = 0; n < policy->member_count; n++) {
        unsigned replica = policy->members[n];
        if (!usable(policy, input, any_health, replica)) {
            continue;
        }
        uint64_t mine = score(input->name_hash, policy->hashes[replica]);
        unsigned at = out->count < most ? out->count++ : most;
        for (; at > 0 && scores[at - 1] < mine; at--) {
            if (at < most) {
                scores[at] = scores[at - 1];
                out->ids[at] = out->ids[at - 1];
            }
        }
        if (at < most) {
            scores[at] = mine;
            out->ids[at] = (uint16_t)replica;
        }
    }
}

static void pick_any(const struct policy *policy, const struct choice_input *input, bool any_health,
                     struct picked *out)
{
    switch (policy->kind) {
    case POLICY_NEAREST:
        pick_nearest(policy, input, any_health, out);
        return;
    case POLICY_HASHED:
        pick_hashed(policy, input, any_health, out);
        return;
    }
    UNREACHABLE();
}

/* One turn serves several choices: where to begin among equals, among a replica's own addresses,
 * and in the whole list. Each takes other bits, or they would undo each other. */
static unsigned turn_own(uint32_t turn, unsigned count)
{
    return (turn >> 8) % count;
}

static unsigned turn_list(uint32_t turn, unsigned count)
{
    return (turn >> 16) % count;
}

/* The addresses of the replicas picked: each replica's own in turn, then the whole list turned. */
static void list_records(const struct policy *policy, const struct choice_input *input,
                         const struct picked *picked, struct choice *out)
{
    const struct address_records *records = family(policy, input->v6);
    unsigned most = policy->answers ? policy->answers : ANSWERS_MAX;
    const uint8_t *list[ANSWERS_MAX];
    unsigned count = 0;

    for (unsigned i = 0; i < picked->count; i++) {
        unsigned own = address_count(records, picked->ids[i]);
        const uint8_t *first =
            records->wire + (size_t)records->first[picked->ids[i]] * records->record_len;
        for (unsigned n = 0; n < own && count < most; n++) {
            unsigned place = (turn_own(input->turn, own) + n) % own;
            list[count++] = first + (size_t)place * records->record_len;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        out->records[i] = list[(turn_list(input->turn, count) + i) % count];
    }
    out->count = count;
    out->record_len = records->record_len;
}

void choose(const struct policy *policy, const struct choice_input *input, struct choice *out)
{
    struct picked picked = {0};

    pick_any(policy, input, false, &picked);
    out->all_down = picked.count == 0 && policy_has(policy, input->v6);
    if (out->all_down) {
        pick_any(policy, input, true, &picked);
    }
    list_records(policy, input, &picked, out);
}
