/*
 * cache - the public face of the cache: looks up requests, shares one fetch among requests for the
 * same resource, stores responses, and removes what was invalidated. Thread-safe. Does no network
 * I/O.
 *
 * cache_lookup() answers a request with an object, with a flight to wait for, or with the duty to
 * fetch. Whoever leads a flight calls cache_admit() when the response head has arrived, and then
 * exactly one of cache_commit(), cache_update(), cache_discard() and cache_abandon(); without a
 * response, cache_fail(). Responses known in parts are in cache/claim.h, purges in cache/purge.h.
 */
#ifndef LARDER_CACHE_CACHE_H
#define LARDER_CACHE_CACHE_H

#include "cache/partial.h"
#include "cache/purge.h"
#include "cache/table.h"

struct cache;

struct cache_options {
    const struct store_dir *dirs; /* one for each disk */
    size_t dir_count;             /* 0: the cache is in memory only */
    enum s3_favor favor;          /* which objects stay when the store is full */
    uint64_t memory;              /* bytes; the limit of base/memory.h, for the whole process */
    uint64_t object_max; /* bytes; larger responses are not stored; 0: only the store limits them */
    /* Set if an older process may still use the folders: the secret of its store. If it does, the
     * cache begins without a store, and cache_open_late() opens it. */
    const struct sip_key *late;
};

/* Returns 0, or the error of the store, with *out NULL. ERR_BUSY: another process uses a folder,
 * and `late` is NULL. */
int cache_open(const struct cache_options *options, struct cache **out);
/* Opens the store after the older process has released it. What it stored is found from now on,
 * except what has changed here since. Returns 0; ERR_BUSY: the folders are still in use; or another
 * error, after which the cache stays without a store. Only for the thread that opened the cache;
 * others may use it meanwhile. */
int cache_open_late(struct cache *cache);
/* Changes object_max for future responses. Only for the thread that opened the cache. */
void cache_set_object_max(struct cache *cache, uint64_t wanted);
/* Is cache_open_late() still to be called? */
bool cache_is_late(const struct cache *cache);
/* The same, and have stored responses changed that only this process knows of? Then a store opened
 * by another process would serve outdated ones. */
bool cache_is_late_and_changed(const struct cache *cache);
/* Commits what is complete and releases the folders for another process. Nobody may use the cache
 * or its objects any more, except cache_close(). */
void cache_let_go(struct cache *cache);
/* The secret that cache keys are hashed with. */
const struct sip_key *cache_secret(const struct cache *cache);
/* Commits what is complete and frees the cache. No flight may be in progress. Accepts NULL; sets
 * *cache to NULL. */
void cache_close(struct cache **cache);

/* ---- for requests ---- */

enum cache_result {
    CACHE_FRESH,   /* lookup->object is the answer */
    CACHE_STALE,   /* lookup->object is the answer; if lookup->lead, also validate it in the
                      background, with a GET */
    CACHE_LEAD,    /* fetch; if lookup->object is set, validate it */
    CACHE_FOLLOW,  /* wait for the flight */
    CACHE_ALONE,   /* fetch for this request only */
    CACHE_REFUSED, /* only-if-cached, and nothing usable is stored: answer 504 */
    CACHE_COLD,    /* it is on disk: wait for lookup_is_ready(), then call cache_lookup_on() */
};

/* One lookup and what it holds. Part of the exchange. */
struct lookup {
    struct cache_key primary;
    struct cache_key key;        /* under which the response to this request would be stored */
    struct object *object;       /* counted; NULL: nothing usable was found */
    struct flight_member member; /* in the flight that was joined or is led */
    struct flight_mark mark;     /* state of the URL when the lookup began */
    struct cold cold;            /* reads of the disk that it waits for */
    int tries;                   /* how often something changed while it looked */
    bool lead;                   /* this caller has to feed the flight */
    bool from_memory;            /* the object was in memory */
};

/* What to look up. Borrowed during the call. */
struct cache_query {
    const struct http_head *request;
    const struct policy_request *policy; /* policy->lookup must be true */
    const struct uri *uri;
    struct span zone;
    int64_t now;
    bool alone;             /* join no flight, except to validate in the background */
    bool peek;              /* change nothing: the object neither becomes hot nor counts as used */
    struct object *useless; /* was found before, but could not be delivered; or NULL */
    struct flight *failed;  /* was waited for before, and has failed; or NULL */
    struct waker waker;     /* called when the flight changes, and when the disk was read */
    struct arena *arena;    /* holds the keys */
};

/* Looks up a request. Sets outcome, reason, age and lifetime of `decision` as far as they are
 * known. Whatever the result, call lookup_fini() afterwards. */
enum cache_result cache_lookup(struct cache *cache, const struct cache_query *query,
                               struct lookup *lookup, struct decision *decision);
