#include "base/check.h"
#include "proxy/stream/rtt.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

Test(rtt, what_does_not_fit_is_lost)
{
    struct rtt_ring *ring = calloc(1, sizeof(*ring));
    struct rtt_sample out[RTT_RING + 1];
    unsigned next = 0;

    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < RTT_RING; i++) {
            cr_assert(rtt_ring_put(ring, &(struct rtt_sample){.network = next, .us = next}));
            next++;
        }
        cr_expect_not(rtt_ring_put(ring, &(struct rtt_sample){.us = 1}), "full");
        cr_assert_eq(rtt_ring_take(ring, out, 100), 100);
        cr_assert_eq(rtt_ring_take(ring, out + 100, RTT_RING + 1 - 100), RTT_RING - 100);
        for (unsigned i = 0; i < RTT_RING; i++) {
            cr_assert_eq(out[i].us, next - RTT_RING + i, "in order, and each once");
        }
        cr_expect_eq(rtt_ring_take(ring, out, 1), 0, "empty");
    }
    free(ring);
}

enum { PASSED = 100000 };

static void *fill(void *arg)
{
    for (uint32_t i = 1; i <= PASSED;) {
        i += rtt_ring_put(arg, &(struct rtt_sample){.network = i, .us = i});
    }
    return NULL;
}

Test(rtt, two_threads)
{
    struct rtt_ring *ring = calloc(1, sizeof(*ring));
    struct rtt_sample out[64];
    uint32_t want = 1;
    pthread_t writer;

    cr_assert_eq(pthread_create(&writer, NULL, fill, ring), 0);
    while (want <= PASSED) {
        size_t count = rtt_ring_take(ring, out, ARRAY_LEN(out));
        for (size_t i = 0; i < count; i++, want++) {
            cr_assert_eq(out[i].us, want);
            cr_assert_eq(out[i].network, want, "a whole sample");
        }
    }
    pthread_join(writer, NULL);
    free(ring);
}

/* A connection over loopback: the kernel has measured its handshake. */
Test(rtt, of_a_connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    char byte = 'x';

    cr_assert_eq(bind(listening, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(listening, 1), 0);
    cr_assert_eq(getsockname(listening, (struct sockaddr *)&address, &len), 0);
    cr_assert_eq(connect(client, (struct sockaddr *)&address, len), 0);
    int accepted = accept(listening, NULL, NULL);
    cr_assert_geq(accepted, 0);
    cr_assert_eq(write(accepted, &byte, 1), 1);
    cr_assert_eq(read(client, &byte, 1), 1);
    cr_expect_gt(rtt_of_socket(accepted), 0);
    close(client);
    cr_assert_eq(read(accepted, &byte, 1), 0);
    cr_expect_gt(rtt_of_socket(accepted), 0, "also when the peer is gone");
    cr_expect_eq(rtt_of_socket(-1), 0);
    close(accepted);
    close(listening);
}
