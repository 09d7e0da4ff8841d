#include "dnsredir/zone/update.h"

#include "base/check.h"
#include "base/err.h"
#include "dnsredir/zone/update_record.h"

const char *const update_type_words[UPDATE_TYPES + 1] = {
    [UPDATE_A] = "A",
    [UPDATE_AAAA] = "AAAA",
    [UPDATE_CNAME] = "CNAME",
    [UPDATE_TXT] = "TXT",
};

bool update_rule_has(const struct update_rule *rule, uint16_t type)
{
    if (!rule) {
        return false;
    }
    switch (type) {
    case TYPE_A:
        return rule->types[UPDATE_A];
    case TYPE_AAAA:
        return rule->types[UPDATE_AAAA];
    case TYPE_CNAME:
        return rule->types[UPDATE_CNAME];
    case TYPE_TXT:
        return rule->types[UPDATE_TXT];
    }
    return false;
}

bool update_rule_has_addresses(const struct update_rule *rule)
{
    return update_rule_has(rule, TYPE_A) || update_rule_has(rule, TYPE_AAAA) ||
           update_rule_has(rule, TYPE_CNAME);
}

/* In a signed zone a wildcard opens only names right below it: the proof that such a name is not
 * there denies everything below it, too. */
static bool opens(const struct node *node, const struct name *name)
{
    return node->update && (!node->zone->signing || name->labels == node->labels);
}

const struct update_rule *update_rule_of(const struct zones *zones, const struct name *name)
{
    static const uint8_t star[2] = {1, '*'};
    struct zone_hit hit = zones_find(zones, name);
    bool is_star = name->labels && memcmp(name->at, star, sizeof(star)) == 0;

    return hit.match == ZONE_NODE && !is_star && opens(hit.node, name) ? hit.node->update : NULL;
}

const struct rrset *update_find(const struct update_rule *rule,
                                const struct dynamic_records *dynamic, const struct name *name,
                                uint16_t type)
{
    for (const struct rrset *set = dynamic_find(dynamic, name); set; set = set->next) {
        if ((type == TYPE_ANY || set->type == type) && update_rule_has(rule, set->type)) {
            return set;
        }
    }
    return NULL;
}

/* The node itself when there is nothing. */
static const struct node *with_dynamic(const struct node *node,
                                       const struct dynamic_records *dynamic,
                                       const struct name *name, struct update_node *out)
{
    unsigned count = 0;

    for (const struct rrset *set = opens(node, name) ? dynamic_find(dynamic, name) : NULL; set;
         set = set->next) {
        if (update_rule_has(node->update, set->type)) {
            CHECK(count < UPDATE_TYPES);
            out->sets[count++] = *set;
        }
    }
    if (count == 0) {
        return node;
    }
    for (unsigned i = 0; i < count; i++) {
        out->sets[i].next = i + 1 < count ? &out->sets[i + 1] : node->sets;
    }
    out->node = *node;
    out->name = *name;
    out->node.wire = out->name.at;
    out->node.len = name->len;
    out->node.labels = name->labels;
    out->node.sets = out->sets;
    return &out->node;
}

void update_hit(struct zone_hit *hit, const struct dynamic_records *dynamic,
                const struct name *name, struct update_node *out)
{
    const struct node *node = hit->node;
    struct name above;

    if (!node->zone->signing || name->labels <= node->labels) {
        hit->node = with_dynamic(node, dynamic, name, out);
        return;
    }
    name_suffix(name, name->labels - node->labels, &above);
    hit->node = with_dynamic(node, dynamic, &above, out);
    hit->match = hit->node == node ? ZONE_NODE : ZONE_NO_NAME; /* RFC 4592 2.2.1 */
}

bool update_is_unknown(const struct node *node, const struct dynamic_records *dynamic,
                       const struct name *name, uint16_t type)
{
    return dynamic_is_unknown(dynamic, name) && !rrset_find(node->sets, type) && !node->policy;
}

/* The last 20 bytes of a SOA record are five numbers, of which updates move the first. */
const struct rrset *update_soa(const struct zone *zone, const struct dynamic_records *dynamic,
                               const struct rrset *soa, struct update_soa *room)
{
    uint32_t serial;

    if (!zone->updatable || !dynamic_serial(dynamic, &zone->apex, &serial) ||
        (int32_t)(serial - zone->serial) <= 0) {
        return soa;
    }
    CHECK(soa->len <= sizeof(room->wire) && soa->len > 20);
    memcpy(room->wire, soa->wire, soa->len);
    struct wire_out at = wire_out_of(room->wire + soa->len - 20, sizeof(serial));
    wire_put_u32(&at, serial);
    room->set = *soa;
    room->set.wire = room->wire;
    return &room->set;
}

