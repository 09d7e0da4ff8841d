/* compile_policy - compiles the policies of names: the replicas that they choose from, and the
 * weights. */
#include "base/siphash.h"
#include "dnsredir/config/compile_parts.h"

static const struct sip_key
    no_key; /* the keys come from the configuration, so collisions cannot be forced */

/* The replicas of the row, each once, or all replicas. False: an error was reported. */
static bool find_members(struct compiler *c, const struct name_row *row, uint16_t *ids,
                         size_t *count)
{
    struct replica_set seen = {{0}};

    *count = row->replica_count ? row->replica_count : c->settings->replica_count;
    if (*count > REPLICAS_MAX) {
        COMPLAIN(c, "replicas", 0, "too many; expected at most %d", REPLICAS_MAX);
        return false;
    }
    for (size_t i = 0; i < *count; i++) {
        int id =
            row->replica_count ? compile_find_replica(c, "replicas", i, row->replicas[i]) : (int)i;
        if (id < 0) {
            return false;
        }
        if (replica_set_has(&seen, (unsigned)id)) {
            COMPLAIN(c, "replicas", i, "\"%s\" stands here twice; expected each replica once%s",
                     row->replicas[i],
                     row->policy == POLICY_WEIGHTED ? ", with the sum of its weights" : "");
            return false;
        }
        replica_set_put(&seen, (unsigned)id, true);
        ids[i] = (uint16_t)id;
    }
    return true;
}

/* An answer has either addresses or one CNAME, so a policy cannot choose among replicas of both
 * kinds. */
static bool check_targets(struct compiler *c, const uint16_t *ids, size_t count)
{
    const struct replica *replicas = c->settings->replicas;

    for (size_t i = 1; c->whole_replicas && i < count; i++) {
        if ((replicas[ids[i]].target != NULL) != (replicas[ids[0]].target != NULL)) {
            const struct replica *named = &replicas[replicas[ids[0]].target ? ids[0] : ids[i]];
            const struct replica *other = &replicas[replicas[ids[0]].target ? ids[i] : ids[0]];
            COMPLAIN(c, "policy", 0,
                     "\"%s\" is given as a CNAME and \"%s\" by its addresses, which cannot stand "
                     "beside one; expected replicas of one kind",
                     named->name, other->name);
            return false;
        }
    }
    return true;
}

/* Weights as written, or else from the capacities; *given false: neither, so all are equal. False:
 * an error was reported. */
static bool find_weights(struct compiler *c, const struct name_row *row, const uint16_t *ids,
                         size_t count, uint64_t *weights, bool *given)
{
    const struct replica_row *rows = c->settings->replica_rows;
    size_t with = 0;

    *given = row->weight_count > 0;
    for (size_t i = 0; i < count; i++) {
        weights[i] = *given ? row->weights[i] : rows[ids[i]].capacity;
        with += weights[i] > 0;
    }
    for (size_t i = 0; c->whole_replicas && i < count && with && with < count; i++) {
        if (weights[i] == 0) {
            COMPLAIN(c, "policy", 0,
                     "\"%s\" has no capacity, others have: its weight would be 0; expected weights "
                     "here or a capacity there",
                     rows[ids[i]].name);
            return false;
        }
    }
    *given = with > 0;
    return true;
}

/* Least prefix lengths of the leaf that policy `weighted` hashes: all clients of such a network
 * are moved together. */
static const struct prefix_lengths weighted_leaf = {24, 48};

static void find_leaves(const struct settings *s, struct policy_plan *plan)
{
    bool shared = false;

    for (size_t i = 0; i < s->replica_count; i++) {
        shared = shared || s->replica_rows[i].capacity > 0;
    }
    if (plan->kind == POLICY_WEIGHTED) {
        plan->leaf = weighted_leaf;
    } else if (shared && (plan->kind == POLICY_NEAREST || plan->kind == POLICY_FAILOVER)) {
        plan->leaf = s->load.leaf;
    }
}

/* The slot for the plan in the hash table of policies; it may hold the policy of another plan. */
static unsigned place_of(const struct policy_plan *plan)
{
    struct span members = span_of(plan->members, plan->member_count * sizeof(*plan->members));
    struct span weights = span_of(plan->weights, plan->member_count * sizeof(*plan->weights));
    uint64_t hash = sip_hash64(&no_key, members);

    hash += plan->weights ? sip_hash64(&no_key, weights) : 0;
    hash += plan->ttl * UINT64_C(8) + plan->kind + plan->answers * UINT64_C(64);
    return (unsigned)((hash + plan->fixed_order) % SHARED_POLICIES);
}

/* Names with equal plans share one policy, because all its records are rendered: that takes much
 * memory where thousands of names choose among hundreds of replicas. */
static struct policy *share_policy(struct compiler *c, const struct policy_plan *plan)
{
    struct policy **shared = &c->shared[place_of(plan)];

    if (!*shared || !policy_is_of(*shared, plan)) {
        *shared = policy_new(c->arena, plan, c->settings->replicas, c->settings->replica_count);
    }
    return *shared;
}

struct policy *compile_policy(struct compiler *c, const struct name_row *row)
{
    const struct settings *s = c->settings;
    uint16_t ids[REPLICAS_MAX];
    uint64_t weights[REPLICAS_MAX];
    bool weighted = row->policy == POLICY_WEIGHTED;
    bool given = false;
    struct policy_plan plan = {
        .kind = row->policy,
        .answers = (unsigned)row->answers,
        .ttl = row->ttl,
        .fixed_order = !row->rotate,
        .members = ids,
    };

    if (s->replica_count == 0) {
        COMPLAIN(c, "policy", 0,
                 "there are no replicas to choose from; expected some under "
                 "replicas");
        return NULL;
    }
    if (!find_members(c, row, ids, &plan.member_count) ||
        !check_targets(c, ids, plan.member_count) ||
        (weighted && !find_weights(c, row, ids, plan.member_count, weights, &given))) {
        return NULL;
    }
    plan.weights = given ? weights : NULL;
    find_leaves(s, &plan);
    return row->map_count ? policy_new(c->arena, &plan, s->replicas, s->replica_count)
                          : share_policy(c, &plan);
}
