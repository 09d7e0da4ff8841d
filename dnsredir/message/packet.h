/*
 * packet - a query in, a response out (RFC 1035 4.1). Pure; allocates nothing.
 */
#ifndef LARDER_DNSREDIR_MESSAGE_PACKET_H
#define LARDER_DNSREDIR_MESSAGE_PACKET_H

#include "dnsredir/message/edns.h"
#include "dnsredir/message/name.h"
#include "dnsredir/message/proto.h"
#include "dnsredir/message/rrset.h"

struct query {
    uint16_t id;
    uint16_t flags;
    uint16_t type;
    uint16_t class;
    struct span question; /* name, type and class as received; empty if unreadable, or if only a
                             cookie is asked for */
    struct name name;
    struct edns edns;
    uint16_t tsig_at; /* offset of its TSIG record (tsig.h), which is not read; 0: none */
};

/* Reads a message of any opcode. Returns RCODE_NOERROR, RCODE_FORMERR, or ERR_SYNTAX as
 * query_read(). */
int message_read(struct span packet, struct query *out);

/* Reads a query. Returns the rcode to answer with, where RCODE_NOERROR means that the name is to be
 * looked up; or ERR_SYNTAX for packets that get no answer at all: responses, and what is shorter
 * than a header. What was read before a fault is in *out, so that the answer can echo it. */
int query_read(struct span packet, struct query *out);

enum section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };
#define SECTIONS 3

#define PACKET_NAMES 16

/* A response being written, in the order of its sections. */
struct packet {
    struct wire_out out;
    uint8_t *end; /* end of the room, including that for OPT */
    const struct query *query;
    struct edns_reply opt; /* to be set before packet_begin(), but scope and ede may come later */
    uint16_t counts[SECTIONS];
    unsigned name_count; /* of `names` */
    struct {
        const struct name *name;
        uint16_t offset;
        uint8_t literal;   /* leading labels that were written out; a pointer stands for the rest */
    } names[PACKET_NAMES]; /* the names that later ones may point to */
    struct name copies[PACKET_NAMES];
};

/* A state of the packet to return to if a set does not fit. */
struct packet_mark {
    uint8_t *at;
    uint16_t counts[SECTIONS];
    unsigned name_count;
};

/* Starts the response with the header and the echoed question. The whole response fits `limit`
 * bytes at `room`: room for OPT is reserved, except for an extended error, which only answers
 * without records have. `limit` is at least DNS_UDP_PLAIN, or PACKET_ROOM_MIN if `packet->opt` has
 * no more than a client subnet and an extended error. */
#define PACKET_ROOM_MIN 320
void packet_begin(struct packet *packet, const struct query *query, void *room, size_t limit);

/* Adds the records of `set` under the name `owner` (NULL: the question's name), starting with
 * record `turn` modulo their number. Returns false, and adds nothing, if they do not fit. */
bool packet_rrset(struct packet *packet, enum section section, const struct name *owner,
                  const struct rrset *set, uint32_t turn);
/* The same for one rendered record (rrset.h), in the answer section. */
bool packet_record(struct packet *packet, const struct name *owner, struct span record);

/* Remembers the current state, and returns to it. */
void packet_mark(const struct packet *packet, struct packet_mark *out);
void packet_undo(struct packet *packet, const struct packet_mark *mark);

/* Writes OPT, leaving out an extended error for which there is no room, and completes the header.
 * `flags` are any of AA, TC, RA, AD and CD. Returns the length of the response. */
size_t packet_finish(struct packet *packet, unsigned rcode, unsigned flags);

#endif
