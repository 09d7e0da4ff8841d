/*
 * h1_conn - the inside of HTTP/1, shared by h1.c, h1_pump.c, h1_in.c, h1_out.c, h1_wait.c and
 * tunnel.c. Nobody else includes it.
 *
 * Two structs: `h1` is what a connection holds while it is idle, so it is small; `h1_turn` is one
 * request with its response, taken from the loop's pool when it begins and given back at its end.
 *
 * Everything that happens to a connection - bytes, EOF, room to write, a timeout, a kick - goes
 * through h1_enter() … h1_leave(). In between, and only there, events are called and bytes move:
 * steps run until none can go on, then all output leaves in one write. Calls of the owner only
 * record, and kick when they come from outside. So no event can come inside another one, and the
 * structs outlive every handler: what a call closes is freed by h1_leave().
 */
#ifndef LARDER_PROXY_STREAM_H1_CONN_H
#define LARDER_PROXY_STREAM_H1_CONN_H

#include "http/h1_body.h"
#include "proxy/stream/h1.h"
#include "proxy/stream/pace.h"
#include "proxy/stream/pull.h"

/* clang-format off */
#define H1_BIT(state) (1u << (state))

/* The connection. Second column: where it may go from there. */
#define H1_STATES(X)                                                                               \
    X(OPEN,   H1_BIT(H1_FLUSH) | H1_BIT(H1_GONE))  /* messages come and go                      */ \
    X(FLUSH,  H1_BIT(H1_LINGER) | H1_BIT(H1_GONE)) /* the last bytes leave, no more is parsed   */ \
    X(LINGER, H1_BIT(H1_GONE))     /* FIN sent; input is discarded so that the answer survives  */ \
    X(GONE,   0)                   /* the transport is closed; freed when the pump ends         */

/* The incoming message of a turn. A request begins in BODY or HOLD, a response in HEAD, a tunnel
 * in RAW. */
#define H1_IN_STATES(X)                                                                            \
    X(HEAD,    H1_BIT(H1_IN_BODY) | H1_BIT(H1_IN_RAW)) /* a response head is awaited            */ \
    X(HOLD,    H1_BIT(H1_IN_BODY) | H1_BIT(H1_IN_RAW)) /* CONNECT, Upgrade: the answer decides  */ \
    X(BODY,    H1_BIT(H1_IN_DONE) | H1_BIT(H1_IN_DISCARD)) /* framed bytes, perhaps none        */ \
    X(DISCARD, H1_BIT(H1_IN_DONE))                     /* answered: the rest interests nobody   */ \
    X(RAW,     H1_BIT(H1_IN_DONE))                     /* a tunnel, until the peer's EOF        */ \
    X(DONE,    0)

/* The outgoing one. */
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

/* A request body nobody reads is drained up to here, so that the connection can go on. */
#define H1_DRAIN_MAX 65536
/* How long a closing connection waits for the peer to read the answer. */
#define H1_LINGER_MS 2000
/* While draining kindly: how long a request may be under way on a connection that has had none, and
 * on a kept one. Those who are idle hold back the newer process, which has no store meanwhile. */
#define H1_LAST_MS 3000
#define H1_LAST_KEPT_MS 1000
/* Interim responses to one request; more are an attack. */
#define H1_INTERIM_MAX 32

