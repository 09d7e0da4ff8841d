#include "object_kit.h"

#include "base/err.h"
#include "base/mem.h"
#include "cache/flight.h"

#include <criterion/criterion.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/mman.h>

/* Reads [from, to) of a stored body; returns how many bytes were placed. */
static size_t read_range(struct object *object, const char *key, size_t len, size_t from, size_t to,
                         size_t bite)
{
    char *body = kit_body(span_str(key), len);
    struct object_reader reader;
    size_t placed;

    cr_assert_eq(object_reader_init(&reader, object, from, to, (struct waker){0}), 0);
    cr_expect(kit_reads(&reader.source, span_of(body + from, to - from), bite, &placed),
              "[%zu, %zu) of %zu in bites of %zu", from, to, len, bite);
    object_reader_fini(&reader);
    free(body);
    return placed;
}

Test(object_reader, what_lies_in_the_store_has_a_place_wherever_one_begins)
{
    static const size_t lens[] = {4096, 33000, 100000, 900000, 1 << 20, 3 * STORE_CHUNK + 77};
    static const size_t bites[] = {1000, 70000, SIZE_MAX};
    struct kit kit;

    kit_init(&kit, 4 * KIT_SIZE);
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        size_t len = lens[i];
        char key[32];
        snprintf(key, sizeof(key), "key %zu", i);
        struct object *object = kit_object(kit.store, key, len, 0);
        for (size_t n = 0; n < ARRAY_LEN(bites); n++) {
            cr_expect_eq(read_range(object, key, len, 0, len, bites[n]), len);
            cr_expect_eq(read_range(object, key, len, len / 3, len - 5, bites[n]),
                         len - 5 - len / 3);
        }
        object_unref(&object);
    }
    kit_fini(&kit);
}

Test(object_reader, what_was_copied_has_no_place)
{
    static const size_t lens[] = {1, 1500, 20000};
    struct kit kit;

    kit_init(&kit, KIT_SIZE);
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        struct object *object = kit_object(kit.store, "key", lens[i], 20000);
        cr_expect_eq(read_range(object, "key", lens[i], 0, lens[i], SIZE_MAX), 0);
        object_unref(&object);
    }
    struct object *object = kit_object(kit.store, "small", 500, 0);
    cr_expect_eq(read_range(object, "small", 500, 0, 500, SIZE_MAX), 0, "a copy of the store's");
    object_unref(&object);
    kit_fini(&kit);
}

/* ---- waiting for the disk ---- */

static void wake(void *arg)
{
    sem_post(arg);
}

/* The first lies in another file than the record, so that nothing reads it along. */
enum { COLD_CHUNKS = 16 };
#define COLD_BODY ((COLD_CHUNKS - 1) * (size_t)STORE_CHUNK + 1000)

static struct object *load_large(struct kit *kit)
{
    struct cache_key id = {.text = SPAN("large")};
    struct object *object;

    kit_hash(kit->store, id.text, id.hash);
    cr_assert_eq(
        object_load((struct shelf){.store = kit->store}, &id, OBJECT_PEEKED, 0, NULL, &object), 0);
    return object;
}

/* Reads all, waiting where it has to; returns how often it had to. */
static unsigned read_patiently(struct object_reader *reader, sem_t *woken, struct span want)
{
    unsigned waits = 0;
    struct span got;

    while (want.len) {
        int err = source_peek(&reader->source, &got);
        if (err == ERR_AGAIN) {
            waits++;
            sem_wait(woken);
            continue;
        }
        cr_assert(err == 0 && got.len && span_eq(got, span_take(want, got.len)));
        source_advance(&reader->source, got.len);
        want = span_skip(want, got.len);
    }
    return waits;
}

Test(object_reader, who_waits_for_the_disk_is_told_how_long)
{
    struct object_reader reader;
    struct kit kit;
    sem_t woken;

    sem_init(&woken, 0, 0);
    kit_init(&kit, 4 * KIT_SIZE);
    struct object *object = kit_object(kit.store, "large", COLD_BODY, 0);
    object_unref(&object);
    if (!kit_reopen_cold(&kit)) {
        kit_fini(&kit);
        cr_skip_test("this file system keeps files in memory");
    }
    char *body = kit_body(SPAN("large"), COLD_BODY);
    object = load_large(&kit);
    cr_assert_eq(object_reader_init(&reader, object, 0, COLD_BODY, (struct waker){wake, &woken}),
                 0);
    cr_expect_eq(object_reader_begin(&reader), ERR_AGAIN, "the first bytes are on disk only");
    cr_expect_gt(disk_wait_so_far(&reader.waited), 0, "which is waited for already");
    cr_expect_neq(reader.waited.since_us, 0, "it waits");
    sem_wait(&woken);
    cr_expect_eq(object_reader_begin(&reader), 0, "they have come");
    cr_expect_eq(reader.waited.since_us, 0);
    uint64_t first = reader.waited.us;
    cr_expect_gt(first, 0);
    unsigned waits = read_patiently(&reader, &woken, span_of(body, COLD_BODY));
    cr_expect_geq(reader.waited.us, first + waits, "each wait counts");
    uint64_t all = reader.waited.us;
    object_reader_fini(&reader);
    cr_expect_eq(reader.waited.us, all, "and is still known in the end");

    cr_assert_eq(object_reader_init(&reader, object, 0, COLD_BODY, (struct waker){wake, &woken}),
                 0);
    cr_expect_eq(object_reader_begin(&reader), 0, "now they are in memory");
    cr_expect_eq(read_patiently(&reader, &woken, span_of(body, COLD_BODY)), 0);
    cr_expect_eq(reader.waited.us, 0);
    object_reader_fini(&reader);
    object_unref(&object);
    free(body);
    store_stop_reads(kit.store);
    kit_fini(&kit);
}

