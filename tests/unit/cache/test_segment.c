#include "cache/store/segments.h"

#include "base/check.h"
#include "base/err.h"
#include "base/lmdb_page.h"
#include "base/mem.h"
#include "cache/store/lookup.h"
#include "cache/store/resident.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

struct fixture {
    char dir[64];
    struct segments segments;
    int wakes;
};

static void on_wake(void *arg)
{
    ++*(int *)arg;
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){0};
    snprintf(f->dir, sizeof(f->dir), "/tmp/larder-segment-XXXXXX");
    CHECK(mkdtemp(f->dir) != NULL);
    segments_init(&f->segments, f->dir, 8);
    f->segments.wake = on_wake;
    f->segments.wake_arg = &f->wakes;
}

static void teardown(struct fixture *f)
{
    for (uint32_t id = 1; id < 10; id++) {
        segment_unlink(&f->segments.home, id);
    }
    segments_fini(&f->segments);
    cr_expect_eq(rmdir(f->dir), 0);
}

static struct segment *create(struct fixture *f, uint64_t capacity)
{
    uint32_t id;
    struct segment *segment = segments_next_free(&f->segments, &id);

    struct segment_spec spec = {.id = id, .log = S3_PROBATION, .capacity = capacity};
    cr_assert_eq(segment_create(segment, &f->segments.home, &spec), 0);
    return segment;
}

static const uint8_t owner[STORE_HASH] = "whose chunk it i";

static uint32_t add_filled(struct segment *segment, size_t size, int byte)
{
    uint32_t number;
    void *at;

    cr_assert_eq(segment_write_begin(segment), 0);
    cr_assert_eq(segment_add_chunk(segment, owner, size, &at, &number), 0);
    memset(at, byte, size);
    return number;
}

/* The ground the store stands on, and LMDB does not promise: values in pages of their own keep
 * their address for as long as the mapping lives, whatever is committed behind them. */
Test(segment, lent_values_never_move)
{
    enum { VALUES = 400, COMMIT_EACH = 4 };
    static const char *at[VALUES];
    struct fixture f;
    int bad = 0;

    setup(&f);
    struct segment *segment = create(&f, 16u << 20);
    for (int i = 0; i < VALUES; i++) {
        struct store_chunk chunk = {.number = add_filled(segment, 2048 + (size_t)i * 7, i & 0xff),
                                    .len = 2048};
        static char same[2048];
        struct span lent;
        if (i % COMMIT_EACH != 0) {
            continue;
        }
        cr_assert_eq(segment_commit(segment), 0);
        memset(same, i & 0xff, sizeof(same));
        cr_assert_eq(lookup_lend(segment, &chunk, WALK_MAP, &lent), ERR_CORRUPT,
                     "a wrong sum is noticed");
        MDB_txn *txn;
        MDB_val key = env_val(&chunk.number, sizeof(chunk.number)), val;
        cr_assert_eq(env_read_begin(&segment->env, &txn), 0);
        cr_assert_eq(mdb_get(txn, segment->chunks, &key, &val), 0);
        at[i] = val.mv_data;
        env_read_end(&segment->env, txn);
    }
    cr_assert_eq(segment_commit(segment), 0);
    for (int i = 0; i < VALUES; i += COMMIT_EACH) {
        for (size_t n = 0; n < 2048 + (size_t)i * 7; n++) {
            bad += at[i][n] != (char)(i & 0xff);
        }
    }
    cr_expect_eq(bad, 0);
    teardown(&f);
}

/* Bits that flip in a tree can make a value's length 0. */
Test(segment, a_record_without_a_byte_is_damage)
{
    static const enum walk_way ways[] = {WALK_MAP, WALK_READ};
    struct fixture f;
    uint32_t number;
    void *at;

    setup(&f);
    struct segment *segment = create(&f, 2u << 20);
    cr_assert_eq(segment_write_begin(segment), 0);
    cr_assert_eq(segment_add_object(segment, 0, &at, &number), 0);
    struct store_chunk chunk = {.number = add_filled(segment, 0, 0), .len = 1};
    cr_assert_eq(segment_commit(segment), 0);
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct segment_record record;
        struct span bytes;
        void *copy;
        cr_expect_eq(lookup_record(segment, number, ways[i], &record), ERR_CORRUPT);
        cr_expect_eq(lookup_chunk(segment, &chunk, ways[i], &bytes, &copy), ERR_CORRUPT);
    }
    teardown(&f);
}

