#include "cache/store/index.h"

#include "store_kit.h"

#include "base/check.h"
#include "base/err.h"
#include "cache/store/lookup.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

static void setup(char dir[64], struct index *index)
{
    snprintf(dir, 64, "/tmp/larder-index-XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    CHECK(index_open(index, dir, 16u << 20, NULL) == 0);
}

static void teardown(const char *dir, struct index *index)
{
    index_close(index);
    index_remove(dir);
    cr_expect_eq(rmdir(dir), 0);
}

static int get(struct index *index, const uint8_t hash[STORE_HASH], struct location *out)
{
    uint64_t commit;

    return lookup_location(index, hash, WALK_MAP, out, &commit);
}

static void hash_of(uint8_t hash[STORE_HASH], uint32_t i)
{
    static const struct sip_key fixed = {3, 4};

    sip_hash128(&fixed, span_of(&i, sizeof(i)), hash);
}

Test(index, keeps_its_identity_and_its_records)
{
    struct index index;
    struct location found, put = {.segment = 3,
                                  .object = 7,
                                  .low_segment = 2,
                                  .body_len = UINT64_C(5) << 32,
                                  .head_len = 300,
                                  .meta_len = 4,
                                  .meta = "abcd"};
    uint8_t hash[STORE_HASH], uuid[16];
    char dir[64];

    setup(dir, &index);
    memcpy(uuid, index.uuid, sizeof(uuid));
    struct sip_key secret = index.secret;
    hash_of(hash, 1);
    cr_expect_eq(get(&index, hash, &found), ERR_NOT_FOUND);
    cr_assert_eq(index_begin(&index), 0);
    cr_expect_eq(index_put(&index, hash, &put), 0);
    cr_expect_eq(index_peek(&index, hash, &found), 0);
    cr_expect_eq(get(&index, hash, &found), ERR_NOT_FOUND, "not before the commit");
    cr_assert_eq(index_commit(&index), 0);
    index_close(&index);

    cr_assert_eq(index_open(&index, dir, 16u << 20, NULL), 0);
    cr_expect_eq(memcmp(uuid, index.uuid, sizeof(uuid)), 0);
    cr_expect(secret.k0 == index.secret.k0 && secret.k1 == index.secret.k1);
    cr_assert_eq(get(&index, hash, &found), 0);
    cr_expect(found.segment == 3 && found.object == 7 && found.low_segment == 2);
    cr_expect(found.body_len == UINT64_C(5) << 32 && found.head_len == 300);
    cr_expect(found.meta_len == 4 && memcmp(found.meta, "abcd", 4) == 0);

    cr_assert_eq(index_begin(&index), 0);
    cr_expect_eq(index_drop(&index, hash), 0);
    cr_expect_eq(index_drop(&index, hash), 0, "twice is no error");
    cr_assert_eq(index_commit(&index), 0);
    cr_expect_eq(get(&index, hash, &found), ERR_NOT_FOUND);
    teardown(dir, &index);
}

static void collect(void *arg, const struct index_segment *segment)
{
    uint64_t *sum = arg;

    *sum = *sum * 1000 + segment->id + segment->capacity - SEGMENT_CAPACITY_MIN;
    cr_expect_eq(segment->log, segment->id % 2 ? S3_MAIN : S3_PROBATION);
    cr_expect_eq(segment->created, 1000 + segment->id);
}

static int list_segment(struct index *index, uint32_t id, uint64_t capacity)
{
    return index_put_segment(index, &(struct index_segment){.id = id,
                                                            .log = id % 2 ? S3_MAIN : S3_PROBATION,
                                                            .capacity = capacity,
                                                            .created = 1000 + id});
}

Test(index, lists_segments_in_order_and_never_gives_an_id_twice)
{
    struct index index;
    char dir[64];
    uint64_t seen = 0;

    setup(dir, &index);
    cr_expect_eq(index.next_id, 1);
    cr_assert_eq(index_begin(&index), 0);
    cr_expect_eq(list_segment(&index, 5, SEGMENT_CAPACITY_MIN + 100), 0);
    cr_expect_eq(list_segment(&index, 6, SEGMENT_CAPACITY_MIN + 200), 0);
    cr_expect_eq(list_segment(&index, 9, SEGMENT_CAPACITY_MIN + 300), 0);
    cr_expect_eq(index_drop_segment(&index, 9), 0);
    cr_assert_eq(index_commit(&index), 0);
    index_close(&index);
    cr_assert_eq(index_open(&index, dir, 16u << 20, NULL), 0);
    cr_expect_eq(index.next_id, 10, "also when the newest was dropped");
    cr_expect_eq(index_each_segment(&index, collect, &seen), 0);
    cr_expect_eq(seen, 105 * 1000 + 206);
    teardown(dir, &index);
}

static void forget(void *arg, const struct index_segment *segment)
{
    (void)segment;
    ++*(int *)arg;
}

/* Another thread commits twice, so that the meta page of the commit before is written over, and
 * looks at the new one. */
static void *commit_and_look(void *arg)
{
    struct index *index = arg;
    int seen = 0;

    for (uint32_t id = 1000; id < 1003; id++) {
        cr_expect_eq(index_begin(index), 0);
        cr_expect_eq(list_segment(index, id, SEGMENT_CAPACITY_MIN), 0);
        cr_expect_eq(index_commit(index), 0);
    }
    cr_expect_eq(index_each_segment(index, forget, &seen), 0);
    return NULL;
}

struct interrupted {
    struct index *index;
    int seen;
};

static void let_commit(void *arg, const struct index_segment *segment)
{
    struct interrupted *interrupted = arg;
    pthread_t thread;

    (void)segment;
    if (interrupted->seen++ == 0) {
        CHECK(pthread_create(&thread, NULL, commit_and_look, interrupted->index) == 0);
        pthread_join(thread, NULL);
    }
}

Test(index, an_iteration_outlives_the_commits_that_overtake_it)
{
    enum { SEGMENTS = 300 };
    struct index index;
    struct interrupted interrupted = {.index = &index};
    char dir[64];

    setup(dir, &index);
    cr_assert_eq(index_begin(&index), 0);
    for (uint32_t id = 1; id <= SEGMENTS; id++) {
        cr_assert_eq(list_segment(&index, id, SEGMENT_CAPACITY_MIN), 0);
    }
    cr_assert_eq(index_commit(&index), 0);
    cr_expect_eq(index_each_segment(&index, let_commit, &interrupted), 0);
    cr_expect_eq(interrupted.seen, SEGMENTS, "as of its own commit");
    teardown(dir, &index);
}

/* Of two segments only the first has a capacity that can be. */
static void expect_damage(uint64_t good, uint64_t bad)
{
    struct index index;
    char dir[64];
    int seen = 0;

    setup(dir, &index);
    cr_assert_eq(index_begin(&index), 0);
    cr_expect_eq(list_segment(&index, 1, good), 0);
    cr_expect_eq(list_segment(&index, 2, bad), 0);
    cr_assert_eq(index_commit(&index), 0);
    cr_expect_eq(index_each_segment(&index, forget, &seen), ERR_CORRUPT);
    cr_expect_eq(seen, 1);
    teardown(dir, &index);
}

/* Memory is taken by the capacity: one flipped bit of it must not ask for all there is. */
Test(index, a_segment_larger_than_any_is_a_damage)
{
    expect_damage(SEGMENT_CAPACITY_MAX, (64u << 20) | UINT64_C(1) << 53);
}

Test(index, a_segment_smaller_than_any_is_a_damage)
{
    expect_damage(SEGMENT_CAPACITY_MIN, SEGMENT_CAPACITY_MIN - 1);
}

enum { LINE = 24 };

/* Of what is listed of segment 1 flips a bit, or sets bytes to 0. */
static void change_line(struct index *index, size_t bit, size_t zeros_from)
{
    uint32_t id = 1;
    MDB_val key = env_val(&id, sizeof(id)), val;
    char line[LINE];

    cr_assert_eq(index_begin(index), 0);
    cr_assert_eq(mdb_get(index->txn, index->segments, &key, &val), 0);
    cr_assert_eq(val.mv_size, sizeof(line));
    memcpy(line, val.mv_data, sizeof(line));
    memset(line + zeros_from, 0, LINE - zeros_from);
    if (zeros_from == LINE) {
        line[bit / 8] = (char)(line[bit / 8] ^ 1 << bit % 8);
    }
    val = env_val(line, sizeof(line));
    cr_assert_eq(mdb_put(index->txn, index->segments, &key, &val, 0), 0);
    cr_assert_eq(index_commit(index), 0);
}

Test(index, a_flipped_bit_in_the_list_of_segments_is_a_damage)
{
    struct index index;
    char dir[64];
    int seen = 0;

    setup(dir, &index);
    cr_assert_eq(index_begin(&index), 0);
    cr_expect_eq(list_segment(&index, 1, 2u << 20), 0);
    cr_assert_eq(index_commit(&index), 0);
    for (size_t bit = 0; bit < LINE * 8; bit += 5) {
        change_line(&index, bit, LINE);
        cr_expect_eq(index_each_segment(&index, forget, &seen), ERR_CORRUPT, "bit %zu", bit);
        change_line(&index, bit, LINE);
    }
    cr_expect_eq(seen, 0);
    cr_expect_eq(index_each_segment(&index, forget, &seen), 0);
    change_line(&index, 0, 20);
    cr_expect_eq(index_each_segment(&index, forget, &seen), 0);
    cr_expect_eq(seen, 2, "one without a sum is of an earlier version");
    change_line(&index, 0, 0);
    cr_expect_eq(index_each_segment(&index, forget, &seen), ERR_CORRUPT, "one of zeros is not");
    teardown(dir, &index);
}

struct uses_seen {
    uint32_t blocks;
    uint32_t sum;
};

static void collect_uses(void *arg, uint32_t block, struct span uses)
{
    struct uses_seen *seen = arg;

    seen->blocks = seen->blocks * 10 + block;
    for (size_t i = 0; i < uses.len; i++) {
        seen->sum += (uint8_t)uses.at[i];
    }
}

Test(index, keeps_uses_by_segment_and_drops_them_with_it)
{
    static const uint8_t ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    struct index index;
    char dir[64];
    struct uses_seen seen = {0};

    setup(dir, &index);
    bool written;
    cr_assert_eq(index_begin(&index), 0);
    for (uint32_t id = 4; id <= 6; id++) {
        cr_assert_eq(list_segment(&index, id, 100), 0);
        for (uint32_t block = 1; block <= 3; block++) {
            cr_assert_eq(index_put_uses(&index, id, block, span_of(ones, sizeof(ones)), &written),
                         0);
            cr_expect(written);
        }
    }
    cr_assert_eq(index_put_uses(&index, 5, 2, span_of(ones, 3), &written), 0);
    cr_expect(written);
    cr_assert_eq(index_put_uses(&index, 5, 2, span_of(ones, 3), &written), 0);
    cr_expect_not(written, "it is what is there");
    cr_assert_eq(index_commit(&index), 0);
    cr_assert_eq(index_each_uses(&index, 5, collect_uses, &seen), 0);
    cr_expect_eq(seen.blocks, 123);
    cr_expect_eq(seen.sum, 8 + 3 + 8);

    cr_assert_eq(index_begin(&index), 0);
    cr_assert_eq(index_drop_segment(&index, 5), 0);
    cr_assert_eq(index_drop_segment(&index, 5), 0, "twice is no error");
    cr_assert_eq(index_commit(&index), 0);
    for (uint32_t id = 4; id <= 6; id++) {
        seen = (struct uses_seen){0};
        cr_assert_eq(index_each_uses(&index, id, collect_uses, &seen), 0);
        cr_expect_eq(seen.blocks, id == 5 ? 0 : 123);
    }
    teardown(dir, &index);
}

static bool is_odd(void *arg, const struct location *location)
{
    ++*(unsigned *)arg;
    return location->segment % 2 == 1;
}

Test(index, sweeps_go_round_and_find_every_dead_record)
{
    enum { RECORDS = 1000, STEP = 64 };
    struct index index;
    char dir[64];
    uint8_t hash[STORE_HASH];
    unsigned looked = 0;

    setup(dir, &index);
    cr_assert_eq(index_begin(&index), 0);
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct location location = {.segment = i, .object = 1, .low_segment = i};
        hash_of(hash, i);
        cr_assert_eq(index_put(&index, hash, &location), 0);
    }
    cr_assert_eq(index_commit(&index), 0);
    for (unsigned i = 0; i < RECORDS / STEP + 1; i++) {
        cr_assert_eq(index_begin(&index), 0);
        cr_assert_eq(index_sweep(&index, STEP, is_odd, &looked), 0);
        cr_assert_eq(index_commit(&index), 0);
    }
    cr_expect_eq(looked, RECORDS, "each once in a round");
    uint64_t objects = 0;
    cr_expect_eq(index_objects(&index, &objects), 0);
    cr_expect_eq(objects, RECORDS / 2);
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct location location;
        hash_of(hash, i);
        cr_expect_eq(get(&index, hash, &location), i % 2 ? ERR_NOT_FOUND : 0);
    }
    teardown(dir, &index);
}

