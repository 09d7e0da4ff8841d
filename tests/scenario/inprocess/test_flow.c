#include "tests/scenario/inprocess/kit.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <unistd.h>

enum { LARGE = 20 << 20, MEMORY = 16 << 20, SMALL = 64 << 10 };

#define STORABLE "Cache-Control: max-age=60\r\n"
#define PASSED "Cache-Control: no-store\r\n"

/* ---- slow readers ---- */

/* The most memory that bodies held while somebody looked. */
struct watch {
    const struct kit *kit;
    atomic_bool stop;
    size_t peak;
    pthread_t thread;
};

static void *look(void *arg)
{
    struct watch *watch = arg;

    while (!atomic_load(&watch->stop)) {
        size_t now = kit_stats(watch->kit).body_memory;
        watch->peak = now > watch->peak ? now : watch->peak;
        kit_nap(1);
    }
    return NULL;
}

static void watch_start(struct watch *watch, const struct kit *kit)
{
    *watch = (struct watch){.kit = kit};
    cr_assert_eq(pthread_create(&watch->thread, NULL, look, watch), 0);
}

static size_t watch_end(struct watch *watch)
{
    atomic_store(&watch->stop, true);
    pthread_join(watch->thread, NULL);
    return watch->peak;
}

struct readers {
    struct kit kit;
    atomic_size_t right;
    atomic_bool awaited; /* the others, long enough */
};

/* Member 0 creeps until the others are done: a kilobyte at a time into a small buffer. */
static void read_large(void *arg, size_t number)
{
    struct readers *readers = arg;
    struct download download;
    bool right =
        download_open(&download, &readers->kit, "/large", NULL, 0, number == 0 ? SMALL : 0);

    for (uint64_t i = 1; right && number == 0 && !atomic_load(&readers->awaited); i++) {
        right = i * 1024 < LARGE && download_to(&download, i * 1024);
        kit_nap(10);
    }
    if (right && download_to(&download, LARGE)) {
        atomic_fetch_add(&readers->right, 1);
    }
    download_close(&download);
}

Test(flow, a_slow_reader_of_what_is_stored_costs_no_memory_and_holds_nobody_up)
{
    static const char *const options[] = {"--store-size", "128MiB", NULL};
    struct readers readers = {0};
    struct crowd crowd;
    struct watch watch;

    kit_start(&readers.kit, true, NULL, options);
    origin_set(readers.kit.origin, "/large",
               &(struct origin_reply){.headers = STORABLE, .size = LARGE});
    watch_start(&watch, &readers.kit);
    crowd_start(&crowd, 5, read_large, &readers);
    cr_expect(KIT_UNTIL(atomic_load(&readers.right) == 4), "four go ahead of the slow one");
    atomic_store(&readers.awaited, true);
    crowd_join(&crowd);
    size_t peak = watch_end(&watch);
    cr_expect_eq(atomic_load(&readers.right), 5);
    cr_expect_leq(peak, MEMORY, "%zu bytes", peak);
    cr_expect_eq(origin_count(readers.kit.origin, "/large"), 1);
    kit_expect(&readers.kit, "/large", NULL, 0, LARGE);
    cr_expect_eq(origin_count(readers.kit.origin, "/large"), 1);
    kit_stop(&readers.kit);
}

/* The count no longer grows. */
static uint64_t standstill(uint64_t (*count)(void *arg), void *arg)
{
    uint64_t before, now = count(arg);

    do {
        before = now;
        kit_nap(300);
        now = count(arg);
    } while (now != before);
    return now;
}

static uint64_t sent_by_origin(void *arg)
{
    return origin_bytes(arg);
}

Test(flow, a_slow_reader_of_what_passes_through_stops_the_origin)
{
    struct kit kit;
    struct download download;
    uint64_t size = 60 << 20; /* far more than all socket buffers on the way */

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_start(&kit, with_store, NULL, NULL);
        origin_set(kit.origin, "/pass", &(struct origin_reply){.headers = PASSED, .size = size});
        cr_assert(download_open(&download, &kit, "/pass", NULL, 0, SMALL));
        cr_expect(download_to(&download, 10000));
        uint64_t sent = standstill(sent_by_origin, kit.origin);
        cr_expect_lt(sent, size, "all of it left the origin");
        cr_expect_leq(kit_stats(&kit).body_memory, 1 << 20);
        cr_expect(download_to(&download, size), "wrong at %llu", (unsigned long long)download.at);
        download_close(&download);
        cr_expect(KIT_UNTIL(kit_stats(&kit).body_memory == 0));
        kit_stop(&kit);
    }
}

