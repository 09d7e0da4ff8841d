/*
 * cache - the public face of the cache: look a request up, share one fetch with others who ask for
 * the same, keep what comes back, forget what has become invalid. Thread-safe. Knows no sockets.
 *
 * cache_lookup() answers a request with an object, with a flight to wait for, or with the duty to
 * fetch. Whoever leads a flight calls cache_admit() when the head of the response is there, and
 * then exactly one of cache_commit(), cache_update(), cache_discard() and cache_abandon().
 * Responses known in parts are in cache/claim.h, purges in cache/purge.h.
 */
#ifndef LARDER_CACHE_CACHE_H
#define LARDER_CACHE_CACHE_H

#include "cache/partial.h"
#include "cache/purge.h"
#include "cache/table.h"

struct cache;

struct cache_options {
    const struct store_dir *dirs; /* one for each disk */
    size_t dir_count;             /* 0: memory only */
    enum s3_favor favor;          /* what the store keeps when it is full */
    uint64_t memory;     /* bytes; becomes the limit of base/memory.h, for the whole process */
    uint64_t object_max; /* bytes; larger responses are not stored; 0: what the store takes */
    /* Not NULL: another process may still have the folders, and this is the secret of its store. If
     * it has, the cache begins without a store, and cache_open_late() opens it. */
    const struct sip_key *late;
};

/* 0, or the error of the store; then *out is NULL. ERR_BUSY: another process has a folder, and
 * `late` is NULL. */
int cache_open(const struct cache_options *options, struct cache **out);
/* Opens the store that was left for later. What the other process has stored is found from now on,
 * except what has changed here meanwhile. 0; ERR_BUSY: the folders are not free yet; or an error,
 * after which the cache stays in memory for good. Only by the thread that opened the cache; others
 * may use it meanwhile. */
int cache_open_late(struct cache *cache);
/* Changes object_max for responses to come. Only by the thread that opened the cache. */
void cache_set_object_max(struct cache *cache, uint64_t wanted);
/* cache_open_late() is still to succeed. */
bool cache_is_late(const struct cache *cache);
/* And something has changed that only this process knows of: whoever opened the store instead would
 * serve what is outdated. */
bool cache_is_late_and_changed(const struct cache *cache);
/* Commits what is complete and gives the folders up for another process. Nobody may use the cache,
 * or have an object of it, any more; cache_close() follows. */
void cache_let_go(struct cache *cache);
/* The secret of its keys. */
const struct sip_key *cache_secret(const struct cache *cache);
/* Commits what is complete. No flight may be under way. Accepts NULL. */
void cache_close(struct cache **cache);

/* ---- the client's side ---- */

enum cache_result {
    CACHE_FRESH,   /* lookup->object answers */
    CACHE_STALE,   /* lookup->object answers; if lookup->lead, validate it in the background,
                      with a GET */
    CACHE_LEAD,    /* fetch; with lookup->object set, validate that one */
    CACHE_FOLLOW,  /* wait for the flight */
    CACHE_ALONE,   /* fetch for this request only */
    CACHE_REFUSED, /* only-if-cached, and nothing usable is stored: 504 */
    CACHE_COLD,    /* it is on disk: wait for lookup_is_ready(), then call cache_lookup_on() */
};

/* One lookup and what it holds; lives in the exchange. */
struct lookup {
    struct cache_key primary;
    struct cache_key key;        /* under which a response to this request is looked for */
    struct object *object;       /* counted; NULL when nothing usable was found */
    struct flight_member member; /* of the flight joined or led */
    struct flight_mark mark;     /* when the lookup began */
    struct cold cold;            /* what it waits for from the disk */
    bool lead;                   /* the flight is this caller's to feed */
    bool from_memory;            /* object was in memory */
};

/* What one lookup is about; borrowed during the call. */
struct cache_query {
    const struct http_head *request;
    const struct policy_request *policy; /* policy->lookup must hold */
    const struct uri *uri;
    struct span zone;
    int64_t now;
    bool alone;             /* share no flight, except for a validation in the background */
    bool peek;              /* leave no trace: nothing becomes hot or counts as used */
    struct object *useless; /* found before, but could not be delivered; or NULL */
    struct waker waker;     /* called for the flight, and when something comes from the disk */
    struct arena *arena;    /* keys are kept here */
};

