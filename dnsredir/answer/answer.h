/*
 * answer - a packet in, a packet out: the whole of the protocol in one call. Pure, but for the
 * limiter and the signer of the client; it allocates nothing, takes no lock and reads no clock.
 * Only for signed queries OpenSSL allocates memory.
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
#include "dnsredir/zone/dynamic.h"
#include "dnsredir/zone/signer.h"
#include "dnsredir/zone/zone.h"

/* What the server says about itself. */
struct identity {
    struct cookie_secrets cookies;
    bool cookies_required; /* clients that know cookies must send one over UDP */
    struct span nsid;      /* at most NSID_MAX bytes; empty: none */
    struct rrset *version; /* version.bind and version.server, class CHAOS; NULL: refused */
    struct rrset *host;    /* hostname.bind and id.server */
    struct tsig_keys keys; /* the keys of clients that sign */
};

/* What answers are made from. All of it is immutable. */
struct view {
    const struct zones *zones;
    const struct dynamic_records *dynamic; /* records set by update; NULL: none */
    const struct netmap *nearest;          /* address → number of a ranking */
    const struct ranking *const
        *rankings;                   /* [NETMAP_NONE] is for networks of which nothing is known */
    const struct measured *measured; /* decides before `nearest`; NULL: nothing was measured */
    uint32_t explore; /* how many of STANDING_ALL answers are for measuring a replica */
    const struct standing *standing;     /* of the replicas, now */
    const struct identity *identity;     /* NULL: the server says nothing about itself */
    const struct rate_limit *rates;      /* used with a limiter */
    const struct signatures *signatures; /* NULL: nothing is signed */
    const struct recursion *recursion;   /* NULL: names of others are resolved for nobody */
};

/* A query that the resolver has to resolve, with the part of its answer that is ours. */
struct deferral {
    bool authoritative;    /* the chain begins in a zone of ours */
    struct name name;      /* what is to be resolved: the end of our part of the chain */
    uint16_t type;         /* of the question */
    uint16_t chain_count;  /* records of our part of the chain */
    size_t chain_at;       /* their offset in the room: right behind the question */
    size_t chain_len;      /* their bytes */
    struct edns_reply opt; /* for the OPT of the response; its cookie, if any, points to: */
    uint8_t cookie[COOKIE_SERVER_LEN];
};

/* How the last choice was made, for people who ask why. */
struct answer_trace {
    bool chosen; /* the rest is set */
    const struct policy *policy;
    struct choice_input input;
    struct name name; /* whose policy it was: the name of the question, or the target of a CNAME */
};

/* The client that sent a query (usually a resolver), how the query came, and what may be used to
 * answer it. */
struct client {
    struct ip ip;
    bool tcp;
    uint16_t keepalive; /* with tcp: how long the connection may be idle, in tenths of a second */
    uint32_t now;       /* seconds since 1970, for cookies */
    uint64_t now_us;    /* monotonic, for the limiter and the signer */
    struct limiter *limiter;    /* NULL: no limits */
    struct signer *signer;      /* NULL: only signatures that are ready are sent */
    uint32_t turn;              /* different for each query in all of its bits */
    struct deferral *deferral;  /* NULL: names that are not ours are not resolved */
    struct answer_trace *trace; /* NULL: not wanted */
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
    uint8_t signatures[SIGNED_HOWS]; /* how many, by how they came to be */
    enum limit_verdict limited;
    bool deferred;               /* there is no answer yet: the client's deferral is set */
    uint8_t scope;               /* with ecs */
    const struct policy *policy; /* the one that chose last; NULL: none, and the rest is unset */
    enum choice_level level;
    bool spilled;
    bool measured; /* round trips ranked the replicas */
    bool explored; /* the first replica was chosen to be measured */
    uint16_t picked;
    uint16_t ids[ANSWERS_MAX]; /* replicas */
};

/* How many bytes a response to the query may have. */
size_t answer_limit(const struct query *query, bool tcp);

/* A packet that was read. */
struct query_packet {
    struct span packet; /* has to stay as long as this */
    int rcode;          /* of query_read() */
    struct query query;
};
void query_packet_read(struct span packet, struct query_packet *out);

/* Loads what the answer to a client will be chosen by, while something else is done. */
void answer_expect(const struct view *view, const struct ip *client,
                   const struct query_packet *read);

/* Writes the response to a packet that was read to `room`, which has DNS_UDP_MAX bytes, or
 * DNS_MESSAGE_MAX with client->tcp. Returns its length, which is never more than the client takes;
 * or 0 if no answer is due, if note->limited is LIMIT_DROP, or if note->deferred: then the name is
 * to be resolved for the client. */
size_t answer_read(const struct view *view, const struct client *client,
                   const struct query_packet *read, void *room, struct answer_note *note);
/* The same for a packet that was not. */
size_t answer(const struct view *view, const struct client *client, struct span packet, void *room,
              struct answer_note *note);

#endif
