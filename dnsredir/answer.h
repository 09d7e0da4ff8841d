/*
 * answer - a packet in, a packet out: the whole of the protocol in one call. Pure, but for the
 * asker's limiter; allocates nothing, locks nothing, reads no clock.
 */
#ifndef LARDER_DNSREDIR_ANSWER_H
#define LARDER_DNSREDIR_ANSWER_H

#include "dnsredir/choose.h"
#include "dnsredir/measured.h"
#include "dnsredir/netmap.h"
#include "dnsredir/packet.h"
#include "dnsredir/ratelimit.h"
#include "dnsredir/signer.h"
#include "dnsredir/zone.h"

/* What the server says about itself. */
struct identity {
    struct cookie_secrets cookies;
    bool cookies_required; /* of clients that know cookies, over UDP */
    struct span nsid;      /* at most NSID_MAX bytes; empty: none */
    struct rrset *version; /* version.bind and version.server, class CHAOS; NULL: refused */
    struct rrset *host;    /* hostname.bind and id.server */
};

/* What answers are made from. Everything in it is immutable. */
struct view {
    const struct zones *zones;
    const struct netmap *nearest;          /* address → number of a ranking */
    const struct ranking *const *rankings; /* [NETMAP_NONE]: where nothing is known */
    const struct measured *measured;       /* before `nearest`, which says all else; or NULL */
    uint32_t explore;                      /* of STANDING_ALL answers, those that are to measure */
    const struct standing *standing;       /* of the replicas, at this moment */
    const struct identity *identity;       /* NULL: nothing is said */
    const struct rate_limit *rates;        /* used with a limiter */
    const struct signatures *signatures;   /* NULL: nothing is signed */
};

/* Who asks, and how. */
struct asker {
    struct ip ip;
    bool tcp;
    uint16_t keepalive;      /* with tcp: how long it may be idle, in tenths of a second */
    uint32_t now;            /* seconds since 1970, for cookies */
    uint64_t now_us;         /* monotonic, for the limiter and the signer */
    struct limiter *limiter; /* NULL: no limits */
    struct signer *signer;   /* NULL: nothing is signed but what is ready */
    uint32_t turn;           /* different for each query in all of its bits */
};

/* What happened, for counters and logs. */
struct answer_note {
    uint16_t rcode;
    bool edns;
    bool ecs;
    bool dnssec; /* signatures were asked for */
    enum cookie_state cookie;
    bool truncated;
    uint8_t signatures[SIGNED_HOWS]; /* in the answer, and refused */
    enum limit_verdict limited;
    uint8_t scope;               /* with ecs */
    const struct policy *policy; /* the one that chose last, or NULL: the rest is unset */
    enum choice_level level;
    bool spilled;
    bool measured; /* round trips ranked the replicas */
    bool explored; /* and this answer is for measuring one */
    uint16_t picked;
    uint16_t ids[ANSWERS_MAX]; /* replicas */
};

/* The response to `packet`, written to `room`, which has DNS_UDP_MAX bytes, or DNS_MESSAGE_MAX
 * with asker->tcp. Returns its length, never more than the asker takes; 0: no answer is due, or
 * note->limited is LIMIT_DROP. */
size_t answer(const struct view *view, const struct asker *asker, struct span packet, void *room,
              struct answer_note *note);

#endif
