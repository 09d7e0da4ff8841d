/*
 * purge - removes stored responses, because their URL was changed (RFC 9111 4.4) or an
 * administrator says so. Thread-safe.
 *
 * What is removed is not found any more, in memory or on disk; nor are responses that were on their
 * way at that moment. Readers in progress go on. The bytes on disk are overwritten in time.
 */
#ifndef LARDER_CACHE_PURGE_H
#define LARDER_CACHE_PURGE_H

#include "http/uri.h"

struct cache;

/* Invalidates everything stored for the URI (RFC 9111 4.4). */
void cache_invalidate(struct cache *cache, const struct uri *uri, struct span zone,
                      struct arena *arena);

/* What was removed for a URL. */
struct purge_found {
    bool varies;
    size_t responses; /* known variants: in memory, and the latest ones with an ETag */
    uint64_t bytes;   /* of their bodies, as far as they were present */
    size_t fetches;   /* fetches in progress, whose responses will not be stored */
};

/* The same for an administrator; also frees the disk space of what is known. `done` is called when
 * it is durable, or with the error why it is not: then the removal lasts only until a restart.
 * (ERR_IO also when there are folders of which none is open.) `done` is called from any thread,
 * maybe before this returns; it may only post. Returns 0, or ERR_BUSY without any effect while an
 * older process has the store. Waits for the disk, so not for loops that serve requests. */
int cache_purge(struct cache *cache, const struct uri *uri, struct span zone, struct arena *arena,
                struct purge_found *found, void (*done)(void *arg, int err), void *arg);

/* Removes everything in a scope (cache/scopes.h). Returns 0 when it is durable; ERR_BUSY as above;
 * ERR_FULL or ERR_TOO_LARGE, without any effect: there are too many scopes, or it is too long; or
 * the error of a disk, or ERR_IO when a folder could not be opened: then the removal lasts only
 * until a restart. Waits for the disk. */
int cache_purge_scope(struct cache *cache, struct span scope);

#endif
