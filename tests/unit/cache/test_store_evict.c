#include "store_kit.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "cache/store/evict.h"
#include "cache/store/store_parts.h"

#include <criterion/criterion.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/vfs.h>
#include <unistd.h>

static void key_of(char key[64], size_t i)
{
    snprintf(key, 64, "http://example.net:80/churn/%zu", i);
}

/* From a few bytes to half a megabyte, by number. */
static size_t len_of(size_t i)
{
    static const size_t lens[] = {40000, 300, 7000, 120000, 2000, 65536, 500000, 15000};
    return lens[i % ARRAY_LEN(lens)] + i % 97;
}

Test(store_evict, churn_stays_under_the_size_and_never_pulls_bytes_from_a_reader)
{
    enum { HELD = 8 };
    struct kit kit;
    struct store_object held[HELD];
    size_t held_number[HELD], count = 0, i = 0;
    uint64_t written = 0;
    struct store_stats stats;
    char key[64];

    kit_init(&kit, KIT_SIZE);
    for (; written < 5 * KIT_SIZE; i++) {
        key_of(key, i);
        cr_assert_eq(kit_put(kit.store, key, len_of(i)), 0, "object %zu", i);
        written += len_of(i);
        if (i % 2 == 0 && i < 2 * HELD) { /* in one segment: more than that would not leave */
            cr_assert_eq(kit_find(kit.store, key, &held[count]), 0);
            held_number[count++] = i;
        }
        if (i % 50 == 0) {
            cr_assert_leq(kit_disk_use(&kit), KIT_SIZE);
        }
    }
    for (size_t n = 0; n < count; n++) {
        key_of(key, held_number[n]);
        cr_expect_eq(kit_compare(kit.store, key, len_of(held_number[n]), &held[n]), 0);
        cr_expect_eq(kit_check(kit.store, key, len_of(held_number[n])), ERR_NOT_FOUND);
        store_object_done(kit.store, &held[n]);
    }
    for (size_t n = i - 10; n < i; n++) {
        key_of(key, n);
        cr_expect_eq(kit_check(kit.store, key, len_of(n)), 0, "the newest are there");
    }
    store_flush(kit.store);
    store_stats(kit.store, &stats);
    cr_expect_gt(stats.evicted_segments, 20);
    cr_expect_leq(stats.used, KIT_SIZE);
    cr_expect_leq(kit_disk_use(&kit), stats.used, "the account covers what the directory holds");
    kit_fini(&kit);
}

/* Tiny objects make the index as large as it gets against the data: the sweep must keep it so. */
Test(store_evict, the_index_does_not_grow_for_ever)
{
    struct kit kit;
    struct store_stats stats;
    char key[64];

    kit_init(&kit, KIT_SIZE);
    for (size_t i = 0; i < 120000; i++) {
        key_of(key, i);
        cr_assert(kit_post(kit.store, key, 200));
        if (i % 1000 == 0) {
            store_flush(kit.store);
        }
    }
    store_flush(kit.store);
    cr_expect_leq(kit_disk_use(&kit), KIT_SIZE);
    store_stats(kit.store, &stats);
    cr_expect_geq(stats.segments, 3, "the index leaves room for the data");
    cr_expect_eq(stats.commit_errors, 0);
    cr_expect_eq(kit_check(kit.store, key, 200), 0);
    kit_fini(&kit);
}

Test(store_evict, a_large_body_stays_readable_to_who_holds_the_object)
{
    struct kit kit;
    struct store_object object;
    char key[64];

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "large", 5u << 20), 0);
    cr_assert_eq(kit_find(kit.store, "large", &object), 0);
    for (size_t i = 0; i < 120; i++) {
        key_of(key, i);
        cr_assert_eq(kit_put(kit.store, key, 200000), 0);
    }
    cr_expect_eq(kit_check(kit.store, "large", 5u << 20), ERR_NOT_FOUND);
    cr_expect_eq(kit_compare(kit.store, "large", 5u << 20, &object), 0);
    cr_expect_leq(kit_disk_use(&kit), KIT_SIZE);
    store_object_done(kit.store, &object);
    kit_fini(&kit);
}

