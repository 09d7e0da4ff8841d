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

/* The outgoing message of a stream. */
#define H2_OUT_STATES(X)                                                                           \
    X(WAIT, H2_BIT(H2_OUT_BODY) | H2_BIT(H2_OUT_RAW) | H2_BIT(H2_OUT_DONE)) /* before send()    */ \
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
/* Client role: the window of a stream, and so the most bytes that are kept for a paused
 * response. */
#define H2_CLIENT_WINDOW (256u << 10)
/* Client role: most concurrent requests on one connection, even if the origin allows more. */
#define H2_REQUESTS_MAX 100
#define H2_LINGER_MS 2000
/* Time between the two GOAWAYs of a drain: requests sent before the client received the first one
 * are still answered. */
#define H2_NOTICE_MS 300
#define H2_TICK_MS 1000 /* how often timeouts are checked while there are streams */
/* Client role: no more requests are opened while nghttp2 holds more than this for the
 * connection. */
#define H2_MEMORY_ROOM (256u << 10)
/* Server role: limits for the memory that nghttp2 holds for one connection (queues, tables, stream
 * states). Above FULL no further request is read before queued frames have left. Requests in
 * progress may still add response heads, which the peer may leave unread; above MAX the connection
 * is ended, and above TIGHT if memory is tight (memory_is_tight()). */
#define H2_MEMORY_FULL (512u << 10)
#define H2_MEMORY_TIGHT (1u << 20)
#define H2_MEMORY_MAX (4u << 20)

#define H2_WHY_MAX 160 /* longest reason in a GOAWAY */

#define H2_COPY_MAX 4096     /* shorter pieces of bodies are copied behind their frame header */
#define H2_BATCH_MIN 16384   /* bytes gathered for one write to a socket that is often full */
#define H2_BATCH_FIRST 65536 /* bytes that the socket keeps unsent, see transport_keep_low() */
/* Largest batch, for a socket that takes each write completely: one write of 256 KiB cost a fifth
 * less than four of 64 KiB. More than 15 frames of 16 KiB do not fit into H2_PIECES. */
#define H2_BATCH_MAX 262144
/* Bytes sent in one run of the pump, so that other connections get their turn. */
#define H2_BUDGET ((size_t)1024 * 1024)
#define H2_PIECES (TRANSPORT_SPANS_MAX)

/* The head of a response, between its submission and the sending of its frame. */
struct h2_kept {
    size_t len;  /* bytes of `fields` */
    size_t most; /* most bytes that the encoded fields can take in a frame */
    int status;
    char fields[]; /* in the form of hpack_keep() */
};

struct h2_stream {
    struct stream stream; /* what the owner sees */
    struct h2 *h2;
    struct list link;  /* in h2->streams */
    struct list ready; /* in h2->ready while there is something to do outside nghttp2's callbacks */
    struct list lent;  /* in h2->lent while bytes of its source are gathered */
    struct h2_kept *kept; /* server role: head whose frame was not sent so far; or NULL */
    struct source *source;
    struct span span; /* bytes that the source has shown and that were not advanced past */
    size_t promised;  /* bytes of `span` that were promised to nghttp2 */
    size_t gathered;  /* bytes of `promised` that are framed and wait for the next write */
    uint64_t left;    /* bytes of a body of known length that are still to be sent */
    struct buf held;  /* received bytes that the owner has not got: it has paused, or the meaning of
                         the stream is open */
    size_t counted;   /* bytes of memory counted in base/memory.h */
    size_t owed;      /* bytes that the owner took before it paused, for which the window was not
                         reopened so far */
    uint64_t awaited; /* if is_announced: bytes of the request's body that are still to come */
    uint64_t in_since, out_since; /* loop time of the last progress in each direction */
    uint64_t in_seen;             /* received bytes since then, too few to count as progress */
    struct pace_in in_pace;
    struct pace_interims interims;
    uint64_t data_sent; /* bytes of the outgoing body that were sent */
    struct pace pace;   /* rate of data_sent while a window is closed */
    uint64_t heard;     /* client role: value of h2->received when the request was sent */
    struct buf page;    /* server role: body of a response made here */
    struct source_memory page_source;
    int32_t id;    /* 0: not assigned by nghttp2 so far */
    uint32_t code; /* if is_over: the error code with which the stream was closed */
    int err;       /* error for on_close; 0: it follows from the states */
    enum http_method method;
    enum h2_in in;
    enum h2_out out;
    bool is_extended; /* CONNECT with :protocol; a 101 grants it and is sent as 200 (RFC 8441 4) */
    bool has_length;
    bool is_announced; /* server role: the length of the request's body is known */
    bool has_ended;    /* the peer has sent END_STREAM */
    bool is_paused;    /* on_data has returned STREAM_PAUSE */
    bool is_starved;   /* the source has returned ERR_AGAIN; nghttp2 has deferred the stream */
    bool is_detached;  /* the owner gets no more events */
    bool is_sent;      /* the last frame of the stream was gathered */
    bool is_over;      /* nghttp2 has closed the stream */
    bool is_mute;      /* the stream was reset by us */
    bool is_excused;   /* the outgoing message broke off through no fault of the peer */
};

