/*
 * policy - RFC 9111 as pure functions: may a response be stored, how old is it, may it be reused
 * for this request, what does a 304 change? No I/O, no clock, no globals; memory from an arena.
 *
 * Larder is a shared cache. Where the RFC leaves a choice, docs/caching.md says what we do.
 */
#ifndef LARDER_CACHE_POLICY_H
#define LARDER_CACHE_POLICY_H

#include "cache/decision.h"
#include "http/control.h"
#include "http/message.h"
#include "http/uri.h"

/* What the configuration knows about responses from a place, whatever they say. Zeros: nothing. */
struct policy_known {
    int64_t at_least;  /* seconds for which a 200 is fresh, even with no-cache */
    int64_t at_most;   /* most seconds for which anything is fresh */
    int64_t if_silent; /* lifetime in seconds of a 200 that states none */
    bool validate;     /* validate before each use */
    bool only_success; /* store only 200 */
};

/* What redirects said that led to a response which is stored under the URL they came from: it is
 * fresh no longer, and may be shared no more, than each of them. Zeros: there were none. A redirect
 * without a lifetime does not limit it. */
struct policy_way {
    enum reason obstacle; /* why nothing may be stored, or REASON_NONE */
    bool bounded;         /* `until` is set */
    int64_t until;        /* seconds since 1970 */
    bool no_cache, must_revalidate;
    bool own; /* not for requests with Authorization */
};

struct policy_settings {
    int heuristic_percent;       /* of Date − Last-Modified; default 10 */
    int64_t heuristic_max;       /* seconds; default 7 days */
    const struct span *targeted; /* names of targeted fields (RFC 9213), by precedence */
    size_t targeted_count;       /* 0 for a plain forward proxy */
    bool ignore_client_control;  /* clients-may-bypass: no */
    bool refuse_set_cookie;      /* the site forbids storing Set-Cookie */
    struct span per_client; /* name of a request field into which we put the client's address, so
                               that Vary on it means Vary: *; empty: none */
    int64_t stale_if_error; /* seconds for which a stale response may be used when the origin fails,
                               if nothing forbids it; -1: unlimited */
    const struct policy_known *known; /* NULL: nothing */
    const struct policy_way *way;     /* NULL: none */
};

extern const struct policy_settings policy_defaults; /* 10 %, 7 days, none, honoured, -1 */

/* What the policy needs to know of a request, parsed once. */
struct policy_request {
    enum http_method method;
    bool lookup;        /* GET or HEAD without a body, which the cache may answer */
    enum reason reason; /* why not, else REASON_NONE */
    bool authorization;
    bool has_range;
    struct cache_control control; /* includes Pragma: no-cache if there is no Cache-Control */
};

void policy_read_request(const struct http_head *request, const struct policy_settings *settings,
                         struct policy_request *out);

/* Where a lifetime came from, for explanations. */
enum lifetime_source {
    LIFETIME_NONE,
    LIFETIME_TARGETED,
    LIFETIME_S_MAXAGE,
    LIFETIME_MAX_AGE,
    LIFETIME_EXPIRES,
    LIFETIME_HEURISTIC,
    LIFETIME_KNOWN, /* struct policy_known */
};

/* What the store keeps of a response's freshness, so that a hit needs no parsing. Times in seconds;
 * wall-clock times since 1970. Plain data: stored as it is. */
struct freshness {
    int64_t response_time;          /* when the head (or that of the 304) arrived */
    int64_t initial_age;            /* corrected_initial_age (4.2.3) */
    int64_t lifetime;               /* ≥ 0; 0 is stale at once */
    int64_t stale_while_revalidate; /* -1: absent */
    int64_t stale_if_error;         /* -1: absent */
    int64_t last_modified;          /* -1: absent or invalid */
    uint8_t source;                 /* enum lifetime_source */
    uint8_t no_cache;               /* validate before each use */
    uint8_t must_revalidate; /* must-revalidate, proxy-revalidate or s-maxage: never serve stale */
    uint8_t immutable;
    uint8_t has_validator; /* ETag or Last-Modified */
    uint8_t shareable_with_authorization;
    uint8_t checked; /* like no_cache, but by configuration: may still be served when the origin
                        fails */
    uint8_t reserved[1];
};

struct policy_times {
    int64_t request;  /* when the request was sent */
    int64_t response; /* when the head arrived */
};

/* Computes age and lifetime of a response (4.2); after a 304, of the merged head. */
void policy_freshness(const struct http_head *response, struct policy_times times,
                      const struct policy_settings *settings, struct freshness *out);

/* Adds a redirect to what limits the final response. */
void policy_way_add(struct policy_way *way, const struct http_head *redirect,
                    struct policy_times times, const struct policy_settings *settings);

/* May the response be stored (3)? REASON_STORED, or why not. `request` is the client's. */
enum reason policy_may_store(const struct http_head *request, const struct http_head *response,
                             const struct freshness *freshness,
                             const struct policy_settings *settings);

/* The same for the response to a POST that represents its own URI: with an explicit lifetime and a
 * Content-Location that is `target` (RFC 9110 9.3.3). It then answers later GETs. The invalidation
 * by the POST comes first. */
enum reason policy_may_store_post(const struct http_head *request, const struct http_head *response,
                                  const struct freshness *freshness,
                                  const struct policy_settings *settings, const struct uri *target,
                                  struct arena *arena);

/* current_age (4.2.3) in seconds. If the response is from more than a minute in the future, our
 * clock was or is wrong, and the age is unknown: it counts as older than anything, so that a wrong
 * clock does not make it fresh for ever. A validation corrects that. */
