/*
 * rtt - round-trip times of clients as the kernel measured them, one for each connection that ends.
 * A ring that one worker writes and the main thread empties; neither waits for the other. When the
 * ring is full, samples are lost.
 */
#ifndef LARDER_PROXY_STREAM_RTT_H
#define LARDER_PROXY_STREAM_RTT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RTT_RING = 4096 }; /* samples; a power of two */

struct rtt_sample {
    uint64_t network; /* base/network.h */
    uint32_t us;
};

struct rtt_ring {
    atomic_size_t put;   /* samples ever added; only the writer stores it */
    atomic_size_t taken; /* samples ever taken; only the reader stores it */
    struct rtt_sample at[RTT_RING];
};

/* False: the ring is full. Only for the thread that owns the ring. */
bool rtt_ring_put(struct rtt_ring *ring, const struct rtt_sample *sample);
/* Takes up to `max` samples, the oldest first. Only one thread at a time. */
size_t rtt_ring_take(struct rtt_ring *ring, struct rtt_sample *out, size_t max);

/* The shortest round trip of a TCP connection during the last minutes, in µs; 0: unknown. The
 * descriptor must be open. One system call. */
uint32_t rtt_of_socket(int fd);

#endif
