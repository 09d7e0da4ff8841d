/*
 * recent - the latest decisions of one worker, for /status and `larderctl explain`.
 *
 * A ring of fixed size. The worker writes one entry for each request that ends; any thread may
 * read. Neither side waits: the version of an entry is odd while it is being written, and a reader
 * drops an entry that changed while it was copied. Nothing is allocated. URLs are kept as clients
 * sent them, for comparison; show them only through proxy/client/shown.h.
 */
#ifndef LARDER_PROXY_RECENT_H
#define LARDER_PROXY_RECENT_H

#include "base/prefix.h"
#include "cache/decision.h"
#include "http/uri.h"

#include <stdatomic.h>

enum {
    RECENT_COUNT = 128,
    RECENT_TEXT = 480, /* bytes kept of host, path, user and mirror together */
    RECENT_METHOD = 16,
    RECENT_USER = 64,
};

struct recent_entry {
    int64_t when_ms; /* when the request ended, ms since 1970 */
    uint64_t elapsed_us, bytes;
    struct decision decision;
    int status; /* sent to the client; 0: no response was sent */
    enum http_method method;
    uint16_t port;
    uint16_t host_len, path_len;
    uint8_t method_len, user_len, mirror_len;
    bool https, is_ipv6;
    bool cut; /* something did not fit in `text` */
    bool has_client;
    struct ip client;
    char method_text[RECENT_METHOD];
    /* The host, the path, the user and the path of the mirror, one after the other; zeros fill the
     * last word. Without a host the request could not be parsed. */
    char text[RECENT_TEXT + 8];
};

enum { RECENT_WORDS = sizeof(struct recent_entry) / 8 };
_Static_assert(sizeof(struct recent_entry) % 8 == 0, "it is copied in words");

struct recent {
    atomic_uint_fast64_t count; /* entries written so far */
    struct recent_slot {
        atomic_uint_fast64_t version;
        atomic_uint_fast64_t words[RECENT_WORDS];
    } slots[RECENT_COUNT];
};

/* A request that has ended. Borrowed during the call. */
struct recent_request {
    int64_t when_ms;
    uint64_t elapsed_us, bytes;
    const struct decision *decision;
    const struct ip *client; /* may be NULL */
    int status;
    const struct http_head *request; /* NULL or without a method: it could not be parsed */
    const struct uri *uri;           /* NULL or without a host: it could not be parsed */
    struct span user;                /* who has authenticated; empty: nobody */
    struct span mirror;              /* path of the mirror; empty: none */
};

/* Adds an entry. Only for the worker that owns the ring. */
void recent_add(struct recent *ring, const struct recent_request *request);

/* Copies an entry: the newest for `ago` 0, the one before it for 1, and so on. Returns false when
 * there is none, or when it is being overwritten. */
bool recent_read(struct recent *ring, size_t ago, struct recent_entry *out);

/* The URL of the request, and its method as the client sent it. Both point into the entry. */
struct uri recent_uri(const struct recent_entry *entry);
struct span recent_method(const struct recent_entry *entry);
/* Who had authenticated, and the path of the mirror. Empty: nobody, no mirror, or it did not
 * fit. */
struct span recent_user(const struct recent_entry *entry);
struct span recent_mirror(const struct recent_entry *entry);

/* Was the request for this URL, of this mirror (empty: of none)? Never true when something was
 * cut. */
bool recent_is(const struct recent_entry *entry, const struct uri *uri, struct span mirror);

#endif
