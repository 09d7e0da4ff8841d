/*
 * update - what a message of dynamic update (RFC 2136) means. Pure, but for the store that it is
 * given.
 *
 * Names that the configuration opens for updates have an `update_rule`: which keys may set records
 * of which types. No update can change what is written in the configuration, but prerequisites see
 * it. A message is checked twice: by update_check(), on the loop that received it, against what
 * does not change while the settings stand; and by update_apply(), on the one thread that writes.
 *
 * A message with more than UPDATE_PREREQS_MAX prerequisites or UPDATE_CHANGES_MAX changes is
 * refused.
 */
#ifndef LARDER_DNSREDIR_ZONE_UPDATE_H
#define LARDER_DNSREDIR_ZONE_UPDATE_H

#include "dnsredir/message/packet.h"
#include "dnsredir/message/tsig.h"
#include "dnsredir/zone/dynamic.h"
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

/* Does the rule open the name for records of `type`? The rule may be NULL: it opens nothing. */
bool update_rule_has(const struct update_rule *rule, uint16_t type);

/* The dynamic set of `type` at the name, if the rule opens the name for it; else NULL. TYPE_ANY:
 * any one set. */
const struct rrset *update_find(const struct update_rule *rule,
                                const struct dynamic_records *dynamic, const struct name *name,
                                uint16_t type);

/* Room for a node together with its dynamic records. */
struct update_node {
    struct node node;
    struct name name; /* of it */
    struct rrset sets[UPDATE_TYPES];
};
/* Completes a hit whose node has a rule: if `name` has dynamic records, hit->node becomes a node
 * in *out that has them, too. If the node was a wildcard it becomes the name itself; in a signed
 * zone it does not stand for names below such a name, either. */
void update_hit(struct zone_hit *hit, const struct dynamic_records *dynamic,
                const struct name *name, struct update_node *out);

/* Are the dynamic records of the name unknown (see dynamic_is_unknown())? Then nothing can be said
 * about the name, whose node was found, but a set of `type` that is written in the
 * configuration. */
bool update_is_unknown(const struct node *node, const struct dynamic_records *dynamic,
                       const struct name *name, uint16_t type);

/* Room for a SOA record. */
struct update_soa {
    struct rrset set;
    uint8_t wire[RR_FIXED_LEN + 2 * NAME_MAX_LEN + 20];
};
/* Returns `soa`, which is one of the zone's, or a copy in *room with the serial that updates have
 * given the zone. */
const struct rrset *update_soa(const struct zone *zone, const struct dynamic_records *dynamic,
                               const struct rrset *soa, struct update_soa *room);

/* Does the rule open the name for addresses, or for a CNAME? */
bool update_rule_has_addresses(const struct update_rule *rule);

struct update {
    struct query query; /* name: the zone's */
    uint16_t prereqs, changes;
    size_t at; /* where the first record begins */
};

/* Is the packet an update, by its header? */
bool update_is(struct span packet);
/* Reads header, zone and counts. Returns RCODE_NOERROR, RCODE_FORMERR, or ERR_SYNTAX: no answer is
 * due. */
int update_read(struct span packet, struct update *out);

/* Checks all that does not depend on the dynamic records. `key` has signed the message; NULL: it is
 * not signed. Returns the rcode. */
unsigned update_check(const struct zones *zones, struct span packet, const struct update *update,
                      const struct tsig_key *key);

/* Access to the dynamic records, in the stored form of dynamic.h. */
struct update_store {
    /* The records of the name; empty: none. Valid until the next call of put. */
    struct span (*get)(void *arg, const struct name *name);
    /* Replaces the records of the name; empty: it has none any more. Returns 0 or a negative error.
     */
    int (*put)(void *arg, const struct name *name, struct span records);
    void *arg;
};

/* Checks the prerequisites and makes the changes, after update_check() was good with the same
 * zones. Returns the rcode; unless it is RCODE_NOERROR the caller must undo what was put. Sets
 * *changed if something stored is not as it was. */
unsigned update_apply(const struct zones *zones, struct span packet, const struct update *update,
                      const struct update_store *store, bool *changed);

/* Writes the answer to `room`, which has UPDATE_REPLY_MAX bytes: the header with `rcode`, the zone,
 * and OPT if the message had one, with the server's half of a cookie (COOKIE_SERVER_LEN bytes;
 * NULL: none). It is signed if tsig->len. Returns the length. */
#define UPDATE_REPLY_MAX 1232
size_t update_reply(const struct update *update, unsigned rcode, const uint8_t *cookie,
                    const struct tsig_reply *tsig, uint64_t now, void *room);

#endif
