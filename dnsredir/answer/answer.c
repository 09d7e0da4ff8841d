#include "dnsredir/answer/answer_parts.h"

/* The answer to ANY (RFC 8482 4.2): HINFO "RFC8482" "". */
static uint8_t minimal_any[] = "\xc0\x0c\x00\x0d\x00\x01\x00\x00\x0e\x10\x00\x09\x07RFC8482";
static const struct rrset any_set = {
    .type = TYPE_HINFO, .count = 1, .len = sizeof(minimal_any), .wire = minimal_any};

static void put(struct answering *a, enum section section, const struct name *owner,
                const struct rrset *set)
{
    if (!packet_rrset(&a->packet, section, owner, set, a->asker->turn)) {
        a->flags |= FLAG_TC;
    }
}

void answer_any(struct answering *a, const struct name *owner)
{
    put(a, SECTION_ANSWER, owner, &any_set);
}

void answer_negative(struct answering *a, const struct zone *zone)
{
    struct update_soa room;
    const struct rrset *soa = update_soa(zone, a->view->bound, zone->negative, &room);

    put(a, SECTION_AUTHORITY, &zone->apex, soa);
    if (answer_signs(a, zone)) {
        answer_sign_negative(a, zone, soa);
    }
}

/* Addresses of the name servers of `set`, as far as we know them. Returns whether all that lie
 * below `below` (NULL: none must) did fit. */
static bool put_glue(struct answering *a, const struct rrset *set, const struct name *below)
{
    struct wire_in in = wire_in_of(set->wire, set->len);
    bool fit = true;

    while (wire_left(&in)) {
        struct name host;
        wire_get(&in, RR_FIXED_LEN - 2);
        name_load(&host, wire_get(&in, wire_get_u16(&in)));
        const struct rrset *known = zones_known(a->view->zones, &host);
        for (; known; known = known->next) {
            if (known->type != TYPE_A && known->type != TYPE_AAAA) {
                continue;
            }
            if (!packet_rrset(&a->packet, SECTION_ADDITIONAL, &host, known, 0)) {
                fit = fit && !(below && name_is_below(&host, below));
            } else if (!below && a->query->edns.dnssec_ok) {
                answer_sign_glue(a, &host, known);
            }
        }
    }
    return fit;
}

static void answer_referral(struct answering *a, const struct node *cut)
{
    const struct rrset *servers = rrset_find(cut->sets, TYPE_NS);
    struct name name;

    node_name(cut, &name);
    put(a, SECTION_AUTHORITY, &name, servers);
    answer_deny_ds(a, cut);
    answer_prove(a);
    if (!put_glue(a, servers, &name)) {
        a->flags |= FLAG_TC; /* RFC 9471 3.1 */
    }
}

/* A set of the node, with its signature. */
static void put_owned(struct answering *a, const struct zone_hit *hit, const struct name *owner,
                      const struct rrset *set)
{
    put(a, SECTION_ANSWER, owner, set);
    if (answer_signs(a, hit->zone)) {
        answer_sign(a, hit, owner, set);
    }
}

/* The name exists and is ours. */
static void answer_node(struct answering *a, const struct zone_hit *hit, const struct name *owner)
{
    const struct node *node = hit->node;
    uint16_t type = a->query->type;
    bool address = type == TYPE_A || type == TYPE_AAAA;

    if (node->policy && address && policy_has(node->policy, type == TYPE_AAAA)) {
        answer_steered(a, hit, owner);
        return;
    }
    if (type == TYPE_ANY && (node->sets || node->policy)) {
        put_owned(a, hit, owner, &any_set);
        return;
    }
    const struct rrset *set = rrset_find(node->sets, type);
    if (!set) {
        answer_negative(a, hit->zone);
        answer_deny_type(a, hit, owner);
        return;
    }
    struct update_soa room;
    set = type == TYPE_SOA ? update_soa(hit->zone, a->view->bound, set, &room) : set;
    put_owned(a, hit, owner, set);
    if (type == TYPE_NS && !owner) {
        put_glue(a, set, NULL);
    }
}

/* The CNAME of the node, of its records or by its policy; NULL: it has none. */
static const struct rrset *cname_of(struct answering *a, const struct node *node,
                                    const struct name *owner)
{
    struct choice choice;

    if (!node->policy || !node->policy->targets) {
        return rrset_find(node->sets, TYPE_CNAME);
    }
    answer_choose(a, node->policy, owner, &choice);
    return node->policy->targets[choice.ids[0]];
}

