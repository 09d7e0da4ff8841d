/*
 * origin_answer - one answer of the scripted origin, from the reply that a test set.
 */
#ifndef LARDER_TESTS_ORIGIN_ANSWER_H
#define LARDER_TESTS_ORIGIN_ANSWER_H

#include "tests/lib/origin_wire.h"

/* What an answer needs from the origin it belongs to. */
struct origin_context {
    void (*wait)(void *arg);     /* until the path is released */
    void (*received)(void *arg); /* the request's body is there */
    /* So many bytes of a body go out: told before, so that whoever has received them finds them
     * counted. */
    void (*sending)(void *arg, uint64_t body);
    void *arg;
    struct buf *head; /* scratch */
    char *piece;      /* scratch, ORIGIN_PIECE bytes */
};

#define ORIGIN_PIECE 65536

/* True: the connection carries another request. */
bool origin_answer(struct origin_wire *wire, struct origin_request *request,
                   const struct origin_reply *reply, const struct origin_context *context);

#endif
