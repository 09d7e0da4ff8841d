/*
 * zone - names → records or a policy (RFC 1034 4.3.2). Pure.
 *
 * Built once at load: zones_new(), zones_add() and zone_add_...(), then zones_freeze(). After that
 * nothing changes, and any thread may look things up.
 *
 * All zones share one hash table of their names, which also has empty non-terminals, so the usual
 * query costs one probe. zones_freeze() works out what a name needs to know of its surroundings:
 * the delegation at or above it, and the wildcard below it.
 */
#ifndef LARDER_DNSREDIR_ZONE_ZONE_H
#define LARDER_DNSREDIR_ZONE_ZONE_H

#include "dnsredir/message/name.h"
#include "dnsredir/message/rrset.h"

struct policy;      /* policy.h */
struct signing;     /* dnssec.h */
struct update_rule; /* update.h */

struct soa {
    struct name mname, rname;
    uint32_t serial, refresh, retry, expire, minimum, ttl;
};

struct zone {
    struct zone *next;
    struct name apex;
    struct rrset *negative;        /* the SOA with the TTL for negative answers (RFC 2308 3) */
    const struct signing *signing; /* NULL: not signed */
    uint32_t serial;               /* the one in the configuration's SOA */
    bool updatable;                /* updates may have raised the serial: see dynamic_serial() */
};

struct node {
    const struct zone *zone;
    struct rrset *sets;
    const struct policy *policy;      /* steers A and AAAA, or the CNAME; NULL: plain records */
    const struct update_rule *update; /* opens the name for updates; NULL: none does */
    const struct node *wildcard;      /* the name "*" right below */
    const struct node *cut;           /* the delegation at or above this name, or NULL */
    const uint8_t *wire;              /* the name in wire form: a struct name would be too large */
    uint8_t len, labels;              /* of the name, as in struct name */
};

static inline void node_name(const struct node *node, struct name *out)
{
    name_load(out, node->wire);
}

static inline bool node_is_wildcard(const struct node *node)
{
    return node->labels && node->wire[0] == 1 && node->wire[1] == '*';
}

static inline bool node_is(const struct node *node, const struct name *name)
{
    return node->len == name->len && memcmp(node->wire, name->at, name->len) == 0;
}

struct zones;

struct zones *zones_new(void);
void zones_free(struct zones **zones); /* accepts NULL; sets *zones to NULL */

/* Adds an empty zone with its SOA. Returns 0, or ERR_BUSY if there is such a zone already. */
int zones_add(struct zones *zones, const struct name *apex, const struct soa *soa,
              struct zone **out);

/* Adds a record, or a policy, to the name `owner` of the zone. Returns 0, or ERR_SYNTAX with a
 * description of the fault, which is static text, in *what. */
int zone_add_record(struct zones *zones, struct zone *zone, const struct name *owner,
                    const struct record *record, const char **what);
int zone_add_policy(struct zones *zones, struct zone *zone, const struct name *owner,
                    const struct policy *policy, const char **what);
/* Opens the name for updates; a wildcard opens all names that it stands for. */
int zone_add_update(struct zones *zones, struct zone *zone, const struct name *owner,
                    const struct update_rule *rule, const char **what);

/* Ends the building: nothing may be added any more. */
void zones_freeze(struct zones *zones);

size_t zones_name_count(const struct zones *zones);
/* Visit every zone, and every name of every zone, in no order. */
void zones_each(const struct zones *zones, void (*visit)(void *arg, const struct zone *zone),
                void *arg);
void zones_each_node(const struct zones *zones, void (*visit)(void *arg, const struct node *node),
                     void *arg);

enum zone_match {
    ZONE_NONE,    /* no zone of ours */
    ZONE_NODE,    /* the name, or the wildcard that stands for it (RFC 4592) */
    ZONE_NO_NAME, /* in the zone, and does not exist */
    ZONE_CUT,     /* delegated: `node` holds the NS records */
};

struct zone_hit {
    enum zone_match match;
    const struct zone *zone;
    const struct node *node;
};

/* Finds the zone and the node for a name. */
struct zone_hit zones_find(const struct zones *zones, const struct name *name);
/* The node of exactly this name, no wildcard; or NULL. */
const struct node *zones_node(const struct zones *zones, const struct name *name);
/* The records that are written for a name, delegated or not, for use as glue; or NULL. */
const struct rrset *zones_known(const struct zones *zones, const struct name *name);

#endif