/* The zone that `apex` is delegated from, if it is ours too; NULL: it is not, as it lies behind a
 * delegation to others. */
static const struct zone *outer_zone(const struct answering *a, const struct name *apex)
{
    struct name above;

    if (apex->labels == 0) {
        return NULL;
    }
    name_suffix(apex, 1, &above);
    struct zone_hit hit = zones_find(a->view->zones, &above);
    return hit.match == ZONE_CUT ? NULL : hit.zone;
}

/* A DS record belongs to the parent's side of a delegation (RFC 4035 3.1.4.1). */
static bool asks_parent(const struct answering *a, const struct node *cut, const struct name *name)
{
    return a->query->type == TYPE_DS && node_is(cut, name);
}

void answer_refuse(struct answering *a, enum ede why)
{
    a->rcode = RCODE_REFUSED;
    a->packet.opt.ede = why;
}

/* The DS records of a zone of ours are its parent's, ours or another's. False: the zone itself says
 * that it has none, to those we ask nobody for. */
static bool answer_parent(struct answering *a, const struct zone *zone, const struct name *owner)
{
    const struct zone *outer = outer_zone(a, &zone->apex);

    if (outer) {
        answer_ds(a, outer, zone, owner);
    } else if (zone->apex.labels && answer_may_defer(a)) {
        a->flags = owner ? a->flags : 0; /* what comes is not ours */
        answer_elsewhere(a, owner);
    } else {
        return false;
    }
    return true;
}

/* Another zone begins at or above the name, which we do not have. False: its DS records were asked
 * for, which are ours. */
static bool answer_cut(struct answering *a, const struct zone_hit *hit, const struct name *owner,
                       const struct name *name)
{
    if (asks_parent(a, hit->node, name)) {
        a->flags |= FLAG_AA;
        return false;
    }
    if (answer_may_defer(a)) {
        answer_elsewhere(a, owner);
    } else {
        answer_referral(a, hit->node);
    }
    return true;
}

/* The DS records of a zone of ours, where they are its parent's to tell. */
static bool answer_apex_ds(struct answering *a, const struct zone_hit *hit,
                           const struct name *owner, const struct name *name)
{
    return a->query->type == TYPE_DS && name_eq(&hit->zone->apex, name) &&
           answer_parent(a, hit->zone, owner);
}

/* A name that we have. Returns the CNAME to follow, or NULL: done. */
static const struct rrset *answer_ours(struct answering *a, struct zone_hit *hit,
                                       const struct name *owner)
{
    uint16_t type = a->query->type;

    if (hit->zone->signing && (type == TYPE_NSEC || type == TYPE_RRSIG)) {
        answer_proof(a, hit, owner);
        return NULL;
    }
    const struct rrset *cname = cname_of(a, hit->node, owner);
    if (!cname) {
        answer_node(a, hit, owner);
        return NULL;
    }
    put_owned(a, hit, owner, cname);
    return type == TYPE_CNAME || type == TYPE_ANY ? NULL : cname; /* ANY is it: RFC 8482 4.2 */
}

/* One name of the chain. Returns the CNAME to follow, or NULL: done. */
static const struct rrset *answer_name(struct answering *a, const struct name *owner)
{
    const struct name *name = owner ? owner : &a->query->name;
    struct zone_hit hit = zones_find(a->view->zones, name);

    if (!owner) {
        a->subject = hit.match == ZONE_NO_NAME ? (const void *)hit.zone : (const void *)hit.node;
    }
    if (hit.match == ZONE_NODE && hit.node->update) {
        if (update_is_unknown(hit.node, a->view->bound, name, a->query->type)) {
            a->unknown = true;
            return NULL;
        }
        update_hit(&hit, a->view->bound, name, &a->open);
    }
    if (hit.match != ZONE_NONE && (hit.match != ZONE_CUT || owner)) {
        a->flags |= FLAG_AA;
    }
    switch (hit.match) {
    case ZONE_NONE:
        answer_elsewhere(a, owner);
        return NULL;
    case ZONE_NO_NAME:
        a->rcode = RCODE_NXDOMAIN;
        answer_negative(a, hit.zone);
        answer_deny_name(a, &hit, owner);
        return NULL;
    case ZONE_CUT:
        if (answer_cut(a, &hit, owner, name)) {
            return NULL;
        }
        break;
    case ZONE_NODE:
        if (answer_apex_ds(a, &hit, owner, name)) {
            return NULL;
        }
        break;
    }
    return answer_ours(a, &hit, owner);
}