/* The room of a segment that somebody reads from comes when he has ended. */
Test(store_evict, on_a_full_disk_one_goes_that_nobody_reads_from)
{
    struct kit kit;
    struct store_object object;
    struct store_stats stats = {0};
    char key[64];

    kit_init(&kit, KIT_SIZE);
    for (size_t i = 0; i < 30; i++) {
        key_of(key, i);
        cr_assert_eq(kit_put(kit.store, key, 200000), 0);
    }
    key_of(key, 0);
    cr_assert_eq(kit_find(kit.store, key, &object), 0);
    while (stats.evicted_segments == 0) { /* spares go first */
        cr_assert(evict_one(&kit.store->disk));
        store_stats(kit.store, &stats);
    }
    cr_expect_eq(kit_check(kit.store, key, 200000), 0, "the oldest is being read");
    while (evict_one(&kit.store->disk)) {
    }
    cr_expect_eq(kit_check(kit.store, key, 200000), ERR_NOT_FOUND, "at last it goes, too");
    cr_expect_eq(kit_compare(kit.store, key, 200000, &object), 0);
    store_object_done(kit.store, &object);
    kit_fini(&kit);
}

Test(store_evict, an_object_larger_than_the_store_fails_and_ends)
{
    struct kit kit;
    struct store_object object;

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "small", 1000), 0);
    cr_expect_eq(kit_put(kit.store, "huge", 3 * KIT_SIZE), ERR_FULL);
    cr_expect_eq(kit_find(kit.store, "huge", &object), ERR_NOT_FOUND);
    cr_expect_eq(kit_check(kit.store, "small", 1000), 0, "it did not push everything else out");
    cr_expect_eq(kit_put(kit.store, "next", 1000), 0);
    kit_fini(&kit);
}

static struct store_put *begin(struct kit *kit, const char *name)
{
    uint8_t hash[STORE_HASH];
    struct store_put *put;

    kit_hash(kit->store, span_str(name), hash);
    cr_assert_eq(store_put_begin(kit->store, hash, span_str(name), &put), 0);
    return put;
}

static void churn(struct kit *kit, size_t from, size_t to)
{
    char key[64];

    for (size_t i = from; i < to; i++) {
        key_of(key, i);
        cr_assert(kit_post(kit->store, key, 200000));
        if (i % 4 == 3) {
            store_flush(kit->store);
        }
    }
    store_flush(kit->store);
}

/* The chunks of an object whose end has not come yet are not the first to go. */
Test(store_evict, a_slow_put_outlives_the_churn_around_it)
{
    struct kit kit;
    char *body = xcalloc(1, STORE_CHUNK);
    struct store_piece piece = {.bytes = span_of(body, STORE_CHUNK)};
    int result = 1;

    kit_init(&kit, KIT_SIZE);
    struct store_put *put = begin(&kit, "slow");
    store_put_chunk(put, &piece, 1, NULL, NULL);
    churn(&kit, 0, 200);
    store_put_chunk(put, &piece, 1, NULL, NULL);
    store_put_finish(put, SPAN("head"), NULL, 0, 2 * (uint64_t)STORE_CHUNK, NULL, 0, kit_on_done,
                     &result);
    store_flush(kit.store);
    cr_expect_eq(result, 0);
    free(body);
    kit_fini(&kit);
}

static void put_chunks(struct store_put *put, const struct store_piece *piece, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        store_put_chunk(put, piece, 1, NULL, NULL);
    }
}

Test(store_evict, what_never_came_to_its_end_makes_room_before_what_is_kept)
{
    enum { KEPT = 100, CHUNKS = 22, ROUNDS = 40 };
    struct kit kit;
    char *body = xcalloc(1, STORE_CHUNK), key[64];
    struct store_piece piece = {.bytes = span_of(body, STORE_CHUNK)};

    kit_init(&kit, 4 * KIT_SIZE);
    churn(&kit, 0, KEPT);
    for (size_t i = 0; i < ROUNDS; i++) { /* all together more than three times the store */
        struct store_put *put = begin(&kit, "broken");
        put_chunks(put, &piece, CHUNKS);
        store_put_abort(put);
        store_flush(kit.store);
    }
    for (size_t i = 0; i < KEPT - 8; i++) { /* the last ones share a segment with the first of it */
        key_of(key, i);
        cr_expect_eq(kit_check(kit.store, key, 200000), 0, "%s", key);
    }
    cr_expect_leq(kit_disk_use(&kit), 4 * KIT_SIZE);
    free(body);
    kit_fini(&kit);
}

