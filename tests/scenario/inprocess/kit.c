#include "tests/scenario/inprocess/kit.h"

#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

uint64_t kit_now_ms(void)
{
    return clock_mono_ms();
}

void kit_nap(unsigned ms)
{
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

/* ---- the proxy ---- */

static bool is_free(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_geq(fd, 0);
    bool bound = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return bound;
}

/* Whether no other test has it, who may be about to listen on it (tests/lib/larder.py does the
 * same): a lock that is held as long as `*lock` is open. */
static bool reserve(uint16_t port, int *lock)
{
    char path[64];

    snprintf(path, sizeof(path), "/tmp/larder-ports-%u", getuid());
    cr_assert(mkdir(path, 0777) == 0 || errno == EEXIST);
    snprintf(path, sizeof(path), "/tmp/larder-ports-%u/%u", getuid(), port);
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_geq(*lock, 0);
    if (flock(*lock, LOCK_EX | LOCK_NB) == 0) {
        return true;
    }
    close(*lock);
    return false;
}

/* A port that nothing listens on, and that no other test is given while `*lock` is open. Below the
 * range the kernel hands out: there another test's client may take it meanwhile. */
static uint16_t free_port(int *lock)
{
    while (true) {
        uint16_t random;
        cr_assert_eq(getrandom(&random, sizeof(random), 0), sizeof(random));
        uint16_t port = (uint16_t)(10000 + random % 20000);
        if (!reserve(port, lock)) {
            continue;
        }
        if (is_free(port)) {
            return port;
        }
        close(*lock);
    }
}

static void add(struct kit *kit, const char *option)
{
    cr_assert_lt(kit->argc, KIT_ARGS_MAX - 1);
    kit->argv[kit->argc++] = strdup(option);
}

static void add_pair(struct kit *kit, const char *option, const char *value)
{
    add(kit, option);
    add(kit, value);
}

static void add_options(struct kit *kit, bool with_store, const char *const *options)
{
    char text[64];

    add(kit, "larder-proxy");
    snprintf(text, sizeof(text), "127.0.0.1:%u", kit->port);
    add_pair(kit, "--listen", text);
    snprintf(text, sizeof(text), "127.0.0.1:%u", free_port(&kit->locks[1]));
    add_pair(kit, "--admin", text);
    add_pair(kit, "--allow", "127.0.0.0/8");
    add_pair(kit, "--allow-target", "127.0.0.0/8");
    add_pair(kit, "--connect-ports", "1024-65535");
    add_pair(kit, "--workers", "4");
    add_pair(kit, "--memory", "16MiB");
    if (with_store) {
        add_pair(kit, "--store", kit->dir);
        add_pair(kit, "--store-size", "64MiB");
    }
    for (; options && *options; options++) {
        add(kit, *options);
    }
}

static void *serve(void *arg)
{
    struct kit *kit = arg;

    cr_assert_eq(server_run(kit->server), 0);
    return NULL;
}

void kit_start(struct kit *kit, bool with_store, origin_handler *handler,
               const char *const *options)
{
    struct buf errors = BUF_INIT;
    struct settings *settings;

    *kit = (struct kit){0};
    kit->port = free_port(&kit->locks[0]);
    strcpy(kit->dir, "/tmp/larder-scenario-XXXXXX");
    cr_assert_not_null(mkdtemp(kit->dir));
    kit->origin = origin_start("127.0.0.1:0", handler);
    cr_assert_not_null(kit->origin);
    snprintf(kit->url, sizeof(kit->url), "http://127.0.0.1:%u", origin_port(kit->origin));
    add_options(kit, with_store, options);
    int err = server_load(kit->argc, kit->argv, NULL, &errors, &settings);
    cr_assert_eq(err, 0, "%.*s", SPAN_ARGS(buf_span(&errors)));
    cr_assert_eq(server_new(&settings, kit->argc, kit->argv, &kit->server), 0);
    cr_assert_eq(pthread_create(&kit->thread, NULL, serve, kit), 0);
    kit->running = true;
}

void kit_drain(struct kit *kit)
{
    kill(getpid(), SIGTERM);
    pthread_join(kit->thread, NULL);
    kit->running = false;
}

/* Nothing under way, and no memory but that of hot objects. */
static bool is_settled(const struct kit *kit)
{
    struct cache_stats stats = kit_stats(kit);

    return stats.table.flights == 0 && stats.body_memory <= stats.table.bytes;
}

void kit_stop(struct kit *kit)
{
    char command[80];

    if (kit->running) {
        bool settled = KIT_UNTIL(is_settled(kit));
        struct cache_stats stats = kit_stats(kit);
        cr_expect(settled, "flights %zu, bodies %zu, hot %zu", stats.table.flights,
                  stats.body_memory, stats.table.bytes);
        kit_drain(kit);
    }
    server_free(&kit->server);
    origin_stop(&kit->origin);
    for (int i = 0; i < kit->argc; i++) {
        free(kit->argv[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(kit->locks); i++) {
        close(kit->locks[i]);
    }
    snprintf(command, sizeof(command), "rm -r %s", kit->dir);
    cr_assert_eq(system(command), 0);
}

/* ---- what it counts ---- */

static uint64_t sum(const struct kit *kit, size_t offset)
{
    uint64_t total = 0;

    for (size_t i = 0; i < server_worker_count(kit->server); i++) {
        const struct worker *worker = server_worker(kit->server, i);
        const char *counters = (const char *)&worker->counters;
        total += atomic_load((const metric_value *)(const void *)(counters + offset));
    }
    return total;
}

uint64_t kit_outcomes(const struct kit *kit, enum outcome outcome)
{
    return sum(kit, offsetof(struct counters, outcomes) + (size_t)outcome * sizeof(metric_value));
}

uint64_t kit_fetches(const struct kit *kit)
{
    return sum(kit, offsetof(struct counters, origin_fetches));
}

uint64_t kit_retries(const struct kit *kit)
{
    return sum(kit, offsetof(struct counters, origin_retries));
}

uint64_t kit_accepted(const struct kit *kit)
{
    return sum(kit, offsetof(struct counters, client_connections));
}

struct cache_stats kit_stats(const struct kit *kit)
{
    struct cache_stats stats;

    cache_stats(server_cache(kit->server), &stats);
    return stats;
}

/* ---- clients ---- */

const char *kit_path(const struct kit *kit, const char *path)
{
    static _Thread_local char url[256];

    snprintf(url, sizeof(url), "%s%s", kit->url, path);
    return url;
}

void kit_expect(const struct kit *kit, const char *path, const char *lines, uint64_t version,
                uint64_t size)
{
    struct download download;

    cr_assert(download_open(&download, kit, path, lines, version, 0), "%s: no head", path);
    cr_expect_eq(download.status, 200, "%s: status %d", path, download.status);
    cr_expect(download_to(&download, size), "%s: wrong at %llu", path,
              (unsigned long long)download.at);
    download_close(&download);
}

static bool read_head(struct download *download)
{
    char head[8192];
    size_t len = 0;

    while (len < sizeof(head) &&
           client_read_exactly(&download->client, head + len, 1, KIT_PATIENCE_MS)) {
        len++;
        if (len > 4 && memcmp(head + len - 4, "\r\n\r\n", 4) == 0) {
            download->status = atoi(head + strlen("HTTP/1.1 "));
            return true;
        }
    }
    return false;
}

bool download_open(struct download *download, const struct kit *kit, const char *path,
                   const char *lines, uint64_t version, int buffer)
{
    *download = (struct download){.seed = content_seed(span_str(path), version)};
    cr_assert(client_open(&download->client, kit->port));
    if (buffer) {
        setsockopt(download->client.fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    }
    client_ask(&download->client, "GET", kit_path(kit, path), lines);
    return read_head(download);
}

bool download_to(struct download *download, uint64_t upto)
{
    char piece[65536];

    while (download->at < upto) {
        uint64_t left = upto - download->at;
        size_t want = left < sizeof(piece) ? (size_t)left : sizeof(piece);
        size_t got = client_read_some(&download->client, piece, want, KIT_PATIENCE_MS);
        if (got == 0 || content_compare(download->seed, download->at, span_of(piece, got)) != got) {
            return false;
        }
        download->at += got;
    }
    return true;
}

void download_close(struct download *download)
{
    client_close(&download->client);
}

static void *run_member(void *arg)
{
    struct crowd_member *member = arg;

    member->crowd->work(member->crowd->arg, member->number);
    return NULL;
}

void crowd_start(struct crowd *crowd, size_t count, void (*work)(void *arg, size_t number),
                 void *arg)
{
    cr_assert_leq(count, ARRAY_LEN(crowd->threads));
    *crowd = (struct crowd){.count = count, .work = work, .arg = arg};
    for (size_t i = 0; i < count; i++) {
        crowd->members[i] = (struct crowd_member){crowd, i};
        cr_assert_eq(pthread_create(&crowd->threads[i], NULL, run_member, &crowd->members[i]), 0);
    }
}

void crowd_join(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++) {
        pthread_join(crowd->threads[i], NULL);
    }
}