/* Has the answer the records of this name? `targets` are those that CNAMEs led to before. */
static bool is_answered(const struct answering *a, const struct span *targets, unsigned count,
                        const struct name *name)
{
    bool found = name_eq(name, &a->query->name);

    for (unsigned i = 0; i < count && !found; i++) {
        found = span_eq(targets[i], span_of(name->at, name->len));
    }
    return found;
}

/* Follows CNAMEs, as far as they lead to names that have not been answered yet. */
static void answer_question(struct answering *a)
{
    struct span targets[CHAIN_MAX];
    const struct rrset *cname = answer_name(a, NULL);

    for (unsigned n = 0; cname && n + 1 < CHAIN_MAX; n++) {
        targets[n] = span_of(cname->wire + RR_FIXED_LEN, cname->len - RR_FIXED_LEN);
        name_load(&a->target, cname->wire + RR_FIXED_LEN);
        cname = is_answered(a, targets, n, &a->target) ? NULL : answer_name(a, &a->target);
    }
    if (a->proof_count) {
        answer_prove(a);
    }
}

/* A query without faults. */
static void answer_query(struct answering *a)
{
    const struct query *query = a->query;
    bool wants_cookie = a->view->identity && a->view->identity->cookies_required;

    if (query->question.len == 0) { /* for a cookie alone: RFC 7873 5.4 */
        a->rcode = a->note->cookie == COOKIE_BAD    ? RCODE_BADCOOKIE
                   : a->note->cookie == COOKIE_NONE ? RCODE_FORMERR
                                                    : RCODE_NOERROR;
    } else if (wants_cookie && !a->asker->tcp &&
               (a->note->cookie == COOKIE_CLIENT || a->note->cookie == COOKIE_BAD)) {
        a->rcode = RCODE_BADCOOKIE; /* RFC 7873 5.2.3 */
    } else if (query->type == TYPE_OPT) {
        a->rcode = RCODE_FORMERR;
    } else if (query->type == TYPE_AXFR || query->type == TYPE_IXFR) {
        answer_refuse(a, EDE_PROHIBITED);
    } else if (query->class == CLASS_CH) {
        answer_chaos(a);
    } else if (query->class != CLASS_IN) {
        answer_refuse(a, EDE_NOT_AUTHORITATIVE);
    } else {
        answer_question(a);
    }
}

size_t answer_limit(const struct query *query, bool tcp)
{
    if (tcp) {
        return DNS_MESSAGE_MAX;
    }
    if (!query->edns.present) {
        return DNS_UDP_PLAIN;
    }
    return query->edns.payload < DNS_UDP_MAX ? query->edns.payload : DNS_UDP_MAX;
}

/* What the OPT of the response will say. */
static void prepare_opt(struct answering *a)
{
    const struct identity *identity = a->view->identity;
    const struct edns *edns = &a->query->edns;
    struct edns_reply *opt = &a->packet.opt;

    *opt = (struct edns_reply){.ede = a->rcode == RCODE_NOTIMP ? EDE_NOT_SUPPORTED : EDE_NONE};
    if (!edns->present || !identity) {
        return;
    }
    if (edns->cookie.len) {
        a->note->cookie =
            cookie_check(&identity->cookies, edns->cookie, &a->asker->ip, a->asker->now, a->cookie);
        opt->cookie = a->note->cookie == COOKIE_NONE ? NULL : a->cookie;
    }
    if (edns->nsid) {
        opt->nsid = identity->nsid;
    }
}

/* Judges a signature, and sets room aside for ours, if need be by saying less. */
static size_t prepare_tsig(struct answering *a, struct span packet, size_t limit)
{
    const struct identity *identity = a->view->identity;

    a->tsig.len = 0;
    a->tsig.good = false;
    if (!a->query->tsig_at || a->rcode == RCODE_FORMERR) {
        return limit;
    }
    unsigned rcode = tsig_check(identity ? &identity->keys : NULL, packet, a->query->tsig_at,
                                a->asker->now, &a->tsig);
    a->rcode = rcode == RCODE_NOERROR ? a->rcode : rcode;
    a->note->tsig = a->tsig.good ? TSIG_GOOD : TSIG_BAD;
    tsig_reply_fit(&a->tsig, limit - PACKET_ROOM_MIN);
    limit -= a->tsig.len;
    if (limit < DNS_UDP_PLAIN) {
        a->packet.opt.cookie = NULL;
        a->packet.opt.nsid = SPAN_EMPTY;
    }
    return limit;
}