static void note_result(void *arg, int err, const struct store_chunk *chunk)
{
    (void)chunk;
    *(int *)arg = err;
}

static int last_of(struct kit *kit, struct store_put *put, const struct store_piece *piece,
                   size_t count)
{
    int result = 1;

    put_chunks(put, piece, count - 1);
    store_put_chunk(put, piece, 1, note_result, &result);
    store_flush(kit->store);
    return result;
}

/* Those of known length are judged before they begin. */
Test(store_evict, puts_of_unknown_length_have_a_quarter_together)
{
    enum { QUARTER = KIT_SIZE / STORE_CHUNK };
    struct kit kit;
    char *body = xcalloc(1, STORE_CHUNK);
    struct store_piece piece = {.bytes = span_of(body, STORE_CHUNK)};

    kit_init(&kit, 4 * KIT_SIZE);
    struct store_put *one = begin(&kit, "one"), *two = begin(&kit, "two");
    struct store_put *known = begin(&kit, "known");
    store_put_unmeasured(one);
    store_put_unmeasured(two);
    cr_expect_eq(last_of(&kit, one, &piece, QUARTER / 2), 0);
    cr_expect_eq(last_of(&kit, two, &piece, QUARTER / 4), 0);
    cr_expect_eq(last_of(&kit, two, &piece, QUARTER / 2), ERR_FULL);
    cr_expect_eq(last_of(&kit, known, &piece, QUARTER), 0);
    cr_expect_eq(last_of(&kit, one, &piece, 1), ERR_FULL, "as long as it is under way");
    store_put_abort(two);
    store_put_abort(one);
    store_put_abort(known);
    store_flush(kit.store);
    struct store_put *three = begin(&kit, "three");
    store_put_unmeasured(three);
    cr_expect_eq(last_of(&kit, three, &piece, QUARTER - 1), 0);
    store_put_abort(three);
    store_flush(kit.store);
    free(body);
    kit_fini(&kit);
}

/* When every segment has chunks of one, the oldest go all the same, and who put them is told. */
Test(store_evict, a_put_whose_chunks_were_evicted_fails)
{
    enum { SLOW = 40 };
    struct kit kit;
    struct store_put *puts[SLOW];
    char *body = xcalloc(1, STORE_CHUNK), name[32];
    struct store_piece piece = {.bytes = span_of(body, STORE_CHUNK)};
    int results[SLOW];
    size_t failed = 0;

    kit_init(&kit, KIT_SIZE);
    for (size_t i = 0; i < SLOW; i++) {
        snprintf(name, sizeof(name), "slow %zu", i);
        puts[i] = begin(&kit, name);
        store_put_chunk(puts[i], &piece, 1, NULL, NULL);
        churn(&kit, 10 * i, 10 * i + 10);
    }
    cr_expect_leq(kit_disk_use(&kit), KIT_SIZE);
    for (size_t i = 0; i < SLOW; i++) {
        results[i] = 1;
        store_put_finish(puts[i], SPAN("head"), NULL, 0, STORE_CHUNK, NULL, 0, kit_on_done,
                         &results[i]);
    }
    store_flush(kit.store);
    cr_expect_eq(results[0], ERR_FULL, "the oldest");
    cr_expect_eq(results[SLOW - 1], 0, "the newest");
    for (size_t i = 0; i < SLOW; i++) {
        failed += results[i] != 0;
        cr_expect(results[i] == 0 || results[i] == ERR_FULL);
    }
    cr_expect_lt(failed, SLOW - 5);
    free(body);
    kit_fini(&kit);
}

Test(store_evict, a_smaller_size_takes_effect_at_the_next_start)
{
    struct kit kit;
    char key[64];

    kit_init(&kit, 4 * KIT_SIZE);
    for (size_t i = 0; i < 200; i++) {
        key_of(key, i);
        cr_assert_eq(kit_put(kit.store, key, 200000), 0);
    }
    kit.size = KIT_SIZE;
    kit_reopen(&kit);
    cr_expect_eq(kit_put(kit.store, "after", 100), 0);
    cr_expect_leq(kit_disk_use(&kit), KIT_SIZE);
    key_of(key, 199);
    cr_expect_eq(kit_check(kit.store, key, 200000), 0, "the newest stays");
    kit_fini(&kit);
}

