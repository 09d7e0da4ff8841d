/*
 * cache_kit - a cache in a fresh directory, and the requests and responses that exchanges and
 * fetches would bring. All URLs are of the zone "t". Heads are given as lines: strings
 * "Name: value", ended by NULL.
 */
#ifndef LARDER_TESTS_CACHE_CACHE_KIT_H
#define LARDER_TESTS_CACHE_CACHE_KIT_H

#include "cache/cache_parts.h"
#include "cache/claim.h"

struct cache_kit {
    struct cache *cache;
    struct arena arena;
    char path[32]; /* of the store, if there is one */
    int64_t now;   /* what requests and responses take for the time */
    int wakes;     /* of those who wait for a flight */
};

/* 32 MiB of memory, and a store of 64 MiB or none. */
void cache_kit_open(struct cache_kit *kit, bool with_store);
/* Closes the cache and opens it again: only what the store has is left. */
void cache_kit_reopen(struct cache_kit *kit);
/* A second cache on the directory of the kit, which is late if the first one is still open. */
struct cache *cache_kit_beside(const struct cache_kit *kit, const struct sip_key *late);
/* Closes the cache and removes the directory. */
void cache_kit_close(struct cache_kit *kit);
/* For wakers whose argument is a kit: counts. */
void cache_kit_wake(void *kit);

/* ---- a request ---- */

struct asked {
    struct http_head request;
    struct policy_request policy;
    struct uri uri;
    struct lookup lookup; /* given back by lookup_fini() */
    struct decision decision;
    enum cache_result result;
};

void add_lines(struct http_fields *fields, const char *const *lines);
/* Looks up a GET; what is on disk only is waited for. */
void ask(struct cache_kit *kit, const char *url, const char *const *lines, struct asked *try);
/* The same for a request that has waited for this flight in vain. */
void ask_after(struct cache_kit *kit, const char *url, const char *const *lines,
               struct flight *failed, struct asked *try);
/* Asks, and says only how that ended. Whoever has to fetch gives up. */
enum cache_result result_of(struct cache_kit *kit, const char *url, const char *const *request);
/* http://a/x is found with this result and a body of this length. */
void expect_length(struct cache_kit *kit, enum cache_result result, int64_t length);

/* ---- what the origin answers ---- */

extern const char *const fresh[];             /* for a minute, with an ETag */
extern const char *const fresh_untagged[];    /* for a minute */
extern const char *const varies[];            /* the same, by Accept-Encoding */
extern const char *const gzip[], *const br[]; /* requests that select variants of it */

/* The head of a 200 to a try that leads. It is to be stored, or not for the reason `expected`. */
struct object *answer_as(struct cache_kit *kit, struct asked *try, const char *const *lines,
                         size_t body, enum reason expected);
struct object *answer(struct cache_kit *kit, struct asked *try, const char *const *lines,
                      size_t body);
/* Its body, which ends the try. */
void finish(struct cache_kit *kit, struct asked *try, struct object *object, size_t body);
/* All of it: the request must be one that leads. */
void fetch(struct cache_kit *kit, const char *url, const char *const *request,
           const char *const *response, size_t body);
/* Fetches the variant number `n` of a URL, whose ETag is "n". */
void fetch_numbered(struct cache_kit *kit, const char *url, int n);
/* A 304 for what the try has found, which ends the try. */
void confirm(struct cache_kit *kit, struct asked *try);

/* A 206 under way. */
struct part {
    struct asked try;
    struct claim claim;
    struct object *piece;
    uint64_t length;
};

/* It is to bring the first `length` bytes of `whole`, which becomes known in parts. */
void begin_part(struct cache_kit *kit, const char *url, uint64_t length, int64_t whole,
                struct part *part);
void end_part(struct cache_kit *kit, struct part *part);
void fetch_part(struct cache_kit *kit, const char *url, uint64_t length, int64_t whole);

#endif
