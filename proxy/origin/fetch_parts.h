/*
 * fetch_parts - the inside of a fetch, shared by the files that it is made of:
 *
 * fetch.c           its life, and events of the stream
 * fetch_connect.c   getting a connection, when the disk can keep up
 * fetch_interest.c  whether anybody still needs the response
 * fetch_request.c   the request to the origin
 * fetch_response.c  the response
 * fetch_renew.c     304, and HEAD
 * fetch_copy.c      304 that selects a stored variant
 * fetch_part.c      responses known in parts
 * fetch_mirror.c    redirects, tokens and digests of mirrors
 */
#ifndef LARDER_PROXY_ORIGIN_FETCH_PARTS_H
#define LARDER_PROXY_ORIGIN_FETCH_PARTS_H

#include "proxy/mirror/mirror.h"
#include "proxy/origin/fetch.h"
#include "proxy/origin/target.h"
#include "proxy/origin/upstream.h"

/* The life of a fetch. The second column has the states that may follow. */
#define FETCH_STATES(X)                                                                            \
    X(CONNECT, BIT(FETCH_SEND) | BIT(FETCH_END))                   /* a connection */              \
    X(SEND, BIT(FETCH_CONNECT) | BIT(FETCH_BODY) | BIT(FETCH_END)) /* request out, head awaited */ \
    X(BODY, BIT(FETCH_END))                                        /* the response's body fills */ \
    X(END, 0)

enum fetch_state {
#define X(name, next) FETCH_##name,
    FETCH_STATES(X)
#undef X
};

enum {
    SPOOL_LIMIT_PASS = 256 * 1024,
    SPOOL_LIMIT_STORE = 2 * 1024 * 1024,
    SMALL_MAX = 1024 * 1024, /* smaller responses are fetched as a whole, never in parts */
    PASS_MARK_SECONDS = 120,
};

struct digest;

/* State of a fetch for a mirror (fetch_mirror.c). */
struct fetch_mirror {
    enum mirror_kind kind;
    struct uri at; /* where a redirect, or the request for a token, has led; host.len 0: nowhere */
    int hops;
    struct policy_way way; /* freshness and sharing as limited by the redirects */
    struct span vary;      /* their Vary */
    bool asks_token;       /* the request to `at` is for a token */
    bool may_not; /* the origin refuses it to everybody: do not serve the stored response either */
    bool had_token; /* a token was asked for already, so a further 401 is final */
    struct span token;
    struct buf answer;     /* received part of the token's response */
    struct digest *digest; /* of the body, while it arrives; NULL: not verified */
};

enum { FETCH_ARENA = 2336 }; /* enough for usual heads */

struct fetch {
    struct list link; /* in worker->fetches */
    struct worker *worker;
    struct settings *settings;
    enum fetch_state state;
    struct arena arena;
    struct http_head client; /* the client's request, for policy */
    struct http_head out;    /* the request to the origin */
    struct policy_request policy;
    struct policy_settings rules;
    struct uri uri;
    struct cache_key primary;
    const struct site *site;
    struct ip client_ip;
    const struct user *user;
    fetch_may_ask *may_ask;
    bool shared;
    bool background;    /* no client waits for it */
    bool unconditional; /* a 304 matched nothing stored: repeat without validators */
    bool retried;
    bool unawaited; /* is part of worker->unawaited */
    uint8_t origin; /* index of the site's origin being asked */
    uint64_t asked; /* a bit for each of the site's origins that was chosen so far */
    bool waiting;   /* the flight was not told anything so far */
    bool body_complete;
    bool ask_whole; /* the origin answers ranges badly: fetch the whole and take the claimed piece
                       from it */
    uint64_t skip;  /* bytes of the body before the piece */
    bool cut;       /* the piece ends where another one begins by now */

    struct flight *flight;
    struct object *object; /* the body goes to its spool */
    struct claim claim;    /* the piece that the body is; no base: the body is a whole response */
    bool copying;          /* the body is copied from a stored variant */
    struct object_reader copied;
    size_t promised; /* bytes reserved for the body with memory_begin() */
    struct fetch_link *owner;
    struct decision *decision;
    struct ip *peer;

    struct address_check check;
    struct target_check target;
    struct upstream_job *job;
    struct stream *stream;
    struct policy_times times;
    uint64_t moved_ms; /* when bytes last went to the origin or came from it, by the loop */

