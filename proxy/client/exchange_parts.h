/*
 * exchange_parts - the inside of an exchange, for the files it is made of: exchange.c (its life),
 * exchange_route.c (ROUTE, and answers made here), exchange_who.c (CHECK), exchange_limits.c
 * (quotas, shares), exchange_cache.c (LOOKUP, AWAIT), exchange_deliver.c (DELIVER),
 * exchange_tunnel.c (TUNNEL), exchange_mirror.c (what mirrors change), exchange_record.c (counters,
 * logs).
 */
#ifndef LARDER_PROXY_CLIENT_EXCHANGE_PARTS_H
#define LARDER_PROXY_CLIENT_EXCHANGE_PARTS_H

#include "proxy/access/auth.h"
#include "proxy/client/connect.h"
#include "proxy/client/exchange.h"
#include "proxy/client/meter.h"
#include "proxy/client/route.h"
#include "proxy/origin/fetch.h"

/* The life of one request, in order. Second column: where it may go from there. */
/* clang-format off */
#define EXCHANGE_STATES(X)                                                                         \
    X(HEAD,    BIT(EX_ROUTE) | BIT(EX_DONE))                      /* the request's head comes   */ \
    X(ROUTE,   BIT(EX_LOOKUP) | BIT(EX_TUNNEL) | BIT(EX_DELIVER) | BIT(EX_CHECK)) /* may they   */ \
    X(CHECK,   BIT(EX_ROUTE) | BIT(EX_DONE))                      /* a password is compared     */ \
    X(LOOKUP,  BIT(EX_READ) | BIT(EX_AWAIT) | BIT(EX_DELIVER))    /* ask the cache              */ \
    X(READ,    BIT(EX_LOOKUP) | BIT(EX_AWAIT) | BIT(EX_DELIVER))  /* the disk brings what it has*/ \
    X(AWAIT,   BIT(EX_LOOKUP) | BIT(EX_DELIVER) | BIT(EX_TUNNEL) | BIT(EX_DONE)) /* its head … */  \
    X(DELIVER, BIT(EX_DONE))                                      /* the client pulls the body  */ \
    X(TUNNEL,  BIT(EX_DELIVER) | BIT(EX_DONE))                    /* CONNECT, Upgrade: both ways*/ \
    X(DONE,    0)
/* clang-format on */

enum exchange_state {
#define X(name, next) EX_##name,
    EXCHANGE_STATES(X)
#undef X
};

enum {
    EXCHANGE_ARENA = 6144,
    ATTEMPTS_MAX = 2, /* flights joined before the request goes alone */
};

struct exchange {
    struct list link;
    struct worker *worker;
    struct client *client;
    struct settings *settings;
    struct stream *stream; /* NULL once closed */
    enum exchange_state state;
    struct arena arena;

    struct http_head request;
    struct uri uri;
    struct uri key; /* under which it is looked for */
    struct span host;
    const struct site *site;
    const struct user *user; /* who asks, of the settings; NULL: not known */
    struct auth_ticket who;  /* while that is found out */
    int who_tries;
    struct meter meter; /* of bytes that count; without an account: none do */
    struct {
        uint64_t used;
        int64_t until;
    } quota;                          /* that is used up */
    struct exchange_rewrite *rewrite; /* of links in what a mirror has; NULL: none */
    struct policy_request policy;
    struct decision decision;
    struct span incident;

    struct lookup lookup;
    int attempts;
    bool alone;
    struct fetch_link fetch;
    struct spool *request_body; /* while the client sends one */
    bool request_ended;

    struct object *object;  /* what is delivered; counted */
    bool evaluate;          /* its conditions and Range are ours to evaluate */
    struct object *useless; /* what could not be delivered and is not to be found again; counted */
    struct piece *asked;    /* of it, claimed last because it was waited for; counted, or NULL */
    bool confirmed;         /* the origin has sent a missing piece of it */
    uint64_t serial;        /* of the response, for its boundary */
    uint64_t hole;          /* where bytes of it were missing last, and how often just there */
    int hole_tries;
    uint64_t hole_since_ms, hole_tried_ms; /* that, and its last try */
    struct timeout hole_pause;             /* until the next one */
    struct object_reader reader;
    struct source *body; /* plays what the reader reads; NULL: not opened */
    struct disk_wait
        waited; /* for the disk, by lookups, by readers of it that are gone, by a fetch */
    struct source_memory page;
    struct connect_tunnel *tunnel;
    struct span upgrade; /* the protocol asked for, which goes on to the origin; else empty */
    struct http_fields trailers; /* behind the body that our own fetch brings */
    struct span trailer_names;   /* as its head announces them */
    struct span trailer_hop;     /* its Connection: which of them are for that hop alone */
    bool is_whole;               /* what is delivered is all of a response, in one piece */
    int status;                  /* sent to the client */
    bool sent;                   /* stream_send() was called */
    bool has_peer;               /* `peer` is set */

