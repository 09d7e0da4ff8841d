/*
 * h2_conn - the inside of HTTP/2, shared by h2.c (life), h2_stream.c, h2_memory.c, h2_session.c
 * (what nghttp2 is told and calls), h2_in.c, h2_out.c, h2_heads.c, h2_gather.c, h2_pump.c and
 * h2_wait.c. Nobody else includes it.
 *
 * As in h1: everything that happens to a connection goes through h2_enter() … h2_leave(), in which
 * frames are read, events are called and output is gathered, to leave in few writes. nghttp2's
 * callbacks run inside h2_enter() … h2_leave(), too. What an owner calls from elsewhere only
 * records, and kicks.
 *
 * A stream lives until nghttp2 has closed it (is_over) and its owner has had all of it.
 */
#ifndef LARDER_PROXY_STREAM_H2_CONN_H
#define LARDER_PROXY_STREAM_H2_CONN_H

#include "base/buf.h"
#include "base/conn_heap.h"
#include "http/h2_head.h"
#include "http/hpack.h"
#include "proxy/stream/h2.h"
#include "proxy/stream/pace.h"

#include <nghttp2/nghttp2.h>

/* clang-format off */
#define H2_BIT(state) (1u << (state))

/* The connection. Second column: where it may go from there. */
#define H2_STATES(X)                                                                               \
    X(OPEN,   H2_BIT(H2_FLUSH) | H2_BIT(H2_GONE))  /* streams come and go                       */ \
    X(FLUSH,  H2_BIT(H2_LINGER) | H2_BIT(H2_GONE)) /* the last frames leave, nothing is read    */ \
    X(LINGER, H2_BIT(H2_GONE))     /* FIN sent; input is discarded so that GOAWAY survives      */ \
    X(GONE,   0)                   /* the transport is closed; freed when the pump ends         */

/* The incoming message of a stream. */
#define H2_IN_STATES(X)                                                                            \
    X(HEAD, H2_BIT(H2_IN_BODY) | H2_BIT(H2_IN_DONE))   /* client: a response head is awaited    */ \
    X(HOLD, H2_BIT(H2_IN_BODY) | H2_BIT(H2_IN_RAW))    /* CONNECT: the answer decides           */ \
    X(BODY, H2_BIT(H2_IN_DONE))                                                                    \
    X(RAW,  H2_BIT(H2_IN_DONE))                        /* a tunnel                              */ \
    X(DONE, 0)

/* The outgoing one. */
#define H2_OUT_STATES(X)                                                                           \
    X(WAIT, H2_BIT(H2_OUT_BODY) | H2_BIT(H2_OUT_RAW) | H2_BIT(H2_OUT_DONE)) /* send() to come   */ \
    X(BODY, H2_BIT(H2_OUT_DONE))                       /* the source is pulled                  */ \
    X(RAW,  H2_BIT(H2_OUT_DONE))                       /* of a tunnel                           */ \
    X(DONE, 0)
/* clang-format on */

#define X(name, next) H2_##name,
enum h2_state { H2_STATES(X) };
#undef X
#define X(name, next) H2_IN_##name,
enum h2_in { H2_IN_STATES(X) };
#undef X
#define X(name, next) H2_OUT_##name,
enum h2_out { H2_OUT_STATES(X) };
#undef X

enum h2_role { H2_SERVER, H2_CLIENT };

#define H2_CONNECTION_WINDOW (1u << 20)
/* Client role: bytes of a response that may be under way to us; a paused one is kept up to here. */
#define H2_CLIENT_WINDOW (256u << 10)
/* Client role: requests on one connection at once, whatever the origin allows. */
#define H2_REQUESTS_MAX 100
#define H2_INTERIM_MAX 32
#define H2_LINGER_MS 2000
/* Between the two GOAWAYs of a drain: whoever has not heard the first still has its requests
 * answered. */
#define H2_NOTICE_MS 300
#define H2_TICK_MS 1000 /* while there are streams, waits are looked at so often */
/* Client role: above it no more requests are opened on a connection. */
#define H2_MEMORY_ROOM (256u << 10)
/* Server role: what nghttp2 holds for one connection: queues, tables, states of streams. Above
 * FULL no further request is taken before what is queued has left. Those that are under way may
 * still be answered, by heads that nobody takes; above MAX the connection ends, and above TIGHT
 * where memory is (memory_is_tight()). */
#define H2_MEMORY_FULL (512u << 10)
#define H2_MEMORY_TIGHT (1u << 20)
#define H2_MEMORY_MAX (4u << 20)

#define H2_WHY_MAX 160 /* of a reason in GOAWAY */