    struct fetch_mirror mirror;
    struct fetch_upgrade upgrade;
    struct span websocket_key; /* ours, for a WebSocket client that uses HTTP/2; else empty */
    struct spool *request_body;
    struct http_fields trailers; /* trailers of the request */
    struct spool_reader body_reader;
    struct source body_source;
    struct timeout store_wait; /* until the disk has caught up */
    int store_waits;
    struct letter letter; /* posted by the wakers of both spools */
    atomic_bool body_wake, response_wake;
    int busy; /* inside the letter's call */
    _Alignas(16) char first[FETCH_ARENA];
};
_Static_assert(sizeof(struct fetch) <= 4096, "of the loop's pool, and little is left over");

/* Returns the bytes reserved for the body, for whoever accounts for them from now on. */
static inline size_t fetch_promised(struct fetch *fetch)
{
    size_t promised = fetch->promised;

    fetch->promised = 0;
    return promised;
}

/* ---- fetch.c ---- */

/* Changes the state; checks that it may follow. */
void fetch_set_state(struct fetch *fetch, enum fetch_state next);
/* Posts the letter, because something happened on another thread or inside a handler. */
void fetch_post(struct fetch *fetch);
/* Frees everything. The fetch must not be used any more. */
void fetch_finish(struct fetch *fetch);
/* Ends the fetch without (the rest of) a response. Followers of the flight get the error, or the
 * stale response. */
void fetch_fail(struct fetch *fetch, int status, enum reason reason);
/* Answers with the stale stored response, if that is allowed when the origin fails (RFC 9111
 * 4.2.4); `why` as in flight_publish_stale(). */
bool fetch_use_stale(struct fetch *fetch, enum reason why);

extern const struct stream_events fetch_stream_events;

/* ---- fetch_connect.c ---- */

/* Chooses the next of the site's origins. False: there is no other, or none that is not silent
 * itself, when the one before was silent. */
bool fetch_next_origin(struct fetch *fetch, bool after_silence);
/* Something came from the site's origin that is asked; or nothing, before a timeout. */
void fetch_heard(struct fetch *fetch);
void fetch_heard_nothing(struct fetch *fetch);
/* Gets a connection, a new one if `fresh`, and then sends the request. */
void fetch_connect(struct fetch *fetch, bool fresh);
/* The same for the first time. If the response is to be stored and the disk is behind, waits for
 * it; after a while the response is fetched without being stored. */
void fetch_connect_in_time(struct fetch *fetch);
void fetch_init_store_wait(struct fetch *fetch);
/* Stops waiting for the disk. Does nothing when it does not wait. */
void fetch_end_store_wait(struct fetch *fetch);

/* ---- fetch_interest.c ---- */

/* To be called when a reader or follower left, when the head arrived, and when storing failed: ends
 * the fetch if nobody needs it. The fetch may be freed. */
void fetch_check_interest(struct fetch *fetch);
/* Does anybody need it? If not, nobody can join it any more until the head has arrived. */
bool fetch_is_awaited(struct fetch *fetch);
/* Ends the fetch early, because nobody needs the rest. The received part of a piece is kept. */
void fetch_stop(struct fetch *fetch);

/* ---- fetch_request.c ---- */

bool fetch_is_validating(const struct fetch *fetch);
/* The stored variants that the request offers to the origin (If-None-Match). Returns how many. */
size_t fetch_stored_variants(const struct fetch *fetch,
                             struct policy_stored out[POLICY_STORED_MAX]);
/* The Connection field of the client's request, its lines joined; empty without one. */
struct span fetch_client_connection(struct fetch *fetch);
/* Makes fetch->out, the request to the origin, from the client's request. */
void fetch_make_request(struct fetch *fetch);
/* The connection's protocol cannot be switched: makes fetch->out again without Upgrade, which the
 * origin could otherwise ignore (RFC 9110 7.8). */
void fetch_forget_upgrade(struct fetch *fetch);
/* The request's body as a source, or NULL. */
struct source *fetch_request_body(struct fetch *fetch);
/* Lets the next fetch_request_body() begin with the first byte again. False: it is no longer in
 * memory. */
bool fetch_rewind_body(struct fetch *fetch);

/* ---- fetch_response.c ---- */

