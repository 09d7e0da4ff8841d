/* answer_steer - names with a policy: where the client is, which ranking that means, what is
 * chosen. */
#include "dnsredir/answer/answer_parts.h"

/* A client that is sent somewhere to be measured stays there for the ttl, or so many seconds. */
#define EXPLORE_LEAST 10

/* Where the client is: its network by the client subnet option, or else the resolver itself. */
static const struct ip *client_of(const struct query *query, const struct ip *resolver,
                                  unsigned *bits)
{
    const struct ecs *ecs = &query->edns.ecs;

    if (ecs->present && ecs->source > 0) {
        *bits = ecs->source;
        return &ecs->ip;
    }
    *bits = ip_is_v4(resolver) ? 32 : 128;
    return resolver;
}

void answer_expect(const struct view *view, const struct ip *client,
                   const struct query_packet *read)
{
    unsigned bits;

    if (read->rcode == RCODE_NOERROR) {
        netmap_prefetch(view->nearest, client_of(&read->query, client, &bits));
    }
}

static struct netmap_hit find_in(const struct netmap *map, const struct ip *ip, unsigned bits,
                                 unsigned *scope)
{
    struct netmap_hit hit = netmap_find(map, ip, bits);

    *scope = hit.scope > *scope ? hit.scope : *scope;
    return hit;
}

/* The ranking for a client of whom `bits` are known: by the name's own map, by measurements (which
 * are only of networks that the common map does not name), by the common map. The scope is the
 * largest block around it in which everybody has this one. */
static const struct ranking *rank_nearest(struct answering *a, const struct policy *policy,
                                          const struct ip *ip, unsigned bits, unsigned *scope)
{
    const struct view *view = a->view;
    struct netmap_hit hit = {NETMAP_NONE, 0};

    *scope = 0;
    if (policy->overrides) {
        hit = find_in(policy->overrides, ip, bits, scope);
    }
    if (hit.value == NETMAP_NONE && view->measured) {
        hit = find_in(view->measured->map, ip, bits, scope);
        if (hit.value != NETMAP_NONE && hit.scope <= bits) {
            a->note->measured = true;
            return view->measured->rankings[hit.value];
        }
        hit.value = NETMAP_NONE; /* known of a part of the client's network only */
    }
    if (hit.value == NETMAP_NONE) {
        hit = find_in(view->nearest, ip, bits, scope);
    }
    return view->rankings[hit.value];
}

static bool wants_name_hash(const struct view *view, const struct policy *policy)
{
    return policy->kind != POLICY_NEAREST || view->standing->any_throttled || view->explore;
}

/* What the choice depends on; sets the scope if the client's network decided. A chain of CNAMEs may
 * ask for several choices, and is as good as the narrowest of them (RFC 7871 7.3). */
static void locate(struct answering *a, const struct policy *policy, struct choice_input *input)
{
    unsigned bits;
    const struct ip *ip = client_of(a->query, &a->client->ip, &bits);
    bool v4 = ip_is_v4(ip);
    unsigned outer = v4 && bits > 32 ? 96 : 0; /* ::ffff:a.b.c.d, sent as IPv6 */
    unsigned leaf = v4 ? policy->leaf.v4 : policy->leaf.v6;

    if (policy->kind == POLICY_NEAREST) {
        unsigned scope;
        input->ranking = rank_nearest(a, policy, ip, bits - outer, &scope);
        leaf = scope > leaf ? scope : leaf;
    }
    bool depends = leaf && policy->member_count > 1; /* on where the client is */
    if (depends && ip == &a->query->edns.ecs.ip && leaf + outer > a->packet.opt.scope) {
        a->packet.opt.scope = (uint8_t)(leaf + outer); /* the longest scope of several choices */
    }
    bool explores = a->view->explore && input->ranking && input->ranking->explorable;
    if (policy->kind == POLICY_WEIGHTED || input->standing->any_throttled || explores) {
        unsigned base = v4 && leaf ? 96 : 0; /* without leaves all clients are one */
        input->leaf_hash = choice_leaf_hash(input->name_hash, ip, base + leaf);
    }
    if (explores) { /* for as long as a ttl, so that it holds for all that resolvers keep */
        uint32_t period = policy->ttl > EXPLORE_LEAST ? policy->ttl : EXPLORE_LEAST;
        input->explores = choice_explore(input->ranking, input->leaf_hash, a->client->now, period,
                                         a->view->explore, &input->explored);
    }
}

static void note_trace(const struct answering *a, const struct policy *policy,
                       const struct name *owner, const struct choice_input *input)
{
    struct answer_trace *trace = a->client->trace;

    trace->chosen = true;
    trace->policy = policy;
    trace->input = *input;
    trace->name = owner ? *owner : a->query->name;
}

void answer_choose(struct answering *a, const struct policy *policy, const struct name *owner,
                   struct choice *choice)
{
    struct choice_input input = {
        .standing = a->view->standing,
        .v6 = a->query->type == TYPE_AAAA,
        .turn = a->client->turn,
    };

    if (wants_name_hash(a->view, policy)) {
        input.name_hash = name_hash(owner ? owner : &a->query->name);
    }
    a->note->measured = false;
    locate(a, policy, &input);
    choose(policy, &input, choice);
    if (a->client->trace) {
        note_trace(a, policy, owner, &input);
    }
    a->note->policy = policy;
    a->note->level = choice->level;
    a->note->spilled = choice->spilled;
    a->note->explored = choice->explored;
    a->note->picked = choice->picked;
    memcpy(a->note->ids, choice->ids, choice->picked * sizeof(choice->ids[0]));
}

void answer_steered(struct answering *a, const struct zone_hit *hit, const struct name *owner)
{
    struct choice choice;

    answer_choose(a, hit->node->policy, owner, &choice);
    for (unsigned i = 0; i < choice.count; i++) {
        if (!packet_record(&a->packet, owner, span_of(choice.records[i], choice.record_len))) {
            a->flags |= FLAG_TC;
        }
    }
    if (answer_signs(a, hit->zone)) {
        answer_sign_choice(a, hit, owner, &choice);
    }
}
