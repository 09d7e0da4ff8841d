/*
 * disk_wait - how long somebody has waited for the disk, in all. Belongs to one thread; zeroed is
 * "not at all". A clock is read only where a wait begins and ends.
 */
#ifndef LARDER_CACHE_DISK_WAIT_H
#define LARDER_CACHE_DISK_WAIT_H

#include "base/clock.h"

struct disk_wait {
    uint64_t since_us; /* waits just now; 0: does not */
    uint64_t us;       /* of the waits that have ended; at least 1 each */
};

/* Harmless while one is under way. */
static inline void disk_wait_begin(struct disk_wait *wait)
{
    if (wait->since_us == 0) {
        wait->since_us = clock_mono_us();
    }
}

/* Harmless when none is. */
static inline void disk_wait_end(struct disk_wait *wait)
{
    if (wait->since_us) {
        uint64_t now = clock_mono_us();
        wait->us += now > wait->since_us ? now - wait->since_us : 1;
        wait->since_us = 0;
    }
}

/* In all, the wait under way included. */
static inline uint64_t disk_wait_so_far(const struct disk_wait *wait)
{
    uint64_t now = wait->since_us ? clock_mono_us() : 0;

    return wait->us + (now > wait->since_us ? now - wait->since_us : wait->since_us > 0);
}

#endif
