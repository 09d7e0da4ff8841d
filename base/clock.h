/*
 * clock - the only reader of clocks. Thread-safe. Pure code takes `now` as a parameter; event loops
 * read the clock once per turn.
 */
#ifndef LARDER_BASE_CLOCK_H
#define LARDER_BASE_CLOCK_H

#include <stdint.h>

/* Seconds since 1970-01-01 UTC, for dates in messages. May jump. */
int64_t clock_wall(void);

/* The same in milliseconds, for logs. */
int64_t clock_wall_ms(void);

/* Monotonic milliseconds, for timeouts and durations. */
uint64_t clock_mono_ms(void);

/* Microseconds of the same clock, for latencies. */
uint64_t clock_mono_us(void);

#endif
