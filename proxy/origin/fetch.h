/*
 * fetch - the origin half: one request to an origin, whose response fills a flight. Belongs to one
 * loop; owns itself and ends by itself, with or without an exchange that waits.
 *
 * The exchange that started it may hold a link to hear interim responses; everything else it
 * learns through the flight and the object's body.
 */
#ifndef LARDER_PROXY_ORIGIN_FETCH_H
#define LARDER_PROXY_ORIGIN_FETCH_H

#include "cache/claim.h"
#include "cache/disk_wait.h"
#include "proxy/stream/stream.h"
#include "proxy/worker.h"

struct fetch;

/* The exchange's end of the link. */
struct fetch_link {
    struct fetch *fetch; /* NULL once the fetch is over */
    /* Of the owner: how long the request was held back because the disk was behind. Or NULL. */
    struct disk_wait *waited;
    /* A 1xx other than 101 arrived. */
    void (*on_interim)(struct fetch_link *link, const struct http_head *head);
    /* The head of the response whose body follows, as it came; and what came behind its body,
     * before that ends. Neither is for anybody else. Valid during the call. */
    void (*on_response)(struct fetch_link *link, const struct http_head *head);
    void (*on_trailers)(struct fetch_link *link, const struct http_fields *trailers);
    /* The origin has changed its connection to the protocol that was asked for: `origin` is a
     * tunnel by now and the callee's, who binds it before returning; the head is valid during the
     * call. The fetch is over, and the flight says nothing more. */
    void (*on_upgrade)(struct fetch_link *link, const struct http_head *head,
                       struct stream *origin);
};

/* What is asked for beside a response: RFC 9110 7.8. */
struct fetch_upgrade {
    struct span protocol;       /* empty: nothing; else lives as long as the fetch */
    struct source *from_client; /* what goes to the origin once it has changed over */
};

struct user;

/* Who a fetch is for: may they ask for this, too? Pure; called by the fetch's own loop. */
struct fetch_asker {
    const struct settings *settings;
    const struct user *user; /* of the settings, or NULL */
    const struct ip *client;
    const struct http_head *request;
    int64_t now; /* seconds since 1970 */
};
typedef bool fetch_may_ask(const struct fetch_asker *asker, const struct uri *uri);

struct fetch_order {
    struct worker *worker;
    struct settings *settings;           /* those `site` is of; a reference is taken */
    const struct http_head *request;     /* the client's, hop-by-hop fields and all; copied */
    const struct policy_request *policy; /* copied */
    const struct uri *uri;               /* copied */
    const struct site *site;             /* NULL: the origin is the URI's */
    const struct cache_key *primary;     /* copied; unused when `shared` is false */
    struct flight *flight;               /* a reference is taken */
    const struct claim *claim;           /* the piece to fetch, taken over, or NULL */
    bool shared;                         /* the flight is in the table: the response may be kept */
    struct spool *body;                  /* the request's body or NULL; a reference is taken */
    struct ip client;
    const struct user *user; /* of the settings, or NULL */
    fetch_may_ask *may_ask;  /* of where redirects lead; NULL: nobody is asked */
    struct fetch_upgrade upgrade;
    struct fetch_link *link;   /* or NULL: in the background */
    struct decision *decision; /* borrowed with the link: filled while it holds */
    struct ip *peer;           /* the same: the address of whom it was connected to last */
};

void fetch_start(const struct fetch_order *order);

/* Behind the request's body, before that ends; copied. */
void fetch_trailers(struct fetch *fetch, const struct http_fields *trailers);

/* The exchange leaves. The fetch goes on if somebody else waits or the response is worth keeping.
 */
void fetch_unlink(struct fetch_link *link);

/* Ends all of a worker's fetches now, failing their flights: when it must stop. */
void fetch_abort_all(struct worker *worker);
/* The same for those that nobody waits for, be it a client of another worker: when it has no client
 * left. Whether others are under way still. */
bool fetch_abort_unawaited(struct worker *worker);

#endif
