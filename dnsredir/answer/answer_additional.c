/* answer_additional - the addresses of the hosts that records name, so that nobody has to ask for
 * them. What does not fit is left out, but for the glue of a delegation. */
#include "dnsredir/answer/answer_parts.h"

/* At most so many hosts of a set get their addresses added. */
#define HOSTS_MAX 16

/* The sets of a name, written or dynamic; NULL: it has none, or is not ours. Below a
 * delegation they are glue. Records that a wildcard would give are left out, as they would need a
 * proof; and so are addresses that a policy chooses, or the answer would be for one network only.
 */
static const struct rrset *sets_of(const struct answering *a, const struct name *name,
                                   struct update_node *room)
{
    struct zone_hit hit = zones_find(a->view->zones, name);

    if (hit.match == ZONE_CUT) {
        return zones_known(a->view->zones, name);
    }
    if (hit.match == ZONE_NODE && hit.node->update) {
        update_hit(&hit, a->view->dynamic, name, room);
    }
    return hit.match == ZONE_NODE && node_is(hit.node, name) ? hit.node->sets : NULL;
}

static bool is_address(uint16_t type)
{
    return type == TYPE_A || type == TYPE_AAAA;
}

/* Glue is not signed, so that there is room for more of it. */
bool answer_glue(struct answering *a, const struct rrset *servers, const struct name *cut)
{
    struct wire_in in = wire_in_of(servers->wire, servers->len);
    bool fit = true;

    while (wire_left(&in)) {
        struct update_node room;
        struct name host;
        wire_get(&in, RR_FIXED_LEN - 2);
        name_load(&host, wire_get(&in, wire_get_u16(&in)));
        for (const struct rrset *set = sets_of(a, &host, &room); set; set = set->next) {
            if (is_address(set->type) &&
                !packet_rrset(&a->packet, SECTION_ADDITIONAL, &host, set, 0)) {
                fit = fit && !name_is_below(&host, cut);
            }
        }
    }
    return fit;
}

/* Where the name of a host begins in the data of the type; -1: there is none. */
static int host_at(uint16_t type)
{
    switch (type) {
    case TYPE_NS:
        return 0;
    case TYPE_MX:
    case TYPE_SVCB:
    case TYPE_HTTPS:
        return 2;
    case TYPE_SRV:
        return 6;
    }
    return -1;
}

bool answer_names_hosts(uint16_t type)
{
    return host_at(type) >= 0;
}

/* The hosts of which addresses were added. */
struct hosts {
    unsigned count;
    struct name names[HOSTS_MAX];
};

/* Notes the host. Returns false if it was there before, or there are too many. */
static bool note_host(struct hosts *hosts, const struct name *host)
{
    for (unsigned i = 0; i < hosts->count; i++) {
        if (name_eq(&hosts->names[i], host)) {
            return false;
        }
    }
    if (hosts->count == HOSTS_MAX) {
        return false;
    }
    hosts->names[hosts->count++] = *host;
    return true;
}

/* Adds the addresses of the host, and its set of type `other` (0: none), with their signatures. */
static void put_host(struct answering *a, const struct name *host, uint16_t other)
{
    struct update_node room;

    for (const struct rrset *set = sets_of(a, host, &room); set; set = set->next) {
        bool wanted = is_address(set->type) || (other && set->type == other);
        if (wanted && packet_rrset(&a->packet, SECTION_ADDITIONAL, host, set, 0) &&
            a->query->edns.dnssec_ok) {
            answer_sign_glue(a, host, set);
        }
    }
}

/* Adds what is known of the host that a record names. A service at "." is at the record's own name,
 * and an alias to "." leads nowhere (RFC 9460 2.5). */
static void put_target(struct answering *a, uint16_t type, struct span data, struct hosts *hosts)
{
    bool service = type == TYPE_SVCB || type == TYPE_HTTPS;
    bool alias = service && data.at[0] == 0 && data.at[1] == 0;
    struct name host;

    name_load(&host, (const uint8_t *)data.at + host_at(type));
    if (service && !alias && host.labels == 0) {
        host = a->hosts_owner ? *a->hosts_owner : a->query->name;
    }
    if (host.labels && note_host(hosts, &host)) {
        put_host(a, &host, alias ? type : 0);
    }
}

void answer_additional(struct answering *a)
{
    const struct rrset *set = a->hosts;
    struct wire_in in = wire_in_of(set->wire, set->len);
    struct hosts hosts = {.count = 0};

    while (wire_left(&in) && !(a->flags & FLAG_TC)) {
        wire_get(&in, RR_FIXED_LEN - 2);
        put_target(a, set->type, wire_get_span(&in, wire_get_u16(&in)), &hosts);
    }
}