enum { HELD_MAX = 100, HELD_LEN = 900000 };

/* Each segment has something that somebody reads: dropping it makes no room. Returns how many. */
static size_t hold_all(struct kit *kit, struct store_object held[HELD_MAX])
{
    char key[64];
    size_t count = 0;

    for (int err = 0; !err; count += !err) {
        cr_assert_lt(count, HELD_MAX);
        key_of(key, count);
        err = kit_put(kit->store, key, HELD_LEN);
        cr_assert(err == ERR_FULL || (err == 0 && kit_find(kit->store, key, &held[count]) == 0));
    }
    return count;
}

static void let_go(struct kit *kit, struct store_object *held, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        store_object_done(kit->store, &held[n]);
    }
}

Test(store_evict, slow_readers_do_not_cost_what_is_live)
{
    static struct store_object held[HELD_MAX];
    struct kit kit;
    struct store_stats stats;
    char key[64];

    kit_init(&kit, 4 * KIT_SIZE);
    size_t count = hold_all(&kit, held);
    store_stats(kit.store, &stats);
    cr_expect_geq(stats.segments, 20, "%llu are live", (unsigned long long)stats.segments);
    key_of(key, count - 30);
    cr_expect_eq(kit_check(kit.store, key, HELD_LEN), 0);
    let_go(&kit, held, count);
    kit_reopen(&kit);
    cr_expect_eq(kit_put(kit.store, "after", HELD_LEN), 0);
    kit_fini(&kit);
}

/* What makes room goes before what is older and makes none. */
Test(store_evict, slow_readers_cost_what_nobody_reads)
{
    static struct store_object held[HELD_MAX];
    struct kit kit;
    struct store_stats before, after;
    char key[64];

    kit_init(&kit, 4 * KIT_SIZE);
    size_t count = hold_all(&kit, held), first = count;
    while (held[first - 1].segment + 2 >= held[count - 1].segment) {
        first--; /* the open one, and two more */
    }
    let_go(&kit, held + first, count - first);
    store_stats(kit.store, &before);
    while (!kit_post(kit.store, "more", HELD_LEN)) {
        usleep(50000); /* until the pause is over */
    }
    store_flush(kit.store);
    cr_expect_eq(kit_check(kit.store, "more", HELD_LEN), 0);
    store_stats(kit.store, &after);
    cr_expect_leq(after.evicted_segments, before.evicted_segments + 2);
    key_of(key, count - 30);
    cr_expect_eq(kit_check(kit.store, key, HELD_LEN), 0, "it is older");
    let_go(&kit, held, first);
    kit_fini(&kit);
}

/* ---- what is used stays ---- */

/* As the cache does it. */
static int use(struct kit *kit, const char *key)
{
    struct store_object object;
    int err = kit_find(kit->store, key, &object);

    if (err == 0) {
        store_used(kit->store, &object);
        store_object_done(kit->store, &object);
    }
    return err;
}

/* A use is a use, whatever the size: so what is used stays, large or small. */
static void init_for_bytes(struct kit *kit, uint64_t size)
{
    kit_init(kit, size);
    kit->favor = S3_BYTES;
    kit_reopen(kit);
}

/* Small, inline with pages of its own, and in chunks; the last one with a new head. Together less
 * than may be kept of the fourth of the store that was given up last. */
static const struct {
    const char *key;
    size_t len;
    bool update;
} liked[] = {
    {"liked tiny", 100, false},
    {"liked", 30000, false},
    {"liked large", 1400000, false},
    {"liked and updated", 50000, true},
    {"liked large and updated", 1300000, true},
};

static void put_liked(struct kit *kit)
{
    for (size_t i = 0; i < ARRAY_LEN(liked); i++) {
        cr_assert_eq(kit_put(kit->store, liked[i].key, liked[i].len), 0);
        churn(kit, 100000 + 5 * i, 100000 + 5 * i + 5);
        if (liked[i].update) {
            kit_update(kit->store, liked[i].key);
        }
    }
}

static void check_liked(struct kit *kit)
{
    for (size_t i = 0; i < ARRAY_LEN(liked); i++) {
        cr_expect_eq(kit_check(kit->store, liked[i].key, liked[i].len), 0, "%s", liked[i].key);
    }
}

