/*
 * inspect - verifies a stored object: reads all of it from the disk, with pread(2) where it is not
 * in memory, and compares every checksum. Thread-safe.
 */
#ifndef LARDER_CACHE_STORE_INSPECT_H
#define LARDER_CACHE_STORE_INSPECT_H

#include "cache/store/segments.h"

struct inspection {
    struct segments *segments;
    /* Called after reading so many bytes. False: stop. */
    bool (*step)(void *arg, uint64_t bytes);
    void *arg;
};

/* Verifies the object that the index has under `hash`. Returns 0; ERR_NOT_FOUND: one of its
 * segments was dropped; ERR_CORRUPT; -ECANCELED: stopped by `step`; or the disk's error. */
int inspect_object(const struct inspection *inspection, const uint8_t hash[STORE_HASH],
                   const struct location *location);

#endif
