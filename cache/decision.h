/*
 * decision - how one request was answered, and why. Closed lists of outcomes and reasons, set where
 * the decision is made, and shown in the access log, in Cache-Status (RFC 9211), in metrics and by
 * larderctl explain. Pure.
 */
#ifndef LARDER_CACHE_DECISION_H
#define LARDER_CACHE_DECISION_H

#include "base/arena.h"

/* clang-format off */
/* id, word in JSON and metrics, Squid's result code in the native log */
#define OUTCOMES(X)                                                                                \
    X(NONE,        "none",        "NONE")                   /* nothing decided yet */              \
    X(HIT,         "hit",         "TCP_HIT")                /* stored, fresh */                    \
    X(HIT_MEMORY,  "hit-memory",  "TCP_MEM_HIT")            /* the same, from memory */            \
    X(STALE,       "stale",       "TCP_REFRESH_FAIL_OLD")   /* stale, allowed to be used */        \
    X(REVALIDATED, "revalidated", "TCP_REFRESH_UNMODIFIED") /* the origin said 304 */              \
    X(MODIFIED,    "modified",    "TCP_REFRESH_MODIFIED")   /* validated, got a new response */    \
    X(COLLAPSED,   "collapsed",   "TCP_CF_HIT")             /* shared another request's fetch */   \
    X(PARTIAL,     "partial",     "TCP_MISS")               /* part was stored, the rest fetched */\
    X(MISS,        "miss",        "TCP_MISS")               /* fetched */                          \
    X(PASS,        "pass",        "TCP_MISS")               /* forwarded, cache not consulted */   \
    X(TUNNEL,      "tunnel",      "TCP_TUNNEL")             /* CONNECT or upgrade */               \
    X(DENIED,      "denied",      "TCP_DENIED")             /* access rules or target rules */     \
    X(LOCAL,       "local",       "NONE")                   /* answered by ourselves */            \
    X(ERROR,       "error",       "NONE")                   /* no usable answer could be had */