/* A transaction begins with them and notes itself beside them, also one of an event loop. */
Test(index, its_first_pages_stay_in_memory)
{
    struct index index;
    char dir[64];

    if (!kit_may_lock()) {
        cr_skip_test("nothing can be locked here");
    }
    unsigned long before = kit_locked_kib();
    setup(dir, &index);
    size_t page_size = index.env.page_size;
    size_t pages = 2 + (index.env.readers.size + page_size - 1) / page_size;
    cr_expect_eq(kit_locked_kib() - before, pages * page_size / 1024);
    teardown(dir, &index);
    cr_expect_eq(kit_locked_kib(), before);
}

/* As another version would have written it: its number is the first thing in the identity of the
 * store, and the checksum the last. */
static void change_version(struct index *index)
{
    MDB_val key = env_val("store", 5), value;
    uint32_t version;
    char identity[64];

    cr_assert_eq(index_begin(index), 0);
    cr_assert_eq(mdb_get(index->txn, index->meta, &key, &value), 0);
    cr_assert_leq(value.mv_size, sizeof(identity));
    memcpy(identity, value.mv_data, value.mv_size);
    memcpy(&version, identity, sizeof(version));
    version++;
    memcpy(identity, &version, sizeof(version));
    size_t summed = value.mv_size - sizeof(uint64_t);
    uint64_t sum = XXH3_64bits(identity, summed);
    memcpy(identity + summed, &sum, sizeof(sum));
    value.mv_data = identity;
    cr_assert_eq(mdb_put(index->txn, index->meta, &key, &value, 0), 0);
    cr_assert_eq(index_commit(index), 0);
}

Test(index, one_of_another_version_is_not_called_damaged)
{
    struct index index;
    char dir[64];

    setup(dir, &index);
    change_version(&index);
    index_close(&index);
    cr_expect_eq(index_open(&index, dir, 16u << 20, NULL), ERR_UNSUPPORTED);
    index_remove(dir);
    cr_expect_eq(rmdir(dir), 0);
}