/* Looks up and decides. Sets outcome, reason, age and lifetime of `decision` as far as they are
 * known. lookup_fini() must follow, whatever the answer. */
enum cache_result cache_lookup(struct cache *cache, const struct cache_query *query,
                               struct lookup *lookup, struct decision *decision);
/* After CACHE_COLD, when the waker was called: what was waited for has come. */
bool lookup_is_ready(const struct lookup *lookup);
/* Looks up again, with what has come from the disk. The answer may be CACHE_COLD again. */
enum cache_result cache_lookup_on(struct cache *cache, const struct cache_query *query,
                                  struct lookup *lookup, struct decision *decision);
/* Gives back the object, the membership and what was read. */
void lookup_fini(struct lookup *lookup);

/* May this member of a flight use the response that came? No if Vary selects another for it. */
bool cache_shares(struct cache *cache, const struct lookup *lookup, const struct object *object,
                  const struct http_fields *request, struct arena *arena);

/* ---- the fetch side ---- */

/* What the fetch knows when a response's head arrives. */
struct admission {
    const struct cache_key *primary;
    const struct http_head *request; /* the client's */
    const struct http_head *response;
    const struct http_fields *fields; /* those to keep */
    const struct freshness *freshness;
    bool store;          /* policy allows keeping it */
    size_t promised;     /* bytes of memory_begin(), taken over */
    size_t spool_limit;  /* bytes in memory before the origin is paused */
    struct waker writer; /* of the fetch: there is room again, or nobody reads any more */
    struct arena *arena;
};

/* Makes the object of a response, which the caller fills by object->spool (NULL when there is no
 * body), and prepares to store it. *why: REASON_STORED, or why it will not be stored. */
struct object *cache_admit(struct cache *cache, const struct admission *admission,
                           enum reason *why);

/* The response is complete: ends its spool, keeps it, and ends the flight. REASON_STORED, or why it
 * is not kept after all. */
enum reason cache_commit(struct cache *cache, struct flight *flight, struct object *object);
/* A 304 came: `object`, made by object_updated(), replaces what was validated. Ends the flight. */
void cache_update(struct cache *cache, struct flight *flight, struct object *object);
/* A 304 came that forbids keeping what it validated, which is forgotten. Ends the flight. */
void cache_discard(struct cache *cache, struct flight *flight, int64_t pass_until);
/* The URL was invalidated after the flight had begun: neither its response nor what it validates
 * may answer other requests. */
bool cache_is_outdated(struct cache *cache, const struct flight *flight);
/* Nothing is kept; ends the flight, but no spool. pass_until > 0 (seconds since 1970): until then
 * requests for the key do not wait for each other. */
void cache_abandon(struct cache *cache, struct flight *flight, int64_t pass_until);

/* A response that can be shared came in spite of a pass mark: removes the mark. */
void cache_unmark(struct cache *cache, const struct cache_key *key);

/* A flight that is in no table, for one request on its own; counted. */
struct flight *cache_private_flight(struct flight_member *member, struct object *stale,
                                    const struct cache_key *key, struct waker waker);

/* What comes by a private flight may be kept after all, under the key of the URI (*primary), unless
 * that is invalidated from now on. */
void cache_adopt(struct cache *cache, struct flight *flight, const struct uri *uri,
                 struct span zone, struct arena *arena, struct cache_key *primary);

/* ---- what it is like ---- */

/* A commit to the disk has failed: nothing is stored until another attempt succeeds. Requests are
 * served all the same. */
bool cache_is_failing(struct cache *cache);

/* The store; NULL: memory only. Lives as long as the cache. */
struct stores *cache_stores(const struct cache *cache);

struct cache_stats {
    struct table_stats table;
    struct store_stats store;
    bool has_store;
    size_t body_memory; /* of all bodies in memory, hot ones too */
    size_t claims;      /* pieces of responses that are being fetched */
    uint64_t purges;    /* asked for by administrators (cache/purge.h) */
};
void cache_stats(struct cache *cache, struct cache_stats *out);

/* The directories of the store, one by one; 0: memory only. */
size_t cache_directories(const struct cache *cache);
void cache_directory(struct cache *cache, size_t number, struct store_member *out);

#endif
