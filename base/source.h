/*
 * source - the interface from which a stream pulls the bytes of an outgoing body. Belongs to one
 * loop.
 *
 * The consumer calls peek() for the next span, sends what it can, and calls advance() for what it
 * has sent. A span stays valid and unchanged until the consumer has advanced past it or dropped the
 * source, so it may be given to the socket without a copy. After peek() has returned ERR_AGAIN, the
 * wake given to source_on_wake() is called once, from the consumer's loop and never from inside
 * peek(). Only then, when no span is given, may others than the consumer call peek(), too.
 *
 * A span may also be in a file: then place() says where, and the kernel may send any part of it
 * from there. The bytes of the file stay valid as long as the span.
 */
#ifndef LARDER_BASE_SOURCE_H
#define LARDER_BASE_SOURCE_H

#include "base/file_place.h"
#include "base/span.h"

struct source;

struct source_ops {
    /* Returns 0 with a span of at least one byte; 0 with an empty span at the end of the body;
     * ERR_AGAIN; or another negative code: the body is broken, and the receiver must notice
     * that. */
    int (*peek)(struct source *source, struct span *out);
    void (*advance)(struct source *source, size_t n);
    /* The consumer needs the source no more, at its end or before. Lent spans are no longer
     * used. */
    void (*drop)(struct source *source);
    /* Optional. To be called right after a peek() that returned a span: is it also in a file? */
    bool (*place)(struct source *source, struct file_place *out);
};

struct source {
    const struct source_ops *ops;
    void (*wake)(void *arg);
    void *wake_arg;
};

static inline int source_peek(struct source *source, struct span *out)
{
    return source->ops->peek(source, out);
}

static inline void source_advance(struct source *source, size_t n)
{
    source->ops->advance(source, n);
}

static inline bool source_place(struct source *source, struct file_place *out)
{
    return source->ops->place && source->ops->place(source, out);
}

static inline void source_drop(struct source *source)
{
    if (source && source->ops->drop) {
        source->ops->drop(source);
    }
}

static inline void source_on_wake(struct source *source, void (*wake)(void *), void *arg)
{
    source->wake = wake;
    source->wake_arg = arg;
}

/* A body that is one span of memory, which the caller keeps valid. */
struct source_memory {
    struct source source;
    struct span rest;
};

void source_memory_init(struct source_memory *source, struct span body);

#endif