static void use_liked(struct kit *kit)
{
    for (size_t i = 0; i < ARRAY_LEN(liked); i++) {
        cr_expect_eq(use(kit, liked[i].key), 0, "%s", liked[i].key);
    }
}

/* It never lets go of its pages, so nothing can be recycled there. */
static bool is_tmpfs(const struct kit *kit)
{
    struct statfs fs;

    return statfs(kit->dir, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

Test(store_evict, what_is_used_now_and_then_stays)
{
    struct kit kit;
    struct store_stats stats;

    init_for_bytes(&kit, 4 * KIT_SIZE);
    put_liked(&kit);
    for (size_t round = 0; round < 15; round++) {
        use_liked(&kit);
        churn(&kit, 100 * round, 100 * round + 100);
        cr_assert_leq(kit_disk_use(&kit), 4 * KIT_SIZE);
    }
    check_liked(&kit);
    store_stats(kit.store, &stats);
    cr_expect_geq(stats.kept_objects, ARRAY_LEN(liked)); /* once each: the main log may rest */
    cr_expect(stats.recycled_segments > 20 || is_tmpfs(&kit), "%llu recycled",
              (unsigned long long)stats.recycled_segments);
    cr_expect_gt(stats.evicted_segments, 50);
    kit_reopen(&kit);
    check_liked(&kit);
    kit_fini(&kit);
}

Test(store_evict, what_is_used_no_more_leaves)
{
    struct kit kit;

    init_for_bytes(&kit, KIT_SIZE);
    put_liked(&kit);
    use_liked(&kit);
    churn(&kit, 0, 100);
    for (size_t i = 0; i < 30; i++) { /* others are liked by now, so the main log moves on */
        churn(&kit, 1000 + 30 * i, 1000 + 30 * i + 30);
        for (size_t n = 20; n < 30; n++) {
            char key[64];
            key_of(key, 1000 + 30 * i + n);
            use(&kit, key);
            use(&kit, key);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(liked); i++) {
        cr_expect_eq(kit_check(kit.store, liked[i].key, liked[i].len), ERR_NOT_FOUND);
    }
    cr_expect_leq(kit_disk_use(&kit), KIT_SIZE);
    kit_fini(&kit);
}

Test(store_evict, a_restart_does_not_forget_what_was_used)
{
    struct kit kit;

    init_for_bytes(&kit, 4 * KIT_SIZE);
    put_liked(&kit);
    use_liked(&kit);
    kit_reopen(&kit);
    churn(&kit, 0, 400);
    check_liked(&kit);
    kit_fini(&kit);
}

Test(store_evict, small_ones_stay_unless_bytes_are_favored)
{
    struct kit kit;

    for (int bytes = 0; bytes <= 1; bytes++) {
        kit_init(&kit, 4 * KIT_SIZE);
        kit.favor = bytes ? S3_BYTES : S3_OBJECTS;
        kit_reopen(&kit);
        churn(&kit, 0, 700); /* until it is known what usually leaves */
        cr_assert_eq(kit_put(kit.store, "tiny", 100), 0);
        churn(&kit, 700, 1100); /* nobody uses anything */
        cr_expect_eq(kit_check(kit.store, "tiny", 100), bytes ? ERR_NOT_FOUND : 0);
        kit_fini(&kit);
    }
}

/* What left and comes back soon is not on probation again. */
Test(store_evict, a_ghost_goes_to_the_main_log)
{
    struct kit kit;

    kit_init(&kit, KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "ghost", 30000), 0);
    churn(&kit, 0, 100);
    cr_assert_eq(kit_check(kit.store, "ghost", 30000), ERR_NOT_FOUND);
    cr_assert_eq(kit_put(kit.store, "ghost", 30000), 0);
    churn(&kit, 100, 200); /* as many as drove it out, and nobody has used it */
    cr_expect_eq(kit_check(kit.store, "ghost", 30000), 0);
    kit_fini(&kit);
}

/* Who answers from memory tells the store. */
Test(store_evict, a_touch_counts_as_a_use)
{
    struct kit kit;
    uint8_t hash[STORE_HASH];

    kit_init(&kit, 4 * KIT_SIZE);
    cr_assert_eq(kit_put(kit.store, "touched", 30000), 0);
    cr_assert_eq(kit_put(kit.store, "left alone", 30000), 0);
    kit_hash(kit.store, SPAN("touched"), hash);
    store_touch(kit.store, hash, 1);
    churn(&kit, 0, 400);
    cr_expect_eq(kit_check(kit.store, "touched", 30000), 0);
    cr_expect_eq(kit_check(kit.store, "left alone", 30000), ERR_NOT_FOUND);
    kit_hash(kit.store, SPAN("nobody knows it"), hash);
    store_touch(kit.store, hash, 1);
    kit_fini(&kit);
}

/* ---- what is asked for once ---- */

enum { HOT = 600, HOT_LEN = 60000, ONCE_LEN = 200000 };

/* Each is asked for, and fetched if it is not there. How many were. */
static size_t ask_for_hot(struct kit *kit)
{
    size_t hits = 0;
    char key[64];

    for (size_t i = 0; i < HOT; i++) {
        snprintf(key, sizeof(key), "hot %zu", i);
        if (use(kit, key) == 0) {
            hits++;
        } else {
            cr_assert(kit_post(kit->store, key, HOT_LEN));
        }
    }
    store_flush(kit->store);
    return hits;
}

/* So many bytes nobody asks for again, in bodies of `len`. */
static void bring_once(struct kit *kit, uint64_t bytes, size_t len)
{
    static size_t number;
    char key[64];

    for (uint64_t i = 0; i < bytes; i += len) {
        snprintf(key, sizeof(key), "once %zu", number++);
        cr_assert(kit_post(kit->store, key, len));
    }
    store_flush(kit->store);
}

/* How the first ones come depends on how much the writer finds at a time. */
static void ask_until_hot_stays(struct kit *kit, uint64_t share)
{
    size_t whole = 0;

    for (size_t round = 0; whole < 3; round++) {
        cr_assert_lt(round, 30, "what is hot does not stay");
        whole = ask_for_hot(kit) == HOT ? whole + 1 : 0;
        bring_once(kit, share, ONCE_LEN);
    }
}

/* What is hot takes half of the store. A body of 23 % of it needs its own room, in the main log
 * too, while it comes: there it takes what is cold, and the next one takes the room of the last. */
Test(store_evict, large_or_small_what_is_asked_for_once_costs_nothing_hot, .timeout = 120)
{
    uint64_t share = 4 * KIT_SIZE * 23 / 100;
    size_t lens[] = {ONCE_LEN, (size_t)share};

    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        struct kit kit;
        kit_init(&kit, 4 * KIT_SIZE);
        ask_until_hot_stays(&kit, share);
        for (size_t round = 0; round < 6; round++) {
            bring_once(&kit, share, lens[i]);
            cr_expect_geq(ask_for_hot(&kit), HOT * 99 / 100, "bodies of %zu, round %zu", lens[i],
                          round);
        }
        kit_fini(&kit);
    }
}

/* ---- readers beside the writer ---- */

struct reading {
    struct kit *kit;
    atomic_size_t newest;
    atomic_bool stop;
    atomic_uint found, wrong;
};

static void *read_on(void *arg)
{
    struct reading *reading = arg;
    char key[64];

    for (size_t step = 0; !atomic_load(&reading->stop); step++) {
        size_t newest = atomic_load(&reading->newest);
        size_t i = newest > step % 60 ? newest - step % 60 : 0;
        key_of(key, i);
        int err = kit_check(reading->kit->store, key, len_of(i));
        atomic_fetch_add(&reading->found, err == 0);
        atomic_fetch_add(&reading->wrong, err != 0 && err != ERR_NOT_FOUND);
    }
    return NULL;
}

Test(store_evict, readers_see_whole_objects_while_segments_come_and_go)
{
    enum { READERS = 3 };
    struct kit kit;
    pthread_t threads[READERS];
    struct reading reading = {.kit = &kit};
    char key[64];

    kit_init(&kit, KIT_SIZE);
    for (size_t i = 0; i < READERS; i++) {
        pthread_create(&threads[i], NULL, read_on, &reading);
    }
    for (size_t i = 0; i < 400; i++) {
        key_of(key, i);
        cr_assert_eq(kit_put(kit.store, key, len_of(i)), 0);
        atomic_store(&reading.newest, i);
    }
    atomic_store(&reading.stop, true);
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_expect_eq(atomic_load(&reading.wrong), 0);
    cr_expect_gt(atomic_load(&reading.found), 0);
    kit_fini(&kit);
}
