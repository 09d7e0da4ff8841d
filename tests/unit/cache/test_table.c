#include "cache/table.h"

#include "base/mem.h"
#include "base/memory.h"
#include "cache/hot.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

enum { HEAD = 2000 }; /* bytes of each object, about */

struct named {
    struct cache_key key;
    char text[32];
};

static uint64_t mix(uint64_t x) /* splitmix64 */
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static void name(struct named *named, uint64_t number)
{
    uint64_t words[2] = {mix(number), mix(~number)};

    memcpy(named->key.hash, words, sizeof(words));
    int len = snprintf(named->text, sizeof(named->text), "o%llu", (unsigned long long)number);
    named->key.text = span_of(named->text, (size_t)len);
}

/* A response without a body whose head takes about `bytes`. */
static struct object *make(uint64_t number, size_t bytes)
{
    static char value[1000000];
    struct named named;
    struct http_field field = {.name = SPAN("X"), .value = span_of(value, bytes)};
    struct http_fields fields = {.at = &field, .count = 1};
    struct http_head head = {.status = 200, .content_length = 0};
    struct freshness freshness = {0};

    name(&named, number);
    struct object *object = object_new(&named.key, &head, &fields, &freshness, NULL);
    object->body_len = 0;
    return object;
}

/* As a response that was fetched and has been stored. */
static void bring_sized(struct table *table, uint64_t number, size_t bytes)
{
    struct object *object = make(number, bytes);

    table_put(table, object, true);
    table_settle(table, object, true);
    object_unref(&object);
}

static void bring(struct table *table, uint64_t number)
{
    bring_sized(table, number, HEAD);
}

static bool use(struct table *table, uint64_t number, unsigned *tell, bool *seen)
{
    struct named named;

    name(&named, number);
    struct object *object = table_use(table, &named.key, tell, seen);
    bool found = object != NULL;
    object_unref(&object);
    return found;
}

/* A request: from memory, or fetched. */
static bool ask(struct table *table, uint64_t number)
{
    unsigned tell;
    bool seen;
    bool hit = use(table, number, &tell, &seen);

    if (!hit) {
        if (seen) { /* as the cache does when it is not in the store either */
            struct named named;
            name(&named, number);
            table_remember(table, &named.key);
        }
        bring(table, number);
    }
    return hit;
}

static bool holds(struct table *table, uint64_t number)
{
    struct named named;

    name(&named, number);
    struct object *object = table_find(table, &named.key);
    bool found = object != NULL;
    object_unref(&object);
    return found;
}

static size_t count_held(struct table *table, uint64_t from, uint64_t to)
{
    size_t count = 0;

    for (uint64_t i = from; i < to; i++) {
        count += holds(table, i);
    }
    return count;
}

static uint64_t bytes_of(struct table *table)
{
    struct table_stats stats;

    table_stats(table, &stats);
    return stats.bytes;
}

/* ---- what stays ---- */

enum { ROOM = 16 << 20, FIT = ROOM / (HEAD + 700) };

Test(table, what_is_asked_for_once_does_not_push_out_what_is_hot)
{
    struct table *table = table_new(ROOM);
    uint64_t hot = FIT * 8 / 10;

    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < hot; i++) {
            ask(table, i);
        }
    }
    cr_assert_eq(count_held(table, 0, hot), hot);
    for (uint64_t i = 0; i < 10 * FIT; i++) { /* ten times the memory */
        ask(table, 1000000 + i);
    }
    cr_expect_geq(count_held(table, 0, hot), hot * 9 / 10);
    cr_expect_leq(bytes_of(table), ROOM);
    table_free(&table);
    cr_expect_eq(memory_sum(MEMORY_ENTRIES), 0);
    cr_expect_eq(memory_sum(MEMORY_HEADS), 0);
}