#define H2_COPY_MAX 4096     /* shorter pieces are copied behind the frames before them */
#define H2_BATCH_MIN 16384   /* gathered for one write to a socket that is full often */
#define H2_BATCH_FIRST 65536 /* what the socket keeps unsent: transport_keep_low() */
/* To one that takes all of it, write for write: a write of 256 KiB cost a fifth less than four.
 * More than 15 frames of 16 KiB do not fit H2_PIECES. */
#define H2_BATCH_MAX 262144
/* Bytes in one call: the other connections want their turn. */
#define H2_BUDGET ((size_t)1024 * 1024)
#define H2_PIECES (TRANSPORT_SPANS_MAX)

/* The head of a response, from when it is submitted to when its frame is sent. */
struct h2_kept {
    size_t len;  /* of the fields */
    size_t most; /* bytes that they can take in a frame */
    int status;
    char fields[]; /* hpack_keep() */
};

struct h2_stream {
    struct stream stream; /* what the owner sees */
    struct h2 *h2;
    struct list link;     /* of the connection's streams */
    struct list ready;    /* something is to be done outside nghttp2's callbacks */
    struct list lent;     /* bytes of its source are gathered */
    struct h2_kept *kept; /* server role */
    struct source *source;
    struct span span; /* what the source showed last and has not been advanced past */
    size_t promised;  /* of it: given to nghttp2 */
    size_t gathered;  /* of these: framed, for the next write */
    uint64_t left;    /* of a body of known length */
    struct buf held;  /* arrived and not handed on: paused, or not yet known what it is */
    size_t counted;   /* bytes of its memory that base/memory.h knows of */
    size_t owed;      /* taken by the owner, who then paused: the window is not opened for them */
    uint64_t in_since, out_since; /* loop time of the last progress */
    uint64_t in_seen;             /* bytes since then, too few to be progress inward */
    struct pace_in in_pace;
    uint64_t data_sent; /* bytes of its body */
    struct pace pace;   /* of these, while a window is shut */
    uint64_t heard;     /* client role: bytes the peer had sent when this was asked for */
    struct buf page;    /* server role: an answer made here */
    struct source_memory page_source;
    int32_t id;    /* 0: nghttp2 does not know it yet */
    uint32_t code; /* is_over: how it ended */
    int err;       /* for on_close; 0: what the states say */
    enum http_method method;
    enum h2_in in;
    enum h2_out out;
    uint8_t interims;
    bool is_extended; /* CONNECT with :protocol: 101 grants it, and is said as 200 (RFC 8441 4) */
    bool has_length;
    bool is_announced; /* server role: so is how long the request's body is */
    bool has_ended;    /* the peer has sent all of it */
    bool is_paused;    /* on_data said so */
    bool is_starved;   /* the source said ERR_AGAIN; nghttp2 has put it aside */
    bool is_detached;  /* the owner wants or gets no more events */
    bool is_sent;      /* the last frame is gathered */
    bool is_over;      /* nghttp2 has closed it */
    bool is_mute;      /* has been reset by us */
    bool is_excused;   /* what was to be sent broke off, and not because of the peer */
};

/* What waits for the next write: pieces of frames in the loop's output buffer and of sources. */
struct h2_piece {
    const char *at; /* NULL: `len` bytes of the output buffer */
    size_t len;
};

struct h2_gather {
    struct h2_piece pieces[H2_PIECES];
    size_t count;
    size_t bytes;
};

/* A header block that is coming in; there is one at a time. */
struct h2_incoming {
    struct arena arena;
    struct h2_block block;
    struct h2_stream *stream;
    uint64_t since;
    _Alignas(16) char first[3072];
};

