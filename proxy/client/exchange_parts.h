/*
 * exchange_parts - the inside of an exchange, shared by the files that it is made of:
 *
 * exchange.c          its life
 * exchange_route.c    ROUTE, and answers made here
 * exchange_who.c      CHECK
 * exchange_limits.c   quotas and shares
 * exchange_cache.c    LOOKUP, READ, AWAIT
 * exchange_deliver.c  DELIVER
 * exchange_tunnel.c   TUNNEL
 * exchange_mirror.c   what is different for mirrors
 * exchange_record.c   counters and logs
 */
#ifndef LARDER_PROXY_CLIENT_EXCHANGE_PARTS_H
#define LARDER_PROXY_CLIENT_EXCHANGE_PARTS_H

#include "proxy/access/auth.h"
#include "proxy/client/connect.h"
#include "proxy/client/exchange.h"
#include "proxy/client/meter.h"
#include "proxy/client/route.h"
#include "proxy/origin/fetch.h"

/* The life of one request, in order. The second column has the states that may follow. */
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
    struct list row; /* LOOKUP: of those that look up together; `lookup` is named */
    struct worker *worker;
    struct client *client;
    struct settings *settings;
    struct stream *stream; /* NULL once closed */
    enum exchange_state state;
    struct arena arena;

    struct http_head request;
    struct uri uri;
    struct uri key; /* URL that the cache key is made from */
    struct span host;
    const struct site *site;
    const struct user *user; /* who has authenticated; part of the settings; NULL: nobody */
    struct auth_ticket who;  /* while a password is being checked */
    int who_tries;
    struct meter meter; /* counts bytes for an account; without an account it does nothing */
    struct {
        uint64_t used;
        int64_t until;
    } quota;                          /* the quota that is used up */
    struct exchange_rewrite *rewrite; /* of links in a mirror's documents; NULL: none */
    struct policy_request policy;
    struct decision decision;
    struct span incident;

    struct lookup lookup;
    struct flight *failed; /* was waited for in vain; counted, or NULL */
    int attempts;
    bool alone;
    struct fetch_link fetch;
    struct spool *request_body; /* while the client is sending one */
    bool request_ended;
    bool request_cut; /* its rest is not taken, as the quota is used up */

    struct object *object;  /* the object being delivered; counted */
    bool evaluate;          /* conditions and Range are evaluated here */
    struct object *useless; /* could not be delivered, and must not be found again; counted */
    struct piece *asked;    /* piece of `object` claimed last, because this exchange waits for it;
                               counted, or NULL */
    bool confirmed;         /* the origin has sent a missing piece of `object` */
    uint64_t serial;        /* number of the response, for its multipart boundary */
    uint64_t hole;          /* offset of the last missing byte that was fetched */
    int hole_tries;         /* how often it was fetched in a row */
    uint64_t hole_since_ms; /* when it was found to be missing */
    uint64_t hole_tried_ms; /* when it was fetched last */
    struct timeout hole_pause; /* until the next try */
    struct object_reader reader;
    struct source *body;     /* what is sent, read through `reader`; NULL: not opened */
    struct disk_wait waited; /* by lookups, closed readers and the fetch */
    struct source_memory page;
    struct connect_tunnel *tunnel;
    struct span upgrade;         /* protocol to switch to, as sent to the origin; else empty */
    struct http_fields trailers; /* trailers of the body that our own fetch brings */
    struct span trailer_names;   /* names of trailers that the response head announces */
    struct span trailer_hop;     /* Connection of that head: trailers for that hop only */
    bool is_whole;               /* the whole response is delivered, in one piece */
    int status;                  /* sent to the client */
    bool sent;                   /* stream_send() was called */
    bool has_peer;               /* `peer` is set */

    uint64_t started_us;
    struct byte_count counted; /* bytes that were added to the counters already */

    struct letter letter;
    atomic_bool flight_wake, source_wake, body_wake, who_wake;
    int busy;
    _Alignas(16) char first[EXCHANGE_ARENA];
    /* Not zeroed when an exchange is reused: */
    struct ip peer; /* origin's address; unspecified: no connection was made */
};

/* The steps of the state machine. Each does the work of its state and returns the next state, or
 * its own when it has to wait. */