/* id, word, a sentence for people */
#define REASONS(X)                                                                                 \
    X(NONE,             "none",             "no further reason")                                   \
    X(FRESH,            "fresh",            "a stored response is fresh")                          \
    X(NOT_STORED,       "absent",           "nothing is stored under this URL")                    \
    X(VARY_MISS,        "vary-miss",        "stored variants do not match this request")           \
    X(STALE,            "stale",            "the stored response is stale")                        \
    X(STALE_WHILE_REVALIDATE, "stale-while-revalidate", "stale, served while it is validated")     \
    X(STALE_IF_ERROR,   "stale-if-error",   "stale, served because the origin failed")             \
    X(ORIGIN_SILENT,    "origin-silent",    "stale, served at once because the origin was silent lately") \
    X(STALE_REQUEST,    "stale-request",    "stale, and the request accepts that (max-stale)")     \
    X(MUST_REVALIDATE,  "must-revalidate",  "stale, and must not be used without validation")      \
    X(NO_CACHE,         "no-cache",         "the stored response says no-cache")                   \
    X(REQUEST_NO_CACHE, "request-no-cache", "the request asks for validation")                     \
    X(REQUEST_MAX_AGE,  "request-max-age",  "older than the request accepts")                      \
    X(REQUEST_MIN_FRESH,"request-min-fresh","not fresh for as long as the request asks")           \
    X(REQUEST_NO_STORE, "request-no-store", "the request says no-store")                           \
    X(ONLY_IF_CACHED,   "only-if-cached",   "only-if-cached, and nothing usable is stored")        \
    X(METHOD,           "method",           "the method is not answered from the cache")           \
    X(REQUEST_BODY,     "request-body",     "a GET or HEAD with a body is never cached")           \
    X(UPGRADE,          "upgrade",          "the request asks for another protocol")               \
    X(PLACE,            "place",            "the request names another host, path or method beside its URL") \
    X(RANGE,            "range",            "a range that the store cannot answer")                \
    X(CONDITIONAL,      "conditional",      "a precondition the cache cannot evaluate")            \
    X(AUTHORIZATION,    "authorization",    "the request has credentials and the response does not permit sharing") \
    X(RESPONSE_NO_STORE,"response-no-store","the response says no-store")                          \
    X(PRIVATE,          "private",          "the response is private")                             \
    X(NO_LIFETIME,      "no-lifetime",      "the response has neither a lifetime nor a validator") \
    X(STATUS,           "status",           "the status is not cacheable without a lifetime")      \
    X(MUST_UNDERSTAND,  "must-understand",  "the status is not understood")                        \
    X(VARY_STAR,        "vary-star",        "its Vary (*, or the header that names the client) matches no other request") \
    X(PARTIAL,          "partial",          "a partial response")                                  \
    X(PARTIAL_MISS,     "missing-blocks",   "part of the response was stored, the rest was fetched") \
    X(SET_COOKIE,       "set-cookie",       "Set-Cookie without an explicit lifetime, or this site forbids storing it") \
    X(TOO_LARGE,        "too-large",        "larger than the store accepts")                       \
    X(INCOMPLETE,       "incomplete",       "the response ended before its announced length")      \
    X(INVALIDATED,      "invalidated",      "the URL was invalidated while the response was fetched") \
    X(OVERTAKEN,        "overtaken",        "a newer response was stored while this one was fetched") \
    X(PASS_MARK,        "pass-mark",        "the last response could not be shared, so requests do not wait for each other") \
    X(STORE_BUSY,       "store-busy",       "the disk is behind, so the response was not stored")          \
    X(MEMORY,           "memory",           "memory is short")                                     \
    X(STORED,           "stored",           "the response may be stored")                          \
    X(VALIDATED,        "validated",        "the origin confirmed the stored response")            \
    X(ACCESS,           "access",           "the access rules deny this client or target")         \
    X(CREDENTIALS,      "credentials",      "a name and a password are needed")                    \
    X(WRONG_PASSWORD,   "wrong-password",   "name or password is wrong")                           \
    X(AUTH_BUSY,        "auth-busy",        "too many passwords are waiting to be verified")               \
    X(AUTH_GUESSES,     "auth-guesses",     "too many wrong passwords came from this address")     \
    X(QUOTA,            "quota",            "the quota is used up")                                \
    X(TARGET_ADDRESS,   "target-address",   "the target's address is not allowed")                 \
    X(TARGET_PRIVATE,   "target-private",   "the target's address is in a private network")        \
    X(TARGET_OWN,       "target-own",       "the target is a port of this proxy itself")           \
    X(TARGET_PORT,      "target-port",      "the target's port is not allowed")                    \
    X(NO_SITE,          "no-site",          "no site is configured for this host")                 \
    X(LOOP,             "loop",             "the request already went through this proxy")         \
    X(BAD_REQUEST,      "bad-request",      "the request is malformed")                            \
    X(DNS,              "dns",              "the origin's name does not resolve")                  \
    X(DNS_BUSY,         "dns-busy",         "too many names are being looked up, in total or for this client") \
    X(CONNECT,          "connect",          "the origin refused or could not be reached")          \
    X(TLS_HANDSHAKE,    "tls-handshake",    "the TLS handshake with the origin failed")            \
    X(TLS_CERTIFICATE,  "tls-certificate",  "the origin's certificate is not trusted")             \
    X(TLS_EXPIRED,      "tls-expired",      "the origin's certificate has expired, or is not valid yet") \
    X(TLS_NAME,         "tls-name",         "the origin's certificate is for another name")        \
    X(ORIGIN_TIMEOUT,   "origin-timeout",   "the origin did not respond in time")                   \
    X(ORIGIN_CLOSED,    "origin-closed",    "the origin closed the connection before it responded")  \
    X(ORIGIN_BROKEN,    "origin-broken",    "the origin's response is malformed")                    \
    X(REDIRECT,         "redirect",         "the mirror's origin redirects to where the mirror may not follow") \
    X(DIGEST,           "digest",           "the body does not match the digest in its URL") \
    X(PULL,             "pull",             "the registry requires credentials for it, and a mirror has none") \
    X(CLIENT_GONE,      "client-gone",      "the client left before the end")                      \
    X(OVERLOAD,         "overload",         "a limit of this proxy is reached")

/* Why the origin was asked: id, value of fwd in Cache-Status (RFC 9211 2.2). */
#define FORWARDS(X)                                                                                \
    X(NONE,      "")          /* it was not */                                                     \
    X(BYPASS,    "bypass")    /* not a request for a cache to answer */                            \
    X(METHOD,    "method")    /* the method's semantics ask for it */                              \
    X(URI_MISS,  "uri-miss")  /* nothing stored under the URL */                                   \
    X(VARY_MISS, "vary-miss") /* something stored, for other selecting fields */                   \
    X(MISS,      "miss")      /* what was stored could not be had */                               \
    X(REQUEST,   "request")   /* something fresh, but the request does not allow its use */        \
    X(STALE,     "stale")     /* something stored that had to be validated */                      \
    X(PARTIAL,   "partial")   /* something stored, without all the bytes asked for */

