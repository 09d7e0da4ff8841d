/*
 * purge - what is to be gone: of a URL that was changed (RFC 9111 4.4), or because an administrator
 * says so. Thread-safe.
 *
 * What is gone is not found again, in memory or on disk, nor is what was on its way meanwhile; who
 * was answered with it already reads on. The bytes on disk are written over in time.
 */
#ifndef LARDER_CACHE_PURGE_H
#define LARDER_CACHE_PURGE_H

#include "http/uri.h"

struct cache;

/* Everything stored for the URI becomes unusable (RFC 9111 4.4). */
void cache_invalidate(struct cache *cache, const struct uri *uri, struct span zone,
                      struct arena *arena);

/* What there was of a URL. */
struct purge_found {
    bool varies;
    size_t
        responses;  /* variants that were known: those in memory, and the last ones with an ETag */
    uint64_t bytes; /* of their bodies, as far as they were here */
    size_t fetches; /* under way; they are not kept */
};

/* The same, and what is known of it makes room at once. `done` is called when it is durable, or
 * with why it is not (it is gone all the same, until a restart; ERR_IO also when there are folders,
 * and none is open that would have it): by any thread, maybe before this returns; it must only
 * post. 0; or ERR_BUSY, and nothing has happened, while another process has the store still. Waits
 * for the disk: not for the loops that serve requests. */
int cache_purge(struct cache *cache, const struct uri *uri, struct span zone, struct arena *arena,
                struct purge_found *found, void (*done)(void *arg, int err), void *arg);

/* All that begins with this scope (cache/scopes.h). 0 when it is durable; ERR_BUSY as above;
 * ERR_FULL, ERR_TOO_LARGE: there are too many scopes, or it is too long, and nothing has happened;
 * or the error of a disk, or ERR_IO when a folder could not be opened: it is gone until a restart.
 * Waits for the disk. */
int cache_purge_scope(struct cache *cache, struct span scope);

#endif
