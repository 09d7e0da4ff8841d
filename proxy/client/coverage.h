/* coverage - how much of what a response needs is here, when the object is known in parts. */
#ifndef LARDER_PROXY_CLIENT_COVERAGE_H
#define LARDER_PROXY_CLIENT_COVERAGE_H

#include "cache/partial.h"
#include "proxy/client/parts.h"

enum coverage {
    COVERS_ALL,
    COVERS_COMING, /* the rest is on its way, for somebody else */
    COVERS_SOME,   /* something has still to be asked for */
};

enum coverage coverage_of(struct partial *parts, const struct body_parts *body);

/* A response known in parts is a hit only when all that is wanted of it is here; a stale one is
 * told as a stale one, for whose missing bytes the origin is asked. */
void coverage_note(enum coverage coverage, struct decision *decision);

#endif