struct h2 {
    struct loop *loop;
    struct transport *transport; /* NULL when GONE */
    nghttp2_session *session;
    const struct h2_settings *settings;
    const struct h2_events *events; /* NULL after h2_close() */
    void *owner;
    struct list streams;
    struct list ready;
    struct list lent;
    size_t stream_count;
    struct h2_stream *found; /* the last one that nghttp2 was asked for; NULL: ask it */
    struct timeout timeout;
    struct timeout kick;
    struct h2_incoming *incoming; /* NULL between header blocks */
    struct h2_gather *gather;     /* inside the pump */
    struct h2_guard guard;
    struct buf early;            /* received and not fed: before this began, or for want of room */
    size_t early_counted;        /* as h2_stream's `counted` */
    uint64_t received;           /* bytes */
    uint64_t heard_ms;           /* when the last of them came */
    uint64_t pinged_ms;          /* client role: the last PING; 0: none */
    uint64_t pinged_received;    /* bytes by then */
    struct pages_block pages[2]; /* h2_memory.c */
    struct conn_heap heap;       /* server role: what nghttp2 has that stays, where it fits */
    struct pool *pool;           /* what it has for streams */
    struct hpack_table *table;   /* server role: of what is sent; NULL: nothing is in it */
    struct h2_stream *headed;    /* the frame that nghttp2 hands out next needs its kept head */
    size_t held;                 /* bytes nghttp2 has in all */
    size_t batch;                /* bytes gathered for one write */
    size_t budget;               /* inside the pump: what it may still send */
    uint64_t since;              /* the present wait of the connection began then */
    uint64_t drain_since;
    uint64_t data_sent;     /* bytes of bodies */
    struct pace data_pace;  /* of these, while the connection's window is shut */
    bool is_slow;           /* so says data_pace */
    uint64_t offered;       /* bytes given to the transport */
    unsigned refusals;      /* for want of memory, whose RST_STREAM is not sent yet */
    struct pace queue_pace; /* of what it has of them no more */
    int write_err;          /* inside the pump: the transport broke */
    const char *why; /* what nghttp2 said of the last frame it did not accept; NULL: nothing */
    enum h2_role role;
    enum h2_state state;
    bool is_https;
    bool is_untabled; /* server role: the peer's decoder has no room for the table */
    bool is_pumping;
    bool is_draining;
    bool is_last_said; /* the second GOAWAY of a drain */
    bool is_deaf;      /* the connection is given up: nothing more is read */
    bool has_taken;    /* a request, of what nghttp2 is being fed */
    bool has_paused;   /* nghttp2: it is to be fed on, be it with nothing */
    bool is_stopped;   /* nothing is read until there is room */
    bool is_leaving;   /* client role: no more requests; the peer has said GOAWAY, or nothing */
    bool has_told;     /* client role: something of a message, since the last PING */
    bool is_opening;   /* nghttp2 is asked for a session */
    bool may_rest;     /* idle for long enough to be slim when the pump ends */
    bool is_slim;      /* idle: its pages are given back, and what is in its heap is packed */
};

/* ---- h2.c: life ---- */

/* Changes the state; CHECKs that it may. */
void h2_set_state(struct h2 *h2, enum h2_state next);
/* Closes at once; every stream ends with `err`. */
void h2_fail(struct h2 *h2, int err);
/* No more frames are read: what is queued leaves, then FIN. Every stream ends with ERR_CLOSED. */
void h2_conclude(struct h2 *h2);
/* GOAWAY with the reason, and with h2->why behind it, and h2_conclude(). Safe inside nghttp2's
 * callbacks: then it happens when they have returned. */
void h2_offend(struct h2 *h2, enum h2_offence offence, uint32_t code);
/* Tells the owner. */
void h2_say_offence(struct h2 *h2, enum h2_offence offence, struct span why);
/* GONE, and no handler runs: frees it, and tells the owner. */
void h2_gone(struct h2 *h2);

/* ---- h2_stream.c ---- */

/* A new stream of the connection, which nghttp2 does not know yet. */
struct h2_stream *h2_stream_new(struct h2 *h2, enum h2_in in);
/* It has no source any more, and nothing of it is gathered. nghttp2 forgets it. */
void h2_stream_free(struct h2_stream *stream);
/* Change the state of a direction; CHECK that it may. */
void h2_set_in(struct h2_stream *stream, enum h2_in next);
void h2_set_out(struct h2_stream *stream, enum h2_out next);
/* It is looked at before the pump ends. */
void h2_make_ready(struct h2_stream *stream);
/* `held` has grown or shrunk: base/memory.h is told. */
void h2_count_held(struct h2_stream *stream);
/* Drops the source; what is gathered of it leaves before. */
void h2_drop_source(struct h2_stream *stream);
/* The last event of a stream, unless its owner has had or renounced it. */
void h2_say_closed(struct h2_stream *stream, int err);
/* What was to be sent breaks off, by no fault of the peer: resets the stream, whose owner hears of
 * `err`. */
void h2_break_off(struct h2_stream *stream, int err);
/* Resets the stream; its owner hears of `err`. */
void h2_reset(struct h2_stream *stream, uint32_t code, int err);

/* ---- h2_memory.c ---- */

nghttp2_mem h2_memory(struct h2 *h2);
/* Memory that counts as nghttp2's: what is kept for a peer that takes nothing. */
void *h2_memory_take(struct h2 *h2, size_t size);
void h2_memory_give(struct h2 *h2, void *memory);
void h2_memory_open(struct h2 *h2);
/* nghttp2 has given everything back. */
void h2_memory_close(struct h2 *h2);
/* No stream is open: gives memory back that only frames need, and packs the rest. nghttp2 must not
 * be called for this connection until h2_memory_fatten(), which accepts one that is not slim. */