Test(segment, the_room_account_is_never_too_generous)
{
    static const size_t sizes[] = {60, 500, 1300, 1400, 2000, 2047, 2048, 5000, 70000, 262128};

    for (size_t n = 0; n < ARRAY_LEN(sizes); n++) {
        struct fixture f;
        setup(&f);
        struct segment *segment = create(&f, 2u << 20);
        uint64_t stored = 0;
        for (size_t i = 0; segment_has_room(segment, sizes[n]); i++) {
            uint32_t number;
            void *at;
            cr_assert_eq(segment_write_begin(segment), 0);
            cr_assert_eq(segment_add_object(segment, sizes[n], &at, &number), 0, "%zu bytes",
                         sizes[n]);
            memset(at, 0, sizes[n]);
            stored += sizes[n];
            if (i % 50 == 0) {
                cr_assert_eq(segment_commit(segment), 0);
            }
        }
        cr_assert_eq(segment_commit(segment), 0);
        cr_expect_gt(stored, 900000, "%zu bytes: %llu stored", sizes[n],
                     (unsigned long long)stored);
        teardown(&f);
    }
}

Test(segment, a_retired_one_is_closed_after_its_last_reader)
{
    struct fixture f;

    setup(&f);
    struct segment *segment = create(&f, 2u << 20);
    uint32_t id = segment->id;
    cr_expect_eq(segments_pin(&f.segments, id), segment);
    cr_expect(segment_retire(segment));
    cr_expect_not(segment_retire(segment), "only once");
    cr_expect_null(segments_pin(&f.segments, id), "nobody new");
    cr_expect_not(segments_is_live(&f.segments, id));
    cr_expect_eq(segments_pin_any(&f.segments, id), segment, "but one more for who has it");
    segments_unpin(&f.segments, segment);
    cr_expect_eq(f.wakes, 0);
    cr_expect_not(segment_is_idle(segment));
    segments_unpin(&f.segments, segment);
    cr_expect_eq(f.wakes, 1);
    cr_expect(segment_is_idle(segment));
    cr_expect_null(segments_pin_any(&f.segments, id));
    segment_close(segment);
    cr_expect_eq(segments_used(&f.segments), 0);
    teardown(&f);
}

Test(segment, ids_skip_slots_that_are_taken)
{
    struct fixture f;
    uint32_t id;

    setup(&f);
    struct segment *first = create(&f, 2u << 20);
    f.segments.next_id = first->id + f.segments.mask + 1; /* the same slot */
    struct segment *slot = segments_next_free(&f.segments, &id);
    cr_expect_neq(slot, first);
    cr_expect_eq(id, first->id + f.segments.mask + 2);
    cr_expect_eq(segments_oldest(&f.segments, S3_PROBATION, 0), first);
    cr_expect_null(segments_oldest(&f.segments, S3_PROBATION, first->id + 1));
    cr_expect_null(segments_oldest(&f.segments, S3_MAIN, 0));
    teardown(&f);
}

Test(segment, an_aborted_write_gives_its_numbers_back)
{
    struct fixture f;

    setup(&f);
    struct segment *segment = create(&f, 2u << 20);
    uint32_t number = add_filled(segment, 5000, 1);
    segment_abort(segment);
    cr_expect_eq(add_filled(segment, 5000, 2), number);
    cr_expect_eq(segment_commit(segment), 0);
    cr_expect_eq(add_filled(segment, 5000, 3), number + 1);
    cr_expect_eq(segment_commit(segment), 0);
    teardown(&f);
}

/* How many descriptors are open in the folder. */
static int descriptors(const struct fixture *f)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char to[PATH_MAX] = "";
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, to, sizeof(to) - 1);
        count += n > 0 && strncmp(to, f->dir, strlen(f->dir)) == 0;
    }
    closedir(dir);
    return count;
}

/* A store of a million objects has hundreds of segments: each would keep what LMDB needs to write.
 */
