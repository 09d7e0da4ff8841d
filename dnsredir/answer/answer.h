/*
 * answer - a packet in, a packet out: the whole of the protocol in one call. Pure, but for the
 * asker's limiter; allocates nothing, locks nothing, reads no clock. Signed queries are the
 * exception: OpenSSL allocates for them.
 */
#ifndef LARDER_DNSREDIR_ANSWER_ANSWER_H
#define LARDER_DNSREDIR_ANSWER_ANSWER_H

#include "dnsredir/answer/ratelimit.h"
#include "dnsredir/answer/recursion.h"
#include "dnsredir/message/packet.h"
#include "dnsredir/message/tsig.h"
#include "dnsredir/steering/choose.h"
#include "dnsredir/steering/measured.h"
#include "dnsredir/steering/netmap.h"
#include "dnsredir/zone/bound.h"
#include "dnsredir/zone/signer.h"
#include "dnsredir/zone/zone.h"

/* What the server says about itself. */
struct identity {
    struct cookie_secrets cookies;
    bool cookies_required; /* of clients that know cookies, over UDP */
    struct span nsid;      /* at most NSID_MAX bytes; empty: none */
    struct rrset *version; /* version.bind and version.server, class CHAOS; NULL: refused */
    struct rrset *host;    /* hostname.bind and id.server */
    struct tsig_keys keys; /* of clients that sign */
};

/* What answers are made from. Everything in it is immutable. */
struct view {
    const struct zones *zones;
    const struct bound *bound;             /* by updates; NULL: nothing is */
    const struct netmap *nearest;          /* address → number of a ranking */
    const struct ranking *const *rankings; /* [NETMAP_NONE]: where nothing is known */
    const struct measured *measured;       /* before `nearest`, which says all else; or NULL */
    uint32_t explore;                      /* of STANDING_ALL answers, those that are to measure */
    const struct standing *standing;       /* of the replicas, at this moment */
    const struct identity *identity;       /* NULL: nothing is said */
    const struct rate_limit *rates;        /* used with a limiter */
    const struct signatures *signatures;   /* NULL: nothing is signed */
    const struct recursion *recursion;     /* NULL: for nobody */
};

/* A query that somebody else has to resolve, as far as it came here. */
struct deferral {
    bool authoritative;    /* the chain begins in a zone of ours */
    struct name name;      /* what is to be resolved: the end of our part of the chain */
    uint16_t type;         /* of the question */
    uint16_t chain_count;  /* records of our part, */
    size_t chain_at;       /* which stand from here on in the room, */
    size_t chain_len;      /* right behind the question */
    struct edns_reply opt; /* for the OPT of the response; its cookie, if any, is: */
    uint8_t cookie[COOKIE_SERVER_LEN];
};

/* How the last choice came about, for people. */
struct answer_trace {
    bool chosen; /* the rest is set */
    const struct policy *policy;
    struct choice_input input;
    struct name name; /* whose policy it was: the question's, or where a CNAME led */
};

/* Who asks, and how. */
struct asker {
    struct ip ip;
    bool tcp;
    uint16_t keepalive;         /* with tcp: how long it may be idle, in tenths of a second */
    uint32_t now;               /* seconds since 1970, for cookies */
    uint64_t now_us;            /* monotonic, for the limiter and the signer */
    struct limiter *limiter;    /* NULL: no limits */
    struct signer *signer;      /* NULL: nothing is signed but what is ready */
    uint32_t turn;              /* different for each query in all of its bits */
    struct deferral *deferral;  /* NULL: nobody resolves what is not ours */
    struct answer_trace *trace; /* NULL: nobody wants to know */
};

/* What happened, for counters and logs. */
struct answer_note {
    uint16_t rcode;
    bool edns;
    bool ecs;
    bool dnssec; /* signatures were asked for */
    enum cookie_state cookie;
    enum note_tsig { TSIG_NONE, TSIG_BAD, TSIG_GOOD } tsig;
    bool truncated;
    uint8_t signatures[SIGNED_HOWS]; /* in the answer, and refused */
    enum limit_verdict limited;
    bool deferred;               /* there is no answer yet: see the asker's deferral */
    uint8_t scope;               /* with ecs */
    const struct policy *policy; /* the one that chose last, or NULL: the rest is unset */
    enum choice_level level;
    bool spilled;
    bool measured; /* round trips ranked the replicas */
    bool explored; /* and this answer is for measuring one */
    uint16_t picked;
    uint16_t ids[ANSWERS_MAX]; /* replicas */
};

/* How large a response may be. */
size_t answer_limit(const struct query *query, bool tcp);

/* The response to `packet`, written to `room`, which has DNS_UDP_MAX bytes, or DNS_MESSAGE_MAX
 * with asker->tcp. Returns its length, never more than the asker takes; 0: no answer is due,
 * note->limited is LIMIT_DROP, or note->deferred: the name is to be resolved for the asker. */
size_t answer(const struct view *view, const struct asker *asker, struct span packet, void *room,
              struct answer_note *note);

#endif
