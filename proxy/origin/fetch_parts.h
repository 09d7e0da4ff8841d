/*
 * fetch_parts - the inside of a fetch, for the files it is made of: fetch.c (its life, the stream's
 * events), fetch_connect.c (a connection, in time), fetch_request.c (what is asked of the origin),
 * fetch_response.c (what comes back), fetch_part.c (responses known in parts), fetch_mirror.c
 * (redirects, tokens, digests).
 */
#ifndef LARDER_PROXY_ORIGIN_FETCH_PARTS_H
#define LARDER_PROXY_ORIGIN_FETCH_PARTS_H

#include "proxy/mirror/mirror.h"
#include "proxy/origin/fetch.h"
#include "proxy/origin/target.h"
#include "proxy/origin/upstream.h"

/* The life of a fetch. Second column: where it may go from there. */
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
    SMALL_MAX = 1024 * 1024, /* a response up to here is asked for, and waited for, as a whole */
    PASS_MARK_SECONDS = 120,
};

struct digest;

/* What a fetch for a mirror does beside others (fetch_mirror.c). */
struct fetch_mirror {
    enum mirror_kind kind;
    struct uri at; /* where a redirect, or the way to a token, has led; host.len 0: nowhere */
    int hops;
    struct policy_way way; /* what they said of how long it is good, and for whom */
    struct span vary;      /* and by what it is chosen */
    bool asks_token;       /* `at` gives tokens: what comes is one */
    bool may_not;          /* the origin gives it to nobody: not what is stored, either */
    bool had_token;        /* one was asked for: a 401 stays one */
    struct span token;
    struct buf answer;     /* the token's, as far as it has come */
    struct digest *digest; /* of the body that comes; NULL: not checked */
};

enum { FETCH_ARENA = 2400 }; /* for usual heads */

struct fetch {
    struct list link; /* of the worker's fetches */
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
    bool background;    /* nobody asked for it to be delivered */
    bool unconditional; /* a 304 matched nothing stored: ask again without validators */
    bool retried;
    bool unawaited; /* counted as such */
    size_t origin;  /* of the site's, the one being asked */
    bool waiting;   /* the flight has not been told anything yet */
    bool body_complete;
    bool ask_whole; /* the origin has no good answer to a range: the whole, of which the claimed
                       piece is taken */
    uint64_t skip;  /* bytes of the answer before the piece */
    bool cut;       /* the piece is at the end that somebody gave it meanwhile */

    struct flight *flight;
    struct object *object; /* its spool takes the body in */
    struct claim claim;    /* of which the body is a piece; without a base: it is none */
    bool copying;          /* the body comes from a stored variant */
    struct object_reader copied;
    size_t promised; /* bytes of memory_begin(), for the body */
    struct fetch_link *owner;
    struct decision *decision;
    struct ip *peer;

    struct address_check check;
    struct target_check target;
    struct upstream_job *job;
    struct stream *stream;
    struct policy_times times;

    struct fetch_mirror mirror;
    struct fetch_upgrade upgrade;
    struct span websocket_key; /* made here, for a client of HTTP/2; else empty */
    struct spool *request_body;
    struct http_fields trailers; /* behind it */
    struct spool_reader body_reader;
    struct source body_source;
    struct timeout store_wait; /* for a disk that is behind */
    int store_waits;
    struct letter letter; /* posted by wakers of either spool */
    atomic_bool body_wake, response_wake;
    int busy; /* in the letter's call */
    _Alignas(16) char first[FETCH_ARENA];
};
_Static_assert(sizeof(struct fetch) <= 4096, "of the loop's pool, and little is left over");

/* What was promised, for whoever takes it over. */
static inline size_t fetch_promised(struct fetch *fetch)
{
    size_t promised = fetch->promised;

    fetch->promised = 0;
    return promised;
}

/* ---- fetch.c ---- */

/* The one setter: checks that the state may follow. */
void fetch_set_state(struct fetch *fetch, enum fetch_state next);
/* Asks the letter to be called: something happened on another thread, or inside a handler. */
void fetch_post(struct fetch *fetch);
/* Everything is given back; the fetch must not be touched any more. */
void fetch_finish(struct fetch *fetch);
/* Ends it without (the rest of) a response: members see the failure, or the stale response. */
void fetch_fail(struct fetch *fetch, int status, enum reason reason);
/* The stored response stands in for an origin that failed, if it may (RFC 9111 4.2.4). */
bool fetch_use_stale(struct fetch *fetch);

extern const struct stream_events fetch_stream_events;

/* ---- fetch_connect.c ---- */

/* Takes a connection, a new one if `fresh`; the request goes out when it is there. */
void fetch_connect(struct fetch *fetch, bool fresh);
/* The same, for the first time: what would be stored is asked for when the disk can take it, or at
 * last without that. */
void fetch_connect_in_time(struct fetch *fetch);
void fetch_init_store_wait(struct fetch *fetch);
/* Harmless when it does not wait. */
void fetch_end_store_wait(struct fetch *fetch);

/* ---- fetch_interest.c ---- */

/* Called when a reader or a member has left, when the head has come, and when storing failed. The
 * fetch may be finished by it. */
void fetch_check_interest(struct fetch *fetch);
/* Whether somebody would miss it. If not, nobody joins it any more, until a head has come. */
bool fetch_is_awaited(struct fetch *fetch);
/* Nobody needs the rest. What is there of a piece is good. */
void fetch_stop(struct fetch *fetch);

/* ---- fetch_request.c ---- */

