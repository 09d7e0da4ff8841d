/*
 * pull - moves an outgoing body from its source to a transport, framed for HTTP/1. Knows no
 * states: h1 calls it whenever bytes may move. Belongs to one loop.
 *
 * Small spans are copied behind what is corked already, so that a head and its body, or ten
 * pipelined responses, leave in one write; large ones are lent to the socket, or, when they lie in
 * a file, sent from there by the kernel. The source is pulled only while the transport queues
 * nothing.
 */
#ifndef LARDER_PROXY_STREAM_PULL_H
#define LARDER_PROXY_STREAM_PULL_H

#include "base/source.h"
#include "http/message.h"
#include "proxy/stream/transport.h"

#define PULL_COPY_MAX 16384 /* longer spans are lent */
#define PULL_CORK_MAX 65536 /* more is not corked */
/* Longer spans are sent from the file they lie in. Measured, sendfile() beside writev() of the
 * mapping, server's CPU: at 16 KiB alike, at 32 KiB a tenth less, at 64 KiB two fifths, at 1 MiB
 * half. Up to here bodies are kept in memory anyhow when they are asked for often. */
#define PULL_FILE_MIN 32768
/* So much of them is lent when the socket is full, to hear of room in it. 16 KiB to 256 KiB cannot
 * be told apart; it is memory that a failing disk may take away, so not too much of it. */
#define PULL_FILE_STEP 65536
/* Bytes in one call: the other connections want their turn. */
#define PULL_BUDGET ((size_t)1024 * 1024)

struct pull {
    struct source *source;     /* NULL: nothing to send, or dropped */
    uint64_t left;             /* BODY_LENGTH: bytes still owed */
    size_t lent;               /* bytes of the source's span that the transport still reads */
    uint64_t from_file;        /* bytes the kernel took from files so far; part of `moved` */
    uint64_t moved;            /* bytes written or corked so far, framing included */
    enum http_framing framing; /* BODY_NONE, _LENGTH, _CHUNKED, or _CLOSE: raw until the end */
    /* BODY_CHUNKED: at the end, for the fields behind the body; NULL: there are none. */
    const struct http_fields *(*trailers)(void *arg);
    void *trailers_arg;
    bool owes_crlf; /* a chunk's data has left, the CRLF behind it has not */
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
