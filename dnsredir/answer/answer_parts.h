/*
 * answer_parts - what is shared by the files that make one answer. It lives on the stack of
 * answer().
 */
#ifndef LARDER_DNSREDIR_ANSWER_ANSWER_PARTS_H
#define LARDER_DNSREDIR_ANSWER_ANSWER_PARTS_H

#include "dnsredir/answer/answer.h"
#include "dnsredir/zone/update.h"

/* Longer chains of CNAMEs are cut; the client's resolver follows the rest (RFC 1034 3.6.2). */
#define CHAIN_MAX 8

struct answering {
    const struct view *view;
    const struct client *client;
    const struct query *query;
    struct answer_note *note;
    struct packet packet;
    unsigned rcode;
    unsigned flags;
    bool recursive;  /* names that are not ours are resolved for this client */
    bool unsignable; /* a signature could not be made: the answer must not be given */
    bool unknown;    /* the dynamic records of a name of the chain are not known: likewise */
    const struct rrset *hosts;      /* the set in the answer that names hosts; NULL: none */
    const struct name *hosts_owner; /* its name; NULL: the name of the question */
    const void *subject;            /* the name or zone that the answer is about, for the limiter */
    uint8_t cookie[COOKIE_SERVER_LEN];
    struct name target; /* of the last CNAME followed */
    struct tsig_reply tsig;
    struct update_node open; /* the last name looked up, if it is open for updates */
    unsigned proof_count;
    struct {
        const struct node *above;
        struct name name;
    } proofs[CHAIN_MAX]; /* names right below `above` that do not exist, to be proved */
};

/* Answers queries of class CHAOS, for what the server says about itself (RFC 4892, and BIND's names
 * before it). In answer_chaos.c. */
void answer_chaos(struct answering *a);

/* Adds the SOA record of a negative answer (RFC 2308 2), with its signature. */
void answer_negative(struct answering *a, const struct zone *zone);

/* ---- signatures, and proofs of what is not there: answer_dnssec.c ----
 *
 * In all of them `hit` is what was found for the name `owner` of the chain; an owner of NULL is the
 * name of the question. */

/* Does this client get signatures of this zone? */
static inline bool answer_signs(const struct answering *a, const struct zone *zone)
{
    return a->query->edns.dnssec_ok && zone->signing;
}

/* Adds the signature of a set of the node that was just added, if answer_signs(). If a wildcard
 * stands for the name, notes that this is still to be proved. */
void answer_sign(struct answering *a, const struct zone_hit *hit, const struct name *owner,
                 const struct rrset *set);
/* The same for the records that a policy chose. */
void answer_sign_choice(struct answering *a, const struct zone_hit *hit, const struct name *owner,
                        const struct choice *choice);
/* The same for the SOA of a negative answer. */
void answer_sign_negative(struct answering *a, const struct zone *zone, const struct rrset *soa);
/* The same for glue, if it is ours to sign, signatures are asked for, and there is room. */
void answer_sign_glue(struct answering *a, const struct name *host, const struct rrset *set);

/* Adds the proofs that were noted. To be called between the answer section and the additional one.
 */
void answer_prove(struct answering *a);

/* These prove that there is no such name; that the node has no such type; and that the delegation
 * is not signed, or give its DS records. They do nothing unless answer_signs(). */
void answer_deny_name(struct answering *a, const struct zone_hit *hit, const struct name *owner);
void answer_deny_type(struct answering *a, const struct zone_hit *hit, const struct name *owner);
void answer_deny_ds(struct answering *a, const struct node *cut);

/* Answers a query for the DS of the zone `inner`, in the name of the zone `outer` around it; both
 * are ours. */
void answer_ds(struct answering *a, const struct zone *outer, const struct zone *inner,
               const struct name *owner);
/* Makes the answer SERVFAIL, whatever was written before. */
void answer_fail(struct answering *a, const struct packet_mark *empty);
/* Ends an answer for which a signature could not be made: without signatures it is worth nothing to
 * a client that asked for them. By UDP the client is told to come back by TCP; by TCP it gets
 * SERVFAIL, and tries another server, or later. */
void answer_give_up(struct answering *a, const struct packet_mark *empty);
/* Answers queries for records that are made on demand: NSEC and RRSIG. */
void answer_proof(struct answering *a, const struct zone_hit *hit, const struct name *owner);

/* Answers a query for ANY with the one record that stands for all (RFC 8482). */
void answer_any(struct answering *a, const struct name *owner);
/* Makes the answer REFUSED, with this extended error. */
void answer_refuse(struct answering *a, enum ede why);

/* ---- names with a policy: answer_steer.c ---- */

/* Has the policy choose for the name `owner` of the chain (NULL: the name of the question), and
 * notes the choice. */
void answer_choose(struct answering *a, const struct policy *policy, const struct name *owner,
                   struct choice *choice);
/* Adds the addresses that the node's policy chooses, with their signature. */
void answer_steered(struct answering *a, const struct zone_hit *hit, const struct name *owner);

/* ---- addresses of hosts that records name: answer_additional.c ---- */

/* Adds the addresses of the name servers of a delegation at `cut`, as far as we know them. Returns
 * whether those that lie below it did all fit. */
bool answer_glue(struct answering *a, const struct rrset *servers, const struct name *cut);
/* Do records of this type name a host? */
bool answer_names_hosts(uint16_t type);
/* Adds the addresses of what a->hosts names, if they are ours (RFC 1035 3.3.9, 2782, 9460 4.1). */
void answer_additional(struct answering *a);

/* ---- names that are not ours: answer_elsewhere.c ---- */

/* Answers for a name that is not ours: redirected, deferred to the resolver if the client may ask,
 * or refused. */
void answer_elsewhere(struct answering *a, const struct name *owner);
/* May the rest of the chain be left to the resolver? */
bool answer_may_defer(const struct answering *a);

#endif
