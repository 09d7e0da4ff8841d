/* update_apply - prerequisites and changes of an update, against the written and the dynamic
 * records. */
#include "dnsredir/zone/update.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "dnsredir/steering/policy.h"
#include "dnsredir/zone/update_record.h"

#define PREREQ_DATA_MAX 4096
/* Most records that a name may have stored; more were not written by us. */
#define RECORDS_MAX ((size_t)64)
#define STORED_MAX (RECORDS_MAX * (8 + DYNAMIC_DATA_MAX))

struct applying {
    const struct zones *zones;
    struct span packet;
    const struct update_store *store;
    struct arena memory;
    uint8_t *room; /* STORED_MAX bytes */
};

static struct wire_in records_of(struct span stored)
{
    return wire_in_of(stored.at ? stored.at : "", stored.len);
}

/* ---- what is there ---- */

/* The data of records of one name and type. */
struct datas {
    struct span *list;
    size_t count, cap;
    bool steered; /* a policy makes them, anew for each client */
};

static void datas_put(struct applying *a, struct datas *datas, struct span data)
{
    if (datas->count == datas->cap) {
        size_t cap = datas->cap ? 2 * datas->cap : 8;
        struct span *list = arena_alloc(&a->memory, cap * sizeof(*list));
        if (datas->count) {
            memcpy(list, datas->list, datas->count * sizeof(*list));
        }
        datas->list = list;
        datas->cap = cap;
    }
    datas->list[datas->count++] = data;
}

static bool datas_has(const struct datas *datas, struct span data)
{
    for (size_t i = 0; i < datas->count; i++) {
        if (span_eq(datas->list[i], data)) {
            return true;
        }
    }
    return false;
}

static bool is_steered(const struct policy *policy, uint16_t type)
{
    if (!policy) {
        return false;
    }
    if (policy->targets) {
        return type == TYPE_CNAME || type == TYPE_ANY;
    }
    return ((type == TYPE_A || type == TYPE_ANY) && policy_has(policy, false)) ||
           ((type == TYPE_AAAA || type == TYPE_ANY) && policy_has(policy, true));
}

static void collect_written(struct applying *a, const struct node *node, uint16_t type,
                            struct datas *out)
{
    for (const struct rrset *set = node ? node->sets : NULL; set; set = set->next) {
        struct wire_in in = wire_in_of(set->wire, set->len);
        while ((type == TYPE_ANY || set->type == type) && wire_left(&in)) {
            wire_get(&in, RR_FIXED_LEN - 2);
            datas_put(a, out, wire_get_span(&in, wire_get_u16(&in)));
        }
    }
}

static struct span stored(struct applying *a, const struct name *name)
{
    return a->store->get(a->store->arg, name);
}

/* Records of the type (ANY: of all) at exactly this name: wildcards do not count (RFC 2136 2.4). */
static void collect(struct applying *a, const struct name *name, uint16_t type, struct datas *out)
{
    const struct node *node = zones_node(a->zones, name);
    const struct update_rule *rule = update_rule_of(a->zones, name);
    struct span bytes = rule ? stored(a, name) : SPAN_EMPTY;
    struct wire_in in = records_of(bytes);
    struct dynamic_record record;

    *out = (struct datas){.steered = node && is_steered(node->policy, type)};
    collect_written(a, node, type, out);
    while (dynamic_next(&in, &record)) {
        if ((type == TYPE_ANY || type == record.type) && update_rule_has(rule, record.type)) {
            datas_put(a, out, record.data);
        }
    }
}

/* ---- prerequisites (RFC 2136 3.2) ---- */

/* A record that must be there, with its data. */
struct wanted {
    struct name owner;
    uint16_t type;
    struct span data;
};

struct wanteds {
    struct wanted *list;
    size_t count;
};

static bool same_set(const struct wanted *a, const struct wanted *b)
{
    return a->type == b->type && name_eq(&a->owner, &b->owner);
}

