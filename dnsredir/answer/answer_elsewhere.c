/* answer_elsewhere - names that are not ours: redirected, left to the resolver, or refused. */
#include "dnsredir/answer/answer_parts.h"

/* Is the type answered here for a redirected name? Addresses are, and types whose records may
 * contain addresses. */
static bool is_redirected(uint16_t type)
{
    return type == TYPE_A || type == TYPE_AAAA || type == TYPE_HTTPS || type == TYPE_SVCB;
}

static void answer_redirected(struct answering *a, const struct policy *policy)
{
    uint16_t type = a->query->type;
    struct choice choice;

    a->subject = policy;
    if ((type == TYPE_A || type == TYPE_AAAA) && policy_has(policy, type == TYPE_AAAA)) {
        answer_choose(a, policy, NULL, &choice);
        for (unsigned i = 0; i < choice.count; i++) {
            if (!packet_record(&a->packet, NULL, span_of(choice.records[i], choice.record_len))) {
                a->flags |= FLAG_TC;
            }
        }
    }
}

/* Leaves the rest of the chain, from `owner` on, to the resolver. */
static void defer(struct answering *a, const struct name *owner)
{
    struct deferral *out = a->client->deferral;
    size_t chain_at = DNS_HEADER_LEN + a->query->question.len;

    out->authoritative = (a->flags & FLAG_AA) != 0;
    out->name = owner ? *owner : a->query->name;
    out->type = a->query->type;
    out->chain_count = a->packet.counts[SECTION_ANSWER];
    out->chain_at = chain_at;
    out->chain_len = wire_out_len(&a->packet.out) - chain_at;
    out->opt = a->packet.opt;
    memcpy(out->cookie, a->cookie, sizeof(out->cookie));
    a->note->deferred = true;
}

/* Clients that may use the resolver get the whole chain, also where it leaves our zones. The
 * exception is a chain with a wildcard that has to be proved: a client that validates follows the
 * alias by itself. */
bool answer_may_defer(const struct answering *a)
{
    return a->recursive && a->client->deferral && (a->query->flags & FLAG_RD) &&
           !(a->flags & FLAG_TC) && a->proof_count == 0;
}

/* A name that is in no zone of ours: redirected, resolved, or refused. */
void answer_elsewhere(struct answering *a, const struct name *owner)
{
    uint16_t type = a->query->type;
    const struct policy *policy = NULL;

    if (a->recursive && !owner) {
        policy = recursion_redirect(a->view->recursion, &a->query->name, &a->client->ip);
    }
    if (policy && is_redirected(type)) {
        answer_redirected(a, policy);
    } else if (answer_may_defer(a) && type == TYPE_ANY) {
        answer_any(a, owner);
    } else if (answer_may_defer(a) && type != 0 && (type < TYPE_META_FIRST || type > TYPE_ANY)) {
        defer(a, owner);
    } else if (!owner) {
        bool prohibited = a->view->recursion && (a->query->flags & FLAG_RD);
        answer_refuse(a, prohibited ? EDE_PROHIBITED : EDE_NOT_AUTHORITATIVE);
    }
}
