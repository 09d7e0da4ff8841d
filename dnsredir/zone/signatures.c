#include "dnsredir/zone/signatures.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "dnsredir/steering/choose.h"
#include "dnsredir/zone/denial.h"

/* They are made anew after this part of the validity. */
#define DUE_PART 4

struct entry {
    uint8_t id[DNSSEC_ID_LEN];
    struct signature signature; /* expiration and inception 0: the entry is free */
};

struct signatures {
    unsigned count; /* number of owners */
    size_t used;
    size_t mask; /* entries: a power of two, at most half full */
    struct entry *entries;
    uint64_t rate;
    unsigned zones;
    uint32_t made;     /* the oldest */
    uint32_t validity; /* the shortest */
};

/* ---- the table ---- */

static bool is_free(const struct entry *entry)
{
    return entry->signature.expiration == 0 && entry->signature.inception == 0;
}

/* The entry with this id, or the free one where it belongs. */
static struct entry *probe(const struct signatures *s, const uint8_t id[DNSSEC_ID_LEN])
{
    uint64_t start;

    memcpy(&start, id, sizeof(start));
    for (size_t i = start & s->mask;; i = (i + 1) & s->mask) {
        struct entry *entry = &s->entries[i];
        if (is_free(entry) || memcmp(entry->id, id, DNSSEC_ID_LEN) == 0) {
            return entry;
        }
    }
}

static void grow(struct signatures *s)
{
    struct entry *old = s->entries;
    size_t count = s->mask + 1;

    s->mask = 2 * count - 1;
    s->entries = xcalloc(2 * count, sizeof(*s->entries));
    for (size_t i = 0; i < count; i++) {
        if (!is_free(&old[i])) {
            *probe(s, old[i].id) = old[i];
        }
    }
    free(old);
}

const struct signature *signatures_find(const struct signatures *signatures,
                                        const uint8_t id[DNSSEC_ID_LEN])
{
    const struct entry *entry = probe(signatures, id);

    return is_free(entry) ? NULL : &entry->signature;
}

/* ---- making them ---- */

struct making {
    struct signatures *to;
    const struct signatures_plan *plan;
    struct standing *standing; /* everybody is up */
    size_t choices;            /* how many signatures of choices may still be made */
    bool reused;
};

/* Takes it from those before, if they are not due themselves. */
static bool reuse(struct making *m, const struct signable *what, const uint8_t id[DNSSEC_ID_LEN],
                  struct signature *out)
{
    const struct signatures *old = m->plan->old;
    const struct signature *before = old ? signatures_find(old, id) : NULL;

    if (!before || signatures_due(old, m->plan->now) || !dnssec_is_dated(what, before)) {
        return false;
    }
    *out = *before;
    m->reused = true;
    return true;
}

static void add_with(struct making *m, const struct signable *what)
{
    struct signatures *s = m->to;
    uint8_t id[DNSSEC_ID_LEN];

    if (s->used == m->plan->most) {
        return;
    }
    if (2 * (s->used + 1) > s->mask) {
        grow(s);
    }
    dnssec_id(what, id);
    struct entry *entry = probe(s, id);
    if (!is_free(entry)) {
        return;
    }
    if (!reuse(m, what, id, &entry->signature) &&
        dnssec_sign(what, m->plan->now, &entry->signature)) {
        entry->signature = (struct signature){0};
        return;
    }
    memcpy(entry->id, id, sizeof(id));
    s->used++;
}

static void add(struct making *m, const struct signing *zone, const struct name *owner,
                const struct rrset *set)
{
    for (unsigned i = 0; i < (dnssec_is_of_keys(set->type) ? zone->key_count : 1); i++) {
        add_with(m, &(struct signable){zone, zone->keys[i], owner, set});
    }
}

/* A set of the node's. */
static void add_own(struct making *m, const struct node *node, const struct rrset *set)
{
    struct name name;

    node_name(node, &name);
    add(m, node->zone->signing, &name, set);
}

static void add_nsec(struct making *m, const struct zone *zone, const struct name *owner,
                     const struct name *next, const struct denial_types *types)
{
    uint8_t room[NSEC_MAX];
    struct rrset nsec;

    denial_nsec(next, types, zone->negative->ttl, room, &nsec);
    add(m, zone->signing, owner, &nsec);
}

/* The node has not the type; the wildcard below it does not exist. */
static void add_denials(struct making *m, const struct node *node)
{
    const struct zone *zone = node->zone;
    struct denial_types types;
    struct name name, next, before, wildcard;

    denial_types_of(node, &types);
    node_name(node, &name);
    denial_next(&name, &zone->apex, &next);
    add_nsec(m, zone, &name, &next, &types);
    if (node->wildcard || node->cut || name_parse(SPAN("*"), &name, &wildcard)) {
        return;
    }
    types.count = 0;
    denial_add(&types, TYPE_RRSIG);
    denial_add(&types, TYPE_NSEC);
    if (!denial_cover(&wildcard, &zone->apex, &before, &next)) {
        add_nsec(m, zone, &before, &next, &types);
    }
}

/* Records first..last of an address family, as far as one answer could hold them. */
static void add_records(struct making *m, const struct node *node,
                        const struct address_records *from, uint32_t first, uint32_t last)
{
    const uint8_t *records[ANSWERS_MAX];
    uint8_t room[ANSWERS_MAX * (RR_FIXED_LEN + 16)];
    unsigned most = node->policy->answers ? node->policy->answers : ANSWERS_MAX;
    struct rrset set;

    if (first == last || last - first > most) {
        return;
    }
    for (uint32_t i = first; i < last; i++) {
        records[i - first] = from->wire + (size_t)i * from->record_len;
    }
    dnssec_gather(records, last - first, from->record_len, room, &set);
    add_own(m, node, &set);
}