static unsigned want(struct applying *a, const struct update_record *record, struct wanteds *out)
{
    struct wanted *wanted = &out->list[out->count++];
    uint8_t *room = arena_alloc(&a->memory, PREREQ_DATA_MAX);
    struct wire_out data = wire_out_of(room, PREREQ_DATA_MAX);
    int err = update_data_read(a->packet, record, &data);

    wanted->owner = record->owner;
    wanted->type = record->type;
    wanted->data = span_of(room, wire_out_len(&data));
    return err == ERR_SYNTAX ? RCODE_FORMERR : err ? RCODE_NXRRSET : RCODE_NOERROR;
}

static unsigned check_prereq(struct applying *a, const struct update_record *record,
                             struct wanteds *wanteds)
{
    struct datas there;
    bool whole_name = record->type == TYPE_ANY;

    if (record->class == CLASS_IN) {
        return want(a, record, wanteds);
    }
    collect(a, &record->owner, record->type, &there);
    bool is_there = there.count || there.steered;
    if (record->class == CLASS_ANY && !is_there) {
        return whole_name ? RCODE_NXDOMAIN : RCODE_NXRRSET;
    }
    if (record->class == CLASS_NONE && is_there) {
        return whole_name ? RCODE_YXDOMAIN : RCODE_YXRRSET;
    }
    return RCODE_NOERROR;
}

/* Is the set that number `first` begins just what is there? */
static bool is_just(struct applying *a, const struct wanteds *wanteds, size_t first)
{
    const struct wanted *of = &wanteds->list[first];
    struct datas there, want = {0};

    collect(a, &of->owner, of->type, &there);
    for (size_t i = first; i < wanteds->count; i++) {
        const struct wanted *wanted = &wanteds->list[i];
        if (!same_set(wanted, of) || datas_has(&want, wanted->data)) {
            continue;
        }
        if (!datas_has(&there, wanted->data)) {
            return false;
        }
        datas_put(a, &want, wanted->data);
    }
    return want.count == there.count && !there.steered;
}

static unsigned check_wanteds(struct applying *a, const struct wanteds *wanteds)
{
    for (size_t i = 0; i < wanteds->count; i++) {
        bool is_first = true;
        for (size_t before = 0; before < i && is_first; before++) {
            is_first = !same_set(&wanteds->list[before], &wanteds->list[i]);
        }
        if (is_first && !is_just(a, wanteds, i)) {
            return RCODE_NXRRSET;
        }
    }
    return RCODE_NOERROR;
}

static unsigned check_prereqs(struct applying *a, struct wire_in *in, unsigned count)
{
    struct wanteds wanteds = {arena_alloc(&a->memory, count * sizeof(struct wanted)), 0};
    struct update_record record;

    for (unsigned i = 0; i < count; i++) {
        CHECK(update_record_read(in, &record) == 0); /* update_check() did */
        unsigned rcode = check_prereq(a, &record, &wanteds);
        if (rcode != RCODE_NOERROR) {
            return rcode;
        }
    }
    return check_wanteds(a, &wanteds);
}

/* ---- changes (RFC 2136 3.4.2) ---- */

/* Does the change take `old` away? What is added replaces what is the same, and one CNAME
 * another. */
static bool takes_away(const struct update_record *change, struct span data,
                       const struct dynamic_record *old)
{
    bool same_type = change->type == old->type;

    switch (change->class) {
    case CLASS_ANY:
        return same_type || change->type == TYPE_ANY;
    case CLASS_NONE:
        return same_type && span_eq(data, old->data);
    }
    return same_type && (change->type == TYPE_CNAME || span_eq(data, old->data));
}

/* A CNAME stands alone: what would stand beside one is silently left (RFC 2136 3.4.2.2). Not beside
 * what the rule no longer opens, which goes with the change. */
static bool is_left(const struct update_rule *rule, const struct update_record *change,
                    struct span records)
{
    struct wire_in in = records_of(records);
    struct dynamic_record old;

    while (change->class == CLASS_IN && dynamic_next(&in, &old)) {
        if (update_rule_has(rule, old.type) &&
            (old.type == TYPE_CNAME) != (change->type == TYPE_CNAME)) {
            return true;
        }
    }
    return false;
}

