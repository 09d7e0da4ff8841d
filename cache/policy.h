/*
 * policy - RFC 9111 as pure functions: may a response be stored, how old is it, may it be reused
 * for this request, what does a 304 change. No I/O, no clock, no globals; memory from an arena.
 *
 * Larder is a shared cache. Where the RFC leaves room, docs/caching.md says what we do.
 */
#ifndef LARDER_CACHE_POLICY_H
#define LARDER_CACHE_POLICY_H

#include "cache/decision.h"
#include "http/control.h"
#include "http/message.h"
#include "http/uri.h"

/* What is known of a response by the place it comes from, whatever it says itself. Zeros: nothing.
 */
struct policy_known {
    int64_t at_least;  /* seconds: a 200 is fresh for so long, and no-cache means nothing */
    int64_t at_most;   /* seconds: nothing is fresh for longer */
    int64_t if_silent; /* seconds: of a 200 that states no lifetime */
    bool validate;     /* before each use */
    bool only_success; /* nothing but a 200 is stored */
};

/* What redirects have said that led to a response which is kept under the URL they came from: it is
 * good for no longer, and for nobody more, than each of them. Zeros: there were none. A redirect
 * that says nothing of its lifetime does not bound it. */
struct policy_way {
    enum reason obstacle; /* why nothing may be stored; REASON_NONE */
    bool bounded;         /* there is an `until` */
    int64_t until;        /* seconds since 1970 */
    bool no_cache, must_revalidate;
    bool own; /* not for requests with Authorization */
};

struct policy_settings {
    int heuristic_percent;            /* of Date − Last-Modified; 10 */
    int64_t heuristic_max;            /* seconds; 7 days */
    const struct span *targeted;      /* names of targeted fields (RFC 9213), first wins */
    size_t targeted_count;            /* 0 for a plain forward proxy */
    bool ignore_client_control;       /* clients-may-bypass: no */
    bool refuse_set_cookie;           /* a site that forbids storing Set-Cookie */
    struct span per_client;           /* a request field that the origin gets with the client's
                                         address in it: Vary on it is as Vary: *; empty: none */
    int64_t stale_if_error;           /* seconds a stale response may be used when the origin
                                         fails and nothing forbids it; -1: without limit */
    const struct policy_known *known; /* NULL: nothing */
    const struct policy_way *way;     /* NULL: none */
};

extern const struct policy_settings policy_defaults; /* 10 %, 7 d, none, honoured, -1 */

/* A request, seen once. */
struct policy_request {
    enum http_method method;
    bool lookup;        /* GET or HEAD without a body: may be answered from the cache */
    enum reason reason; /* why not, else REASON_NONE */
    bool authorization;
    bool has_range;
    struct cache_control control; /* Pragma: no-cache counted when there is no Cache-Control */
};

void policy_read_request(const struct http_head *request, const struct policy_settings *settings,
                         struct policy_request *out);

/* Where a lifetime came from, for `explain`. */
enum lifetime_source {
    LIFETIME_NONE,
    LIFETIME_TARGETED,
    LIFETIME_S_MAXAGE,
    LIFETIME_MAX_AGE,
    LIFETIME_EXPIRES,
    LIFETIME_HEURISTIC,
    LIFETIME_KNOWN, /* struct policy_known */
};

/* What the store keeps beside a response so that a hit needs no parsing. All times in seconds;
 * wall-clock times since 1970. Plain data: stored as it is. */
struct freshness {
    int64_t response_time;          /* when the head (or the 304) arrived */
    int64_t initial_age;            /* corrected_initial_age of 4.2.3 */
    int64_t lifetime;               /* ≥ 0; 0 is stale at once */
    int64_t stale_while_revalidate; /* -1: not given */
    int64_t stale_if_error;         /* -1: not given */
    int64_t last_modified;          /* -1: none usable */
    uint8_t source;                 /* enum lifetime_source */
    uint8_t no_cache;               /* validate before each use */
    uint8_t must_revalidate;        /* must-revalidate, proxy-revalidate or s-maxage: never stale */
    uint8_t immutable;
    uint8_t has_validator; /* ETag or Last-Modified */
    uint8_t shareable_with_authorization;
    uint8_t checked; /* the same as no_cache, but by what is known of the place: the response does
                        not forbid that it answers while the origin fails */
    uint8_t reserved[1];
};

struct policy_times {
    int64_t request;  /* when the request was sent */
    int64_t response; /* when the head arrived */
};

/* Everything about a response's age and lifetime (4.2). Also for the merged head after a 304. */
void policy_freshness(const struct http_head *response, struct policy_times times,
                      const struct policy_settings *settings, struct freshness *out);

/* One more redirect on the way. */
void policy_way_add(struct policy_way *way, const struct http_head *redirect,
                    struct policy_times times, const struct policy_settings *settings);

/* REASON_STORED, or why not (3). `request` is the client's. */
enum reason policy_may_store(const struct http_head *request, const struct http_head *response,
                             const struct freshness *freshness,
                             const struct policy_settings *settings);

/* The same for a POST whose response carries the state of its own URI: an explicit lifetime and a
 * Content-Location that is `target` (RFC 9110 9.3.3). It then answers later GETs; the invalidation
 * the POST causes comes first. */
