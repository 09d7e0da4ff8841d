/*
 * origin_wire - one connection of the scripted origin: requests in, bytes out, blocking. Belongs
 * to the connection's thread.
 */
#ifndef LARDER_TESTS_ORIGIN_WIRE_H
#define LARDER_TESTS_ORIGIN_WIRE_H

#include "base/buf.h"
#include "tests/lib/origin.h"

struct origin_wire {
    int fd;
    struct buf in;
};

/* The start line and a field of a head as it came. */
struct span origin_head_word(struct span head, unsigned index);
struct span origin_head_field(struct span head, const char *name);

/* Reads a head into request->head. False: the connection is over, or it is no head. */
bool origin_wire_head(struct origin_wire *wire, struct origin_request *request);
/* Reads the body that the head announces. False: the connection broke. */
bool origin_wire_body(struct origin_wire *wire, struct origin_request *request);

/* Sends both. False: the connection broke. */
bool origin_wire_send(struct origin_wire *wire, struct span first, struct span second);

#endif
