/*
 * h1_conn - the inside of HTTP/1, shared by h1.c, h1_pump.c, h1_in.c, h1_out.c, h1_splice.c,
 * h1_wait.c and tunnel.c only.
 *
 * Two structs: `h1` is what an idle connection needs, so it is small; `h1_turn` is one request with
 * its response, taken from the loop's pool when it begins and returned at its end.
 *
 * Everything that happens to a connection - bytes, EOF, room to write, a timeout, a kick - goes
 * through h1_enter() … h1_leave(). Only in between are events called and bytes moved: steps run
 * until none can go on, then all output leaves in one write. Calls of the owner only record what is
 * wanted, and kick when they come from outside. So events never nest, and the structs outlive every
 * handler: h1_leave() frees what a call has closed.
 */
#ifndef LARDER_PROXY_STREAM_H1_CONN_H
#define LARDER_PROXY_STREAM_H1_CONN_H

#include "http/h1_body.h"
#include "proxy/stream/h1.h"
#include "proxy/stream/pace.h"
#include "proxy/stream/pull.h"

/* clang-format off */
#define H1_BIT(state) (1u << (state))

/* States of the connection. The second column has the states that may follow. */
#define H1_STATES(X)                                                                               \
    X(OPEN,   H1_BIT(H1_FLUSH) | H1_BIT(H1_GONE))  /* messages come and go                      */ \
    X(FLUSH,  H1_BIT(H1_LINGER) | H1_BIT(H1_GONE)) /* the last bytes leave, no more is parsed   */ \
    X(LINGER, H1_BIT(H1_GONE))     /* FIN sent; input is discarded so that the answer survives  */ \
    X(GONE,   0)                   /* the transport is closed; freed when the pump ends         */

/* States of a turn's incoming message. A request begins in BODY or HOLD, a response in HEAD, a
 * tunnel in RAW. */
#define H1_IN_STATES(X)                                                                            \
    X(HEAD,    H1_BIT(H1_IN_BODY) | H1_BIT(H1_IN_RAW)) /* a response head is awaited            */ \
    X(HOLD,    H1_BIT(H1_IN_BODY) | H1_BIT(H1_IN_RAW)) /* CONNECT, Upgrade: the answer decides  */ \
    X(BODY,    H1_BIT(H1_IN_DONE) | H1_BIT(H1_IN_DISCARD)) /* framed bytes, perhaps none        */ \
    X(DISCARD, H1_BIT(H1_IN_DONE))                     /* answered: the rest is not wanted      */ \
    X(RAW,     H1_BIT(H1_IN_DONE))                     /* a tunnel, until the peer's EOF        */ \
    X(DONE,    0)

/* States of its outgoing message. */
#define H1_OUT_STATES(X)                                                                           \
    X(WAIT, H1_BIT(H1_OUT_BODY) | H1_BIT(H1_OUT_HOLD) | H1_BIT(H1_OUT_RAW)) /* send() to come   */ \
    X(HOLD, H1_BIT(H1_OUT_RAW) | H1_BIT(H1_OUT_DONE)) /* CONNECT, Upgrade: the answer decides   */ \
    X(BODY, H1_BIT(H1_OUT_DONE))                      /* the source is pulled                   */ \
    X(RAW,  H1_BIT(H1_OUT_DONE))                      /* the same without framing, then FIN     */ \
    X(DONE, 0)
/* clang-format on */

#define X(name, next) H1_##name,
enum h1_state { H1_STATES(X) };
#undef X
#define X(name, next) H1_IN_##name,
enum h1_in { H1_IN_STATES(X) };
#undef X
#define X(name, next) H1_OUT_##name,
enum h1_out { H1_OUT_STATES(X) };
#undef X

enum h1_role { H1_SERVER, H1_CLIENT, H1_TUNNEL };

/* Most bytes of an unwanted request body that are drained so that the connection can persist. */
#define H1_DRAIN_MAX 65536
/* Most requests that one run of the pump begins. Who pipelines more keeps nobody waiting: others
 * have their turn before the next run. */
#define H1_RUN_REQUESTS 64
/* How long a closing connection waits for the peer to read the response. */
#define H1_LINGER_MS 2000
/* While draining kindly: how long to wait for a first request, and for one on a kept connection.
 * Clients that send none delay the newer process, which has no store until then. */
#define H1_LAST_MS 3000
#define H1_LAST_KEPT_MS 1000

struct h1_turn {
    struct stream stream; /* as seen by the owner */
    struct h1 *h1;
    struct h1_body body;
    struct pull pull;
    struct buf trailers; /* of the incoming message, unparsed */
    char *held;          /* heads written outside the pump */
    size_t held_len;
    uint64_t in_since; /* loop time of the last progress of the incoming message, or of the turn's
                          begin */
    uint64_t in_seen;  /* bytes since then; too few to count as progress */
    struct pace_in in_pace;
    struct pace_interims interims;
    uint64_t out_since; /* loop time of the last progress of the outgoing message */
    size_t out_seen;    /* bytes that the transport queued then */
    size_t discarded;
    enum http_method method;
    enum http_version version; /* the client's (server role) */
    enum h1_in in;
    enum h1_out out;
    bool is_detached;      /* the owner receives no more events */
    bool is_paused;        /* on_data returned PAUSE */
    bool is_starved;       /* the source returned ERR_AGAIN */
    bool is_keep_alive;    /* the connection may persist after this message */
    bool peer_persists;    /* server role: the client wants to send further requests */
    bool is_tunnel_wanted; /* client role: CONNECT or Upgrade */
    bool is_tunnel;        /* the tunnel was granted */
    bool is_flowing;       /* in a tunnel: much comes at once */
    bool is_touched;       /* client role: bytes were received since the request was sent */
    bool awaits_continue;  /* server role: the peer waits for 100 (Continue) */
};

