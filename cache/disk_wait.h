/*
 * disk_wait - adds up how long somebody has waited for the disk. Belongs to one thread; zeroed: not
 * at all. Reads the clock only when a wait begins or ends.
 */
#ifndef LARDER_CACHE_DISK_WAIT_H
#define LARDER_CACHE_DISK_WAIT_H

#include "base/clock.h"

struct disk_wait {
    uint64_t since_us; /* of the present wait; 0: none */
    uint64_t us;       /* total of ended waits, each at least 1 */
};

/* Does nothing during a wait. */
static inline void disk_wait_begin(struct disk_wait *wait)
{
    if (wait->since_us == 0) {
        wait->since_us = clock_mono_us();
    }
}

/* Does nothing outside a wait. */
static inline void disk_wait_end(struct disk_wait *wait)
{
    if (wait->since_us) {
        uint64_t now = clock_mono_us();
        wait->us += now > wait->since_us ? now - wait->since_us : 1;
        wait->since_us = 0;
    }
}

/* The total, including the present wait. */
static inline uint64_t disk_wait_so_far(const struct disk_wait *wait)
{
    uint64_t now = wait->since_us ? clock_mono_us() : 0;

    return wait->us + (now > wait->since_us ? now - wait->since_us : wait->since_us > 0);
}

#endif