/* A piece of the next write: bytes of frames in the loop's output buffer, or bytes lent by a
 * source. */
struct h2_piece {
    const char *at; /* NULL: `len` bytes of the output buffer */
    size_t len;
};

struct h2_gather {
    struct h2_piece pieces[H2_PIECES];
    size_t count;
    size_t bytes;
};

/* The header block being received; there is at most one at a time. */
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
    struct h2_stream *found; /* the stream that was looked up last; NULL: none */
    struct timeout timeout;
    struct timeout kick;
    struct h2_incoming *incoming; /* NULL between header blocks */
    struct h2_gather *gather;     /* set while the pump runs */
    struct h2_authority known;    /* server role */
    struct h2_guard guard;
    struct buf early;     /* bytes received but not fed to nghttp2: they came before h2_serve(), or
                             while too much was queued */
    size_t early_counted; /* bytes of `early` counted in base/memory.h */
    uint64_t received;    /* bytes received so far */
    uint64_t heard_ms;    /* loop time when the last bytes arrived */
    uint64_t pinged_ms;   /* client role: loop time of the last PING; 0: none was sent */
    uint64_t pinged_received;    /* value of `received` at that time */
    struct pages_block pages[2]; /* nghttp2's two large blocks, see h2_memory.c */
    struct conn_heap heap; /* server role: nghttp2's other long-lived memory, as far as it fits */
    struct pool *pool;     /* nghttp2's memory for streams */
    /* Server role: the dynamic table of our encoder; NULL: it is empty. */
    struct hpack_table *table;
    /* The stream whose kept head belongs into the next frame of nghttp2. */
    struct h2_stream *headed;
    size_t held;    /* bytes of memory that nghttp2 holds in total */
    size_t batch;   /* how many bytes to gather for one write */
    size_t budget;  /* bytes that the current run of the pump may still send */
    uint64_t since; /* loop time when the current wait of the connection began */
    uint64_t drain_since;
    uint64_t data_sent;    /* bytes of all outgoing bodies */
    struct pace data_pace; /* rate of data_sent while the window of the connection is closed */
    bool is_slow;          /* result of data_pace */
    uint64_t offered;      /* bytes given to the transport so far */
    /* Streams refused for lack of memory whose RST_STREAM was not sent so far. */
    unsigned refusals;
    struct pace queue_pace; /* rate at which the peer takes queued bytes */
    int write_err;          /* error of the transport in this run of the pump */
    /* nghttp2's description of the last frame that it did not accept; NULL: none. */
    const char *why;
    enum h2_role role;
    enum h2_state state;
    bool is_https;
    bool is_untabled; /* server role: the peer's decoder has no room for our dynamic table */
    bool is_pumping;
    bool is_draining;
    bool is_last_said; /* the second GOAWAY of a drain was sent */
    bool is_deaf;      /* the connection is being given up: nothing more is read */
    bool has_taken;    /* the bytes being fed to nghttp2 contained a request */
    bool has_paused;   /* nghttp2 has paused and must be fed again, if only with 0 bytes */
    bool is_stopped;   /* reading is stopped until there is room */
    bool is_leaving;   /* client role: no more requests, as the peer has sent GOAWAY or is silent */
    bool has_told;     /* client role: a HEADERS or DATA frame has arrived since the last PING */
    bool is_opening;   /* nghttp2 is creating the session */
    bool may_rest;     /* idle for long enough to be made slim at the end of the pump */
    bool is_slim;      /* idle, with its pages freed and its heap packed; see h2_memory_slim() */
};

