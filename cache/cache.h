/*
 * cache - the public face: look a request up, fly together with others to the origin, keep what
 * came back, forget what became invalid. Thread-safe. Knows no sockets.
 *
 * A request's way: cache_lookup() answers with an object, with a flight to wait for, or with the
 * duty to fetch. Whoever leads a flight calls cache_admit() when the response's head is there and
 * then exactly one of cache_commit(), cache_update(), cache_discard() or cache_abandon().
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
    uint64_t object_max; /* larger responses are not stored; 0: what the store takes */
    /* Another process may have the folders still, and this is the secret of its store: then they
     * are opened by cache_open_late(). NULL: that is an error. */
    const struct sip_key *late;
};

int cache_open(const struct cache_options *options, struct cache **out);
/* The folders are free now. What other processes put there is found from now on, but for what has
 * changed meanwhile. 0; ERR_BUSY: not yet, and the cache is still late; or an error, with which it
 * stays in memory for good. By the thread that opened the cache; others go on. */
int cache_open_late(struct cache *cache);
/* From now on larger responses are not stored; 0: what the store takes. What is there stays. By the
 * thread that opened the cache. */
void cache_set_object_max(struct cache *cache, uint64_t wanted);
/* A store is to come. */
bool cache_is_late(const struct cache *cache);
/* And something has changed meanwhile that nobody but this process knows of: who opened the store
 * now would find what is older. */
bool cache_is_late_and_changed(const struct cache *cache);
/* Gives the folders up for another process: what is complete is committed. Nobody may use the cache
 * any more, or have an object of it. */
void cache_let_go(struct cache *cache);
/* The secret of its keys. */
const struct sip_key *cache_secret(const struct cache *cache);
/* Commits what is complete. No flight may be under way. Accepts NULL. */
void cache_close(struct cache **cache);

enum cache_result {
    CACHE_FRESH,   /* lookup->object answers */
    CACHE_STALE,   /* lookup->object answers; if lookup->lead, validate it in the background,
                      with a GET */
    CACHE_LEAD,    /* fetch; with lookup->object set, validate that one */
    CACHE_FOLLOW,  /* wait for the flight */
    CACHE_ALONE,   /* fetch for this request only */
    CACHE_REFUSED, /* only-if-cached, and nothing usable is stored: 504 */
    CACHE_COLD,    /* it is on disk: wait until lookup_is_ready(), then look on */
};

/* Lives in the exchange. */
struct lookup {
    struct cache_key primary;
    struct cache_key key;        /* under which a response to this request is looked for */
    struct object *object;       /* counted; NULL when nothing usable was found */
    struct flight_member member; /* of the flight joined or led */
    struct flight_mark mark;     /* when the lookup began */
    struct cold cold;            /* what it waits for from the disk */
    bool lead;
    bool from_memory;
};

/* What one lookup is about; borrowed during the call. */
struct cache_query {
    const struct http_head *request;
    const struct policy_request *policy; /* policy->lookup must hold */
    const struct uri *uri;
    struct span zone;
    int64_t now;
    bool alone;             /* neither join nor lead a flight, but in the background */
    bool peek;              /* only to tell: nothing becomes hot, nothing is marked as used */
    struct object *useless; /* what an earlier lookup found and could not be delivered, or NULL */
    struct waker waker;     /* for the flight, and for what comes from the disk */
    struct arena *arena;    /* keys are kept here */
};

/* Looks up and decides. decision gets outcome, reason, age and lifetime as far as known. */
enum cache_result cache_lookup(struct cache *cache, const struct cache_query *query,
                               struct lookup *lookup, struct decision *decision);
/* CACHE_COLD was the answer, and the waker was called: something has come. */
bool lookup_is_ready(const struct lookup *lookup);
/* Looks anew, with what has come from the disk. The answer may be CACHE_COLD again. */
enum cache_result cache_lookup_on(struct cache *cache, const struct cache_query *query,
                                  struct lookup *lookup, struct decision *decision);
/* Gives back object and membership, and what was read. */
void lookup_fini(struct lookup *lookup);

/* May this member use the shared response of its flight? (Vary may select another.) */
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
    struct waker writer; /* the fetch: room again, or nobody reads any more */
    struct arena *arena;
};

/* Makes the object with its spool (NULL for a response without a body) and prepares to store it.
 * The caller appends to object->spool. *why: REASON_STORED, or why it will not be stored. */
struct object *cache_admit(struct cache *cache, const struct admission *admission,
                           enum reason *why);

/* The response is complete: it is kept (REASON_STORED), or that is why it is not kept after all.
 * Ends the spool. */
enum reason cache_commit(struct cache *cache, struct flight *flight, struct object *object);
/* A 304: `object` (made by object_updated()) takes the place of the old one. */
void cache_update(struct cache *cache, struct flight *flight, struct object *object);
/* What the flight was to validate must not be used again: a 304 came that forbids to keep it. */
void cache_discard(struct cache *cache, struct flight *flight, int64_t pass_until);
/* The URL was invalidated since the flight began: neither its response nor what it validates may
 * answer other requests. */
bool cache_is_outdated(struct cache *cache, const struct flight *flight);
/* Nothing is kept. pass_until > 0: requests until then do not wait for each other. Does not end a
 * spool. */
void cache_abandon(struct cache *cache, struct flight *flight, int64_t pass_until);

/* A response that could be shared came in spite of a pass mark: the mark goes. */
void cache_unmark(struct cache *cache, const struct cache_key *key);

/* A flight that is in no table: one request on its own. */
struct flight *cache_private_flight(struct flight_member *member, struct object *stale,
                                    const struct cache_key *key, struct waker waker);

/* The response of a private flight may be kept all the same, under the URI's key: as of now. */
void cache_adopt(struct cache *cache, struct flight *flight, const struct uri *uri,
                 struct span zone, struct arena *arena, struct cache_key *primary);

/* Commits to the disk have failed, and nothing is stored until the next attempt. Hits and misses
 * are served all the same. */
bool cache_is_failing(struct cache *cache);

/* What it has on disk; NULL: nothing. As long as the cache. */
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