Test(segment, a_sealed_one_costs_its_readers_no_writer)
{
    struct fixture f;
    struct span lent, before;

    setup(&f);
    struct segment *segment = create(&f, 1u << 20);
    struct store_chunk chunk = {.number = add_filled(segment, 5000, 'a'), .len = 5000};
    static char same[5000];
    memset(same, 'a', sizeof(same));
    chunk.sum = XXH3_64bits(same, sizeof(same));
    cr_assert_eq(segment_commit(segment), 0);
    segment_shed(segment);
    cr_expect_not_null(segment->env.lmdb, "it may still be written to");

    cr_assert(segment_enter(segment));
    segment_seal(segment);
    segment_shed(segment);
    cr_expect_not_null(segment->env.lmdb, "somebody is in a transaction");
    segment_exit(segment);
    cr_assert(segment_pin(segment, segment->id, false));
    cr_assert_eq(lookup_lend(segment, &chunk, WALK_MAP, &before), 0);
    cr_expect_not(segment_enter(segment), "nobody begins a transaction any more");
    segment_shed(segment);
    cr_expect_null(segment->env.lmdb, "readers are no reason to keep it");
    cr_expect_arr_eq(before.at, same, sizeof(same), "what was lent stays where it is");
    cr_assert_eq(lookup_lend(segment, &chunk, WALK_MAP, &lent), 0);
    cr_expect_eq(lent.at, before.at);
    struct file_place place = segment_place(segment, lent);
    char read[sizeof(same)];
    cr_assert_eq(pread(place.fd, read, sizeof(read), (off_t)place.offset), sizeof(read));
    cr_expect_arr_eq(read, same, sizeof(same));
    cr_expect_eq(descriptors(&f), 1);
    segments_unpin(&f.segments, segment);

    segment->counted = false;
    cr_expect_eq(segment_count(segment), 0);
    cr_expect_eq(segment->next_chunk, chunk.number + 1);
    cr_expect_eq(segment->next_object, 1);
    cr_expect_gt(env_pages(&segment->env), 4);

    segment_retire(segment);
    segment_close(segment);
    segment_shed(segment); /* a free slot: nothing happens */
    cr_expect_null(segment->env.map);
    teardown(&f);
}

/* What the index says of it may be damaged: bytes lie where the file has them. */
Test(segment, bytes_behind_the_capacity_have_a_place)
{
    struct fixture f;
    struct span lent;
    static char same[9000];

    setup(&f);
    memset(same, 'a', sizeof(same));
    struct segment *segment = create(&f, 1u << 20);
    struct store_chunk chunk = {.number = add_filled(segment, sizeof(same), 'a'),
                                .len = sizeof(same),
                                .sum = XXH3_64bits(same, sizeof(same))};
    cr_assert_eq(segment_commit(segment), 0);
    struct segment_spec spec = {.id = segment->id, .log = S3_PROBATION, .capacity = 8192};
    segment_retire(segment);
    segment_close(segment);
    segment_adopt(segment, &f.segments.home, &spec, false);
    cr_assert_eq(segments_pin(&f.segments, spec.id), segment);
    cr_assert_eq(lookup_lend(segment, &chunk, WALK_MAP, &lent), 0);
    struct file_place place = segment_place(segment, lent);
    char read[sizeof(same)];
    cr_assert_eq(pread(place.fd, read, sizeof(read), (off_t)place.offset), sizeof(read));
    cr_expect_arr_eq(read, same, sizeof(same));
    segments_unpin(&f.segments, segment);
    teardown(&f);
}