/* ---- h2.c: life ---- */

/* Changes the state, and CHECKs that the step is legal. */
void h2_set_state(struct h2 *h2, enum h2_state next);
/* Closes at once; every stream ends with `err`. */
void h2_fail(struct h2 *h2, int err);
/* Reads no more frames: sends what is queued, then FIN. Every stream ends with ERR_CLOSED. */
void h2_conclude(struct h2 *h2);
/* Sends GOAWAY with the reason, followed by h2->why, and calls h2_conclude(). Inside nghttp2's
 * callbacks that happens after they have returned. */
void h2_offend(struct h2 *h2, enum h2_offence offence, uint32_t code);
/* Tells the owner of the offence. */
void h2_say_offence(struct h2 *h2, enum h2_offence offence, struct span why);
/* In state GONE, when no handler runs: frees the connection, and tells the owner. */
void h2_gone(struct h2 *h2);

/* ---- h2_stream.c ---- */

/* A new stream, which has no id so far. */
struct h2_stream *h2_stream_new(struct h2 *h2, enum h2_in in);
/* The stream must have no source and nothing gathered. Removes it from nghttp2, too. */
void h2_stream_free(struct h2_stream *stream);
/* Change the state of one direction, and CHECK that the step is legal. */
void h2_set_in(struct h2_stream *stream, enum h2_in next);
void h2_set_out(struct h2_stream *stream, enum h2_out next);
/* Puts the stream into h2->ready, which the pump works off before it ends. */
void h2_make_ready(struct h2_stream *stream);
/* To be called when `held` has changed size: updates base/memory.h. */
void h2_count_held(struct h2_stream *stream);
/* Drops the source. Bytes of it that are gathered are written before. */
void h2_drop_source(struct h2_stream *stream);
/* Calls on_close, unless the owner has had it or is detached. */
void h2_say_closed(struct h2_stream *stream, int err);
/* The outgoing message breaks off through no fault of the peer: resets the stream, and its owner
 * gets `err`. */
void h2_break_off(struct h2_stream *stream, int err);
/* Resets the stream; its owner gets `err`. */
void h2_reset(struct h2_stream *stream, uint32_t code, int err);

/* ---- h2_memory.c ---- */

nghttp2_mem h2_memory(struct h2 *h2);
/* Memory that counts as nghttp2's: for things kept until the peer takes them. */
void *h2_memory_take(struct h2 *h2, size_t size);
void h2_memory_give(struct h2 *h2, void *memory);
void h2_memory_open(struct h2 *h2);
/* To be called when nghttp2 has freed everything. */
void h2_memory_close(struct h2 *h2);
/* For a connection without open streams: frees memory that is needed only for frames, and packs the
 * rest. nghttp2 must not be called for it until h2_memory_fatten(), which also accepts a connection
 * that is not slim. */
void h2_memory_slim(struct h2 *h2);
void h2_memory_fatten(struct h2 *h2);

/* ---- h2_session.c ---- */

/* Creates the session for the role, and queues its SETTINGS. */
void h2_session_open(struct h2 *h2);
/* The stream with this id; NULL: there is none. */
struct h2_stream *h2_stream_with(struct h2 *h2, int32_t id);
/* The callback for messages with a body. */
nghttp2_data_provider h2_session_provider(void);

/* ---- h2_in.c: called by nghttp2, through h2_session.c ---- */