struct h1 {
    struct loop *loop;
    struct transport *transport; /* NULL when GONE */
    const struct h1_settings *settings;
    const struct h1_events *events; /* NULL after h1_close() */
    void *owner;
    struct h1_turn *turn; /* NULL between messages */
    struct timeout timeout;
    struct buf in;    /* received, not parsed; empty on an idle connection */
    size_t counted;   /* bytes of its memory that base/memory.h has counted */
    struct span rest; /* inside the pump: input that is not parsed so far */
    struct h1_scan scan;
    uint64_t since; /* when the connection's present wait began */
    enum h1_role role;
    enum h1_state state;
    size_t left;    /* bytes that the transport queued when the last turn had ended */
    unsigned begun; /* requests, in this run of the pump */
    bool is_pumping;
    bool is_kicked;       /* the pump is to run again */
    bool is_eof : 1;      /* the peer has closed its direction */
    bool is_partial : 1;  /* between messages: part of a head was received */
    bool is_draining : 1; /* no further request */
    bool is_fresh : 1;    /* no request yet */
    bool is_last : 1;     /* the next request is the last */
    bool is_cut : 1;      /* writing has failed; reading goes on */
    bool lingers : 1;     /* FLUSH is followed by LINGER */
    bool is_young : 1;    /* server role: no request was parsed so far */
    bool is_h2 : 1;       /* the client uses HTTP/2: the transport is handed over */
};

/* ---- h1.c: life ---- */

struct h1 *h1_new(struct transport *transport, const struct h1_settings *settings,
                  const struct h1_events *events, void *owner, enum h1_role role);
/* The transport must be closed. */
void h1_free(struct h1 *h1);
/* To be called after the memory of `in` may have changed. */
void h1_count_input(struct h1 *h1);
struct h1_turn *h1_turn_new(struct h1 *h1, enum h1_in in);
void h1_set_state(struct h1 *h1, enum h1_state next);
void h1_set_in(struct h1_turn *turn, enum h1_in next);
void h1_set_out(struct h1_turn *turn, enum h1_out next);
void h1_drop_trailers(struct h1_turn *turn);
/* Calls on_close, once, unless the owner has closed the stream. */
void h1_say_closed(struct h1_turn *turn, int err);
/* Ends the turn: on_close(err), and returns it to the pool. */
void h1_end_turn(struct h1 *h1, int err);
/* Closes at once, after trying to write what is corked; drops the source. */
void h1_cut(struct h1 *h1);
/* The turn cannot be completed: closes the connection and tells the owner. */
void h1_fail(struct h1 *h1, int err);
/* No more messages: flushes, lingers if wanted, closes. */
void h1_conclude(struct h1 *h1, bool linger);

/* ---- h1_pump.c ---- */

/* Around the handling of an event. h1_leave() runs the steps, writes, and may free `h1`. */
void h1_enter(struct h1 *h1);
void h1_leave(struct h1 *h1);
/* Runs the pump soon, outside the present handler. */
void h1_kick(struct h1 *h1);
/* Writes what is corked. Returns 0, or negative: the connection is broken. */
int h1_flush(struct h1 *h1);
/* Handles a connection that h1_flush() or pull_run() found broken. */
void h1_write_failed(struct h1 *h1, int err);
/* Turns reading on or off, depending on the states. */
void h1_set_reading(struct h1 *h1);

/* ---- h1_in.c, h1_out.c: return whether anything happened, so that the other steps run again
 * ---- */

bool h1_step_in(struct h1 *h1);
bool h1_step_out(struct h1 *h1);
/* Server role, between messages: answers error->status with the owner's page, and closes. */
void h1_refuse(struct h1 *h1, const struct h1_error *error);
/* A request broke before it was answered: on_close(err), then the refusal. */
void h1_refuse_turn(struct h1 *h1, int err, const struct h1_error *error);
/* The outgoing message is complete. */
void h1_finish_out(struct h1_turn *turn);
/* Appends what was written outside the pump to what is corked. */
void h1_release_held(struct h1_turn *turn);

extern const struct stream_ops h1_stream_ops;

/* ---- h1_splice.c: tunnels whose bytes go from socket to socket ---- */

/* Notes how many bytes came at once, to decide whether splicing is worth while. */
void h1_note_flow(struct h1_turn *turn, size_t bytes);
/* Shall the next bytes be spliced? */
bool h1_wants_splice(const struct h1 *h1);
/* Splices bytes to the sink, if there is one; h1->rest is what that did not take. */
void h1_splice(struct h1 *h1);

/* ---- h1_wait.c: timeouts ---- */

/* Sets the connection's one timeout to whatever it waits for. */
void h1_arm(struct h1 *h1);
/* Acts on a wait that has lasted too long, if there is one. */
void h1_expire(struct h1 *h1);

#endif
