#include "dnsredir/steering/policy.h"

#include "base/check.h"
#include "dnsredir/message/rrset.h"

const char *const policy_words[POLICY_KINDS + 1] = {
    [POLICY_NEAREST] = "nearest",   [POLICY_HASHED] = "hashed", [POLICY_WEIGHTED] = "weighted",
    [POLICY_FAILOVER] = "failover", [POLICY_STATIC] = "static",
};

static void put_head(struct wire_out *wire, uint16_t type, uint32_t ttl, size_t len)
{
    wire_put_u16(wire, RR_OWNER);
    wire_put_u16(wire, type);
    wire_put_u16(wire, CLASS_IN);
    wire_put_u32(wire, ttl);
    wire_put_u16(wire, (uint16_t)len);
}

static void render_records(struct arena *arena, const struct replica *replicas,
                           const struct policy *policy, bool v4, struct address_records *out)
{
    size_t len = v4 ? 4 : 16;
    size_t count = 0;

    for (size_t i = 0; i < policy->replica_count; i++) {
        count += replicas[i].address_count;
    }
    out->record_len = (uint16_t)(RR_FIXED_LEN + len);
    out->first = arena_alloc(arena, (policy->replica_count + 1u) * sizeof(*out->first));
    out->wire = arena_alloc(arena, count * out->record_len);
    struct wire_out wire = wire_out_of(out->wire, count * out->record_len);
    count = 0;
    for (unsigned i = 0; i < policy->replica_count; i++) {
        out->first[i] = (uint32_t)count;
        for (size_t n = 0; n < replicas[i].address_count; n++) {
            const struct ip *ip = &replicas[i].addresses[n];
            if (ip_is_v4(ip) != v4 || !replica_set_has(&policy->member_set, i)) {
                continue;
            }
            put_head(&wire, v4 ? TYPE_A : TYPE_AAAA, policy->ttl, len);
            wire_put_bytes(&wire, ip->at + 16 - len, len);
            count++;
        }
    }
    out->first[policy->replica_count] = (uint32_t)count;
}

static struct rrset *render_target(struct arena *arena, const struct name *target, uint32_t ttl)
{
    struct rrset *set = arena_zalloc(arena, sizeof(*set));

    set->type = TYPE_CNAME;
    set->count = 1;
    set->ttl = ttl;
    set->len = set->cap = (uint32_t)(RR_FIXED_LEN + target->len);
    set->wire = arena_alloc(arena, set->len);
    struct wire_out wire = wire_out_of(set->wire, set->len);
    put_head(&wire, TYPE_CNAME, ttl, target->len);
    wire_put_bytes(&wire, target->at, target->len);
    return set;
}

static void render_targets(struct arena *arena, const struct replica *replicas,
                           struct policy *policy)
{
    policy->targets = arena_zalloc(arena, policy->replica_count * sizeof(struct rrset *));
    for (unsigned i = 0; i < policy->member_count; i++) {
        unsigned id = policy->members[i];
        CHECK(replicas[id].target != NULL);
        policy->targets[id] = render_target(arena, replicas[id].target, policy->ttl);
    }
}

static uint64_t weight_of(const struct policy_plan *plan, size_t member)
{
    return plan->weights ? plan->weights[member] : 1;
}

static void take_members(struct arena *arena, const struct policy_plan *plan, struct policy *out)
{
    out->members = arena_alloc(arena, plan->member_count * sizeof(*out->members));
    out->weights = arena_alloc(arena, plan->member_count * sizeof(*out->weights));
    out->member_count = (uint16_t)plan->member_count;
    for (size_t i = 0; i < plan->member_count; i++) {
        uint64_t weight = weight_of(plan, i);
        CHECK(weight > 0 && weight <= POLICY_WEIGHT_MAX);
        CHECK(!replica_set_has(&out->member_set, plan->members[i]));
        replica_set_put(&out->member_set, plan->members[i], true);
        out->members[i] = plan->members[i];
        out->weights[i] = (uint32_t)weight;
    }
}

struct policy *policy_new(struct arena *arena, const struct policy_plan *plan,
                          const struct replica *replicas, size_t replica_count)
{
    struct policy *policy = arena_zalloc(arena, sizeof(*policy));

    CHECK(replica_count <= REPLICAS_MAX && plan->answers <= ANSWERS_MAX && plan->member_count > 0);
    policy->kind = plan->kind;
    policy->answers = (uint16_t)plan->answers;
    policy->ttl = plan->ttl;
    policy->fixed_order = plan->fixed_order;
    policy->leaf = plan->leaf;
    policy->replica_count = (uint16_t)replica_count;
    take_members(arena, plan, policy);
    policy->hashes = arena_alloc(arena, replica_count * sizeof(*policy->hashes));
    for (unsigned i = 0; i < replica_count; i++) {
        policy->hashes[i] = replicas[i].hash;
    }
    if (replicas[plan->members[0]].target) {
        render_targets(arena, replicas, policy);
    } else {
        render_records(arena, replicas, policy, true, &policy->v4);
        render_records(arena, replicas, policy, false, &policy->v6);
    }
    return policy;
}

bool policy_is_of(const struct policy *policy, const struct policy_plan *plan)
{
    if (policy->kind != plan->kind || policy->answers != plan->answers ||
        policy->ttl != plan->ttl || policy->fixed_order != plan->fixed_order ||
        policy->leaf.v4 != plan->leaf.v4 || policy->leaf.v6 != plan->leaf.v6 ||
        policy->member_count != plan->member_count) {
        return false;
    }
    for (size_t i = 0; i < plan->member_count; i++) {
        if (policy->members[i] != plan->members[i] || policy->weights[i] != weight_of(plan, i)) {
            return false;
        }
    }
    return true;
}

bool policy_has(const struct policy *policy, bool v6)
{
    const struct address_records *records = v6 ? &policy->v6 : &policy->v4;

    return policy->targets || records->first[policy->replica_count] > 0;
}

unsigned policy_record_count(const struct policy *policy, bool v6, unsigned replica)
{
    const struct address_records *records = v6 ? &policy->v6 : &policy->v4;

    if (policy->targets) {
        return policy->targets[replica] != NULL;
    }
    return records->first[replica + 1] - records->first[replica];
}
