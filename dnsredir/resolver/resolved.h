/*
 * resolved - the answer to a query that the resolver had to resolve, made from the message that
 * came back. Pure. Nothing of that message is trusted: every record is read within its bounds and
 * written anew.
 */
#ifndef LARDER_DNSREDIR_RESOLVER_RESOLVED_H
#define LARDER_DNSREDIR_RESOLVER_RESOLVED_H

#include "dnsredir/answer/answer.h"

/* A query that waits for the resolver: a copy of everything that its answer needs, on the heap. */
struct unresolved {
    struct ip client;
    bool tcp;
    bool authoritative;      /* the chain begins in a zone of ours */
    struct answer_note note; /* as answer() left it, but without a policy */
    struct name name;        /* what is to be resolved: the end of our part of the chain */
    uint16_t type;
    uint16_t keepalive;
    uint8_t scope; /* of our part of the chain, for the client subnet option */
    bool has_cookie;
    uint8_t cookie[COOKIE_SERVER_LEN];
    uint8_t nsid[NSID_MAX];
    size_t nsid_len;
    uint16_t chain_count; /* records of our part */
    size_t packet_len, chain_len;
    uint8_t bytes[]; /* the query, and our part as it stands behind the question */
};

/* Makes it from the query `packet`, from what answer() has put into `deferral`, and from our part
 * of the chain, which it wrote to `room`. To be freed with free(). */
struct unresolved *unresolved_new(const struct client *client, const struct deferral *deferral,
                                  const struct answer_note *note, struct span packet,
                                  const void *room);
/* The query as it came. */
struct span unresolved_packet(const struct unresolved *query);

/* The result of resolving. */
struct resolution {
    struct span
        message; /* as received: names may be compressed, and it may have an OPT; empty: none */
    unsigned rcode;
    bool secure;  /* validated */
    bool bogus;   /* validation failed: given only to clients that set the CD flag */
    enum ede ede; /* the extended error to send with an error */
};

/* Bytes of one record without compression. */
#define RESOLVED_SCRATCH (RR_FIXED_LEN + DNS_MESSAGE_MAX + 3 * NAME_MAX_LEN)

/* Writes the response to `room`, which is as large as for answer(), and completes *note. Returns
 * the length. `scratch` has RESOLVED_SCRATCH bytes; it may be NULL if there is no message. */
size_t resolved_write(const struct unresolved *query, const struct resolution *resolution,
                      void *room, uint8_t *scratch, struct answer_note *note);

#endif
