/*
 * rrset - records of one name and type, rendered once for every answer. Immutable after load.
 *
 * The bytes of a set are whole records, each with the owner 0xc00c: a pointer to the name of the
 * question, which is what most answers need. Names in the data are stored uncompressed.
 */
#ifndef LARDER_DNSREDIR_MESSAGE_RRSET_H
#define LARDER_DNSREDIR_MESSAGE_RRSET_H

#include "base/arena.h"
#include "base/prefix.h"
#include "dnsredir/message/name.h"
#include "dnsredir/message/proto.h"

#define RR_OWNER 0xc00c
#define RR_FIXED_LEN 12 /* owner, type, class, TTL, data length */
/* Largest number of bytes of a set, so that a message with it fits 65,535. */
#define RRSET_LEN_MAX 60000

struct rrset {
    struct rrset *next; /* the next set of the same name */
    uint16_t type;
    uint16_t count;
    uint32_t ttl;
    uint32_t len;
    uint32_t cap;
    uint8_t *wire;
};

/* One record. As text it is "[TTL] [IN] TYPE DATA" in master-file syntax; types that are not known
 * here are written "TYPEn \# LENGTH HEX" (RFC 3597 5). */
struct record {
    uint16_t type;
    bool has_ttl;
    uint32_t ttl;
    uint16_t len;
    uint8_t data[DNS_MESSAGE_MAX];
};

/* Where the data of a type has names that may be compressed (RFC 3597 4): behind `skip` bytes,
 * `names` of them. */
struct rr_layout {
    uint8_t skip;
    uint8_t names;
};
struct rr_layout rr_layout(uint16_t type);

/* Reads the text of a record; names are relative to `origin`. Returns 0, or ERR_SYNTAX with a
 * description of the fault, which is static text, in *what. */
int record_parse(struct span text, const struct name *origin, struct record *out,
                 const char **what);

/* Adds a record to the list of sets of a name, in a new set if there is none of its type. The set
 * keeps the smallest TTL (RFC 2181 5.2); a repeated record is dropped. Load time only. Returns 0,
 * or ERR_TOO_LARGE if the set could not be sent in one message. */
int rrset_add(struct arena *arena, struct rrset **sets, const struct record *record);
/* The set of this type, or NULL. */
const struct rrset *rrset_find(const struct rrset *sets, uint16_t type);

#endif
