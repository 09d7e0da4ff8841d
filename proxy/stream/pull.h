/*
 * pull - moves an outgoing body from its source to a transport, framed for HTTP/1. Stateless with
 * regard to the protocol: h1 calls it whenever bytes may move. Belongs to one loop.
 *
 * Small spans are copied behind what is corked already, so that a head and its body, or ten
 * pipelined responses, leave in one write. Large ones are lent to the socket or, if they lie in a
 * file, sent from there by the kernel. The source is pulled only while the transport queues
 * nothing.
 */
#ifndef LARDER_PROXY_STREAM_PULL_H
#define LARDER_PROXY_STREAM_PULL_H

#include "base/source.h"
#include "http/message.h"
#include "proxy/stream/transport.h"

/* Longer spans are lent. Measured at 10 KiB, when each body comes from memory that was not used
 * lately: lending takes a thirtieth less than copying, as the kernel copies them anyway. */
#define PULL_COPY_MAX 8192
#define PULL_CORK_MAX 65536 /* more is not corked */
/* Longer spans are sent from their file. Measured: sendfile() beside writev() of the mapping, CPU
 * time of the server: equal at 16 KiB, a tenth less at 32 KiB, two fifths less at 64 KiB, half at 1
 * MiB. Shorter bodies are kept in memory anyway when they are requested often. */
#define PULL_FILE_MIN 32768
/* How much is lent when the socket is full, to learn when it has room. It is copied, which the rest
 * is not, and a failing disk may take it away: so it is little. */
#define PULL_FILE_STEP 4096
/* Most bytes in one call, so that other connections get their turn. */
#define PULL_BUDGET ((size_t)1024 * 1024)

struct pull {
    struct source *source;     /* NULL: there is nothing to send, or it was dropped */
    uint64_t left;             /* BODY_LENGTH: bytes still owed */
    size_t lent;               /* bytes of the source's span that the transport still reads */
    uint64_t from_file;        /* bytes that the kernel took from files; part of `moved` */
    uint64_t moved;            /* bytes written or corked, framing included */
    enum http_framing framing; /* BODY_NONE, _LENGTH, _CHUNKED, or _CLOSE: raw until the end */
    /* BODY_CHUNKED: asked at the end for trailers; NULL: there are none. */
    const struct http_fields *(*trailers)(void *arg);
    void *trailers_arg;
    bool owes_crlf; /* the CRLF after a chunk is still to be sent */
};

enum pull_result {
    PULL_WAIT,    /* the source has nothing: its wake follows */
    PULL_BLOCKED, /* the transport is full: on_writable follows */
    PULL_SPENT,   /* the budget of one call is used up: call again soon */
    PULL_END,     /* the whole body is written or in `out`; the source was dropped */
};

void pull_init(struct pull *pull, struct source *source, enum http_framing framing, int64_t length);

/* Moves what can be moved now. Small pieces stay in `out`, which the caller writes when its handler
 * ends. Negative: the body is broken (ERR_TRUNCATED: it was shorter than announced), or the
 * transport is (*broken_transport). */
int pull_run(struct pull *pull, struct transport *transport, struct buf *out,
             bool *broken_transport);

/* To be called when the transport's queue is empty: what was lent has been sent. */
void pull_written(struct pull *pull);

/* Drops the source. Nothing may be lent any more, that is, the transport must be closed. */
void pull_drop(struct pull *pull);

#endif
