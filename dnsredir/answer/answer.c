#include "dnsredir/answer/answer_parts.h"

/* The answer to ANY (RFC 8482 4.2): HINFO "RFC8482" "". */
static uint8_t minimal_any[] = "\xc0\x0c\x00\x0d\x00\x01\x00\x00\x0e\x10\x00\x09\x07RFC8482";
static const struct rrset any_set = {
    .type = TYPE_HINFO, .count = 1, .len = sizeof(minimal_any), .wire = minimal_any};

static void put(struct answering *a, enum section section, const struct name *owner,
                const struct rrset *set)
{
    if (!packet_rrset(&a->packet, section, owner, set, a->client->turn)) {
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
    const struct rrset *soa = update_soa(zone, a->view->dynamic, zone->negative, &room);

    put(a, SECTION_AUTHORITY, &zone->apex, soa);
    if (answer_signs(a, zone)) {
        answer_sign_negative(a, zone, soa);
    }
}

static void answer_referral(struct answering *a, const struct node *cut)
{
    const struct rrset *servers = rrset_find(cut->sets, TYPE_NS);
    struct name name;

    node_name(cut, &name);
    put(a, SECTION_AUTHORITY, &name, servers);
    answer_deny_ds(a, cut);
    answer_prove(a);
    if (!answer_glue(a, servers, &name)) {
        a->flags |= FLAG_TC; /* RFC 9471 3.1 */
    }
}

/* Adds a set of the node, with its signature. */
static void put_owned(struct answering *a, const struct zone_hit *hit, const struct name *owner,
                      const struct rrset *set)
{
    put(a, SECTION_ANSWER, owner, set);
    if (answer_signs(a, hit->zone)) {
        answer_sign(a, hit, owner, set);
    }
}

/* Answers for a name that exists and is ours. */
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
    set = type == TYPE_SOA ? update_soa(hit->zone, a->view->dynamic, set, &room) : set;
    put_owned(a, hit, owner, set);
    if (answer_names_hosts(type)) {
        a->hosts = set;
        a->hosts_owner = owner;
    }
}

/* The CNAME of the node, from its records or its policy; NULL: it has none. */
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

/* The zone of ours from which `apex` is delegated; NULL: there is none, or a delegation to others
 * lies between. */
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

/* Is it a query for DS at the delegation? DS records belong to the parent's side (RFC
 * 4035 3.1.4.1). */
static bool asks_parent(const struct answering *a, const struct node *cut, const struct name *name)
{
    return a->query->type == TYPE_DS && node_is(cut, name);
}

void answer_refuse(struct answering *a, enum ede why)
{
    a->rcode = RCODE_REFUSED;
    a->packet.opt.ede = why;
}

/* Answers a query for the DS records of a zone of ours from its parent zone, be that ours or
 * others'. Returns false if the parent is not ours and this client gets no names of others
 * resolved: then the zone itself says that it has none. */
static bool answer_parent(struct answering *a, const struct zone *zone, const struct name *owner)
{
    const struct zone *outer = outer_zone(a, &zone->apex);

    if (outer) {
        answer_ds(a, outer, zone, owner);
    } else if (zone->apex.labels && answer_may_defer(a)) {
        a->flags = owner ? a->flags : 0; /* the answer will not be from a zone of ours */
        answer_elsewhere(a, owner);
    } else {
        return false;
    }
    return true;
}

/* Refers the client to a zone that begins at or above the name, and which we do not have. Returns
 * false if the query is for its DS records, which are ours. */
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

/* Answers a query for the DS records of a zone of ours, if its parent has to answer it. */
static bool answer_apex_ds(struct answering *a, const struct zone_hit *hit,
                           const struct name *owner, const struct name *name)
{
    return a->query->type == TYPE_DS && name_eq(&hit->zone->apex, name) &&
           answer_parent(a, hit->zone, owner);
}

/* Answers for a name in a zone of ours. Returns the CNAME to follow, or NULL: done. */
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

