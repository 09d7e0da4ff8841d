#include "proxy/stream/rtt.h"

#include <linux/tcp.h> /* glibc's struct tcp_info ends before tcpi_min_rtt */
#include <netinet/in.h>
#include <sys/socket.h>

/* The minimum of a connection without any measurement. */
#define NO_MINIMUM UINT32_MAX

bool rtt_ring_put(struct rtt_ring *ring, const struct rtt_sample *sample)
{
    size_t put = atomic_load_explicit(&ring->put, memory_order_relaxed);

    if (put - atomic_load_explicit(&ring->taken, memory_order_acquire) == RTT_RING) {
        return false;
    }
    ring->at[put % RTT_RING] = *sample;
    atomic_store_explicit(&ring->put, put + 1, memory_order_release);
    return true;
}

size_t rtt_ring_take(struct rtt_ring *ring, struct rtt_sample *out, size_t max)
{
    size_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
    size_t count = atomic_load_explicit(&ring->put, memory_order_acquire) - taken;

    count = count < max ? count : max;
    for (size_t i = 0; i < count; i++) {
        out[i] = ring->at[(taken + i) % RTT_RING];
    }
    atomic_store_explicit(&ring->taken, taken + count, memory_order_release);
    return count;
}

uint32_t rtt_of_socket(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) {
        return 0;
    }
    if (len >= offsetof(struct tcp_info, tcpi_min_rtt) + sizeof(info.tcpi_min_rtt) &&
        info.tcpi_min_rtt != NO_MINIMUM && info.tcpi_min_rtt != 0) {
        return info.tcpi_min_rtt;
    }
    return info.tcpi_rtt;
}