/* Too many of these to this network? Whoever is real is told to come by TCP, or with a cookie;
 * errors have no such form, and some are given. TCP and good cookies prove the address; a signature
 * does not, as who has seen a signed query can send it again from any. */
static void limit(struct answering *a, const struct packet_mark *empty)
{
    const struct asker *asker = a->asker;
    bool fine = a->rcode == RCODE_NOERROR || a->rcode == RCODE_NXDOMAIN;

    if (!asker->limiter || asker->tcp || a->note->cookie == COOKIE_GOOD) {
        return;
    }
    struct limit_case what = {
        .client = &asker->ip,
        .class = fine ? LIMIT_RESPONSE : LIMIT_ERROR,
        .subject = fine ? a->subject : NULL,
        .now_us = asker->now_us,
        .turn = asker->turn,
    };
    a->note->limited = limiter_ask(asker->limiter, a->view->rates, &what);
    if (a->note->limited != LIMIT_SLIP || !fine) {
        return;
    }
    packet_undo(&a->packet, empty);
    if (a->note->cookie == COOKIE_NONE) {
        a->flags |= FLAG_TC;
    } else {
        a->rcode = RCODE_BADCOOKIE;
        a->flags = 0;
    }
}

/* All of it but what the caller has set: who asks what, and the rcode so far. (The rest of it is
 * large, and set where it is used.) */
static void begin(struct answering *a, struct span packet, void *room)
{
    const struct query *query = a->query;

    a->flags = 0;
    a->unsignable = a->unknown = false;
    a->proof_count = 0;
    a->subject = NULL;
    /* What the resolver answers later could not be signed. */
    a->recursive = a->view->recursion && !query->tsig_at &&
                   recursion_allows(a->view->recursion, &a->asker->ip);
    prepare_opt(a);
    a->packet.opt.keepalive = query->edns.keepalive && a->asker->tcp ? a->asker->keepalive : 0;
    packet_begin(&a->packet, query, room,
                 prepare_tsig(a, packet, answer_limit(query, a->asker->tcp)));
}

static void note_query(const struct query *query, struct answer_note *note)
{
    note->edns = query->edns.present;
    note->ecs = query->edns.ecs.present;
    note->dnssec = query->edns.dnssec_ok;
}

/* Header and signature; the length of the packet, or 0: nobody is answered. */
static size_t finish(struct answering *a, const struct packet_mark *empty, void *room)
{
    limit(a, empty);
    if (a->flags & FLAG_TC) {
        packet_undo(&a->packet, empty);
        a->note->truncated = true;
    }
    a->note->rcode = (uint16_t)a->rcode;
    a->note->scope = a->packet.opt.scope;
    if (a->note->limited == LIMIT_DROP) {
        return 0;
    }
    size_t len = packet_finish(&a->packet, a->rcode, a->flags | (a->recursive ? FLAG_RA : 0u));
    return a->tsig.len ? tsig_sign(&a->tsig, room, len, a->asker->now) : len;
}

size_t answer(const struct view *view, const struct asker *asker, struct span packet, void *room,
              struct answer_note *note)
{
    struct query query;
    struct answering a;
    int rcode = query_read(packet, &query);

    *note = (struct answer_note){0};
    if (rcode < 0) {
        return 0;
    }
    a.view = view;
    a.asker = asker;
    a.query = &query;
    a.note = note;
    a.rcode = (unsigned)rcode;
    begin(&a, packet, room);
    struct packet_mark empty = packet_mark(&a.packet);
    if (a.rcode == RCODE_NOERROR) {
        answer_query(&a);
    }
    if (a.unknown) {
        answer_fail(&a, &empty);
    } else if (a.unsignable) {
        answer_give_up(&a, &empty);
    }
    note_query(&query, note);
    return note->deferred ? 0 : finish(&a, &empty, room);
}
