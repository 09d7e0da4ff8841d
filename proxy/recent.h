/*
 * recent - the last decisions of a worker, for /status and `larderctl explain`: a ring of fixed
 * size, written by the worker for each request it ends, read by any thread.
 *
 * Neither side waits for the other: an entry carries a version that is odd while it is written, and
 * who reads one that changes meanwhile drops it. Nothing is allocated. URLs are kept as they came,
 * for comparing; show them only through proxy/client/shown.h.
 */
#ifndef LARDER_PROXY_RECENT_H
#define LARDER_PROXY_RECENT_H

#include "base/prefix.h"
#include "cache/decision.h"
#include "http/uri.h"

#include <stdatomic.h>

enum {
    RECENT_COUNT = 128,
    RECENT_TEXT = 480, /* bytes of host, path, user and mirror that are kept */
    RECENT_METHOD = 16,
    RECENT_USER = 64,
};

struct recent_entry {
    int64_t when_ms; /* the end of the request, since 1970 */
    uint64_t elapsed_us, bytes;
    struct decision decision;
    int status; /* sent to the client; 0: none */
    enum http_method method;
    uint16_t port;
    uint16_t host_len, path_len;
    uint8_t method_len, user_len, mirror_len;
    bool https, is_ipv6;
    bool cut; /* the path was longer, or the mirror's did not fit */
    bool has_client;
    struct ip client;
    char method_text[RECENT_METHOD];
    /* The host, the path, who asked, the path of the mirror, and the rest of the last word; no
     * host: the request made no sense. */
    char text[RECENT_TEXT + 8];
};

enum { RECENT_WORDS = sizeof(struct recent_entry) / 8 };
_Static_assert(sizeof(struct recent_entry) % 8 == 0, "it is copied in words");

struct recent {
    atomic_uint_fast64_t count; /* entries ever written */
    struct recent_slot {
        atomic_uint_fast64_t version;
        atomic_uint_fast64_t words[RECENT_WORDS];
    } slots[RECENT_COUNT];
};

/* One request that has ended; borrowed during the call. */
struct recent_request {
    int64_t when_ms;
    uint64_t elapsed_us, bytes;
    const struct decision *decision;
    const struct ip *client; /* may be NULL */
    int status;
    const struct http_head *request; /* NULL, or without a method: not understood */
    const struct uri *uri;           /* NULL, or without a host: likewise */
    struct span user;                /* authenticated as, or empty */
    struct span mirror;              /* its path; empty: none */
};

/* Only the worker that owns the ring. */
void recent_add(struct recent *ring, const struct recent_request *request);

/* Copies the entry that `ago` newer ones followed (0: the newest). False when there is none, or it
 * is being overwritten just now. */
bool recent_read(struct recent *ring, size_t ago, struct recent_entry *out);

/* Its URL, and its method as it came. Spans point into the entry. */
struct uri recent_uri(const struct recent_entry *entry);
struct span recent_method(const struct recent_entry *entry);
/* Empty: nobody; or the name did not fit. */
struct span recent_user(const struct recent_entry *entry);
struct span recent_mirror(const struct recent_entry *entry);

/* Is it about this URL, of this mirror (empty: of none)? Never when something was cut. */
bool recent_is(const struct recent_entry *entry, const struct uri *uri, struct span mirror);

#endif
