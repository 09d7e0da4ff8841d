/*
 * meter - the sum of amounts during the last minute. One thread adds, any thread reads.
 */
#ifndef LARDER_CACHE_STORE_METER_H
#define LARDER_CACHE_STORE_METER_H

#include <stdatomic.h>
#include <stdint.h>

#define METER_SECONDS 60u
#define METER_SLOTS 64u

struct meter {
    _Atomic uint64_t second[METER_SLOTS], amount[METER_SLOTS];
};

/* `now` is in seconds of a monotonic clock. */
static inline void meter_add(struct meter *meter, uint64_t amount, uint64_t now)
{
    _Atomic uint64_t *second = &meter->second[now % METER_SLOTS];
    _Atomic uint64_t *slot = &meter->amount[now % METER_SLOTS];

    if (atomic_load_explicit(second, memory_order_relaxed) != now) {
        atomic_store_explicit(slot, 0, memory_order_relaxed);
        atomic_store_explicit(second, now, memory_order_release);
    }
    atomic_fetch_add_explicit(slot, amount, memory_order_relaxed);
}

/* The sum of the METER_SECONDS up to `now`. */
static inline uint64_t meter_sum(const struct meter *meter, uint64_t now)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < METER_SLOTS; i++) {
        uint64_t second = atomic_load_explicit(&meter->second[i], memory_order_acquire);
        if (second <= now && second + METER_SECONDS > now) {
            sum += atomic_load_explicit(&meter->amount[i], memory_order_relaxed);
        }
    }
    return sum;
}

#endif