/* A 101 arrived. The fetch has ended when this returns. */
void fetch_switch(struct fetch *fetch, const struct http_head *head);
/* A final head arrived. The fetch may have ended when this returns. */
void fetch_response(struct fetch *fetch, const struct http_head *head);
/* Notes for the exchange that the response will not stay in the store, and why. */
void fetch_note_lost(struct fetch *fetch, enum reason why);
/* The object is complete: stores it, or just ends it. */
void fetch_complete(struct fetch *fetch);

/* Notes for the exchange how its request was answered. */
void fetch_note(struct fetch *fetch, int status, enum reason store_reason);
/* Waker for spools. */
void fetch_wake_writer(void *arg);

/* ---- fetch_mirror.c ---- */

static inline bool fetch_is_mirror(const struct fetch *fetch)
{
    return fetch->site && fetch->site->mirror;
}

/* The URL that is being fetched: that of the request, or of the last redirect. */
const struct uri *fetch_asked(const struct fetch *fetch);
/* Is that on a host that the configuration names? */
bool fetch_is_configured(const struct fetch *fetch);
/* The site whose certificates it must match. */
const struct site *fetch_trusts(const struct fetch *fetch);
/* Changes fetch->out into the request for the mirror's origin, or for where it has redirected
 * to. */
void fetch_mirror_request(struct fetch *fetch);
/* A final head arrived. True: it was handled here, and the fetch goes on elsewhere or has ended.
 * False: *response is the response for the client. */
bool fetch_mirror_response(struct fetch *fetch, struct http_head *response);
/* Takes bytes of a token, or of a body that is verified. */
enum stream_flow fetch_mirror_data(struct fetch *fetch, struct span bytes);
/* The verified body has ended. False: the digest is wrong, and the response is broken off. */
bool fetch_mirror_ends(struct fetch *fetch);
/* The stream that was to bring a token has closed. */
void fetch_mirror_token(struct fetch *fetch, int err);
void fetch_mirror_fini(struct fetch *fetch);

/* ---- fetch_renew.c ---- */

/* A 304 to a validation arrived. False: it matches no stored response (RFC 9111 4.3.4). */
bool fetch_confirmed(struct fetch *fetch, const struct http_head *response);
/* Makes the head of the stored response, updated by the new one (RFC 9111 3.2), and its freshness.
 * Returns whether it may be stored, as a reason. */
enum reason fetch_merge(struct fetch *fetch, const struct object *stored,
                        const struct http_head *response, struct http_head *merged,
                        struct freshness *freshness);
/* The response to a HEAD arrived. True: it matches the stored response to GET (RFC 9111 4.3.5),
 * which was updated and is the answer. */
bool fetch_head_renews(struct fetch *fetch, const struct http_head *response);

/* ---- fetch_copy.c ---- */

/* A 304 arrived that selects one of the offered variants: copies it for this request, with the
 * fields of the 304. False: it selects none. */
bool fetch_chose_variant(struct fetch *fetch, const struct http_head *response);
/* Goes on copying. The fetch may have ended when this returns. */
void fetch_copy_on(struct fetch *fetch);

/* ---- fetch_part.c ---- */

/* Adds the Range field for the claimed piece, if there is one. */
void fetch_ask_range(struct fetch *fetch, struct http_fields *fields);

/* What the response to a claim is. */
enum piece_answer {
    PIECE_COMES,     /* the piece: call fetch_take_piece() */
    PIECE_ASK_AGAIN, /* useless: ask for the whole */
    PIECE_OTHER,     /* an ordinary response; the claim was given back */
    PIECE_USELESS,   /* useless, and asking again would not help */
};
enum piece_answer fetch_piece_answer(struct fetch *fetch, const struct http_head *response);
/* Begins to receive the piece. False: it was fetched otherwise meanwhile. */
bool fetch_take_piece(struct fetch *fetch, int status);
/* Gives a claim, if there is one, back because the origin fails. The origin asks for a pause of
 * `wish_ms`; 0: it says nothing. */
void fetch_give_back(struct fetch *fetch, uint64_t wish_ms);
/* The response is a 206, and nothing is stored of it: stores it as a first part. False: pass it
 * on. */
bool fetch_take_first_part(struct fetch *fetch, const struct http_head *response);
/* Turns the complete response that arrives into one known in parts, if that helps, and sets
 * fetch->claim. */
bool fetch_becomes_parts(struct fetch *fetch);
enum stream_flow fetch_piece_data(struct fetch *fetch, struct span bytes);
/* Ends the piece with what has arrived; `err`: the origin broke off. */
void fetch_end_piece(struct fetch *fetch, int err);

#endif
