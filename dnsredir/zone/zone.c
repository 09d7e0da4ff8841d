#include "dnsredir/zone/zone.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "dnsredir/steering/policy.h"
#include "dnsredir/zone/denial.h"
#include "dnsredir/zone/update.h"

struct slot {
    uint64_t hash;
    struct node *node; /* NULL: free */
};

struct zones {
    struct arena memory;
    struct zone *list;
    struct slot *slots; /* a power of two, at most half full */
    size_t mask;
    size_t count;
    unsigned depth; /* labels of the deepest name */
};

struct zones *zones_new(void)
{
    struct zones *zones = xcalloc(1, sizeof(*zones));

    arena_init(&zones->memory, NULL, 0);
    zones->mask = 255;
    zones->slots = xcalloc(zones->mask + 1, sizeof(*zones->slots));
    return zones;
}

void zones_free(struct zones **zones)
{
    if (*zones) {
        arena_fini(&(*zones)->memory);
        free((*zones)->slots);
        free(*zones);
        *zones = NULL;
    }
}

/* The name without its first `skip` labels, looked up with the hash of that suffix. */
static struct node *probe(const struct zones *zones, const struct name *name, unsigned skip,
                          uint64_t hash)
{
    size_t start = skip == name->labels ? name->len - 1u : name->label[skip];
    size_t len = name->len - start;

    for (size_t i = hash & zones->mask;; i = (i + 1) & zones->mask) {
        const struct slot *slot = &zones->slots[i];
        if (!slot->node) {
            return NULL;
        }
        if (slot->hash == hash && slot->node->len == len &&
            memcmp(slot->node->wire, name->at + start, len) == 0) {
            return slot->node;
        }
    }
}

static struct node *find_exact(const struct zones *zones, const struct name *name)
{
    return probe(zones, name, 0, name_hash(name));
}

/* The name itself or, if it does not exist, the closest name above that does; NULL: neither. */
static struct node *find_closest(const struct zones *zones, const struct name *name)
{
    uint64_t hashes[NAME_MAX_LABELS + 1];
    unsigned skip = name->labels > zones->depth ? name->labels - zones->depth : 0;
    struct node *node = NULL;

    name_hash_suffixes(name, hashes);
    for (; !node && skip <= name->labels; skip++) {
        node = probe(zones, name, skip, hashes[skip]);
    }
    return node;
}

static void slots_put(struct zones *zones, struct slot slot)
{
    size_t i = slot.hash & zones->mask;

    while (zones->slots[i].node) {
        i = (i + 1) & zones->mask;
    }
    zones->slots[i] = slot;
}

static void slots_grow(struct zones *zones)
{
    struct slot *old = zones->slots;
    size_t count = zones->mask + 1;

    zones->mask = count * 2 - 1;
    zones->slots = xcalloc(count * 2, sizeof(*zones->slots));
    for (size_t i = 0; i < count; i++) {
        if (old[i].node) {
            slots_put(zones, old[i]);
        }
    }
    free(old);
}

static struct node *node_add(struct zones *zones, const struct zone *zone, const struct name *name)
{
    if (2 * (zones->count + 1) > zones->mask) {
        slots_grow(zones);
    }
    struct node *node = arena_zalloc(&zones->memory, sizeof(*node) + name->len);
    uint8_t *wire = (uint8_t *)(node + 1);
    memcpy(wire, name->at, name->len);
    node->zone = zone;
    node->wire = wire;
    node->len = name->len;
    node->labels = name->labels;
    slots_put(zones, (struct slot){name_hash(name), node});
    zones->count++;
    zones->depth = name->labels > zones->depth ? name->labels : zones->depth;
    return node;
}

/* The node of a name below an existing one, made with all the names in between. */
static struct node *node_need(struct zones *zones, const struct zone *zone, const struct name *name)
{
    struct node *above = find_closest(zones, name);
    unsigned missing = name->labels - (above ? above->labels : name->labels - 1u);
    struct node *node = above;

    while (missing-- > 0) {
        struct name suffix;
        name_suffix(name, missing, &suffix);
        node = node_add(zones, zone, &suffix);
    }
    return node;
}

