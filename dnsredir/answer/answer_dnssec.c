/* answer_dnssec - signatures and proofs of an answer (RFC 4035 3.1), and what is said without
 * them.
 */
#include "base/check.h"
#include "dnsredir/answer/answer_parts.h"
#include "dnsredir/zone/denial.h"
#include "dnsredir/zone/signer.h"

/* Where a record is put: the section, and the owner in the packet (NULL: the name of the
 * question). */
struct place {
    enum section section;
    const struct name *owner;
    enum signer_kind kind;
};

static bool is_over(const struct answering *a)
{
    return a->unsignable || (a->flags & FLAG_TC);
}

/* Adds the signature of one key. False when it does not fit or cannot be made. */
static bool put_signature(struct answering *a, const struct place *place,
                          const struct signable *what)
{
    struct signer_case when = {place->kind, a->client->tcp, a->client->now, a->client->now_us};
    struct signature signature;
    uint8_t room[RRSIG_MAX];

    enum signed_how how =
        signer_get(a->client->signer, a->view->signatures, &when, what, &signature);
    a->note->signatures[how]++;
    if (how == SIGNED_REFUSED) {
        a->unsignable = a->unsignable || place->section != SECTION_ADDITIONAL;
        return false;
    }
    struct rrset rrsig = {.type = TYPE_RRSIG, .count = 1, .wire = room};
    rrsig.len = (uint32_t)dnssec_rrsig(what, &signature, room);
    return packet_rrset(&a->packet, place->section, place->owner, &rrsig, 0);
}

/* Adds the signatures of a set that is in the packet; `owner` is its name in the zone. */
static void sign(struct answering *a, const struct place *place, const struct signing *zone,
                 const struct name *owner, const struct rrset *set)
{
    unsigned count = dnssec_is_of_keys(set->type) ? zone->key_count : 1;

    for (unsigned i = 0; i < count && !is_over(a); i++) {
        struct signable what = {zone, zone->keys[i], owner, set};
        if (!put_signature(a, place, &what) && place->section != SECTION_ADDITIONAL) {
            a->flags |= FLAG_TC;
        }
    }
}

static const struct name *name_of(const struct answering *a, const struct name *owner)
{
    return owner ? owner : &a->query->name;
}

/* ---- proofs ---- */

/* An NSEC record and its signature. */
static void put_nsec(struct answering *a, const struct zone *zone, const struct place *place,
                     const struct name *next, const struct denial_types *types)
{
    uint8_t room[NSEC_MAX];
    struct rrset nsec;

    if (is_over(a)) {
        return;
    }
    denial_nsec(next, types, zone->negative->ttl, room, &nsec);
    if (!packet_rrset(&a->packet, place->section, place->owner, &nsec, 0)) {
        a->flags |= FLAG_TC;
        return;
    }
    sign(a, place, zone->signing, place->owner, &nsec);
}

/* No name is `name` or below it; `above` is the node right above it. */
static void put_cover(struct answering *a, const struct node *above, const struct name *name,
                      enum signer_kind kind)
{
    const struct zone *zone = above->zone;
    struct denial_types types = {2, {TYPE_RRSIG, TYPE_NSEC}};
    struct name before, after;

    if (denial_cover(name, &zone->apex, &before, &after)) {
        denial_types_of(above, &types);
    }
    put_nsec(a, zone, &(struct place){SECTION_AUTHORITY, &before, kind}, &after, &types);
}

/* The node has these types and no others. */
static void put_match(struct answering *a, const struct zone *zone, const struct name *name,
                      const struct denial_types *types)
{
    struct name next;

    denial_next(name, &zone->apex, &next);
    put_nsec(a, zone, &(struct place){SECTION_AUTHORITY, name, SIGNER_SET}, &next, types);
}

/* The name that would exist below `above` if `name` did (RFC 5155 1.3: the next closer name). */
static void next_closer(const struct name *name, const struct node *above, struct name *out)
{
    name_suffix(name, name->labels - above->labels - 1u, out);
}

/* Is the node a wildcard that stands for another name? *above is the node it hangs on. */
static bool is_expanded(const struct answering *a, const struct zone_hit *hit,
                        const struct name *name, const struct node **above)
{
    struct name encloser;

    if (hit->match != ZONE_NODE || !node_is_wildcard(hit->node) || node_is(hit->node, name)) {
        return false;
    }
    name_load(&encloser, hit->node->wire + 2);
    *above = zones_node(a->view->zones, &encloser);
    return true;
}

/* RFC 4035 3.1.3.3: the name itself does not exist, so that the wildcard may stand for it. */
static void note_wildcard(struct answering *a, const struct zone_hit *hit, const struct name *name)
{
    const struct node *above;

    if (is_over(a) || !is_expanded(a, hit, name, &above)) {
        return;
    }
    CHECK(a->proof_count < CHAIN_MAX);
    a->proofs[a->proof_count].above = above;
    next_closer(name, above, &a->proofs[a->proof_count].name);
    a->proof_count++;
}

void answer_prove(struct answering *a)
{
    for (unsigned i = 0; i < a->proof_count; i++) {
        bool again = false;
        for (unsigned before = 0; before < i; before++) {
            again = again || name_eq(&a->proofs[before].name, &a->proofs[i].name);
        }
        if (!again && !is_over(a)) {
            put_cover(a, a->proofs[i].above, &a->proofs[i].name, SIGNER_DENIAL);
        }
    }
    a->proof_count = 0;
}