/* The same in two steps: cache_name() sets lookup->primary, cache_lookup_on() looks it up. Other
 * lookups may be named and done in between. */
void cache_name(struct cache *cache, const struct cache_query *query, struct lookup *lookup);
/* Prefetch what a named lookup will read (base/prefetch.h): to be called when it is the next but
 * one, and when it is the next. */
void cache_prefetch_soon(struct cache *cache, const struct lookup *lookup);
void cache_prefetch_next(struct cache *cache, const struct lookup *lookup);
/* After CACHE_COLD and a call of the waker: has the disk been read? */
bool lookup_is_ready(const struct lookup *lookup);
/* Looks up what was named, or looks up again with what was read from the disk. The result may be
 * CACHE_COLD again. */
enum cache_result cache_lookup_on(struct cache *cache, const struct cache_query *query,
                                  struct lookup *lookup, struct decision *decision);
/* Gives up the object, the membership in the flight, and what was read. */
void lookup_fini(struct lookup *lookup);

/* May this follower of a flight use its response? False if Vary selects another one for it (RFC
 * 9111 4.1). */
bool cache_shares(struct cache *cache, const struct lookup *lookup, const struct object *object,
                  const struct http_fields *request, struct arena *arena);

/* ---- for fetches ---- */

/* A response head, and what the fetch knows about it. */
struct admission {
    const struct cache_key *primary;
    const struct http_head *request; /* as the client sent it */
    const struct http_head *response;
    const struct http_fields *fields; /* fields to store */
    const struct freshness *freshness;
    bool store;          /* policy allows storing it */
    size_t promised;     /* bytes reserved with memory_begin(); taken over */
    size_t spool_limit;  /* bytes in memory at which the origin is paused */
    struct waker writer; /* for the fetch: there is room again, or all readers left */
    struct arena *arena;
};

/* Makes the object of a response and prepares to store it. The caller writes the body to
 * object->spool (NULL: no body). *why: REASON_STORED, or why it will not be stored. */
struct object *cache_admit(struct cache *cache, const struct admission *admission,
                           enum reason *why);

/* The response is complete: ends its spool, stores it, and ends the flight. Returns REASON_STORED,
 * or why it is not stored after all. */
enum reason cache_commit(struct cache *cache, struct flight *flight, struct object *object);
/* A 304 arrived: `object`, made by object_updated(), replaces the validated one (RFC 9111 4.3.4).
 * Ends the flight. */
void cache_update(struct cache *cache, struct flight *flight, struct object *object);
/* A 304 arrived that forbids storing the validated response, which is removed as if it had been
 * invalidated. Ends the flight. */
void cache_discard(struct cache *cache, struct flight *flight, int64_t pass_until);
/* Was the URL invalidated since the flight began? Then neither its response nor the one it
 * validates may answer other requests. */
bool cache_is_outdated(struct cache *cache, const struct flight *flight);
/* Nothing is stored. Ends the flight, but no spool. pass_until > 0 (seconds since 1970): until then
 * requests for the key do not wait for each other. */
void cache_abandon(struct cache *cache, struct flight *flight, int64_t pass_until);
/* There is no response: ends the flight, and tells all who wait for it. Who looks up again with it
 * as query->failed shares one more flight with the others. */
void cache_fail(struct cache *cache, struct flight *flight, struct failure failure);

/* A shareable response arrived in spite of a pass mark: removes the mark. */
void cache_unmark(struct cache *cache, const struct cache_key *key);

/* A flight outside the table, for one request only; counted. */
struct flight *cache_private_flight(struct flight_member *member, struct object *stale,
                                    const struct cache_key *key, struct waker waker);

/* Allows the response of a private flight to be stored under the URI's key (*primary), unless that
 * is invalidated from now on. */
void cache_adopt(struct cache *cache, struct flight *flight, const struct uri *uri,
                 struct span zone, struct arena *arena, struct cache_key *primary);

/* ---- state and numbers ---- */

/* Has a commit to the disk failed? Then nothing is stored until another attempt succeeds; requests
 * are served all the same. */
bool cache_is_failing(struct cache *cache);

/* The store; NULL: memory only. Borrowed from the cache. */
struct stores *cache_stores(const struct cache *cache);

struct cache_stats {
    struct table_stats table;
    struct store_stats store;
    bool has_store;
    size_t body_memory; /* of all bodies in memory, also hot ones */
    size_t claims;      /* pieces of responses being fetched */
    uint64_t purges;    /* purges by administrators (cache/purge.h) */
};
void cache_stats(struct cache *cache, struct cache_stats *out);

/* The directories of the store; 0: memory only. */
size_t cache_directories(const struct cache *cache);
void cache_directory(struct cache *cache, size_t number, struct store_member *out);

#endif