/* ---- uploads ---- */

/* A plain listening socket, for targets that do as the test says byte by byte. */
static int listen_somewhere(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 8) == 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

struct stream_out {
    struct client *client;
    uint64_t seed, total;
    _Atomic uint64_t sent;
    bool finish; /* FIN behind it */
    pthread_t thread;
};

static void *pour(void *arg)
{
    struct stream_out *out = arg;
    char piece[16384];

    while (atomic_load(&out->sent) < out->total) {
        uint64_t at = atomic_load(&out->sent), left = out->total - at;
        size_t len = left < sizeof(piece) ? (size_t)left : sizeof(piece);
        content_fill(out->seed, at, piece, len);
        if (!client_send(out->client, span_of(piece, len))) {
            return NULL;
        }
        atomic_fetch_add(&out->sent, len);
    }
    if (out->finish) {
        client_shut(out->client);
    }
    return NULL;
}

static void pour_start(struct stream_out *out, struct client *client, uint64_t seed, uint64_t total,
                       bool finish)
{
    *out = (struct stream_out){.client = client, .seed = seed, .total = total, .finish = finish};
    cr_assert_eq(pthread_create(&out->thread, NULL, pour, out), 0);
}

static uint64_t poured(void *arg)
{
    return atomic_load(&((struct stream_out *)arg)->sent);
}

/* Reads `total` bytes and compares them. */
static bool swallow(struct client *from, uint64_t seed, uint64_t total)
{
    char piece[65536];

    for (uint64_t at = 0; at < total;) {
        uint64_t left = total - at;
        size_t want = left < sizeof(piece) ? (size_t)left : sizeof(piece);
        size_t got = client_read_some(from, piece, want, KIT_PATIENCE_MS);
        if (got == 0 || content_compare(seed, at, span_of(piece, got)) != got) {
            return false;
        }
        at += got;
    }
    return true;
}

static bool skip_head(struct client *from)
{
    char last[4] = {0};

    while (memcmp(last, "\r\n\r\n", 4) != 0) {
        memmove(last, last + 1, 3);
        if (!client_read_exactly(from, last + 3, 1, KIT_PATIENCE_MS)) {
            return false;
        }
    }
    return true;
}

Test(flow, an_upload_waits_for_a_slow_origin)
{
    struct kit kit;
    struct client client, target = {0};
    struct client_response response;
    struct stream_out out;
    uint16_t port;
    uint64_t seed = content_seed(SPAN("/upload"), 0), size = 60 << 20;

    kit_start(&kit, true, NULL, NULL);
    int listener = listen_somewhere(&port);
    cr_assert(client_open(&client, kit.port));
    client_sendf(&client,
                 "PUT http://127.0.0.1:%u/upload HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                 "Content-Length: %llu\r\n\r\n",
                 port, port, (unsigned long long)size);
    pour_start(&out, &client, seed, size, false);
    target.fd = accept(listener, NULL, NULL);
    cr_assert_geq(target.fd, 0);
    uint64_t sent = standstill(poured, &out);
    cr_expect_lt(sent, size, "nobody read it, yet the client got rid of it");
    cr_expect_leq(kit_stats(&kit).body_memory, 1 << 20);
    cr_expect(skip_head(&target));
    cr_expect(swallow(&target, seed, size));
    pthread_join(out.thread, NULL);
    client_sendf(&target, "HTTP/1.1 204 No Content\r\n\r\n");
    cr_expect_eq(client_read(&client, "PUT", CLIENT_MS, &response), CLIENT_OK);
    cr_expect_eq(response.status, 204);
    client_response_fini(&response);
    client_close(&client);
    client_close(&target);
    close(listener);
    cr_expect(KIT_UNTIL(kit_stats(&kit).body_memory == 0));
    kit_stop(&kit);
}