int h2_in_begin_headers(struct h2 *h2, const nghttp2_frame *frame);
void h2_in_field(struct h2 *h2, struct span name, struct span value);
void h2_in_headers(struct h2 *h2, const nghttp2_frame *frame);
void h2_in_data(struct h2_stream *stream, struct span bytes);
void h2_in_end(struct h2_stream *stream);
/* nghttp2 has found the frame or its header block malformed, and resets the stream itself. */
void h2_in_invalid(struct h2 *h2);
/* The stream has ended before its header block. */
void h2_in_forget_block(struct h2_stream *stream);
/* Delivers the rest of a completely received message and its end, even if the owner has paused. */
void h2_in_finish(struct h2_stream *stream);
/* Frees the block being received. */
void h2_in_drop_block(struct h2 *h2);
/* Delivers held bytes, and the end of the message. True: something was delivered. */
bool h2_in_deliver(struct h2_stream *stream);

/* ---- h2_out.c ---- */

ssize_t h2_out_read(struct h2_stream *stream, size_t length, uint32_t *flags);
/* Answers a request that never becomes one, with a response made here. */
void h2_out_refuse(struct h2_stream *stream, const struct h1_error *error);
extern const struct stream_ops h2_stream_ops;

/* ---- h2_heads.c ---- */

/* Keeps the head of a response until its frame is sent; nghttp2 gets no fields. `length`: for
 * Content-Length; -1: none. False: the head may be too large for one frame, so nghttp2 has to
 * encode it. */
bool h2_heads_keep(struct h2_stream *stream, const struct http_head *head, int64_t length);
/* Frees the kept head, if there is one. */
void h2_heads_drop(struct h2_stream *stream);
/* nghttp2 has made this frame, whose bytes it returns next. */
void h2_heads_begin(struct h2 *h2, const nghttp2_frame *frame);
/* Gathers the bytes of a frame, with the kept fields if they belong to it. */
void h2_heads_gather(struct h2 *h2, struct span frame);
/* The peer has sent SETTINGS, which may leave no room for the dynamic table. */
void h2_heads_heed(struct h2 *h2, const nghttp2_settings *settings);
/* Frees the dynamic table. The entries in the peer's table are not referred to any more, which is
 * always allowed. */
void h2_heads_forget(struct h2 *h2);

/* ---- h2_gather.c ---- */

/* Gathers a DATA frame of `length` bytes that h2_out_read() has promised. Returns 0 or an
 * NGHTTP2_ERR_ code. */
int h2_gather_frame(struct h2_stream *stream, const nghttp2_frame *frame, const uint8_t *head,
                    size_t length);
/* Gathers a copy of the bytes. */
void h2_gather_copy(struct h2 *h2, struct span bytes);
/* Gathers `len` bytes that were appended to the output buffer of the loop. */
void h2_gather_written(struct h2 *h2, size_t len);
/* Writes all that is gathered. False: the transport has failed (h2->write_err). */
bool h2_flush(struct h2 *h2);

/* ---- h2_pump.c ---- */

void h2_enter(struct h2 *h2);
void h2_leave(struct h2 *h2);
void h2_kick(struct h2 *h2);
void h2_feed(struct h2 *h2, struct span bytes);
/* To be called when `early` has changed size: updates base/memory.h. */
void h2_count_early(struct h2 *h2);

/* ---- h2_wait.c ---- */

/* Client role: to be called when a request is sent. After a long silence a PING asks whether the
 * peer is still there. */
void h2_greet(struct h2 *h2);
/* Client role: has a PING been unanswered for so long that new requests should use another
 * connection? */
bool h2_is_in_doubt(const struct h2 *h2);
void h2_arm(struct h2 *h2);
void h2_expire(struct h2 *h2);

/* A tunnel counts as one until both directions have ended. */
static inline bool h2_is_tunnel(const struct h2_stream *stream)
{
    return stream->in == H2_IN_RAW || stream->out == H2_OUT_RAW;
}

static inline struct h2_stream *h2_stream_of(struct stream *stream)
{
    return container_of(stream, struct h2_stream, stream);
}

#endif