static void put_soa(struct zones *zones, struct rrset **sets, const struct soa *soa, uint32_t ttl)
{
    struct record record = {.type = TYPE_SOA, .ttl = ttl};
    struct wire_out data = wire_out_of(record.data, sizeof(record.data));

    wire_put_bytes(&data, soa->mname.at, soa->mname.len);
    wire_put_bytes(&data, soa->rname.at, soa->rname.len);
    wire_put_u32(&data, soa->serial);
    wire_put_u32(&data, soa->refresh);
    wire_put_u32(&data, soa->retry);
    wire_put_u32(&data, soa->expire);
    wire_put_u32(&data, soa->minimum);
    record.len = (uint16_t)wire_out_len(&data);
    CHECK(rrset_add(&zones->memory, sets, &record) == 0);
}

int zones_add(struct zones *zones, const struct name *apex, const struct soa *soa,
              struct zone **out)
{
    if (find_exact(zones, apex)) {
        return ERR_BUSY;
    }
    struct zone *zone = arena_zalloc(&zones->memory, sizeof(*zone));
    zone->apex = *apex;
    zone->serial = soa->serial;
    zone->next = zones->list;
    zones->list = zone;
    put_soa(zones, &zone->negative, soa, soa->ttl < soa->minimum ? soa->ttl : soa->minimum);
    put_soa(zones, &node_add(zones, zone, apex)->sets, soa, soa->ttl);
    *out = zone;
    return 0;
}

/* Why a record of `type` cannot stand beside what the name has (RFC 1034 3.6.2), or NULL. */
static const char *conflict(const struct zone *zone, const struct node *node, uint16_t type)
{
    bool has_cname =
        rrset_find(node->sets, TYPE_CNAME) != NULL || (node->policy && node->policy->targets);

    if (has_cname || (type == TYPE_CNAME && (node->sets || node->policy))) {
        return "a CNAME must be the only record of its name";
    }
    if ((type == TYPE_A || type == TYPE_AAAA) && node->policy) {
        return "the policy of the name makes its addresses";
    }
    if (type == TYPE_NS && !node_is(node, &zone->apex) &&
        (node->policy || node_is_wildcard(node))) {
        return "a steered or wildcard name cannot be delegated";
    }
    if (node->update && (type == TYPE_CNAME || update_rule_has(node->update, type))) {
        return "records of this type are set at the name by update";
    }
    return NULL;
}

/* Why updates cannot set what the rule says beside what the name has, or NULL. */
static const char *update_conflict(const struct node *node, const struct update_rule *rule)
{
    if (node->update) {
        return "the name has an update already";
    }
    if (rrset_find(node->sets, TYPE_CNAME) || (node->policy && node->policy->targets) ||
        (update_rule_has(rule, TYPE_CNAME) && (node->sets || node->policy))) {
        return "a CNAME must be the only record of its name";
    }
    if (node->policy && (update_rule_has(rule, TYPE_A) || update_rule_has(rule, TYPE_AAAA))) {
        return "the policy of the name makes its addresses; expected an update of other types";
    }
    for (const struct rrset *set = node->sets; set; set = set->next) {
        if (update_rule_has(rule, set->type)) {
            return "records of a type are written here and set by update; expected types apart";
        }
    }
    return NULL;
}

/* The node of `owner`, which must belong to this zone and to no other one. */
static struct node *owner_node(struct zones *zones, const struct zone *zone,
                               const struct name *owner, const char **what)
{
    if (!name_is_below(owner, &zone->apex)) {
        *what = "the name is outside the zone";
        return NULL;
    }
    if (find_closest(zones, owner)->zone != zone) {
        *what = "the name belongs to another zone of this server";
        return NULL;
    }
    return node_need(zones, zone, owner);
}

/* So that a proof of what a name has can name all of it, with what policies and updates add. */
#define TYPES_MAX (DENIAL_TYPES_MAX - 8)

static bool has_room_for(const struct node *node, uint16_t type)
{
    unsigned count = 0;

    for (const struct rrset *set = node->sets; set; set = set->next) {
        count++;
    }
    return count < TYPES_MAX || rrset_find(node->sets, type);
}

int zone_add_record(struct zones *zones, struct zone *zone, const struct name *owner,
                    const struct record *record, const char **what)
{
    struct node *node = owner_node(zones, zone, owner, what);

    if (!node) {
        return ERR_SYNTAX;
    }
    *what = conflict(zone, node, record->type);
    if (!*what && !has_room_for(node, record->type)) {
        *what = "more than 24 types of records";
    }
    if (!*what && rrset_add(&zones->memory, &node->sets, record)) {
        *what = "too many records of one type for one message";
    }
    return *what ? ERR_SYNTAX : 0;
}