bool update_is(struct span packet)
{
    struct wire_in in = wire_in_of(packet.at, packet.len);

    wire_get_u16(&in);
    unsigned flags = wire_get_u16(&in);
    return packet.len >= DNS_HEADER_LEN && !(flags & FLAG_QR) &&
           (flags & FLAG_OPCODE) == OPCODE_UPDATE << 11;
}

int update_read(struct span packet, struct update *out)
{
    struct wire_in in = wire_in_of(packet.at, packet.len);
    int rcode = message_read(packet, &out->query);

    out->prereqs = out->changes = 0;
    if (rcode != RCODE_NOERROR) {
        return rcode;
    }
    wire_get(&in, 6);
    out->prereqs = wire_get_u16(&in);
    out->changes = wire_get_u16(&in);
    out->at = DNS_HEADER_LEN + out->query.question.len;
    bool has_zone = out->query.question.len && out->query.type == TYPE_SOA; /* RFC 2136 3.1.1 */
    return has_zone ? RCODE_NOERROR : RCODE_FORMERR;
}

int update_record_read(struct wire_in *in, struct update_record *out)
{
    if (name_read(in, &out->owner)) {
        return ERR_SYNTAX;
    }
    out->type = wire_get_u16(in);
    out->class = wire_get_u16(in);
    out->ttl = wire_get_u32(in);
    size_t len = wire_get_u16(in);
    out->data_at = wire_in_offset(in);
    out->data = wire_get_span(in, len);
    return in->failed ? ERR_SYNTAX : 0;
}

struct wire_in update_records(struct span packet, const struct update *update)
{
    struct wire_in in = wire_in_of(packet.at, packet.len);

    wire_get(&in, update->at);
    return in;
}

int update_data_read(struct span packet, const struct update_record *record, struct wire_out *out)
{
    struct rr_layout layout = rr_layout(record->type);
    struct wire_in in = wire_in_of(packet.at, record->data_at + record->data.len);

    wire_get(&in, record->data_at);
    size_t skipped = layout.skip;
    const uint8_t *at = wire_get(&in, skipped);
    if (!at) {
        return ERR_SYNTAX;
    }
    wire_put_bytes(out, at, skipped);
    for (unsigned i = 0; i < layout.names; i++) {
        struct name name;
        if (name_read(&in, &name)) {
            return ERR_SYNTAX;
        }
        wire_put_bytes(out, name.at, name.len);
    }
    bool only_names = layout.names > 0 && record->type != TYPE_SOA;
    if (only_names && wire_left(&in)) {
        return ERR_SYNTAX;
    }
    size_t rest = wire_left(&in);
    wire_put_bytes(out, in.at, rest);
    return out->failed ? ERR_TOO_LARGE : 0;
}

/* ---- what is wrong with a message, whatever records there are ---- */

/* Types of questions and of what is about messages, not records (RFC 6895 3.1). */
static bool is_meta(uint16_t type)
{
    return type == 0 || type == TYPE_OPT || (type >= 128 && type <= TYPE_ANY);
}

static unsigned check_prereq(const struct update_record *record) /* RFC 2136 3.2.5 */
{
    bool empty = record->data.len == 0;

    if (record->ttl != 0) {
        return RCODE_FORMERR;
    }
    switch (record->class) {
    case CLASS_ANY:
    case CLASS_NONE:
        return empty && (record->type == TYPE_ANY || !is_meta(record->type)) ? RCODE_NOERROR
                                                                             : RCODE_FORMERR;
    case CLASS_IN:
        return is_meta(record->type) ? RCODE_FORMERR : RCODE_NOERROR;
    }
    return RCODE_FORMERR;
}

