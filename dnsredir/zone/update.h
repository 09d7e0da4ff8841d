/*
 * update - what a message of dynamic update (RFC 2136) means: pure but for the store it is given.
 *
 * Names that the configuration opens for it have an `update_rule`: which keys may bind records of
 * which types. What is written in the configuration no update can change, but prerequisites see
 * it. A message is looked at twice: update_check() with what never changes while the settings
 * stand, on the loop that received it; update_apply() by the one thread that writes.
 *
 * More than UPDATE_PREREQS_MAX prerequisites or UPDATE_CHANGES_MAX changes are refused.
 */
#ifndef LARDER_DNSREDIR_ZONE_UPDATE_H
#define LARDER_DNSREDIR_ZONE_UPDATE_H

#include "dnsredir/message/packet.h"
#include "dnsredir/message/tsig.h"
#include "dnsredir/zone/bound.h"
#include "dnsredir/zone/zone.h"

#define UPDATE_PREREQS_MAX 64
#define UPDATE_CHANGES_MAX 256

enum update_type { UPDATE_A, UPDATE_AAAA, UPDATE_CNAME, UPDATE_TXT, UPDATE_TYPES };
extern const char *const update_type_words[UPDATE_TYPES + 1]; /* ends with NULL */

struct update_rule {
    bool types[UPDATE_TYPES];
    uint32_t max_records, max_ttl;
    const struct tsig_key *const *keys;
    size_t key_count;
};

/* Does the rule (NULL: there is none) open the name for records of `type`? */
bool update_rule_has(const struct update_rule *rule, uint16_t type);

/* The set of records bound to the name that the rule opens; TYPE_ANY: one of them. NULL: none. */
const struct rrset *update_find(const struct update_rule *rule, const struct bound *bound,
                                const struct name *name, uint16_t type);

/* Room for a node with what is bound to it. */
struct update_node {
    struct node node;
    struct name name; /* of it */
    struct rrset sets[UPDATE_TYPES];
};
/* Of the node that was found for `name` and has a rule: if what it opens is bound to the name, the
 * node with that, made in *out. A wildcard becomes the name itself then; in a signed zone it does
 * not stand for names below such a one, either. */
void update_hit(struct zone_hit *hit, const struct bound *bound, const struct name *name,
                struct update_node *out);

/* Does nobody know what is bound to the name, whose node was found (see bound_is_unknown())?
 * Nothing about it can be said then, but what is written: a set of `type`. */
bool update_is_unknown(const struct node *node, const struct bound *bound, const struct name *name,
                       uint16_t type);

/* Room for a SOA record. */
struct update_soa {
    struct rrset set;
    uint8_t wire[RR_FIXED_LEN + 2 * NAME_MAX_LEN + 20];
};
/* `soa`, which is one of the zone's, with the serial that updates left; or itself. */
const struct rrset *update_soa(const struct zone *zone, const struct bound *bound,
                               const struct rrset *soa, struct update_soa *room);

/* Does it open the name for addresses, or for a CNAME that leads to some? */
bool update_rule_has_addresses(const struct update_rule *rule);

struct update {
    struct query query; /* name: the zone's */
    uint16_t prereqs, changes;
    size_t at; /* where the first record begins */
};

/* Is it one, as far as the header tells? */
bool update_is(struct span packet);
/* Reads header, zone and counts. RCODE_NOERROR, RCODE_FORMERR, or ERR_SYNTAX: no answer is due. */
int update_read(struct span packet, struct update *out);

/* All that can be said without the records of the moment. `key` is whose signature was good; NULL:
 * it was not signed. A code. */
unsigned update_check(const struct zones *zones, struct span packet, const struct update *update,
                      const struct tsig_key *key);

/* The records that are bound (stored as bound.h says). */
struct update_store {
    /* Of the name; empty: none. Valid until the next call of put. */
    struct span (*get)(void *arg, const struct name *name);
    /* Empty: the name has no records any more. 0 or a negative error. */
    int (*put)(void *arg, const struct name *name, struct span records);
    void *arg;
};

/* Looks at the prerequisites and makes the changes, after a good update_check() with the same
 * zones. A code; unless it is RCODE_NOERROR what was put must be undone by the caller. *changed:
 * something is not as it was. */
unsigned update_apply(const struct zones *zones, struct span packet, const struct update *update,
                      const struct update_store *store, bool *changed);

/* The answer: the header with `rcode`, the zone, and OPT if the message had one, with the server's
 * half of a cookie (COOKIE_SERVER_LEN bytes; NULL: none); signed when tsig->len. `room` has
 * UPDATE_REPLY_MAX bytes. Returns its length. */
#define UPDATE_REPLY_MAX 1232
size_t update_reply(const struct update *update, unsigned rcode, const uint8_t *cookie,
                    const struct tsig_reply *tsig, uint64_t now, void *room);

#endif
