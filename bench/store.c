/*
 * bench/store - the store by itself: filling it, finding in it, starting with it.
 *
 *   store DIRECTORY fill OBJECTS BYTES   puts that many objects with bodies of that size
 *   store DIRECTORY find OBJECTS BYTES   finds them at random, reading head and body
 *   store DIRECTORY open OBJECTS BYTES   opens it and finds one object
 *   store DIRECTORY churn PASSES MIB     writes a store of that size over PASSES times, synced,
 * with bodies of lognormal sizes (median 8 KiB, mean about 34), one in eight of which is used
 *
 * One line a run. Drop the page cache before `open` to see a cold start.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "cache/store/store.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define SIZE (UINT64_C(16) << 30)

enum { FINDS = 1000000, BODY_MAX = 1 << 20 };

static char body[BODY_MAX];

static struct store *open_store(const char *dir, uint64_t size)
{
    struct store_options options = {.path = dir, .size = size, .dirty_limit = 64u << 20};
    struct store *store;

    CHECK(store_open(&options, &store) == 0);
    return store;
}

static struct span key_of(char key[80], size_t i)
{
    int len = snprintf(key, 80, "http://www.example.net:80/some/path/of/usual/length/%zu", i);

    return span_of(key, (size_t)len);
}

static void put(struct store *store, size_t i, size_t len)
{
    static const char head[300];
    struct store_piece piece = {.bytes = span_of(body, len)};
    struct store_put *under_way;
    uint8_t hash[STORE_HASH];
    char text[80];
    struct span key = key_of(text, i);

    sip_hash128(store_secret(store), key, hash);
    while (store_put_begin(store, hash, key, &under_way) == ERR_BUSY) {
        usleep(1000);
    }
    store_put_finish(under_way, span_of(head, sizeof(head)), text, 48, len, &piece, 1, NULL, NULL);
}

static void fill(const char *dir, size_t count, size_t len)
{
    struct store *store = open_store(dir, SIZE);
    struct store_stats stats;
    uint64_t began = clock_mono_us();

    for (size_t i = 0; i < count; i++) {
        put(store, i, len);
    }
    store_flush(store);
    uint64_t took = clock_mono_us() - began;
    store_stats(store, &stats);
    printf("fill: %zu objects of %zu bytes, %.1f us each, %llu commits, %llu segments\n", count,
           len, (double)took / (double)count, (unsigned long long)stats.commits,
           (unsigned long long)stats.segments);
    store_close(&store);
}

static bool find(struct store *store, size_t i, char *copy)
{
    struct store_object object;
    uint8_t hash[STORE_HASH];
    char text[80];
    struct span key = key_of(text, i);

    sip_hash128(store_secret(store), key, hash);
    int err = store_find(store, hash, key, &object);
    if (err) {
        return false;
    }
    if (object.body.len) {
        memcpy(copy, object.body.at, object.body.len);
    }
    store_object_done(store, &object);
    return true;
}

static void find_all(const char *dir, size_t count)
{
    struct store *store = open_store(dir, SIZE);
    char *copy = xmalloc(BODY_MAX);
    uint64_t random = 88172645463325252u;
    size_t found = 0;

    for (size_t i = 0; i < count; i++) { /* each once, so that checksums are behind us */
        find(store, i, copy);
    }
    uint64_t began = clock_mono_us();
    for (size_t i = 0; i < FINDS; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        found += find(store, random % count, copy);
    }
    uint64_t took = clock_mono_us() - began;
    printf("find: %zu of %d among %zu, %.2f us each\n", found, FINDS, count, (double)took / FINDS);
    store_close(&store);
    free(copy);
}

static void open_and_find(const char *dir, size_t count)
{
    char *copy = xmalloc(BODY_MAX);
    uint64_t began = clock_mono_us();
    struct store *store = open_store(dir, SIZE);
    uint64_t opened = clock_mono_us();
    bool found = find(store, count / 2, copy);
    uint64_t ended = clock_mono_us();

    printf("open: %.1f ms, first find %.1f ms, %s\n", (double)(opened - began) / 1e3,
           (double)(ended - opened) / 1e3, found ? "found" : "not found");
    began = clock_mono_us();
    put(store, 0, 100);
    store_flush(store);
    printf("open: first put durable %.1f ms\n", (double)(clock_mono_us() - began) / 1e3);
    store_close(&store);
    free(copy);
}

/* ---- churn ---- */

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The sum of twelve even draws is as good as normal. */
static size_t random_len(uint64_t *state)
{
    double sum = -6;

    for (int i = 0; i < 12; i++) {
        sum += (double)(random_next(state) >> 11) / 9007199254740992.0;
    }
    double len = 8192 * exp(1.7 * sum);
    return len < 100 ? 100 : len > BODY_MAX - 8192 ? BODY_MAX - 8192 : (size_t)len;
}

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void use_one(struct store *store, size_t i)
{
    uint8_t hash[STORE_HASH];
    char text[80];

    sip_hash128(store_secret(store), key_of(text, i), hash);
    store_touch(store, hash, 1);
}

static void churn(const char *dir, size_t passes, uint64_t size)
{
    struct store *store = open_store(dir, size);
    uint64_t random = 88172645463325252u;
    size_t count = 0;
    struct store_stats before = {0}, after;

    for (size_t pass = 0; pass < passes; pass++) {
        uint64_t began = clock_mono_us(), payload = 0;
        double cpu = cpu_seconds();
        size_t from = count;
        for (; payload < size; count++) {
            size_t len = random_len(&random);
            put(store, count, len);
            payload += len;
            if (count % 8 == 0 && count > 6000) {
                use_one(store, count - 6000);
            }
        }
        store_flush(store);
        double took = (double)(clock_mono_us() - began) / 1e6;
        store_stats(store, &after);
        printf("churn: pass %zu, %.0f MB/s synced, %.1f us CPU an object, kept %.1f %%, evicted "
               "%llu, recycled %llu\n",
               pass, (double)payload / 1e6 / took,
               (cpu_seconds() - cpu) * 1e6 / (double)(count - from),
               100 * (double)(after.kept_bytes - before.kept_bytes) / (double)payload,
               (unsigned long long)(after.evicted_segments - before.evicted_segments),
               (unsigned long long)(after.recycled_segments - before.recycled_segments));
        before = after;
    }
    store_close(&store);
}

int main(int argc, char **argv)
{
    size_t count = argc == 5 ? strtoul(argv[3], NULL, 10) : 0;
    size_t len = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;

    if (count == 0 || len > BODY_MAX) {
        fprintf(stderr, "usage: %s DIRECTORY fill|find|open OBJECTS BYTES | churn PASSES MIB\n",
                argv[0]);
        return 2;
    }
    if (strcmp(argv[2], "fill") == 0) {
        fill(argv[1], count, len);
    } else if (strcmp(argv[2], "churn") == 0) {
        churn(argv[1], count, (uint64_t)len << 20);
    } else if (strcmp(argv[2], "find") == 0) {
        find_all(argv[1], count);
    } else {
        open_and_find(argv[1], count);
    }
    return 0;
}