int zone_add_policy(struct zones *zones, struct zone *zone, const struct name *owner,
                    const struct policy *policy, const char **what)
{
    struct node *node = owner_node(zones, zone, owner, what);

    if (!node) {
        return ERR_SYNTAX;
    }
    if (node->policy) {
        *what = "the name has a policy already";
    } else if (rrset_find(node->sets, TYPE_A) || rrset_find(node->sets, TYPE_AAAA)) {
        *what = "the name has addresses already";
    } else if (node->update && (policy->targets || update_rule_has(node->update, TYPE_A) ||
                                update_rule_has(node->update, TYPE_AAAA))) {
        *what = "the addresses of the name are set by update";
    } else {
        *what = conflict(zone, node, policy->targets ? TYPE_CNAME : TYPE_A);
    }
    if (*what) {
        return ERR_SYNTAX;
    }
    node->policy = policy;
    return 0;
}

int zone_add_update(struct zones *zones, struct zone *zone, const struct name *owner,
                    const struct update_rule *rule, const char **what)
{
    struct node *node = owner_node(zones, zone, owner, what);

    if (!node) {
        return ERR_SYNTAX;
    }
    *what = update_conflict(node, rule);
    if (*what) {
        return ERR_SYNTAX;
    }
    node->update = rule;
    zone->updatable = true;
    return 0;
}

/* Names between a zone and the zone of ours around it exist in the outer one. */
static void join_outer_zone(struct zones *zones, const struct zone *zone)
{
    struct name above;

    if (zone->apex.labels == 0) {
        return;
    }
    name_suffix(&zone->apex, 1, &above);
    struct node *outer = find_closest(zones, &above);
    if (outer) {
        node_need(zones, outer->zone, &above);
    }
}

/* The delegation closest to the apex, on the way from `node` up to it. */
static const struct node *find_cut(const struct zones *zones, const struct node *node)
{
    uint64_t hashes[NAME_MAX_LABELS + 1];
    const struct node *cut = NULL;
    struct name name;

    node_name(node, &name);
    name_hash_suffixes(&name, hashes);
    for (unsigned skip = 0; name.labels - skip > node->zone->apex.labels; skip++) {
        const struct node *at = probe(zones, &name, skip, hashes[skip]);
        cut = rrset_find(at->sets, TYPE_NS) ? at : cut;
    }
    return cut;
}

void zones_freeze(struct zones *zones)
{
    for (const struct zone *zone = zones->list; zone; zone = zone->next) {
        join_outer_zone(zones, zone);
    }
    for (size_t i = 0; i <= zones->mask; i++) {
        struct node *node = zones->slots[i].node;
        if (!node) {
            continue;
        }
        node->cut = find_cut(zones, node);
        if (node_is_wildcard(node) && node->labels > node->zone->apex.labels) {
            struct name above;
            name_load(&above, node->wire + 2);
            find_exact(zones, &above)->wildcard = node;
        }
    }
}

size_t zones_name_count(const struct zones *zones)
{
    return zones->count;
}

void zones_each(const struct zones *zones, void (*visit)(void *arg, const struct zone *zone),
                void *arg)
{
    for (const struct zone *zone = zones->list; zone; zone = zone->next) {
        visit(arg, zone);
    }
}

void zones_each_node(const struct zones *zones, void (*visit)(void *arg, const struct node *node),
                     void *arg)
{
    for (size_t i = 0; i <= zones->mask; i++) {
        if (zones->slots[i].node) {
            visit(arg, zones->slots[i].node);
        }
    }
}

static struct zone_hit hit_of(enum zone_match match, const struct node *node)
{
    return (struct zone_hit){match, node->zone, node};
}

struct zone_hit zones_find(const struct zones *zones, const struct name *name)
{
    const struct node *node = find_closest(zones, name);

    if (!node) {
        return (struct zone_hit){ZONE_NONE, NULL, NULL};
    }
    if (node->cut) {
        return hit_of(ZONE_CUT, node->cut);
    }
    if (node->labels == name->labels) {
        return hit_of(ZONE_NODE, node);
    }
    return node->wildcard ? hit_of(ZONE_NODE, node->wildcard) : hit_of(ZONE_NO_NAME, node);
}

const struct node *zones_node(const struct zones *zones, const struct name *name)
{
    return find_exact(zones, name);
}

const struct rrset *zones_known(const struct zones *zones, const struct name *name)
{
    const struct node *node = find_exact(zones, name);
    return node ? node->sets : NULL;
}