static unsigned copy_kept(const struct update_rule *rule, const struct update_record *change,
                          struct span data, struct span records, uint32_t ttl, struct wire_out *out)
{
    struct wire_in in = records_of(records);
    struct dynamic_record old;
    unsigned count = 0;

    while (dynamic_next(&in, &old)) {
        if (!update_rule_has(rule, old.type) || takes_away(change, data, &old)) {
            continue; /* records that the rule does not allow any more are removed, too */
        }
        if (change->class == CLASS_IN && change->type == old.type) {
            old.ttl = ttl; /* all records of a set have one TTL (RFC 2181 5.2) */
        }
        dynamic_put(out, &old);
        count++;
    }
    return count;
}

/* A TTL with its highest bit set counts as 0 (RFC 2181 8). */
static uint32_t ttl_of(const struct update_record *change, const struct update_rule *rule)
{
    uint32_t ttl = change->ttl > INT32_MAX ? 0 : change->ttl;
    return ttl < rule->max_ttl ? ttl : rule->max_ttl;
}

/* Can the records of the type be sent in one message? */
static bool fits(struct span records, uint16_t type)
{
    struct wire_in in = records_of(records);
    struct dynamic_record record;
    size_t len = 0;

    while (dynamic_next(&in, &record)) {
        len += record.type == type ? RR_FIXED_LEN + record.data.len : 0;
    }
    return len <= RRSET_LEN_MAX;
}

static unsigned apply_change(struct applying *a, const struct update_record *change, bool *changed)
{
    const struct update_rule *rule = update_rule_of(a->zones, &change->owner);
    struct span before = arena_copy(&a->memory, stored(a, &change->owner));
    uint8_t data[DYNAMIC_DATA_MAX];
    struct wire_out canonical = wire_out_of(data, sizeof(data));
    struct wire_out after = wire_out_of(a->room, STORED_MAX);

    if (is_left(rule, change, before)) {
        return RCODE_NOERROR;
    }
    if (change->class != CLASS_ANY) {
        CHECK(update_data_read(a->packet, change, &canonical) == 0); /* update_check() did */
    }
    struct dynamic_record added = {
        .type = change->type,
        .ttl = ttl_of(change, rule),
        .data = span_of(data, wire_out_len(&canonical)),
    };
    unsigned count = copy_kept(rule, change, added.data, before, added.ttl, &after);
    if (change->class == CLASS_IN) {
        dynamic_put(&after, &added);
        if (++count > rule->max_records) {
            return RCODE_REFUSED;
        }
    }
    struct span now = span_of(a->room, wire_out_len(&after));
    if (after.failed) {
        return RCODE_SERVFAIL;
    }
    if (span_eq(before, now)) {
        return RCODE_NOERROR;
    }
    if (change->class == CLASS_IN && !fits(now, change->type)) {
        return RCODE_REFUSED;
    }
    *changed = true;
    int err = a->store->put(a->store->arg, &change->owner, now);
    return err == ERR_FULL ? RCODE_REFUSED : err ? RCODE_SERVFAIL : RCODE_NOERROR;
}

static unsigned apply(struct applying *a, const struct update *update, bool *changed)
{
    struct wire_in in = update_records(a->packet, update);
    struct update_record change;
    unsigned rcode = check_prereqs(a, &in, update->prereqs);

    for (unsigned i = 0; i < update->changes && rcode == RCODE_NOERROR; i++) {
        CHECK(update_record_read(&in, &change) == 0);
        rcode = apply_change(a, &change, changed);
    }
    return rcode;
}

unsigned update_apply(const struct zones *zones, struct span packet, const struct update *update,
                      const struct update_store *store, bool *changed)
{
    struct applying a = {.zones = zones, .packet = packet, .store = store};

    *changed = false;
    arena_init(&a.memory, NULL, 0);
    a.room = arena_alloc(&a.memory, STORED_MAX);
    unsigned rcode = apply(&a, update, changed);
    arena_fini(&a.memory);
    return rcode;
}
