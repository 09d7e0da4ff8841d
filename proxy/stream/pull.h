/*
 * pull - moves an outgoing body from its source to a transport, framed for HTTP/1. Knows no
 * states: h1 calls it whenever bytes may move. Belongs to one loop.
 *
 * Small spans are copied behind what is corked already, so that a head and its body, or ten
 * pipelined responses, leave in one write; large ones are lent to the socket. The source is pulled
 * only while the transport queues nothing.
 */
#ifndef LARDER_PROXY_STREAM_PULL_H
#define LARDER_PROXY_STREAM_PULL_H

#include "base/source.h"
#include "http/message.h"
#include "proxy/stream/transport.h"

#define PULL_COPY_MAX 16384       /* longer spans are lent */
#define PULL_CORK_MAX 65536       /* more is not corked */
#define PULL_BUDGET (1024 * 1024) /* bytes in one call: the other connections want their turn */

struct pull {
    struct source *source;     /* NULL: nothing to send, or dropped */
    uint64_t left;             /* BODY_LENGTH: bytes still owed */
    size_t lent;               /* bytes of the source's span that the transport still reads */
    uint64_t moved;            /* bytes written or corked so far, framing included */
    enum http_framing framing; /* BODY_NONE, _LENGTH, _CHUNKED, or _CLOSE: raw until the end */
    bool owes_crlf;            /* a chunk's data has left, the CRLF behind it has not */
};

enum pull_result {
    PULL_WAIT,    /* the source has nothing: its wake follows */
    PULL_BLOCKED, /* the transport is full: on_writable follows */
    PULL_SPENT,   /* the budget is: call again soon */
    PULL_END,     /* all of the body is written or in `out`; the source is dropped */
};

void pull_init(struct pull *pull, struct source *source, enum http_framing framing, int64_t length);

/* Moves what can be moved now; what is short stays in `out`, which the caller writes when its
 * handler ends. A negative code: the body is broken (ERR_TRUNCATED: it ended before its length) or
 * the transport is (`*broken_transport`). */
int pull_run(struct pull *pull, struct transport *transport, struct buf *out,
             bool *broken_transport);

/* The transport's queue is empty: what was lent has been sent. */
void pull_written(struct pull *pull);

/* Drops the source. Whatever was lent must have been given back: the transport is closed. */
void pull_drop(struct pull *pull);

#endif
