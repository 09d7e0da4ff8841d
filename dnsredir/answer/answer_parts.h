/*
 * answer_parts - what the files that make one answer share. On the stack of answer().
 */
#ifndef LARDER_DNSREDIR_ANSWER_ANSWER_PARTS_H
#define LARDER_DNSREDIR_ANSWER_ANSWER_PARTS_H

#include "dnsredir/answer/answer.h"
#include "dnsredir/zone/update.h"

/* Longer chains of CNAMEs are cut: the resolver follows the rest (RFC 1034 3.6.2). */
#define CHAIN_MAX 8

struct answering {
    const struct view *view;
    const struct asker *asker;
    const struct query *query;
    struct answer_note *note;
    struct packet packet;
    unsigned rcode;
    unsigned flags;
    bool recursive;      /* the asker may ask for what is not ours */
    bool unsignable;     /* a signature could not be made: the answer must not be given */
    bool unknown;        /* nor if nobody knows what is bound to a name of the chain */
    const void *subject; /* the name or zone that the answer is about, for the limiter */
    uint8_t cookie[COOKIE_SERVER_LEN];
    struct name target; /* of the last CNAME followed */
    struct tsig_reply tsig;
    struct update_node open; /* the last name looked up, if updates may bind records to it */
    unsigned proof_count;
    struct {
        const struct node *above;
        struct name name;
    } proofs[CHAIN_MAX]; /* names right below `above` that do not exist, to be proved */
};

/* What servers say about themselves (RFC 4892, and BIND's names before it); only if told to:
 * answer_chaos.c. */
void answer_chaos(struct answering *a);

/* The SOA record of a negative answer (RFC 2308 2), with its signature. */
void answer_negative(struct answering *a, const struct zone *zone);

/* ---- signatures, and proofs of what is not there: answer_dnssec.c ----
 *
 * `hit` is what was found for the name `owner` of the chain (NULL: the question's). */

/* Does this asker get signatures of this zone? */
static inline bool answer_signs(const struct answering *a, const struct zone *zone)
{
    return a->query->edns.dnssec_ok && zone->signing;
}

/* If answer_signs() alone: the signature of a set of the node that was just put. If a wildcard
 * stands for the name, that it may remains to be proved. */
void answer_sign(struct answering *a, const struct zone_hit *hit, const struct name *owner,
                 const struct rrset *set);
/* The same for the records that a policy chose, */
void answer_sign_choice(struct answering *a, const struct zone_hit *hit, const struct name *owner,
                        const struct choice *choice);
/* and for the SOA of a negative answer. */
void answer_sign_negative(struct answering *a, const struct zone *zone, const struct rrset *soa);
/* Of glue, as far as it is ours to sign, it is asked for and there is room. */
void answer_sign_glue(struct answering *a, const struct name *host, const struct rrset *set);

/* What remains to be proved, once the answer section is complete and before the additional one. */
void answer_prove(struct answering *a);

/* There is no such name; the node has not the type; the delegation is not signed (or its DS).
 * Nothing unless answer_signs(). */
void answer_deny_name(struct answering *a, const struct zone_hit *hit, const struct name *owner);
void answer_deny_type(struct answering *a, const struct zone_hit *hit, const struct name *owner);
void answer_deny_ds(struct answering *a, const struct node *cut);

/* DS of the zone `inner`, asked of the zone `outer` around it; both are ours. */
void answer_ds(struct answering *a, const struct zone *outer, const struct zone *inner,
               const struct name *owner);
/* Nothing can be said: SERVFAIL, whatever was written before. */
void answer_fail(struct answering *a, const struct packet_mark *empty);
/* A signature could not be made. Without them an answer is worth nothing to who asked for them. Who
 * has no proof of its address comes back by TCP; all others try another server, or later. */
void answer_give_up(struct answering *a, const struct packet_mark *empty);
/* Queries for the records that are made as they are asked for: NSEC and RRSIG. */
void answer_proof(struct answering *a, const struct zone_hit *hit, const struct name *owner);

/* The one record that stands for all (RFC 8482). */
void answer_any(struct answering *a, const struct name *owner);
void answer_refuse(struct answering *a, enum ede why);

/* ---- names with a policy: answer_steer.c ---- */

/* Has a policy choose for the name `owner` of the chain (NULL: the question's), and notes it. */
void answer_choose(struct answering *a, const struct policy *policy, const struct name *owner,
                   struct choice *choice);
/* The addresses that the node's policy chooses, signed if need be. */
void answer_steered(struct answering *a, const struct zone_hit *hit, const struct name *owner);

/* ---- names that are not ours: answer_elsewhere.c ---- */

/* Redirected, resolved for those who may ask, or refused. */
void answer_elsewhere(struct answering *a, const struct name *owner);
/* May the rest of the chain be left to who resolves for us? */
bool answer_may_defer(const struct answering *a);

#endif