/* Adds the answer that a client with this ranking gets while all replicas are up. */
static void add_choice(struct making *m, const struct node *node, const struct ranking *ranking,
                       bool v6)
{
    struct name name;
    struct choice_input input = {
        .ranking = ranking,
        .standing = m->standing,
        .v6 = v6,
    };
    uint8_t room[ANSWERS_MAX * (RR_FIXED_LEN + 16)];
    struct choice choice;
    struct rrset set;

    if (m->choices == 0 || !policy_has(node->policy, v6)) {
        return;
    }
    m->choices--;
    node_name(node, &name);
    input.name_hash = name_hash(&name);
    choose(node->policy, &input, &choice);
    if (choice.count) {
        dnssec_gather(choice.records, choice.count, choice.record_len, room, &set);
        add_own(m, node, &set);
    }
}

/* Several replicas' addresses: as far as the order follows from what is known now. */
static void add_choices(struct making *m, const struct node *node)
{
    bool wildcard = node_is_wildcard(node);
    enum policy_kind kind = node->policy->kind;

    for (int v6 = 0; v6 < 2; v6++) {
        for (size_t i = 0; i < m->plan->ranking_count && kind == POLICY_NEAREST; i++) {
            add_choice(m, node, m->plan->rankings[i], v6);
        }
        if (kind == POLICY_FAILOVER || (kind == POLICY_HASHED && !wildcard)) {
            add_choice(m, node, NULL, v6);
        }
    }
}

/* Each replica's own addresses, all together, and what is given while everybody is up. What else a
 * policy comes to give is signed when it does for the first time. */
static void add_steered(struct making *m, const struct node *node)
{
    const struct policy *policy = node->policy;
    const struct address_records *families[] = {&policy->v4, &policy->v6};

    for (unsigned r = 0; policy->targets && r < policy->replica_count; r++) {
        if (policy->targets[r]) {
            add_own(m, node, policy->targets[r]);
        }
    }
    for (size_t f = 0; !policy->targets && f < ARRAY_LEN(families); f++) {
        const uint32_t *first = families[f]->first;
        for (unsigned r = 0; r < policy->replica_count; r++) {
            add_records(m, node, families[f], first[r], first[r + 1]);
        }
        add_records(m, node, families[f], 0, first[policy->replica_count]);
    }
    if (!policy->targets && policy->answers > 1) {
        add_choices(m, node);
    }
}

static void add_node(void *arg, const struct node *node)
{
    struct making *m = arg;

    if (!node->zone->signing || (node->cut && node->cut != node) || m->to->used == m->plan->most) {
        return;
    }
    for (const struct rrset *set = node->sets; set; set = set->next) {
        if (!node->cut || set->type == TYPE_DS) { /* RFC 4035 2.2 */
            add_own(m, node, set);
        }
    }
    if (node->policy) {
        add_steered(m, node);
    }
    add_denials(m, node);
}

/* Adds the sets that every negative answer of the zone contains. */
static void add_zone(void *arg, const struct zone *zone)
{
    struct making *m = arg;

    if (zone->signing) {
        uint32_t validity = zone->signing->validity;
        m->to->validity = validity < m->to->validity ? validity : m->to->validity;
        m->to->zones++;
        add(m, zone->signing, &zone->apex, zone->negative);
    }
}

struct signatures *signatures_new(const struct zones *zones, const struct signatures_plan *plan)
{
    struct signatures *s = xcalloc(1, sizeof(*s));
    struct making making = {.to = s, .plan = plan, .choices = SIGNATURES_CHOICES_MAX};

    s->count = 1;
    s->mask = 255;
    s->entries = xcalloc(s->mask + 1, sizeof(*s->entries));
    s->rate = plan->rate;
    s->validity = UINT32_MAX;
    zones_each(zones, add_zone, &making);
    if (s->validity == UINT32_MAX) {
        signatures_unref(&s);
        return NULL;
    }
    making.standing = xcalloc(1, sizeof(*making.standing));
    memset(&making.standing->open, 0xff, sizeof(making.standing->open));
    making.standing->alive = making.standing->open;
    zones_each_node(zones, add_node, &making);
    free(making.standing);
    s->made = making.reused ? plan->old->made : plan->now;
    return s;
}

struct signatures *signatures_ref(struct signatures *signatures)
{
    if (signatures) {
        signatures->count++;
    }
    return signatures;
}

void signatures_unref(struct signatures **signatures)
{
    if (*signatures && --(*signatures)->count == 0) {
        free((*signatures)->entries);
        free(*signatures);
    }
    *signatures = NULL;
}

size_t signatures_count(const struct signatures *signatures)
{
    return signatures ? signatures->used : 0;
}

unsigned signatures_zone_count(const struct signatures *signatures)
{
    return signatures->zones;
}

uint64_t signatures_rate(const struct signatures *signatures)
{
    return signatures->rate;
}

bool signatures_due(const struct signatures *signatures, uint32_t now)
{
    if (!signatures) {
        return false;
    }
    int32_t age = (int32_t)(now - signatures->made);
    return age < 0 || (uint32_t)age >= signatures->validity / DUE_PART;
}
