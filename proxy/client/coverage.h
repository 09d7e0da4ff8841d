/* coverage - how much of the bytes that a response needs is available, when the object is known in
 * parts. */
#ifndef LARDER_PROXY_CLIENT_COVERAGE_H
#define LARDER_PROXY_CLIENT_COVERAGE_H

#include "cache/partial.h"
#include "proxy/client/parts.h"

enum coverage {
    COVERS_ALL,
    COVERS_COMING, /* the rest is being fetched for somebody else */
    COVERS_SOME,   /* something has to be fetched */
};

enum coverage coverage_of(struct partial *parts, const struct body_parts *body);

/* Corrects the decision: a response known in parts is a hit only if all bytes it needs are
 * available. A stale one stays stale, and the origin is asked for the missing bytes. */
void coverage_note(enum coverage coverage, struct decision *decision);

#endif