struct h1_turn {
    struct stream stream; /* what the owner sees */
    struct h1 *h1;
    struct h1_body body;
    struct pull pull;
    struct buf trailers; /* of the incoming message, as they have come */
    char *held;          /* heads written from outside the pump */
    size_t held_len;
    uint64_t in_since; /* loop time of the last progress inward, or of the turn's begin */
    uint64_t in_seen;  /* bytes since then, too few to be progress */
    struct pace_in in_pace;
    uint64_t out_since; /* of the last progress outward */
    size_t out_seen;    /* what the transport queued then */
    size_t discarded;
    enum http_method method;
    enum http_version version; /* the client's (server role) */
    enum h1_in in;
    enum h1_out out;
    uint8_t interims;
    bool is_detached;      /* the owner wants or gets no more events */
    bool is_paused;        /* on_data said so */
    bool is_starved;       /* the source said ERR_AGAIN */
    bool is_keep_alive;    /* as far as this message is concerned */
    bool peer_persists;    /* server role: the client means to send more on this connection */
    bool is_tunnel_wanted; /* client role: CONNECT or Upgrade */
    bool is_tunnel;        /* and granted */
    bool is_touched;       /* client role: bytes came after the request */
    bool awaits_continue;  /* server role: the peer waits for a 100 */
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
    size_t counted;   /* bytes of its memory that base/memory.h knows of */
    struct span rest; /* inside the pump: the part of the input not yet parsed */
    struct h1_scan scan;
    uint64_t since; /* the connection's present wait began then */
    enum h1_role role;
    enum h1_state state;
    bool is_pumping;
    bool is_kicked;   /* the pump wants another turn */
    bool is_eof;      /* the peer has closed its direction */
    bool is_partial;  /* between messages: a head has begun to arrive */
    bool is_draining; /* no further request */
    bool is_fresh;    /* no request yet */
    bool is_last;     /* the next request is the last one */
    bool is_cut;      /* writing has failed; only reading goes on */
    bool lingers;     /* FLUSH is followed by LINGER */
    bool is_young;    /* server role: no request has been parsed yet */
    bool is_h2;       /* the client speaks HTTP/2: the transport is handed over */
};

/* ---- h1.c: life ---- */

struct h1 *h1_new(struct transport *transport, const struct h1_settings *settings,
                  const struct h1_events *events, void *owner, enum h1_role role);
/* The transport must be closed. */
void h1_free(struct h1 *h1);
/* After the memory of `in` may have changed. */
void h1_count_input(struct h1 *h1);
struct h1_turn *h1_turn_new(struct h1 *h1, enum h1_in in);
void h1_set_state(struct h1 *h1, enum h1_state next);
void h1_set_in(struct h1_turn *turn, enum h1_in next);
void h1_set_out(struct h1_turn *turn, enum h1_out next);
void h1_drop_trailers(struct h1_turn *turn);
/* The last event of a turn, unless its owner has had or renounced it. */
void h1_say_closed(struct h1_turn *turn, int err);
/* Takes the turn from the connection with a last on_close(err). */
void h1_end_turn(struct h1 *h1, int err);
/* Closes at once: what is corked is still tried, the source dropped. */
void h1_cut(struct h1 *h1);
/* The turn cannot be completed: closes the connection and tells the owner. */
void h1_fail(struct h1 *h1, int err);
/* No more messages: flush, perhaps linger, close. */
void h1_conclude(struct h1 *h1, bool linger);

/* ---- h1_pump.c ---- */

/* Takes the connection for an event; h1_leave() runs the steps, writes, and may free `h1`. */
void h1_enter(struct h1 *h1);
void h1_leave(struct h1 *h1);
/* Asks for a pump outside the present handler. */
void h1_kick(struct h1 *h1);
/* Writes what is corked. 0, or negative: the connection is broken. */
int h1_flush(struct h1 *h1);
/* What h1_flush() or pull_run() found broken. */
void h1_write_failed(struct h1 *h1, int err);
/* Turns reading on or off, as the states want it. */
void h1_set_reading(struct h1 *h1);

/* ---- h1_in.c, h1_out.c: true when something happened, so that the others have another look ----
 */

bool h1_step_in(struct h1 *h1);
bool h1_step_out(struct h1 *h1);
/* Server role, between messages: answers error->status with the owner's page, and closes. */
void h1_refuse(struct h1 *h1, const struct h1_error *error);
/* A request that broke before it was answered: on_close(err), then the refusal. */
void h1_refuse_turn(struct h1 *h1, int err, const struct h1_error *error);
/* The outgoing message is complete. */
void h1_finish_out(struct h1_turn *turn);
/* Puts what was written from outside the pump behind what is corked. */
void h1_release_held(struct h1_turn *turn);

extern const struct stream_ops h1_stream_ops;

/* ---- h1_wait.c: timeouts ---- */

/* Sets the connection's one timeout to whatever it waits for. */
void h1_arm(struct h1 *h1);
/* Acts on the wait that has lasted too long, if there is one. */
void h1_expire(struct h1 *h1);

#endif
