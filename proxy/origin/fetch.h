/*
 * fetch - one request to an origin, whose response fills a flight. Belongs to one loop. Owns itself
 * and ends by itself, whether or not an exchange waits for it.
 *
 * The exchange that started it may hold a link, for interim responses and trailers; everything else
 * it learns from the flight and the object's body.
 */
#ifndef LARDER_PROXY_ORIGIN_FETCH_H
#define LARDER_PROXY_ORIGIN_FETCH_H

#include "cache/claim.h"
#include "cache/disk_wait.h"
#include "proxy/stream/stream.h"
#include "proxy/worker.h"

struct fetch;

/* The link of the exchange to its fetch. */
struct fetch_link {
    struct fetch *fetch; /* NULL once the fetch has ended */
    /* Where to add how long the request was held back because the disk was behind; or NULL. */
    struct disk_wait *waited;
    /* An interim response (1xx, but not 101) arrived. */
    void (*on_interim)(struct fetch_link *link, const struct http_head *head);
    /* The head of the response whose body follows, unchanged; and the trailers, before the body
     * ends. Only for the linked exchange. Valid during the call. */
    void (*on_response)(struct fetch_link *link, const struct http_head *head);
    void (*on_trailers)(struct fetch_link *link, const struct http_fields *trailers);
    /* The origin has switched protocols. `origin` is a tunnel now and belongs to the callee, who
     * must bind it before returning. The head is valid during the call. The fetch has ended, and
     * the flight stays silent. */
    void (*on_upgrade)(struct fetch_link *link, const struct http_head *head,
                       struct stream *origin);
};

/* A request to switch protocols (RFC 9110 7.8). */
struct fetch_upgrade {
    struct span protocol;       /* empty: none; must live as long as the fetch */
    struct source *from_client; /* the client's bytes, sent to the origin once it has switched */
};

struct user;

/* For whom a fetch is made, so that it can ask whether they may follow a redirect. The function is
 * pure and is called on the fetch's loop. */
struct fetch_asker {
    const struct settings *settings;
    const struct user *user; /* part of the settings, or NULL */
    const struct ip *client;
    const struct http_head *request;
    int64_t now; /* seconds since 1970 */
};
typedef bool fetch_may_ask(const struct fetch_asker *asker, const struct uri *uri);

struct fetch_order {
    struct worker *worker;
    struct settings *settings;       /* the settings that `site` is part of; a reference is taken */
    const struct http_head *request; /* as the client sent it, with hop-by-hop fields; copied */
    const struct policy_request *policy; /* copied */
    const struct uri *uri;               /* copied */
    const struct site *site;             /* NULL: the origin is named by the URI */
    const struct cache_key *primary;     /* copied; not used when `shared` is false */
    struct flight *flight;               /* a reference is taken */
    const struct claim *claim;           /* the missing piece to fetch; taken over; or NULL */
    bool shared;        /* the flight is in the table, so the response may be stored */
    struct spool *body; /* body of the request, or NULL; a reference is taken */
    struct ip client;
    const struct user *user; /* of the settings, or NULL */
    fetch_may_ask *may_ask;  /* asked about redirects; NULL: all are allowed */
    struct fetch_upgrade upgrade;
    struct fetch_link *link;   /* NULL: a background fetch */
    struct decision *decision; /* filled in while the link exists; borrowed until then */
    struct ip *peer;           /* address of the last connection; borrowed likewise */
};

void fetch_start(const struct fetch_order *order);

/* Trailers of the request, to be given before its body ends. Copied. */
void fetch_trailers(struct fetch *fetch, const struct http_fields *trailers);

/* The exchange goes away. The fetch goes on if others wait for it, or if the response is worth
 * storing. */
void fetch_unlink(struct fetch_link *link);

/* Where requests are refused because memory is short: gives up a few whose origins have said
 * nothing for some seconds. False: there is none among those that were looked at. */
bool fetches_yield_memory(struct worker *worker);

/* Aborts all fetches of a worker that must stop. Their flights fail. */
void fetch_abort_all(struct worker *worker);
/* The same, once the worker has no clients, for fetches that no client of any worker waits for.
 * Returns whether fetches are left. */
bool fetch_abort_unawaited(struct worker *worker);

#endif