void h2_memory_slim(struct h2 *h2);
void h2_memory_fatten(struct h2 *h2);

/* ---- h2_session.c ---- */

/* A session for the role, its SETTINGS queued. */
void h2_session_open(struct h2 *h2);
/* The stream with this id; NULL: there is none. */
struct h2_stream *h2_stream_with(struct h2 *h2, int32_t id);
/* What a message with a body is submitted with. */
nghttp2_data_provider h2_session_provider(void);

/* ---- h2_in.c: called by nghttp2, through h2_session.c ---- */

int h2_in_begin_headers(struct h2 *h2, const nghttp2_frame *frame);
void h2_in_field(struct h2 *h2, struct span name, struct span value);
void h2_in_headers(struct h2 *h2, const nghttp2_frame *frame);
void h2_in_data(struct h2_stream *stream, struct span bytes);
void h2_in_end(struct h2_stream *stream);
/* nghttp2 has found the block, or the frame, malformed: it resets the stream itself. */
void h2_in_invalid(struct h2 *h2);
/* The stream has ended before its block did. */
void h2_in_forget_block(struct h2_stream *stream);
/* Whatever the owner said of pausing: what has come of a message that is whole, and its end. */
void h2_in_finish(struct h2_stream *stream);
/* Gives the block's memory back. */
void h2_in_drop_block(struct h2 *h2);
/* Hands on what was held, and the end. True when something happened. */
bool h2_in_deliver(struct h2_stream *stream);

/* ---- h2_out.c ---- */

ssize_t h2_out_read(struct h2_stream *stream, size_t length, uint32_t *flags);
/* An answer made here, to a request that never becomes one. */
void h2_out_refuse(struct h2_stream *stream, const struct h1_error *error);
extern const struct stream_ops h2_stream_ops;

/* ---- h2_heads.c ---- */

/* Keeps the head of a response until its frame is sent; nghttp2 is to be given no fields for it.
 * `length` is what Content-Length says; -1: there is none. False: it may be too large for one
 * frame, so nghttp2 has to encode it. */
bool h2_heads_keep(struct h2_stream *stream, const struct http_head *head, int64_t length);
/* Frees the kept head, if there is one. */
void h2_heads_drop(struct h2_stream *stream);
/* nghttp2 has made this frame; its bytes are what it hands out next. */
void h2_heads_begin(struct h2 *h2, const nghttp2_frame *frame);
/* Gathers the bytes of a frame, with the fields that were kept for it. */
void h2_heads_gather(struct h2 *h2, struct span frame);
/* The peer's SETTINGS have come: they may leave no room for the table. */
void h2_heads_heed(struct h2 *h2, const nghttp2_settings *settings);
/* Frees the table. What the peer has in its own is not used any more, which is always allowed. */
void h2_heads_forget(struct h2 *h2);

/* ---- h2_gather.c ---- */

/* A DATA frame of `length` bytes that h2_out_read() has promised. 0 or an NGHTTP2_ERR_. */
int h2_gather_frame(struct h2_stream *stream, const nghttp2_frame *frame, const uint8_t *head,
                    size_t length);
/* Behind what is gathered. */
void h2_gather_copy(struct h2 *h2, struct span bytes);
/* `len` more bytes have been put into the output buffer of the loop. */
void h2_gather_written(struct h2 *h2, size_t len);
/* Writes what is gathered. False: the transport is broken (h2->write_err). */
bool h2_flush(struct h2 *h2);

/* ---- h2_pump.c ---- */

void h2_enter(struct h2 *h2);
void h2_leave(struct h2 *h2);
void h2_kick(struct h2 *h2);
void h2_feed(struct h2 *h2, struct span bytes);
/* `early` has grown or shrunk. */
void h2_count_early(struct h2 *h2);

/* ---- h2_wait.c ---- */

/* Client role, a request is being sent: after a long silence it is asked whether anybody listens.
 */
void h2_greet(struct h2 *h2);
/* Client role: it has not answered a PING for so long that requests had better go elsewhere. */
bool h2_is_in_doubt(const struct h2 *h2);
void h2_arm(struct h2 *h2);
void h2_expire(struct h2 *h2);

/* Until both its directions have ended. */
static inline bool h2_is_tunnel(const struct h2_stream *stream)
{
    return stream->in == H2_IN_RAW || stream->out == H2_OUT_RAW;
}

static inline struct h2_stream *h2_stream_of(struct stream *stream)
{
    return container_of(stream, struct h2_stream, stream);
}

#endif