int64_t policy_age(const struct freshness *freshness, int64_t now);

enum policy_verdict {
    POLICY_FRESH,     /* answer with it */
    POLICY_STALE_NOW, /* answer with it, and validate it in the background (RFC 5861) */
    POLICY_VALIDATE,  /* validate it at the origin (or fetch again if it has no validator) */
};

/* May the stored response answer this request (4)? *reason says why or why not. Vary was matched
 * before. */
enum policy_verdict policy_reuse(const struct policy_request *request,
                                 const struct freshness *freshness, int64_t now,
                                 enum reason *reason);

/* The same when the origin has confirmed it for another request while this one waited: the
 * validation that this request, the response or the configuration requires has just happened. */
enum policy_verdict policy_reuse_confirmed(const struct policy_request *request,
                                           const struct freshness *freshness, int64_t now,
                                           enum reason *reason);

/* The origin failed (unreachable, or a 5xx): may the stale response be served (4.2.4, RFC 5861)? */
bool policy_stale_on_error(const struct policy_request *request, const struct freshness *freshness,
                           const struct policy_settings *settings, int64_t now);

/* Copies the fields to store (3.1), that is, without hop-by-hop fields, to *out, which is
 * initialised and empty. Spans are borrowed. */
void policy_stored_fields(const struct http_head *response, struct http_fields *out);

/* Makes the stored fields after a 304 (3.2, 4.3.4): fields of the 304 replace those stored, except
 * Content-Length and others that describe the stored bytes, and except a strong ETag for a weak
 * stored one. Age is that of the 304 alone. Call policy_may_store() for the merged head, too: a 304
 * may bring no-store. Spans are borrowed. */
void policy_merge_304(const struct http_fields *stored, const struct http_fields *not_modified,
                      struct arena *arena, struct http_fields *out);

/* Makes a request to the origin conditional on the validators of the stored response, replacing the
 * client's conditions and Range (4.3.1). */
void policy_make_conditional(struct http_fields *request, const struct http_fields *stored);

/* Does a 304 to that request confirm this stored response (4.3.4)? A 304 without validators does:
 * it answers the condition that was sent. */
bool policy_304_selects(const struct http_fields *stored, const struct http_fields *not_modified);

/* ---- several stored responses for one URI ---- */

#define POLICY_STORED_MAX 8

/* One of several stored responses. Borrowed during the call. */
struct policy_stored {
    const struct http_fields *fields;
    const struct freshness *freshness;
    bool selected; /* the fields that its Vary names match the request (4.1) */
};

/* Index of the stored response that answers a request, before its age is judged: the most recent
 * selected one by Date (4, 4.1), among equals the last to arrive. -1: none. `count` is at most
 * POLICY_STORED_MAX, here and below. */
int policy_choose(const struct policy_stored *stored, size_t count);

/* Like policy_make_conditional(), with the validators of all: one If-None-Match with each ETag
 * once, as stored and in this order (4.3.1). Neither a date nor a weak entity-tag, which several
 * codings may share, identifies a variant: so If-Modified-Since comes only from the one that
 * policy_choose() returns, and weak tags only from selected ones. */
void policy_make_conditional_any(struct http_fields *request, const struct policy_stored *stored,
                                 size_t count, struct arena *arena);

/* What a 304 to such a request confirms (4.3.4). */
struct policy_confirmed {
    /* Index of the response that answers the request, with the fields of the 304; -1: none, so
     * repeat the request without conditions. It may be one that is not selected, if the origin has
     * named it by a strong entity-tag: then it is copied as a new response for this request's
     * variant, and stays unchanged itself. */
    int use;
    /* Bit i: update stored[i] with policy_merge_304(). All selected ones with the same strong
     * validator, or the most recent selected one with the same weak validator. A 304 without
     * validators confirms a selected response if it is the only one. */
    unsigned update;
};
struct policy_confirmed policy_304_confirms(const struct policy_stored *stored, size_t count,
                                            const struct http_fields *not_modified);

/* Has a 304 changed nothing but the time at which the response, which must be validated before each
 * use anyway, was last confirmed? Whoever goes on with `stored` then takes it for older than it is,
 * never for younger. `renewed` is as of policy_merge_304(). */
bool policy_only_confirms(const struct policy_stored *stored, const struct policy_stored *renewed);

/* What a 200 response to HEAD means for a stored response to GET, whose body has `body_length`
 * bytes (4.3.5). */
enum policy_head {
    /* It has a validator, or a length where the stored response has no validator either, and all of
     * them match: its fields may be merged like those of a 304. */
    HEAD_CONFIRMS,
    /* One does not match, or only the stored response has a validator: that must be validated
     * before its next use. */
    HEAD_DIFFERS,
    /* There is nothing to compare. To renew the stored response would be to guess: who asks with
     * HEAD often enough, as monitors do, would keep it for ever. It stays as fresh or stale as it
     * is. */
    HEAD_PROVES_NOTHING,
};
enum policy_head policy_judge_head(const struct http_fields *stored, uint64_t body_length,
                                   const struct http_fields *head);

/* Does a response with this status to this method invalidate what is stored for its URI (4.4)? */
bool policy_invalidates(enum http_method method, int status);

/* The URIs with the same origin in Location and Content-Location of such a response, which are
 * invalidated, too (4.4). Returns how many. */
#define POLICY_ALSO_MAX 2
size_t policy_also_invalidates(const struct uri *target, const struct http_fields *response,
                               struct arena *arena, struct uri out[POLICY_ALSO_MAX]);

#endif