enum exchange_state exchange_route(struct exchange *x);
enum exchange_state exchange_check(struct exchange *x);
enum exchange_state exchange_lookup(struct exchange *x);
/* cache_name() of its lookup. */
void exchange_name(struct exchange *x);
/* Removes it from worker->row. False: it was not in it. */
bool exchange_leave_row(struct exchange *x);
enum exchange_state exchange_read(struct exchange *x);
enum exchange_state exchange_await(struct exchange *x);
enum exchange_state exchange_tunnel(struct exchange *x);
/* An access rule needs to know the user: authenticates it, or asks for a password. */
enum exchange_state exchange_who(struct exchange *x);
/* Opens the account that this rule counts bytes for, if it has limits. Returns REASON_NONE, or why
 * the request is refused. */
enum reason exchange_open_account(struct exchange *x, const struct access_rule *rule);
/* The body to send: metered if there is an account, else the same. */
struct source *exchange_metered(struct exchange *x, struct source *body);
/* Counts bytes from the client. False: the quota is used up, and they go no further. */
bool exchange_count_received(struct exchange *x, size_t bytes);
/* Delivers an object, which is taken over. `evaluate`: conditions and Range are evaluated here. */
enum exchange_state exchange_deliver(struct exchange *x, struct object *object, bool evaluate);
/* Sends the response, or waits for bytes of it that are missing. */
enum exchange_state exchange_send(struct exchange *x);
/* Ignores what our own fetch brings from now on: it is not what is delivered. */
void exchange_drop_fetch(struct exchange *x);
/* Closes the reader, and adds up how long it has waited for the disk. */
void exchange_close_body(struct exchange *x);
/* Updates the decision's wait for the disk. */
void exchange_note_disk(struct exchange *x);
/* While delivering: if the body waits for bytes that nobody fetches, fetches them. False: they
 * cannot be fetched. */
bool exchange_fill(struct exchange *x);
void exchange_init_pause(struct exchange *x);
/* Was a missing part fetched for this client alone? */
bool exchange_is_alone(const struct exchange *x);

/* Before an Upgrade: the client's bytes go into a tunnel from now on. The origin may still
 * refuse. */
void exchange_prepare_tunnel(struct exchange *x);
/* The origin has accepted the Upgrade. Called by struct fetch_link. */
void exchange_on_upgrade(struct fetch_link *link, const struct http_head *head,
                         struct stream *origin);
/* Closes the client's connection, or resets its HTTP/2 stream, and ends the exchange. */
void exchange_give_up(struct exchange *x);

/* Counts and logs the exchange, and remembers it for the dashboard. To be called once, at its end,
 * with the decision and its ending set. */
void exchange_record(struct exchange *x);

/* Where to note the origin's address. */
struct ip *exchange_peer(struct exchange *x);
/* Starts to fetch a claimed piece. `linked`: the exchange receives the events of the fetch. `claim`
 * is taken over. */
void exchange_fetch_piece(struct exchange *x, struct flight *flight, const struct claim *claim,
                          bool linked);
/* Starts a fetch for this request only. */
enum exchange_state exchange_go_alone(struct exchange *x);

/* Sends a response and goes on with DELIVER. */
enum exchange_state exchange_reply(struct exchange *x, const struct http_head *head,
                                   struct source *body);
/* Sends an error page. `what` is a sentence for people; NULL: the text of the reason. */
enum exchange_state exchange_refuse(struct exchange *x, int status, enum reason reason,
                                    const char *what);

/* Makes the head of an answer made here, without status and content type; and sends the answer. */
void exchange_begin_answer(struct exchange *x, struct span body, enum reason reason,
                           struct http_head *head);
enum exchange_state exchange_send_answer(struct exchange *x, struct http_head *head,
                                         struct span body);

/* ---- exchange_mirror.c ---- */

/* Path of the mirror, or empty. */
struct span exchange_mirror(const struct exchange *x);
/* Answers "is there a registry?" (OCI distribution, end-1). */
enum exchange_state exchange_answer_ping(struct exchange *x);
/* Are links rewritten in this response? The other two rewrite the head (after respond_object()) and
 * the body, or leave them as they are. */
bool exchange_is_rewritten(const struct exchange *x);
void exchange_rewrite_head(struct exchange *x, struct http_head *head);
struct source *exchange_rewrite_body(struct exchange *x, struct source *body);
/* Changes the request into the one for the mirror's origin. */
void exchange_prepare_mirror(struct exchange *x, const struct route *route);

/* Wakers for flights and spools. Called from any thread, with their locks held. */
void exchange_wake_flight(void *arg);
void exchange_wake_source(void *arg);

#endif
