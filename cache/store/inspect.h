/*
 * inspect - is a stored object as it was written? All of it is read from the disk, with pread(2)
 * where it is not in memory, and every checksum held against it. Any thread.
 */
#ifndef LARDER_CACHE_STORE_INSPECT_H
#define LARDER_CACHE_STORE_INSPECT_H

#include "cache/store/segments.h"

struct inspection {
    struct segments *segments;
    /* After every read of so many bytes. False: it is to end. */
    bool (*step)(void *arg, uint64_t bytes);
    void *arg;
};

/* The object that the index has under `hash`. 0; ERR_NOT_FOUND: a segment of it was given up;
 * ERR_CORRUPT: it is damaged; -ECANCELED: by `step`; another code: the disk did not give it. */
int inspect_object(const struct inspection *inspection, const uint8_t hash[STORE_HASH],
                   const struct location *location);

#endif