/* Popularity falls with the rank; every second request is for something new. */
Test(table, zipf_with_a_scan_beats_what_a_queue_by_last_use_could_do)
{
    enum { OBJECTS = 20000, REQUESTS = 400000 };
    struct table *table = table_new(ROOM);
    static double sums[OBJECTS];
    double sum = 0;
    size_t hits = 0, asked = 0, best = 0;

    for (size_t i = 0; i < OBJECTS; i++) {
        sums[i] = sum += 1.0 / (double)(i + 1);
    }
    for (uint64_t n = 0; n < REQUESTS; n++) {
        double roll = (double)(mix(n) >> 11) / (double)(1ULL << 53) * sum;
        size_t low = 0, high = OBJECTS - 1;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (sums[middle] < roll) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        bool hit = ask(table, low);
        ask(table, 10000000 + n);
        if (n > REQUESTS / 2) {
            asked++;
            hits += hit;
            best += low < FIT;
        }
    }
    /* `best`: always just the most popular ones that fit. */
    printf("hits %zu, of the best possible %zu, of %zu\n", hits, best, asked);
    cr_expect_geq(hits * 100, best * 90);
    table_free(&table);
}

Test(table, small_ones_stay_rather_than_large_ones)
{
    enum { LARGE = 60000, MANY = 200 };
    struct table *table = table_new(ROOM);
    unsigned tell;
    bool seen;

    for (uint64_t i = 0; i < MANY; i++) {
        bring_sized(table, i, LARGE);
        bring_sized(table, 1000 + i, HEAD);
        use(table, i, &tell, &seen);
        use(table, 1000 + i, &tell, &seen);
    }
    for (uint64_t i = 0; i < 2 * FIT; i++) {
        ask(table, 1000000 + i);
    }
    cr_expect_geq(count_held(table, 1000, 1000 + MANY), MANY * 9 / 10);
    cr_expect_leq(count_held(table, 0, MANY), MANY / 2, "one use buys no round for a large one");
    table_free(&table);
}

Test(table, what_is_looked_up_soon_is_not_used_by_that)
{
    struct table *table = table_new(ROOM);
    struct named present, absent;
    unsigned tell;
    bool seen;

    bring(table, 1);
    name(&present, 1);
    name(&absent, 2);
    for (int i = 0; i < 100; i++) {
        table_prefetch(table, &present.key);
        table_prefetch_entry(table, &present.key);
        table_prefetch_object(table, &present.key);
        table_prefetch(table, &absent.key);
        table_prefetch_entry(table, &absent.key);
        table_prefetch_object(table, &absent.key);
    }
    cr_expect(use(table, 1, &tell, &seen));
    cr_expect_eq(tell, 1);
    cr_expect(!use(table, 2, &tell, &seen));
    cr_expect(!seen);
    table_free(&table);
}

Test(table, what_the_store_does_not_have_yet_stays)
{
    struct table *table = table_new(1 << 20);
    struct object *pending = make(7, HEAD);

    table_put(table, pending, true);
    for (uint64_t i = 1000; i < 5000; i++) {
        bring(table, i);
    }
    cr_expect(holds(table, 7));
    table_settle(table, pending, true);
    for (uint64_t i = 1000; i < 5000; i++) {
        bring(table, i);
    }
    cr_expect_not(holds(table, 7), "then it is one like others");
    table_put(table, pending, true);
    table_settle(table, pending, false);
    cr_expect_not(holds(table, 7));
    object_unref(&pending);
    table_free(&table);
}

Test(table, what_waits_for_the_store_gives_new_ones_no_larger_share)
{
    enum { HOT = FIT * 39 / 100, PENDING = FIT * 62 / 100 };
    static struct object *pending[PENDING];
    struct table *table = table_new(ROOM);

    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < HOT; i++) {
            ask(table, i);
        }
    }
    for (uint64_t i = 0; i < PENDING; i++) {
        pending[i] = make(100000 + i, HEAD);
        table_put(table, pending[i], true);
    }
    for (uint64_t i = 0; i < FIT; i++) {
        ask(table, 1000000 + i);
    }
    cr_expect_eq(count_held(table, 0, HOT), HOT);
    for (uint64_t i = 0; i < PENDING; i++) {
        table_settle(table, pending[i], false);
        object_unref(&pending[i]);
    }
    table_free(&table);
}

Test(table, what_left_unused_and_comes_again_belongs_to_the_hot_ones)
{
    struct table *table = table_new(1 << 20);

    bring(table, 7);
    for (uint64_t i = 1000; holds(table, 7); i++) {
        ask(table, i);
    }
    ask(table, 7);
    for (uint64_t i = 100000; i < 103000; i++) {
        ask(table, i);
    }
    cr_expect(holds(table, 7));
    table_free(&table);
}

