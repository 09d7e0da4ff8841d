/*
 * source - where a stream pulls the bytes of an outgoing body from.
 *
 * The consumer calls peek() for the next span, sends what it can, and calls advance() for what
 * it sent. A span stays valid and unchanged until the consumer has advanced past it or dropped the
 * source: it may be handed to the socket without a copy. peek() answering ERR_AGAIN promises one
 * call of the wake given to source_on_wake(), posted through the consumer's own loop and never
 * from inside peek().
 *
 * A span may lie in a file, too: then place() says where, and the consumer may have the kernel send
 * any part of it from there. What holds for the span holds for the bytes of the file.
 *
 * A source belongs to one loop.
 */
#ifndef LARDER_BASE_SOURCE_H
#define LARDER_BASE_SOURCE_H

#include "base/file_place.h"
#include "base/span.h"

struct source;

struct source_ops {
    /* 0 and a span of at least 1 byte; 0 and an empty span at the end of the body; ERR_AGAIN;
     * or another negative code: the body is broken and must be delivered as broken. */
    int (*peek)(struct source *source, struct span *out);
    void (*advance)(struct source *source, size_t n);
    /* The consumer is done, early or not. Spans lent are no longer used. */
    void (*drop)(struct source *source);
    /* Optional, right after a peek() that gave a span: true when its bytes lie in a file, too. */
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

/* A body that is one span in memory the caller keeps alive. */
struct source_memory {
    struct source source;
    struct span rest;
};

void source_memory_init(struct source_memory *source, struct span body);

#endif