/* Opened for the writer, and by whoever comes first. */
Test(segment, a_damaged_one_is_not_opened)
{
    static const struct {
        const char *what;
        off_t at;
        size_t len;
    } cases[] = {
        {"nothing", 0, 0},
        {"the magic number", 16, 4},
        {"the length of a page", 40, 4},
        {"the root of the main tree", 128, 8},
        {"the number of the last page", 136, 8},
        {"all of it", 0, 4096},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (int byte = 0; byte < 256; byte += 85) {
            char path[PATH_MAX], bytes[4096];
            struct fixture f;
            setup(&f);
            struct segment *segment = create(&f, 1u << 20);
            add_filled(segment, 5000, 'a');
            cr_assert_eq(segment_commit(segment), 0);
            struct segment_spec spec = {
                .id = segment->id, .log = S3_PROBATION, .capacity = 1u << 20};
            segment_path(&f.segments.home, spec.id, path);
            segment_retire(segment);
            segment_close(segment);

            int fd = open(path, O_RDWR | O_CLOEXEC);
            memset(bytes, byte, sizeof(bytes));
            for (off_t meta = 0; meta < 8192; meta += 4096) {
                cr_assert_eq(pwrite(fd, bytes, cases[i].len, meta + cases[i].at),
                             (ssize_t)cases[i].len);
            }
            close(fd);
            segment_adopt(segment, &f.segments.home, &spec, true);
            cr_expect_eq(segment_ready(segment), cases[i].len ? ERR_CORRUPT : 0, "%s is %d",
                         cases[i].what, byte);
            segment_retire(segment);
            segment_close(segment);
            teardown(&f);
        }
    }
}

/* What a page of a tree leads to lies at `to` from now on: the pages below a branch, or the values
 * of a leaf. Returns how many there were. */
static unsigned lead_to(char *page, enum page_flags flags, uint64_t to)
{
    struct page header;
    unsigned led = 0;

    memcpy(&header, page, sizeof(header));
    for (unsigned i = 0; i < page_nodes(&header); i++) {
        uint16_t at;
        struct node node;
        memcpy(&at, page + sizeof(header) + (size_t)i * 2, sizeof(at));
        memcpy(&node, page + at, sizeof(node));
        if (flags == PAGE_BRANCH) {
            node.low = (uint16_t)to;
            node.high = (uint16_t)(to >> 16);
            memcpy(page + at, &node, sizeof(node));
            led++;
        } else if (node.flags & NODE_BIG) {
            memcpy(page + at + sizeof(node) + node.key_len, &to, sizeof(to));
            led++;
        }
    }
    return led;
}