/* It takes the room of more objects than give way at a time, so some still have to when it has
 * come; and all that is older is in use. */
Test(table, what_comes_does_not_give_way_to_itself)
{
    enum { SMALL_ROOM = 2 << 20, SMALL = 100, LARGE = 600000, HOT = SMALL_ROOM / 900, MANY = 200 };
    struct table *table = table_new(SMALL_ROOM);
    struct named named;
    unsigned tell;
    bool seen;

    for (uint64_t i = 0; i < MANY; i++) {
        for (uint64_t n = 0; n < HOT; n++) {
            if (!use(table, n, &tell, &seen)) {
                bring_sized(table, n, SMALL);
            }
        }
        name(&named, 100000 + i);
        table_remember(table, &named.key);
        bring_sized(table, 100000 + i, LARGE);
        cr_expect(holds(table, 100000 + i), "number %llu", (unsigned long long)i);
    }
    table_free(&table);
}

Test(table, a_use_in_the_store_is_remembered_once)
{
    struct table *table = table_new(1 << 20);
    struct named named;
    unsigned tell;
    bool seen;

    name(&named, 7);
    cr_expect_not(use(table, 7, &tell, &seen));
    cr_expect_not(seen);
    table_remember(table, &named.key);
    cr_expect_not(use(table, 7, &tell, &seen));
    cr_expect(seen);
    cr_expect_not(use(table, 7, &tell, &seen));
    cr_expect_not(seen, "it was taken away");
    table_free(&table);
}

Test(table, the_store_is_told_of_all_uses_but_not_of_each)
{
    struct table *table = table_new(1 << 20);
    unsigned tell, often = 0, told = 0;
    bool seen;

    bring(table, 7);
    for (unsigned i = 1; i <= 640; i++) {
        cr_assert(use(table, 7, &tell, &seen));
        told += tell;
        often += tell > 0;
        cr_expect_geq(2 * told, i, "half of it at least");
        cr_expect_lt(i - told, HOT_TELL, "or nearly all");
    }
    cr_expect_eq(told, 640);
    cr_expect_eq(often, 5 + 640 / HOT_TELL);
    table_free(&table);
}

Test(table, uses_are_kept_for_later_while_the_store_does_not_have_it)
{
    struct table *table = table_new(1 << 20);
    struct object *pending = make(8, HEAD);
    unsigned tell;
    bool seen;

    table_put(table, pending, true);
    for (unsigned i = 0; i < 300; i++) {
        use(table, 8, &tell, &seen);
        cr_expect_eq(tell, 0);
        if (i == 2) {
            table_put(table, pending, false);
            use(table, 8, &tell, &seen);
            cr_expect_eq(tell, 4);
            table_put(table, pending, true);
        }
    }
    table_put(table, pending, false);
    use(table, 8, &tell, &seen);
    cr_expect_eq(tell, UINT8_MAX, "the store counts no more than ten");
    object_unref(&pending);
    table_free(&table);
}

Test(table, one_under_a_new_head_keeps_what_it_has_proven)
{
    struct table *table = table_new(1 << 20);
    unsigned tell;
    bool seen;

    bring(table, 7);
    use(table, 7, &tell, &seen);
    bring(table, 7); /* a 304 came */
    for (uint64_t i = 1000; i < 4000; i++) {
        ask(table, i);
    }
    cr_expect(holds(table, 7));
    table_free(&table);
}

/* ---- memory ---- */

Test(table, gives_way_when_others_need_the_memory)
{
    struct table *table = table_new(ROOM);

    memory_set_limit(24 << 20);
    table_relieve_memory(table);
    for (uint64_t i = 0; i < FIT; i++) {
        bring(table, i);
    }
    uint64_t full = bytes_of(table);
    cr_expect_gt(full, ROOM * 8 / 10);
    memory_take(MEMORY_BODIES, 12 << 20);
    while (memory_excess() > 0 && bytes_of(table) > 0) {
        memory_relieve();
    }
    cr_expect_leq(bytes_of(table), 6 << 20);
    cr_expect_gt(bytes_of(table), 4 << 20, "no more than was needed");
    bring(table, 1);
    cr_expect_leq(bytes_of(table), 6 << 20);
    memory_give(MEMORY_BODIES, 12 << 20);
    table_free(&table);
    memory_relieve();
}