void answer_deny_name(struct answering *a, const struct zone_hit *hit, const struct name *owner)
{
    const struct node *above = hit->node;
    struct name closer, encloser, wildcard;

    if (!answer_signs(a, hit->zone) || is_over(a)) {
        return;
    }
    next_closer(name_of(a, owner), above, &closer);
    put_cover(a, above, &closer, SIGNER_DENIAL);
    node_name(above, &encloser);
    if (name_parse(SPAN("*"), &encloser, &wildcard) == 0 && !name_eq(&wildcard, &closer)) {
        put_cover(a, above, &wildcard, SIGNER_SET);
    }
}

void answer_deny_type(struct answering *a, const struct zone_hit *hit, const struct name *owner)
{
    struct denial_types types;
    struct name name;

    if (answer_signs(a, hit->zone)) {
        denial_types_of(hit->node, &types);
        node_name(hit->node, &name);
        put_match(a, hit->zone, &name, &types);
        note_wildcard(a, hit, name_of(a, owner));
    }
}

static void deny_ds(struct answering *a, const struct zone *zone, const struct name *name)
{
    struct denial_types types = {3, {TYPE_NS, TYPE_RRSIG, TYPE_NSEC}};

    put_match(a, zone, name, &types);
}

void answer_deny_ds(struct answering *a, const struct node *cut)
{
    const struct rrset *ds = rrset_find(cut->sets, TYPE_DS);
    struct name name;
    struct place place = {SECTION_AUTHORITY, &name, SIGNER_SET};

    if (!answer_signs(a, cut->zone) || is_over(a)) {
        return;
    }
    node_name(cut, &name);
    if (!ds) {
        deny_ds(a, cut->zone, &name);
    } else if (packet_rrset(&a->packet, SECTION_AUTHORITY, &name, ds, 0)) {
        sign(a, &place, cut->zone->signing, &name, ds);
    } else {
        a->flags |= FLAG_TC;
    }
}

/* ---- signatures ---- */

void answer_sign(struct answering *a, const struct zone_hit *hit, const struct name *owner,
                 const struct rrset *set)
{
    struct place place = {SECTION_ANSWER, owner, SIGNER_SET};
    struct name name;

    node_name(hit->node, &name);
    sign(a, &place, hit->zone->signing, &name, set);
    note_wildcard(a, hit, name_of(a, owner));
}

void answer_sign_choice(struct answering *a, const struct zone_hit *hit, const struct name *owner,
                        const struct choice *choice)
{
    uint8_t room[ANSWERS_MAX * (RR_FIXED_LEN + 16)];
    struct rrset set;

    if (choice->count && !is_over(a)) {
        dnssec_gather(choice->records, choice->count, choice->record_len, room, &set);
        answer_sign(a, hit, owner, &set);
    }
}

void answer_sign_negative(struct answering *a, const struct zone *zone, const struct rrset *soa)
{
    struct place place = {SECTION_AUTHORITY, &zone->apex, SIGNER_SET};

    sign(a, &place, zone->signing, &zone->apex, soa);
}

void answer_sign_glue(struct answering *a, const struct name *host, const struct rrset *set)
{
    struct place place = {SECTION_ADDITIONAL, host, SIGNER_SET};
    struct zone_hit hit = zones_find(a->view->zones, host);

    if (hit.match == ZONE_NODE && answer_signs(a, hit.zone)) {
        sign(a, &place, hit.zone->signing, host, set);
    }
}

/* ---- what is made as it is asked for ---- */

static void put_ds(struct answering *a, const struct zone *outer, const struct zone *inner,
                   const struct name *owner)
{
    struct place place = {SECTION_ANSWER, owner, SIGNER_SET};

    if (!packet_rrset(&a->packet, SECTION_ANSWER, owner, inner->signing->ds, 0)) {
        a->flags |= FLAG_TC;
    } else if (answer_signs(a, outer)) {
        sign(a, &place, outer->signing, &inner->apex, inner->signing->ds);
    }
}

void answer_ds(struct answering *a, const struct zone *outer, const struct zone *inner,
               const struct name *owner)
{
    if (outer->signing && inner->signing) {
        put_ds(a, outer, inner, owner);
        return;
    }
    answer_negative(a, outer);
    if (answer_signs(a, outer)) {
        deny_ds(a, outer, &inner->apex);
    }
}

void answer_fail(struct answering *a, const struct packet_mark *empty)
{
    packet_undo(&a->packet, empty);
    a->note->deferred = false;
    a->rcode = RCODE_SERVFAIL;
    a->flags = 0;
    a->packet.opt.ede = EDE_NOT_READY;
}

void answer_give_up(struct answering *a, const struct packet_mark *empty)
{
    if (a->client->tcp) {
        answer_fail(a, empty);
        return;
    }
    packet_undo(&a->packet, empty);
    a->note->deferred = false;
    a->flags |= FLAG_TC;
}

/* Of all signatures at the name one is given, like one record of all for ANY (RFC 8482 4.1). */
void answer_proof(struct answering *a, const struct zone_hit *hit, const struct name *owner)
{
    const struct signing *zone = hit->zone->signing;
    struct place place = {SECTION_ANSWER, owner, SIGNER_SET};
    struct denial_types types;
    uint8_t room[NSEC_MAX];
    struct rrset nsec;
    struct name name, next;

    denial_types_of(hit->node, &types);
    node_name(hit->node, &name);
    denial_next(&name, &hit->zone->apex, &next);
    denial_nsec(&next, &types, hit->zone->negative->ttl, room, &nsec);
    if (a->query->type == TYPE_RRSIG) {
        sign(a, &place, zone, &name, &nsec);
    } else if (!packet_rrset(&a->packet, SECTION_ANSWER, owner, &nsec, 0)) {
        a->flags |= FLAG_TC;
    } else if (answer_signs(a, hit->zone)) {
        answer_sign(a, hit, owner, &nsec);
    }
}
