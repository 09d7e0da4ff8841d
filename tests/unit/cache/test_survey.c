#include "cache/store/survey.h"

#include <criterion/criterion.h>

#include "base/err.h"
#include "store_kit.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX 1024

static size_t list(struct store *store, struct store_segment out[MAX])
{
    cr_assert_leq(store_segments_max(store), MAX);
    return store_segments(store, out, MAX);
}

static struct store_tour tour(struct store *store, enum store_tour_kind kind)
{
    struct store_tour seen;

    cr_assert_eq(store_tour_begin(store, kind, 0), 0);
    do {
        sched_yield();
        store_tour(store, kind, &seen);
    } while (seen.ended == 0);
    return seen;
}

Test(survey, an_empty_store_has_no_segments)
{
    struct kit kit;
    struct store_segment segments[MAX];

    kit_init(&kit, KIT_SIZE);
    cr_expect_eq(list(kit.store, segments), 0);
    struct store_tour seen = tour(kit.store, STORE_COUNT);
    cr_expect_eq(seen.err, 0);
    cr_expect_eq(seen.live + seen.dead + seen.damaged, 0);
    kit_fini(&kit);
}

Test(survey, what_is_live_is_counted_in_its_segment)
{
    struct kit kit;
    struct store_segment segments[MAX];
    struct store_object object;

    kit_init(&kit, KIT_SIZE);
    for (int i = 0; i < 600; i++) { /* more than are read in one transaction */
        char key[16];
        snprintf(key, sizeof(key), "%d", i);
        cr_assert(kit_post(kit.store, key, 1000));
    }
    cr_assert_eq(kit_put(kit.store, "0", 500), 0); /* again: the first one is dead weight */
    cr_assert_eq(kit_find(kit.store, "5", &object), 0);
    store_used(kit.store, &object);
    cr_assert_eq(list(kit.store, segments), 1);
    cr_expect(!segments[0].counted, "nobody has asked for it");
    struct store_tour seen = tour(kit.store, STORE_COUNT);
    cr_expect_eq(seen.records, 600);
    cr_expect_eq(seen.live, 600);
    cr_expect_eq(seen.dead + seen.damaged, 0);
    cr_assert_eq(list(kit.store, segments), 1);
    cr_expect(segments[0].counted && segments[0].open && !segments[0].main);
    cr_expect_eq(segments[0].live_objects, 600);
    cr_expect_geq(segments[0].live_bytes, 599 * 1000 + 500 + 600 * strlen("head of 0"));
    cr_expect_leq(segments[0].live_bytes, segments[0].used);
    cr_expect_leq(segments[0].used, segments[0].capacity);
    cr_expect_eq(segments[0].hot_objects, 1);
    store_object_done(kit.store, &object);
    kit_fini(&kit);
}

/* One body over several segments, and segments that go. */
Test(survey, large_bodies_and_evictions)
{
    struct kit kit;
    struct store_segment segments[MAX];
    uint64_t bytes = 0, objects = 0;
    size_t len = 5u << 20;

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "large", len), 0);
    tour(kit.store, STORE_COUNT);
    size_t count = list(kit.store, segments);
    cr_assert_geq(count, 3);
    for (size_t i = 0; i < count; i++) {
        bytes += segments[i].live_bytes;
        objects += segments[i].live_objects;
        cr_expect_gt(segments[i].live_bytes, 0);
        cr_expect(i == 0 || segments[i].id > segments[i - 1].id);
    }
    cr_expect_eq(objects, 1);
    cr_expect_geq(bytes, len - count);
    cr_expect_leq(bytes, len + 100);
    struct store_object held;
    cr_assert_eq(kit_find(kit.store, "large", &held), 0);
    for (int i = 0; i < 60; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%d", i);
        kit_put(kit.store, key, 300000);
    }
    count = list(kit.store, segments);
    cr_assert_gt(count, 0);
    cr_expect(segments[0].dropped && segments[0].pins > 0, "it is held");
    store_object_done(kit.store, &held);
    store_flush(kit.store);
    cr_assert_gt(list(kit.store, segments), 0);
    cr_expect(!segments[0].dropped);
    kit_fini(&kit);
}

Test(survey, after_a_restart)
{
    struct kit kit;
    struct store_segment segments[MAX];

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "a", 1000), 0);
    kit_reopen(&kit);
    struct store_tour seen;
    store_tour(kit.store, STORE_COUNT, &seen);
    cr_expect_eq(seen.began, 0);
    seen = tour(kit.store, STORE_COUNT);
    cr_expect_eq(seen.live, 1);
    cr_assert_eq(list(kit.store, segments), 1);
    cr_expect_eq(segments[0].live_objects, 1);
    kit_fini(&kit);
}

Test(survey, what_was_written_in_the_last_minute)
{
    struct kit kit;
    struct store_spending spending;

    kit_init(&kit, KIT_SIZE);
    store_spending(kit.store, &spending);
    cr_expect_eq(spending.written, 0);
    cr_expect_gt(spending.index, 0);
    cr_assert_eq(kit_put(kit.store, "a", 100000), 0);
    store_spending(kit.store, &spending);
    cr_expect_geq(spending.written, 100000);
    kit_fini(&kit);
}
