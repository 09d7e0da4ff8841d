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
    struct span question; /* name, type and class as they came; empty when unreadable, and when a
                             cookie alone is asked for */
    struct name name;
    struct edns edns;
    uint16_t tsig_at; /* where its signature (tsig.h) begins, unread; 0: none */
};

/* Reads a message of any opcode. RCODE_NOERROR or RCODE_FORMERR; ERR_SYNTAX as query_read(). */
int message_read(struct span packet, struct query *out);

/* Reads a query. The rcode to answer with, RCODE_NOERROR for "look it up"; ERR_SYNTAX for
 * packets that get no answer at all: responses, and less than a header. What was read before a
 * fault is in *out, so that the answer can echo it. */
int query_read(struct span packet, struct query *out);

enum section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };
#define SECTIONS 3

#define PACKET_NAMES 16

/* A response being written, in the order of its sections. */
struct packet {
    struct wire_out out;
    uint8_t *end; /* of the room with that for OPT */
    const struct query *query;
    struct edns_reply opt; /* set before packet_begin(), but for scope and ede */
    uint16_t counts[SECTIONS];
    unsigned name_count; /* of `names` */
    struct {
        const struct name *name;
        uint16_t offset;
        uint8_t literal;   /* leading labels written out; a pointer replaced the others */
    } names[PACKET_NAMES]; /* those a later name may point at */
    struct name copies[PACKET_NAMES];
};

/* The state to return to when a set did not fit. */
struct packet_mark {
    uint8_t *at;
    uint16_t counts[SECTIONS];
    unsigned name_count;
};

/* Starts the response with the header and the echoed question. `limit` bytes at `room` hold all
 * of it; the room for OPT is set aside, but for an extended error, which only answers without
 * records have. `limit` is at least DNS_UDP_PLAIN, or PACKET_ROOM_MIN when `packet->opt` has no
 * more to say than a client subnet and an extended error. */
#define PACKET_ROOM_MIN 320
void packet_begin(struct packet *packet, const struct query *query, void *room, size_t limit);

/* Adds the records of `set` owned by `owner` (NULL: the question's name), starting with record
 * `turn` modulo their number. False, and nothing added, when they do not fit. */
bool packet_rrset(struct packet *packet, enum section section, const struct name *owner,
                  const struct rrset *set, uint32_t turn);
/* The same for one ready record of the answer section. */
bool packet_record(struct packet *packet, const struct name *owner, struct span record);

struct packet_mark packet_mark(const struct packet *packet);
void packet_undo(struct packet *packet, const struct packet_mark *mark);

/* Writes OPT, without an extended error that there is no room for, and completes the header;
 * `flags` are any of AA, TC, RA, AD and CD. Returns the length. */
size_t packet_finish(struct packet *packet, unsigned rcode, unsigned flags);

#endif