/* An origin may take a minute to confirm what is stored, and its pages are the kernel's. */
Test(object_reader, what_was_held_over_a_validation_is_waited_for_like_any_other)
{
    enum { LEN = 900000, PAGE = 4096 };
    struct cache_key id = {.text = SPAN("held")};
    struct object_reader reader;
    struct span got = SPAN_EMPTY;
    struct kit kit;
    sem_t woken;

    sem_init(&woken, 0, 0);
    kit_init(&kit, 4 * KIT_SIZE);
    struct object *object = kit_object(kit.store, "held", LEN, 0);
    struct flight *flight = flight_new(&id, object);
    struct span body = object->stored.body;
    uintptr_t first = (uintptr_t)body.at & ~(uintptr_t)(PAGE - 1);
    for (int tries = 0; tries < 100 && store_is_resident(body); tries++) {
        madvise((void *)first, LEN, MADV_DONTNEED); /* only this mapping lets go of it */
        kit_cool(&kit);
    }
    bool cold = !store_is_resident(body);
    cr_assert_eq(object_reader_init(&reader, object, 0, LEN, (struct waker){wake, &woken}), 0);
    if (cold) {
        cr_assert_eq(source_peek(&reader.source, &got), ERR_AGAIN, "it is on disk only");
        sem_wait(&woken);
    }
    char *want = kit_body(SPAN("held"), LEN);
    read_patiently(&reader, &woken, span_of(want, LEN));
    free(want);
    object_reader_fini(&reader);
    flight_unref(&flight);
    object_unref(&object);
    store_stop_reads(kit.store);
    kit_fini(&kit);
    if (!cold) {
        cr_skip_test("this file system keeps files in memory");
    }
}

Test(object_reader, a_wait_that_is_cut_short_counts)
{
    struct disk_wait wait = {0};

    disk_wait_end(&wait);
    cr_expect_eq(wait.us, 0, "there was none");
    disk_wait_begin(&wait);
    uint64_t since = wait.since_us;
    disk_wait_begin(&wait);
    cr_expect_eq(wait.since_us, since, "the same one");
    disk_wait_end(&wait);
    uint64_t us = wait.us;
    cr_expect_gt(us, 0);
    disk_wait_end(&wait);
    cr_expect_eq(wait.us, us, "it has ended");
    disk_wait_begin(&wait);
    disk_wait_end(&wait);
    cr_expect_gt(wait.us, us, "they add up");
}

/* ---- what is stored of a head ---- */

static int encode(struct span reason, struct span name, size_t fields)
{
    static const struct freshness freshness;
    struct cache_key key = {.text = SPAN("key")};
    struct http_head head;
    struct arena arena;
    struct object_meta meta;
    struct buf out = BUF_INIT;

    arena_init(&arena, NULL, 0);
    head_init(&head, &arena);
    head.status = 200;
    head.reason = reason;
    for (size_t i = 0; i < fields; i++) {
        fields_add(&head.fields, name, SPAN("b"));
    }
    struct object *object = object_new(&key, &head, &head.fields, &freshness, NULL);
    int err = object_encode(object, &out, &meta);
    cr_expect_eq(err == 0, buf_len(&out) > 0);
    object_unref(&object);
    arena_fini(&arena);
    buf_fini(&out);
    return err;
}

Test(object_encode, what_the_record_has_no_room_for_is_refused)
{
    static char many[UINT16_MAX + 1];
    struct span fits = span_of(many, UINT16_MAX), over = span_of(many, sizeof(many));

    memset(many, 'n', sizeof(many));
    cr_expect_eq(encode(fits, fits, 1), 0);
    cr_expect_eq(encode(over, fits, 1), ERR_TOO_LARGE);
    cr_expect_eq(encode(fits, over, 1), ERR_TOO_LARGE);
    cr_expect_eq(encode(SPAN("OK"), SPAN("a"), UINT16_MAX), 0);
    cr_expect_eq(encode(SPAN("OK"), SPAN("a"), UINT16_MAX + 1), ERR_TOO_LARGE);
}