    uint64_t started_us;
    struct byte_count counted; /* bytes that the counters have already */

    struct letter letter;
    atomic_bool flight_wake, source_wake, body_wake, who_wake;
    int busy;
    _Alignas(16) char first[EXCHANGE_ARENA];
    /* What is not zeroed with the rest. */
    struct ip peer; /* of whom the origin was asked; unspecified: nobody could be connected to */
};

/* One step of the machine: does what the state asks for and says the next one; its own when it has
 * to wait. */
enum exchange_state exchange_route(struct exchange *x);
enum exchange_state exchange_check(struct exchange *x);
enum exchange_state exchange_lookup(struct exchange *x);
enum exchange_state exchange_read(struct exchange *x);
enum exchange_state exchange_await(struct exchange *x);
enum exchange_state exchange_tunnel(struct exchange *x);
/* A rule of access wants to know who it is. */
enum exchange_state exchange_who(struct exchange *x);
/* The account that counts what this rule lets through, if anything is counted: REASON_NONE, or why
 * it goes no further. */
enum reason exchange_open_account(struct exchange *x, const struct access_rule *rule);
/* The body as it is to be sent: through the meter, or as it is. */
struct source *exchange_metered(struct exchange *x, struct source *body);
/* Bytes from the client. False: it may send no more. */
bool exchange_count_received(struct exchange *x, size_t bytes);
/* Delivers the object (taken over); `evaluate`: conditions and Range are ours to evaluate. */
enum exchange_state exchange_deliver(struct exchange *x, struct object *object, bool evaluate);
/* Sends what is to be delivered, or waits for what is missing of it. */
enum exchange_state exchange_send(struct exchange *x);
/* What our own fetch brings is not what will be delivered, nor are its trailers. */
void exchange_drop_fetch(struct exchange *x);
/* The reader is given up, and how long it has waited is kept. */
void exchange_close_body(struct exchange *x);
/* The decision tells what is known by now of waits for the disk. */
void exchange_note_disk(struct exchange *x);
/* While it is delivered: where the body waits for bytes nobody fetches, they are fetched. False:
 * they cannot be had. */
bool exchange_fill(struct exchange *x);
void exchange_init_pause(struct exchange *x);
/* The origin has given what was missing to this client alone. */
bool exchange_is_alone(const struct exchange *x);

/* The client's bytes are taken for another protocol from now on, which the origin may agree to. */
void exchange_prepare_tunnel(struct exchange *x);
/* It has: of struct fetch_link. */
void exchange_on_upgrade(struct fetch_link *link, const struct http_head *head,
                         struct stream *origin);
/* Closes the client's connection, or resets its stream, and ends. */
void exchange_give_up(struct exchange *x);

/* Its head has come and it has ended: counts it, logs it, and remembers it for the dashboard. The
 * decision and its ending are set. Once. */
void exchange_record(struct exchange *x);

/* Whom the origin was asked of is noted there from now on. */
struct ip *exchange_peer(struct exchange *x);
/* Asks the origin. `linked`: the exchange hears of it; `claim` (taken over) or NULL. */
void exchange_fetch(struct exchange *x, struct flight *flight, bool shared, bool linked,
                    const struct claim *claim);
/* Asks it for this request only. */
enum exchange_state exchange_go_alone(struct exchange *x);

/* Sends the response and goes on with DELIVER. */
enum exchange_state exchange_reply(struct exchange *x, const struct http_head *head,
                                   struct source *body);
/* The same with an error made here; `what` is a sentence for people, or NULL: the reason's. */
enum exchange_state exchange_refuse(struct exchange *x, int status, enum reason reason,
                                    const char *what);

/* A head for what is answered here, but for what it is; and the answer. */
void exchange_begin_answer(struct exchange *x, struct span body, enum reason reason,
                           struct http_head *head);
enum exchange_state exchange_send_answer(struct exchange *x, struct http_head *head,
                                         struct span body);

/* ---- exchange_mirror.c ---- */

/* Its path, or empty. */
struct span exchange_mirror(const struct exchange *x);
/* "Is there a registry?" (OCI distribution, end-1). */
enum exchange_state exchange_answer_ping(struct exchange *x);
/* What is to be sent as it is for a client whose links it gets: the head after respond_object(),
 * and the body. Both as they are, where nothing is rewritten. */
bool exchange_is_rewritten(const struct exchange *x);
void exchange_rewrite_head(struct exchange *x, struct http_head *head);
struct source *exchange_rewrite_body(struct exchange *x, struct source *body);
/* The request as the mirror's origin is to have it. */
void exchange_prepare_mirror(struct exchange *x, const struct route *route);

/* Wakers, for flights and spools: from any thread, with their locks held. */
void exchange_wake_flight(void *arg);
void exchange_wake_source(void *arg);

#endif
