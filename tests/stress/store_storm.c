/*
 * store_storm - many threads on a small store: find, lend, hold, put, update, drop, stats, while
 * segments are evicted under them. Whatever is found must be whole. Made for ThreadSanitizer.
 *
 *   store_storm OPERATIONS   each of four threads does that many
 */
#include "tests/unit/cache/store_kit.h"

#include "base/check.h"
#include "base/err.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4, OBJECTS = 64, HELD = 4 };

struct actor {
    pthread_t thread;
    struct store *store;
    uint64_t random;
    unsigned long operations;
    unsigned found, missed, put, busy;
    struct {
        struct store_object object;
        unsigned number;
        bool is_held;
    } held[HELD];
};

static unsigned below(struct actor *actor, unsigned bound)
{
    actor->random ^= actor->random << 13;
    actor->random ^= actor->random >> 7;
    actor->random ^= actor->random << 17;
    return (unsigned)(actor->random >> 33) % bound;
}

static const char *key_of(char key[64], unsigned number)
{
    snprintf(key, 64, "http://example.net:80/storm/%u", number);
    return key;
}

static size_t len_of(unsigned number)
{
    static const size_t lens[] = {100, 1500, 3000, 300, 40000, 2040, 150000, 6 * STORE_CHUNK + 77};

    return lens[number % ARRAY_LEN(lens)];
}

static void check(struct actor *actor, unsigned number)
{
    char key[64];
    int err = kit_check(actor->store, key_of(key, number), len_of(number));

    CHECK(err == 0 || err == ERR_NOT_FOUND);
    actor->found += err == 0;
    actor->missed += err != 0;
}

static void let_go(struct actor *actor, unsigned slot)
{
    char key[64];
    unsigned number = actor->held[slot].number;

    if (actor->held[slot].is_held) {
        CHECK(kit_compare(actor->store, key_of(key, number), len_of(number),
                          &actor->held[slot].object) == 0);
        store_object_done(actor->store, &actor->held[slot].object);
        actor->held[slot].is_held = false;
    }
}

static void hold(struct actor *actor, unsigned number)
{
    char key[64];
    unsigned slot = below(actor, HELD);

    let_go(actor, slot);
    actor->held[slot].number = number;
    actor->held[slot].is_held =
        kit_find(actor->store, key_of(key, number), &actor->held[slot].object) == 0;
}

static void put(struct actor *actor, unsigned number)
{
    char key[64];
    bool taken = kit_post(actor->store, key_of(key, number), len_of(number));

    actor->put += taken;
    actor->busy += !taken;
}

static void drop(struct actor *actor, unsigned number)
{
    char key[64];
    uint8_t hash[STORE_HASH];

    kit_hash(actor->store, span_str(key_of(key, number)), hash);
    store_drop(actor->store, hash, NULL, NULL);
}

static void act(struct actor *actor)
{
    unsigned number = below(actor, OBJECTS), dice = below(actor, 100);
    struct store_stats stats;
    char key[64];

    if (dice < 50) {
        check(actor, number);
    } else if (dice < 60) {
        hold(actor, number);
    } else if (dice < 85) {
        put(actor, number);
    } else if (dice < 92) {
        kit_update(actor->store, key_of(key, number));
    } else if (dice < 97) {
        drop(actor, number);
    } else if (dice < 99) {
        store_stats(actor->store, &stats);
    } else {
        store_flush(actor->store);
    }
}

static void *run(void *arg)
{
    struct actor *actor = arg;

    for (unsigned long i = 0; i < actor->operations; i++) {
        act(actor);
    }
    for (unsigned slot = 0; slot < HELD; slot++) {
        let_go(actor, slot);
    }
    return NULL;
}

static void storm(struct store *store, unsigned long operations)
{
    static struct actor actors[THREADS];
    struct store_stats stats;

    for (unsigned i = 0; i < THREADS; i++) {
        actors[i] = (struct actor){
            .store = store, .random = 0x9e3779b97f4a7c15 * (i + 1), .operations = operations};
        CHECK(pthread_create(&actors[i].thread, NULL, run, &actors[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(actors[i].thread, NULL);
        printf("thread %u: %u found, %u missed, %u put, %u busy\n", i, actors[i].found,
               actors[i].missed, actors[i].put, actors[i].busy);
        CHECK(actors[i].found > 0 && actors[i].put > 0);
    }
    store_flush(store);
    store_stats(store, &stats);
    printf("%llu commits, %llu segments evicted\n", (unsigned long long)stats.commits,
           (unsigned long long)stats.evicted_segments);
    CHECK(stats.corrupt == 0 && stats.evicted_segments > 0);
}

int main(int argc, char **argv)
{
    unsigned long operations = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    struct actor after = {0};
    struct kit kit;

    if (operations == 0) {
        fprintf(stderr, "usage: %s OPERATIONS\n", argv[0]);
        return 2;
    }
    kit_init(&kit, 2 * KIT_SIZE);
    storm(kit.store, operations);
    kit_reopen(&kit);
    after.store = kit.store;
    for (unsigned i = 0; i < OBJECTS; i++) {
        check(&after, i);
    }
    printf("after a restart: %u found\n", after.found);
    CHECK(after.found > 0);
    kit_fini(&kit);
    return 0;
}