/* Where the stored response was that answered: id, word. */
#define SERVINGS(X)                                                                                \
    X(NONE,   "none")   /* nothing stored answered */                                              \
    X(MEMORY, "memory") /* in memory */                                                            \
    X(DISK,   "disk")   /* in the store, whose pages the system had in memory */                   \
    X(COLD,   "cold")   /* some of it, head or body, had to be waited for from the disk */

/* How the response ended: id, word, ending of Squid's result code. */
#define ENDINGS(X)                                                                                 \
    X(COMPLETE, "complete",    "")                                                                 \
    X(CLIENT,   "client-gone", "_ABORTED") /* the client left, or took too long */                 \
    X(BODY,     "broken",      "_ABORTED") /* the body could not be had to its end */              \
    X(STOPPED,  "stopped",     "_ABORTED") /* the proxy stopped, or the tunnel's target left */
/* clang-format on */

enum outcome {
#define X(id, word, squid) OUTCOME_##id,
    OUTCOMES(X)
#undef X
        OUTCOME_COUNT
};

enum reason {
#define X(id, word, text) REASON_##id,
    REASONS(X)
#undef X
        REASON_COUNT
};

enum forward {
#define X(id, word) FORWARD_##id,
    FORWARDS(X)
#undef X
        FORWARD_COUNT
};

enum ending {
#define X(id, word, squid) ENDING_##id,
    ENDINGS(X)
#undef X
        ENDING_COUNT
};

enum served {
#define X(id, word) SERVED_##id,
    SERVINGS(X)
#undef X
        SERVED_COUNT
};

/* The decision of one exchange. Times are in seconds; -1: unknown. */
struct decision {
    enum outcome outcome;
    enum reason reason;       /* why this outcome */
    enum reason store_reason; /* REASON_STORED, or why the fetched response is not stored */
    enum forward forward;     /* why the origin was asked */
    enum ending ending;
    int fwd_status; /* status of the origin's response; 0: none */
    bool stored;    /* the fetched response is being stored */
    bool collapsed; /* it waited for another request's fetch */
    uint16_t rule;  /* number (from 1) of the access rule that decided; 0: none */
    int64_t age;    /* of the stored response or, after a fetch, of the fetched one */
    int64_t lifetime;
    enum served served;    /* final once decision_note_disk() was called */
    uint64_t disk_wait_us; /* total time waited for the disk; 0: it did not wait */
};

#define DECISION_INIT ((struct decision){.age = -1, .lifetime = -1})

struct span outcome_word(enum outcome outcome);
struct span outcome_squid(enum outcome outcome);
struct span reason_word(enum reason reason);
struct span reason_text(enum reason reason);
struct span forward_word(enum forward forward);
struct span served_word(enum served served);
struct span ending_word(enum ending ending);
struct span ending_squid(enum ending ending);

/* Was the request answered without asking the origin (RFC 9211 2.1)? */
bool decision_is_hit(const struct decision *decision);

/* To be called when the outcome is known, with the total wait for the disk, and again after further
 * waits. `served`, set by the lookup, becomes SERVED_COLD after a wait, and SERVED_NONE when no
 * stored response is the answer. */
void decision_note_disk(struct decision *decision, uint64_t waited_us);

/* Makes the Cache-Status member (RFC 9211): `name; hit; ttl=…` or `name; fwd=…; fwd-status=…;
 * stored; collapsed; ttl=…`, then `key="…"` if a key is given, then `detail=…`: the reason, or
 * `disk` or `cold` for a hit that did not come from memory. A key is cut after CACHE_STATUS_KEY_MAX
 * bytes; bytes that a string cannot have (RFC 9651 3.3.3) become spaces. */
#define CACHE_STATUS_KEY_MAX 512
struct span decision_cache_status(const struct decision *decision, struct span name,
                                  struct span key, struct arena *arena);

/* An identifier as an item of a structured field: a token if possible, else a string (RFC 9651). */
struct span decision_name(struct span name, struct arena *arena);

#endif