enum reason policy_may_store_post(const struct http_head *request, const struct http_head *response,
                                  const struct freshness *freshness,
                                  const struct policy_settings *settings, const struct uri *target,
                                  struct arena *arena);

/* current_age (4.2.3). A response from a time that our clock has not reached yet, by more than a
 * minute, has an age that nobody knows: the clock was wrong then or is wrong now. It counts as
 * older than anything, so that no wrong clock makes it fresh for ever; a validation heals it. */
int64_t policy_age(const struct freshness *freshness, int64_t now);

enum policy_verdict {
    POLICY_FRESH,     /* answer with it */
    POLICY_STALE_NOW, /* answer with it, validate in the background (5861) */
    POLICY_VALIDATE,  /* ask the origin with its validators (or anew when it has none) */
};

/* May the stored response answer this request (4)? *reason says why either way. Vary has been
 * matched before. */
enum policy_verdict policy_reuse(const struct policy_request *request,
                                 const struct freshness *freshness, int64_t now,
                                 enum reason *reason);

/* The same for what the origin has confirmed for another request, while this one waited for it: the
 * validation that this request asks for, or that the configuration does, has happened. What the
 * response asks for (no-cache, no lifetime, who may have it) has been done for the other. */
enum policy_verdict policy_reuse_confirmed(const struct policy_request *request,
                                           const struct freshness *freshness, int64_t now,
                                           enum reason *reason);

/* The origin failed (unreachable, or a 5xx): may the stale response be served (4.2.4, 5861)? */
bool policy_stale_on_error(const struct policy_request *request, const struct freshness *freshness,
                           const struct policy_settings *settings, int64_t now);

/* Copies the fields of `response` that are stored (3.1) into *out, which is initialised and empty:
 * hop-by-hop ones are dropped. Spans are borrowed. */
void policy_stored_fields(const struct http_head *response, struct http_fields *out);

/* The stored head after a 304 (3.2, 4.3.4): fields of the 304 replace, others stay; Content-Length
 * and other fields describing the stored bytes are never taken over, nor is the strong form of a
 * weak stored ETag. Age is that of the 304 alone. Ask policy_may_store() about the merged head too:
 * a 304 may bring no-store. Spans are borrowed. */
void policy_merge_304(const struct http_fields *stored, const struct http_fields *not_modified,
                      struct arena *arena, struct http_fields *out);

/* Puts validators of the stored response into a request to the origin, replacing the client's own
 * conditions and Range (4.3.1). */
void policy_make_conditional(struct http_fields *request, const struct http_fields *stored);

/* Does a 304 to that request confirm this stored response (4.3.4)? A 304 without any validator
 * does: it answers the condition that was sent. */
bool policy_304_selects(const struct http_fields *stored, const struct http_fields *not_modified);

/* ---- several stored responses for one URI ---- */

#define POLICY_STORED_MAX 8

/* One of them. Lent during the call. */
struct policy_stored {
    const struct http_fields *fields;
    const struct freshness *freshness;
    bool selected; /* the fields its Vary names match the request (4.1) */
};

/* Which of them answers a request, before its age is judged: the most recent by Date of those that
 * are selected (4, 4.1), of equally dated ones the last to arrive. -1: none. `count` is at most
 * POLICY_STORED_MAX in all three. */
int policy_choose(const struct policy_stored *stored, size_t count);

/* Like policy_make_conditional(), with what all of them have: one If-None-Match with each ETag
 * once, exactly as stored and in this order (4.3.1). Neither a date nor a weak entity-tag, which
 * codings may share, says which variant is meant: If-Modified-Since comes only from the one that
 * policy_choose() gives, weak tags only from selected ones. */
void policy_make_conditional_any(struct http_fields *request, const struct policy_stored *stored,
                                 size_t count, struct arena *arena);

/* What a 304 to such a request confirms (4.3.4). */
struct policy_confirmed {
    /* This one answers the request, under the fields of the 304; -1: none, so the request must be
     * repeated without conditions. One that is not selected answers too, if the origin has chosen
     * it by a strong entity-tag: what it becomes is then a new response under this request's
     * variant, and it stays as it is. */
    int use;
    /* Bit i: stored[i] is to be updated with the 304 (policy_merge_304()): all selected ones with
     * the same strong validator, or the most recent selected one with the same weak validator. A
     * 304 without any validator confirms a selected response if it is the only one. */
    unsigned update;
};
struct policy_confirmed policy_304_confirms(const struct policy_stored *stored, size_t count,
                                            const struct http_fields *not_modified);

/* A HEAD response from the origin: does it agree with the stored response to GET, whose body has
 * `body_length` bytes (4.3.5)? If that has a validator, one must be in the HEAD response, too. Then
 * its fields may be merged like those of a 304; else the stored response must be validated before
 * it is used again. */
bool policy_head_confirms(const struct http_fields *stored, uint64_t body_length,
                          const struct http_fields *head);

/* An answer with this status to this method makes stored responses for its URI unusable (4.4). */
bool policy_invalidates(enum http_method method, int status);

/* The URIs such an answer names in Location and Content-Location, of the same origin only: they are
 * invalidated too (4.4). Returns how many. */
#define POLICY_ALSO_MAX 2
size_t policy_also_invalidates(const struct uri *target, const struct http_fields *response,
                               struct arena *arena, struct uri out[POLICY_ALSO_MAX]);

#endif