static void damage(const struct segment *segment, enum page_flags flags, uint64_t to)
{
    char path[PATH_MAX], page[4096];
    unsigned led = 0;

    segment_path(segment->home, segment->id, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    for (uint64_t at = 2; pread(fd, page, sizeof(page), (off_t)at * 4096) == sizeof(page); at++) {
        struct page header;
        memcpy(&header, page, sizeof(header));
        if (header.number == at && header.flags == flags) {
            led += lead_to(page, flags, to);
            cr_assert_eq(pwrite(fd, page, sizeof(page), (off_t)at * 4096), sizeof(page));
        }
    }
    close(fd);
    cr_assert_gt(led, 0);
}

/* A directory whose disk cannot be read is taken out: damage must not look like that. */
Test(segment, what_leads_behind_the_end_of_the_file_is_damage)
{
    enum { CAPACITY = 4 << 20, COUNT = 400 };
    static const struct {
        enum page_flags flags;
        uint64_t to; /* in the mapping, or not even there */
    } cases[] = {{PAGE_BRANCH, CAPACITY / 4096 - 8},
                 {PAGE_BRANCH, UINT32_MAX},
                 {PAGE_LEAF, CAPACITY / 4096 - 8},
                 {PAGE_LEAF, UINT64_MAX / 4096}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (enum walk_way way = WALK_NOW; way <= WALK_MAP; way++) {
            struct fixture f;
            struct store_chunk chunk = {.len = 3000};
            struct span bytes;
            void *copy;
            setup(&f);
            struct segment *segment = create(&f, CAPACITY);
            for (int n = 0; n < COUNT; n++) {
                chunk.number = add_filled(segment, 3000, n);
            }
            cr_assert_eq(segment_commit(segment), 0);
            segment_seal(segment);
            damage(segment, cases[i].flags, cases[i].to);
            resident_forget();
            cr_expect_eq(lookup_chunk(segment, &chunk, way, &bytes, &copy), ERR_CORRUPT,
                         "case %zu, way %d", i, (int)way);
            teardown(&f);
        }
    }
}

/* ---- what no checksum covers ---- */

enum { SMALL = 2 << 20 };

/* Writes over the last key in each leaf whose values are so long; 0: have pages of their own. */
static void set_last_key(const struct segment *segment, size_t len, uint32_t to)
{
    char path[PATH_MAX], page[4096];
    unsigned set = 0;

    segment_path(segment->home, segment->id, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    for (uint64_t at = 2; pread(fd, page, sizeof(page), (off_t)at * 4096) == sizeof(page); at++) {
        struct page header;
        struct node node;
        uint16_t last;
        memcpy(&header, page, sizeof(header));
        if (header.number != at || header.flags != PAGE_LEAF) {
            continue;
        }
        memcpy(&last, page + header.lower - sizeof(last), sizeof(last));
        memcpy(&node, page + last, sizeof(node));
        bool wanted =
            len ? node.flags == 0 && node_value_len(&node) == len : node.flags == NODE_BIG;
        if (wanted && node.key_len == sizeof(to)) {
            cr_assert_eq(pwrite(fd, &to, sizeof(to), (off_t)(at * 4096 + last + sizeof(node))),
                         sizeof(to));
            set++;
        }
    }
    close(fd);
    cr_assert_gt(set, 0);
}

/* Or nothing more would be stored until the next start. */
Test(segment, one_that_cannot_be_continued_behind_its_last_key_is_damaged)
{
    static const size_t values[] = {STORE_HASH, 0}; /* owners, chunks */

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct fixture f;
        uint32_t number;
        void *at;
        setup(&f);
        struct segment *segment = create(&f, SMALL);
        add_filled(segment, 5000, 'a');
        add_filled(segment, 5000, 'b');
        cr_assert_eq(segment_commit(segment), 0);
        set_last_key(segment, values[i], 1000);
        cr_assert_eq(segment_write_begin(segment), 0);
        cr_expect_eq(segment_add_chunk(segment, owner, 5000, &at, &number), ERR_CORRUPT, "case %zu",
                     i);
        segment_abort(segment);
        teardown(&f);
    }
}

Test(segment, one_with_more_pages_than_fit_is_damaged)
{
    const uint64_t last = SMALL / 4096 + 1;
    char path[PATH_MAX];
    struct fixture f;

    setup(&f);
    struct segment *segment = create(&f, SMALL);
    add_filled(segment, 5000, 'a');
    cr_assert_eq(segment_commit(segment), 0);
    segment_path(&f.segments.home, segment->id, path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    for (size_t meta = 0; meta < 2; meta++) {
        off_t at = (off_t)(meta * 4096 + sizeof(struct page) + offsetof(struct meta, last_page));
        cr_assert_eq(pwrite(fd, &last, sizeof(last), at), sizeof(last));
    }
    close(fd);
    cr_expect_eq(segment_write_begin(segment), ERR_CORRUPT);
    teardown(&f);
}

/* The last keys say how much is in it: an eviction would look at all of that. */
Test(segment, numbers_that_its_file_has_no_room_for_are_damage)
{
    enum { RECORD = 100 };
    static const struct {
        size_t values;
        uint32_t last;
        int expected;
    } cases[] = {
        {STORE_HASH, 1000, ERR_CORRUPT}, /* the owner of a chunk that is not there */
        {0, 1, ERR_CORRUPT},             /* the chunk of the second owner is not there */
        {0, UINT32_MAX, ERR_CORRUPT},
        {RECORD, UINT32_MAX, ERR_CORRUPT},
        {RECORD, SMALL / 64, ERR_CORRUPT},
        {RECORD, 7, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        uint32_t number;
        void *at;
        setup(&f);
        struct segment *segment = create(&f, SMALL);
        add_filled(segment, 5000, 'a');
        add_filled(segment, 5000, 'b');
        cr_assert_eq(segment_add_object(segment, RECORD, &at, &number), 0);
        memset(at, 'c', RECORD);
        cr_assert_eq(segment_commit(segment), 0);
        struct segment_spec spec = {.id = segment->id, .log = S3_PROBATION, .capacity = SMALL};
        segment_retire(segment);
        segment_close(segment);
        set_last_key(segment, cases[i].values, cases[i].last);
        segment_adopt(segment, &f.segments.home, &spec, true);
        cr_assert_eq(segments_pin(&f.segments, spec.id), segment);
        cr_expect_eq(segment_resume(segment), cases[i].expected, "case %zu", i);
        segments_unpin(&f.segments, segment);
        teardown(&f);
    }
}