Test(table, what_has_left_takes_no_memory_but_a_bounded_number_of_tags)
{
    struct table *table = table_new(1 << 20);

    for (uint64_t i = 0; i < 50000; i++) {
        ask(table, i);
    }
    uint64_t before = memory_sum(MEMORY_ENTRIES);
    for (uint64_t i = 50000; i < 300000; i++) {
        ask(table, i);
    }
    cr_expect_leq(memory_sum(MEMORY_ENTRIES), before + 20000);
    cr_expect_leq(memory_sum(MEMORY_ENTRIES), 300000);
    table_free(&table);
}

/* ---- pass marks ---- */

static enum table_join join(struct table *table, uint64_t number, struct flight_member *member)
{
    struct named named;

    name(&named, number);
    return table_join(table, &named.key, &(struct table_request){.now = 100}, member);
}

static void mark(struct table *table, uint64_t number)
{
    struct flight_member member;

    cr_assert_eq(join(table, number, &member), JOIN_LEAD);
    table_land(table, member.flight, 200);
    flight_leave(&member);
}

Test(table, pass_marks_that_are_used_stay_among_many_that_are_not)
{
    struct table *table = table_new(1 << 20);
    struct flight_member member;

    mark(table, 7);
    cr_expect_eq(join(table, 7, &member), JOIN_PASS);
    for (uint64_t i = 1000; i < 41000; i++) {
        mark(table, i);
    }
    cr_expect_eq(join(table, 7, &member), JOIN_PASS);
    cr_expect_eq(join(table, 1000, &member), JOIN_LEAD);
    table_land(table, member.flight, 0);
    flight_leave(&member);
    cr_expect_leq(bytes_of(table), 1 << 20);
    table_free(&table);
    cr_expect_eq(memory_sum(MEMORY_ENTRIES), 0);
}

/* ---- what comes between looking and joining ---- */

Test(table, nobody_leads_after_looking_in_vain_before_a_change)
{
    struct table *table = table_new(1 << 20);
    _Atomic uint64_t changes = 5;
    struct table_request request = {.changes = &changes, .seen = 5};
    struct flight_member leader, late;
    struct named named;

    name(&named, 7);
    cr_assert_eq(table_join(table, &named.key, &request, &leader), JOIN_LEAD);
    bring(table, 7); /* while the second request looks, and has not found it */
    changes++;
    table_land(table, leader.flight, 0);
    table_clear(table, &named.key); /* the store has it; it is too large for memory */
    cr_expect_eq(table_join(table, &named.key, &request, &late), JOIN_CHANGED);
    request.seen++;
    cr_expect_eq(table_join(table, &named.key, &request, &late), JOIN_LEAD, "it has looked again");
    changes++;
    table_land(table, late.flight, 0);
    flight_leave(&late);
    flight_leave(&leader);
    request.changes = NULL;
    cr_expect_eq(table_join(table, &named.key, &request, &late), JOIN_LEAD, "it has looked enough");
    table_land(table, late.flight, 0);
    flight_leave(&late);
    table_free(&table);
    cr_expect_eq(memory_sum(MEMORY_ENTRIES), 0);
}

/* ---- many at once ---- */

static void *wander(void *arg)
{
    struct table *table = arg;
    static atomic_uint next;
    uint64_t seed = mix(atomic_fetch_add(&next, 1));

    for (int i = 0; i < 20000; i++) {
        seed = mix(seed);
        uint64_t number = seed % 3000;
        struct named named;
        name(&named, number);
        switch ((seed >> 32) % 16) {
        case 0:
            table_clear(table, &named.key);
            break;
        case 1:
            table_drop(table, &named.key);
            break;
        case 2:
            bring_sized(table, number, (seed >> 40) % 50000);
            break;
        default:
            ask(table, number);
        }
    }
    return NULL;
}

Test(table, many_threads_at_once)
{
    struct table *table = table_new(2 << 20);
    pthread_t threads[4];

    memory_set_limit(4 << 20);
    table_relieve_memory(table);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_create(&threads[i], NULL, wander, table);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    cr_expect_leq(bytes_of(table), 2 << 20);
    table_free(&table);
    cr_expect_eq(memory_sum(MEMORY_ENTRIES), 0);
    cr_expect_eq(memory_sum(MEMORY_HEADS), 0);
}