/* Is there a record to add or to delete in the data, if it is of a type that updates can set? */
static bool has_record(struct span packet, const struct update_record *record)
{
    uint8_t data[DYNAMIC_DATA_MAX];
    struct wire_out out = wire_out_of(data, sizeof(data));

    switch (record->type) {
    case TYPE_A:
    case TYPE_AAAA:
    case TYPE_CNAME:
        return update_data_read(packet, record, &out) == 0 &&
               dynamic_data_is_valid(record->type, span_of(data, wire_out_len(&out)));
    case TYPE_TXT:
        return dynamic_data_is_valid(record->type, span_take(record->data, DYNAMIC_DATA_MAX)) ||
               record->data.len > DYNAMIC_DATA_MAX;
    }
    return true; /* refused later */
}

static unsigned check_change(struct span packet, const struct update_record *record) /* 3.4.1.3 */
{
    bool good = false;

    switch (record->class) {
    case CLASS_IN:
        good = !is_meta(record->type) && has_record(packet, record);
        break;
    case CLASS_ANY:
        good = record->ttl == 0 && record->data.len == 0 &&
               (record->type == TYPE_ANY || !is_meta(record->type));
        break;
    case CLASS_NONE:
        good = record->ttl == 0 && !is_meta(record->type) && has_record(packet, record);
        break;
    }
    return good ? RCODE_NOERROR : RCODE_FORMERR;
}

/* In the zone and in none of ours below it. */
static bool is_in_zone(const struct zones *zones, const struct zone *zone, const struct name *name)
{
    return name_is_below(name, &zone->apex) && zones_find(zones, name).zone == zone;
}

static bool may(const struct update_rule *rule, const struct tsig_key *key)
{
    for (size_t i = 0; rule && i < rule->key_count; i++) {
        if (rule->keys[i] == key) {
            return true;
        }
    }
    return false;
}

static bool may_change(const struct zones *zones, const struct update_record *record,
                       const struct tsig_key *key)
{
    const struct update_rule *rule = update_rule_of(zones, &record->owner);
    bool all = record->class == CLASS_ANY && record->type == TYPE_ANY;

    return may(rule, key) && (all || update_rule_has(rule, record->type)) &&
           record->data.len <= DYNAMIC_DATA_MAX;
}

/* The records of one section. `permitted` becomes false when the key may not make a change. */
static unsigned check_section(const struct zones *zones, const struct zone *zone,
                              struct span packet, struct wire_in *in, unsigned count,
                              const struct tsig_key *key, bool *permitted)
{
    struct update_record record;

    for (unsigned i = 0; i < count; i++) {
        if (update_record_read(in, &record)) {
            return RCODE_FORMERR;
        }
        if (!is_in_zone(zones, zone, &record.owner)) {
            return RCODE_NOTZONE;
        }
        unsigned rcode = permitted ? check_change(packet, &record) : check_prereq(&record);
        if (rcode != RCODE_NOERROR) {
            return rcode;
        }
        if (permitted) {
            *permitted = *permitted && may_change(zones, &record, key);
        }
    }
    return RCODE_NOERROR;
}

unsigned update_check(const struct zones *zones, struct span packet, const struct update *update,
                      const struct tsig_key *key)
{
    const struct query *query = &update->query;
    const struct zone *zone = zones_find(zones, &query->name).zone;
    struct wire_in in = update_records(packet, update);
    bool permitted = true;

    if (query->class != CLASS_IN || !zone || !name_eq(&zone->apex, &query->name)) {
        return RCODE_NOTAUTH; /* RFC 2136 3.1.2 */
    }
    if (!key || update->prereqs > UPDATE_PREREQS_MAX || update->changes > UPDATE_CHANGES_MAX) {
        return RCODE_REFUSED;
    }
    unsigned rcode = check_section(zones, zone, packet, &in, update->prereqs, key, NULL);
    if (rcode == RCODE_NOERROR) {
        rcode = check_section(zones, zone, packet, &in, update->changes, key, &permitted);
    }
    return rcode == RCODE_NOERROR && !permitted ? (unsigned)RCODE_REFUSED : rcode;
}

/* ---- the answer ---- */

size_t update_reply(const struct update *update, unsigned rcode, const uint8_t *cookie,
                    const struct tsig_reply *tsig, uint64_t now, void *room)
{
    struct packet packet;

    packet.opt = (struct edns_reply){.cookie = cookie, .ede = EDE_NONE};
    packet_begin(&packet, &update->query, room, UPDATE_REPLY_MAX - TSIG_BADKEY_LEN_MAX);
    size_t len = packet_finish(&packet, rcode, 0);
    return tsig->len ? tsig_sign(tsig, room, len, now) : len;
}