Test(flow, an_upload_the_origin_refuses_early_does_not_hang)
{
    struct kit kit;
    struct client client;
    struct client_response response;

    kit_start(&kit, true, NULL, NULL);
    origin_set(
        kit.origin, "/early",
        &(struct origin_reply){.raw = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"});
    cr_assert(client_open(&client, kit.port));
    client_ask(&client, "PUT", kit_path(&kit, "/early"), "Content-Length: 20\r\n");
    client_send(&client, SPAN("only a few"));
    origin_hang_up(kit.origin);
    client_send(&client, SPAN(" but more."));
    enum client_outcome outcome = client_read(&client, "PUT", CLIENT_MS, &response);
    cr_expect_eq(outcome, CLIENT_OK, "%s", client_outcome_text(outcome));
    cr_expect(response.status == 413 || response.status == 502);
    client_response_fini(&response);
    client_close(&client);
    kit_stop(&kit);
}

/* ---- tunnels ---- */

struct tunnel {
    struct kit kit;
    struct client client, target;
    int listener;
};

static void tunnel_open(struct tunnel *tunnel)
{
    struct client_response response;
    uint16_t port;

    *tunnel = (struct tunnel){.target.fd = -1};
    kit_start(&tunnel->kit, true, NULL, NULL);
    tunnel->listener = listen_somewhere(&port);
    cr_assert(client_open(&tunnel->client, tunnel->kit.port));
    client_sendf(&tunnel->client, "CONNECT 127.0.0.1:%u HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n",
                 port, port);
    tunnel->target.fd = accept(tunnel->listener, NULL, NULL);
    cr_assert_geq(tunnel->target.fd, 0);
    cr_expect_eq(client_read(&tunnel->client, "CONNECT", CLIENT_MS, &response), CLIENT_OK);
    cr_expect_eq(response.status, 200);
    client_response_fini(&response);
}

static void tunnel_end(struct tunnel *tunnel)
{
    client_close(&tunnel->client);
    client_close(&tunnel->target);
    close(tunnel->listener);
    cr_expect(KIT_UNTIL(kit_stats(&tunnel->kit).body_memory == 0));
    kit_stop(&tunnel->kit);
}

/* 25 MiB one way, FIN, then 25 MiB the other way, FIN. */
static void there_and_back(struct tunnel *tunnel, struct client *first, struct client *second)
{
    uint64_t seed = content_seed(SPAN("there"), 0), back = content_seed(SPAN("back"), 0);
    struct stream_out out;

    pour_start(&out, first, seed, 25 << 20, true);
    cr_expect(swallow(second, seed, 25 << 20));
    cr_expect(client_at_end(second, KIT_PATIENCE_MS), "the half-close came through");
    pthread_join(out.thread, NULL);
    pour_start(&out, second, back, 25 << 20, true);
    cr_expect(swallow(first, back, 25 << 20));
    cr_expect(client_at_end(first, KIT_PATIENCE_MS));
    pthread_join(out.thread, NULL);
    cr_expect_leq(kit_stats(&tunnel->kit).body_memory, 1 << 20);
}

Test(flow, rfc9110_9_3_6_a_tunnel_the_client_half_closes_first)
{
    struct tunnel tunnel;

    tunnel_open(&tunnel);
    there_and_back(&tunnel, &tunnel.client, &tunnel.target);
    tunnel_end(&tunnel);
}

Test(flow, rfc9110_9_3_6_a_tunnel_the_target_half_closes_first)
{
    struct tunnel tunnel;

    tunnel_open(&tunnel);
    there_and_back(&tunnel, &tunnel.target, &tunnel.client);
    tunnel_end(&tunnel);
}

Test(flow, a_tunnel_whose_other_end_resets_is_reset)
{
    struct tunnel tunnel;
    char byte;

    for (int half_closed = 0; half_closed < 2; half_closed++) {
        tunnel_open(&tunnel);
        if (half_closed) {
            client_shut(&tunnel.target);
            cr_expect_eq(client_read_some(&tunnel.client, &byte, 1, KIT_PATIENCE_MS), 0);
        }
        client_send(&tunnel.client, SPAN("hello"));
        cr_expect(client_read_exactly(&tunnel.target, &byte, 1, KIT_PATIENCE_MS));
        client_reset(&tunnel.target);
        bool gone = KIT_UNTIL(!client_send(&tunnel.client, SPAN("anybody there?")));
        cr_expect(gone, "half closed: %d", half_closed);
        tunnel_end(&tunnel);
    }
}
