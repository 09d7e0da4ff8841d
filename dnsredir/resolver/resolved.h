/*
 * resolved - the answer to a query that somebody else had to resolve, made from the message that
 * came back. Pure. Nothing of that message is trusted: every record is read within its bounds and
 * written anew.
 */
#ifndef LARDER_DNSREDIR_RESOLVER_RESOLVED_H
#define LARDER_DNSREDIR_RESOLVER_RESOLVED_H

#include "dnsredir/answer/answer.h"

/* A query that waits: a copy of all that its answer needs, on the heap. */
struct unresolved {
    struct ip client;
    bool tcp;
    bool authoritative;      /* the chain begins in a zone of ours */
    struct answer_note note; /* so far; it has no policy */
    struct name name;        /* what is to be resolved: the end of our part of the chain */
    uint16_t type;
    uint16_t keepalive;
    uint8_t scope; /* of our part, for the client subnet */
    bool has_cookie;
    uint8_t cookie[COOKIE_SERVER_LEN];
    uint8_t nsid[NSID_MAX];
    size_t nsid_len;
    uint16_t chain_count; /* records of our part */
    size_t packet_len, chain_len;
    uint8_t bytes[]; /* the query, and our part as it stands behind the question */
};

/* Of the query `packet` that answer() left to `deferral`, with what it wrote to `room`. Freed with
 * free(). */
struct unresolved *unresolved_new(const struct asker *asker, const struct deferral *deferral,
                                  const struct answer_note *note, struct span packet,
                                  const void *room);
/* The query as it came. */
struct span unresolved_packet(const struct unresolved *query);

/* What resolving came to. */
struct resolution {
    struct span message; /* with compression, its OPT included; empty: none */
    unsigned rcode;
    bool secure;  /* validated */
    bool bogus;   /* validation failed: only for who does not want to know (CD) */
    enum ede ede; /* given with errors */
};

/* One record, uncompressed. */
#define RESOLVED_SCRATCH (RR_FIXED_LEN + DNS_MESSAGE_MAX + 3 * NAME_MAX_LEN)

/* The response, written to `room` (see answer()). Returns its length; completes *note. `scratch`
 * has RESOLVED_SCRATCH bytes; it may be NULL when there is no message. */
size_t resolved_write(const struct unresolved *query, const struct resolution *resolution,
                      void *room, uint8_t *scratch, struct answer_note *note);

#endif
