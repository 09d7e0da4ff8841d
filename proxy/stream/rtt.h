/*
 * rtt - round-trip times of clients as the kernel measured them, one for each connection that
 * ends: a ring that a worker writes and the main thread empties. Neither waits for the other: when
 * the ring is full, samples are lost, which is what becomes of most samples anyway.
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
    atomic_size_t put;   /* how many ever were; only the writer stores it */
    atomic_size_t taken; /* only the reader does */
    struct rtt_sample at[RTT_RING];
};

/* False: it is full. Only the thread that owns the ring. */
bool rtt_ring_put(struct rtt_ring *ring, const struct rtt_sample *sample);
/* Takes up to `max` samples, the oldest first. Only one thread at a time. */
size_t rtt_ring_take(struct rtt_ring *ring, struct rtt_sample *out, size_t max);

/* The shortest round trip of a TCP connection in the last minutes, in µs; 0: none is known. Works
 * until the descriptor is closed. One system call. */
uint32_t rtt_of_socket(int fd);

#endif