bool fetch_is_validating(const struct fetch *fetch);
/* The variants for the origin to choose from; how many. */
size_t fetch_stored_variants(const struct fetch *fetch,
                             struct policy_stored out[POLICY_STORED_MAX]);
/* What Connection of the client's request lists, lines joined; empty without one. */
struct span fetch_client_connection(struct fetch *fetch);
/* Writes fetch->out from the client's request. */
void fetch_make_request(struct fetch *fetch);
/* The origin speaks nothing in which it could change to another protocol. As it might ignore
 * Upgrade, it is not told of it (RFC 9110 7.8): fetch->out is written anew without. */
void fetch_forget_upgrade(struct fetch *fetch);
/* The client's body as a source, or NULL. */
struct source *fetch_request_body(struct fetch *fetch);
/* The next fetch_request_body() begins at the first byte again. False: that has left memory. */
bool fetch_rewind_body(struct fetch *fetch);

/* ---- fetch_response.c ---- */

/* A 101 arrived. The fetch is over when this returns. */
void fetch_switch(struct fetch *fetch, const struct http_head *head);
/* A final head arrived. The fetch may be over when this returns. */
void fetch_response(struct fetch *fetch, const struct http_head *head);
/* The client's request is told that a response meant for the store does not stay there. */
void fetch_note_lost(struct fetch *fetch, enum reason why);
/* The object is whole: kept, or just ended. */
void fetch_complete(struct fetch *fetch);

/* Tells the exchange what became of its request here. */
void fetch_note(struct fetch *fetch, int status, enum reason store_reason);
/* A waker for spools. */
void fetch_wake_writer(void *arg);

/* ---- fetch_mirror.c ---- */

static inline bool fetch_is_mirror(const struct fetch *fetch)
{
    return fetch->site && fetch->site->mirror;
}

/* What is asked now: the request's URL, or where redirects have led. */
const struct uri *fetch_asked(const struct fetch *fetch);
/* It is a place that the configuration names. */
bool fetch_is_configured(const struct fetch *fetch);
/* Who must answer for it. */
const struct site *fetch_trusts(const struct fetch *fetch);
/* fetch->out as the mirror's origin, or who stands in for it, is to have it. */
void fetch_mirror_request(struct fetch *fetch);
/* A final head has come. True: it was not for anybody but us, and the fetch goes on elsewhere or
 * is over. Else *response is what comes for the client. */
bool fetch_mirror_response(struct fetch *fetch, struct http_head *response);
/* Bytes of a token, or of a body that is checked. */
enum stream_flow fetch_mirror_data(struct fetch *fetch, struct span bytes);
/* The checked body has ended. False: it is another one; it is broken off. */
bool fetch_mirror_ends(struct fetch *fetch);
/* The stream is gone that was to bring a token. */
void fetch_mirror_token(struct fetch *fetch, int err);
void fetch_mirror_fini(struct fetch *fetch);

/* ---- fetch_renew.c ---- */

/* A 304 to a validation. False when it confirms nothing that is stored (RFC 9111 4.3.4). */
bool fetch_confirmed(struct fetch *fetch, const struct http_head *response);
/* The head of a stored response under the fields of the answer, and its freshness; why it may be
 * stored, or not. */
enum reason fetch_merge(struct fetch *fetch, const struct object *stored,
                        const struct http_head *response, struct http_head *merged,
                        struct freshness *freshness);
/* The answer to a HEAD, compared with the stored response to GET (RFC 9111 4.3.5): true when it
 * confirms it, and what is stored answers under the new fields. */
bool fetch_head_renews(struct fetch *fetch, const struct http_head *response);

/* ---- fetch_copy.c ---- */

/* A 304 to a request that offered variants: the one it names is copied, for this request's
 * selection under the fields of the 304. False when it names none. */
bool fetch_chose_variant(struct fetch *fetch, const struct http_head *response);
/* There is more to copy, or room for it again. The fetch may be over when this returns. */
void fetch_copy_on(struct fetch *fetch);

/* ---- fetch_part.c ---- */

/* Adds the Range to ask for, if there is one. */
void fetch_ask_range(struct fetch *fetch, struct http_fields *fields);

/* What the answer to a claim is. */
enum piece_answer {
    PIECE_COMES,     /* the piece: fetch_take_piece() */
    PIECE_ASK_AGAIN, /* of no use to anybody: ask for the whole */
    PIECE_OTHER,     /* a response like any other; the claim is given back */
    PIECE_USELESS,   /* of no use to anybody, nor is any other answer */
};
enum piece_answer fetch_piece_answer(struct fetch *fetch, const struct http_head *response);
/* False: it has come in another way meanwhile, and is not needed any more. */
bool fetch_take_piece(struct fetch *fetch);
/* Nothing comes of the claim, if there is one, because of a trouble at the origin, which wishes for
 * a pause of `wish_ms`, or (0) says nothing. */
void fetch_give_back(struct fetch *fetch, uint64_t wish_ms);
/* The response is a 206 and the first that is known of the whole. False: it is to be passed on. */
bool fetch_take_first_part(struct fetch *fetch, const struct http_head *response);
/* The whole response that arrives becomes one that is known in parts, if that helps: fetch->claim
 * is set. */
bool fetch_becomes_parts(struct fetch *fetch);
enum stream_flow fetch_piece_data(struct fetch *fetch, struct span bytes);
/* The piece ends with what is there; err: the origin broke off. */
void fetch_end_piece(struct fetch *fetch, int err);

#endif