/* Answers for one name of the chain. Returns the CNAME to follow, or NULL: done. */
static const struct rrset *answer_name(struct answering *a, const struct name *owner)
{
    const struct name *name = owner ? owner : &a->query->name;
    struct zone_hit hit = zones_find(a->view->zones, name);

    if (!owner) {
        a->subject = hit.match == ZONE_NO_NAME ? (const void *)hit.zone : (const void *)hit.node;
    }
    if (hit.match == ZONE_NODE && hit.node->update) {
        if (update_is_unknown(hit.node, a->view->dynamic, name, a->query->type)) {
            a->unknown = true;
            return NULL;
        }
        update_hit(&hit, a->view->dynamic, name, &a->open);
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

/* Has the answer the records of this name already? `targets` are the names that CNAMEs have led to
 * so far. */
static bool is_answered(const struct answering *a, const struct span *targets, unsigned count,
                        const struct name *name)
{
    bool found = name_eq(name, &a->query->name);

    for (unsigned i = 0; i < count && !found; i++) {
        found = span_eq(targets[i], span_of(name->at, name->len));
    }
    return found;
}

/* Answers the question, following CNAMEs until one leads to a name that was answered already. */
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
    if (a->hosts) {
        answer_additional(a);
    }
}

/* Answers a query without faults. */
static void answer_query(struct answering *a)
{
    const struct query *query = a->query;
    bool wants_cookie = a->view->identity && a->view->identity->cookies_required;

    if (query->question.len == 0) { /* for a cookie alone: RFC 7873 5.4 */
        a->rcode = a->note->cookie == COOKIE_BAD    ? RCODE_BADCOOKIE
                   : a->note->cookie == COOKIE_NONE ? RCODE_FORMERR
                                                    : RCODE_NOERROR;
    } else if (wants_cookie && !a->client->tcp &&
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

/* Decides what the OPT of the response will say. */
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
        a->note->cookie = cookie_check(&identity->cookies, edns->cookie, &a->client->ip,
                                       a->client->now, a->cookie);
        opt->cookie = a->note->cookie == COOKIE_NONE ? NULL : a->cookie;
    }
    if (edns->nsid) {
        opt->nsid = identity->nsid;
    }
}

/* Checks the query's signature, and reserves room for ours, if need be by saying less in OPT.
 * Returns the limit that is left. */
static size_t prepare_tsig(struct answering *a, struct span packet, size_t limit)
{
    const struct identity *identity = a->view->identity;

    a->tsig.len = 0;
    a->tsig.good = false;
    if (!a->query->tsig_at || a->rcode == RCODE_FORMERR) {
        return limit;
    }
    unsigned rcode = tsig_check(identity ? &identity->keys : NULL, packet, a->query->tsig_at,
                                a->client->now, &a->tsig);
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

/* Applies the rate limits. If this network gets too many such answers, some are sent in a form that
 * tells a real client to come by TCP, or with a cookie; errors have no such form, and some are sent
 * as they are. TCP and good cookies prove the client's address. A signature does not, because
 * whoever has seen a signed query can send it again from any address. */
static void limit(struct answering *a, const struct packet_mark *empty)
{
    const struct client *client = a->client;
    bool fine = a->rcode == RCODE_NOERROR || a->rcode == RCODE_NXDOMAIN;

    if (!client->limiter || client->tcp || a->note->cookie == COOKIE_GOOD) {
        return;
    }
    struct limit_case what = {
        .client = &client->ip,
        .class = fine ? LIMIT_RESPONSE : LIMIT_ERROR,
        .subject = fine ? a->subject : NULL,
        .now_us = client->now_us,
        .turn = client->turn,
    };
    a->note->limited = limiter_ask(client->limiter, a->view->rates, &what);
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

/* Sets up everything but what the caller has set: who asks what, and the rcode so far. The large
 * rest is set where it is used. */
static void begin(struct answering *a, struct span packet, void *room)
{
    const struct query *query = a->query;

    a->flags = 0;
    a->unsignable = a->unknown = false;
    a->proof_count = 0;
    a->subject = NULL;
    a->hosts = NULL;
    /* A signed query is not deferred: the answer of the resolver could not be signed. */
    a->recursive = a->view->recursion && !query->tsig_at &&
                   recursion_allows(a->view->recursion, &a->client->ip);
    prepare_opt(a);
    a->packet.opt.keepalive = query->edns.keepalive && a->client->tcp ? a->client->keepalive : 0;
    packet_begin(&a->packet, query, room,
                 prepare_tsig(a, packet, answer_limit(query, a->client->tcp)));
}

static void note_query(const struct query *query, struct answer_note *note)
{
    note->edns = query->edns.present;
    note->ecs = query->edns.ecs.present;
    note->dnssec = query->edns.dnssec_ok;
}

/* Writes header and signature. Returns the length of the packet, or 0: no answer is sent. */
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
    return a->tsig.len ? tsig_sign(&a->tsig, room, len, a->client->now) : len;
}

void query_packet_read(struct span packet, struct query_packet *out)
{
    out->packet = packet;
    out->rcode = query_read(packet, &out->query);
}

size_t answer_read(const struct view *view, const struct client *client,
                   const struct query_packet *read, void *room, struct answer_note *note)
{
    struct answering a;
    struct packet_mark empty;

    *note = (struct answer_note){0};
    if (read->rcode < 0) {
        return 0;
    }
    a.view = view;
    a.client = client;
    a.query = &read->query;
    a.note = note;
    a.rcode = (unsigned)read->rcode;
    begin(&a, read->packet, room);
    packet_mark(&a.packet, &empty);
    if (a.rcode == RCODE_NOERROR) {
        answer_query(&a);
    }
    if (a.unknown) {
        answer_fail(&a, &empty);
    } else if (a.unsignable) {
        answer_give_up(&a, &empty);
    }
    note_query(a.query, note);
    return note->deferred ? 0 : finish(&a, &empty, room);
}

size_t answer(const struct view *view, const struct client *client, struct span packet, void *room,
              struct answer_note *note)
{
    struct query_packet read;

    query_packet_read(packet, &read);
    return answer_read(view, client, &read, room, note);
}
