#include "cache/spool.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "store_kit.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <pthread.h>
#include <unistd.h>

static int writer_wakes, reader_wakes;

static void count_wake(void *arg)
{
    ++*(int *)arg;
}

static struct spool *open_spool(int64_t expected, size_t limit)
{
    return spool_new(&(struct spool_options){
        .expected = expected,
        .limit = limit,
        .writer = {count_wake, &writer_wakes},
    });
}

/* Byte i of every body in these tests. */
static char byte_at(uint64_t i)
{
    return (char)(i * 131 + (i >> 8) * 7);
}

static void fill(char *at, uint64_t from, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        at[i] = byte_at(from + i);
    }
}

static enum spool_flow append(struct spool *spool, uint64_t from, size_t len)
{
    char *bytes = xmalloc(len);

    fill(bytes, from, len);
    enum spool_flow flow = spool_append(spool, span_of(bytes, len));
    free(bytes);
    return flow;
}

static uint64_t bytes_placed;

/* Takes up to `max` bytes; returns how many, checks each. */
static uint64_t drink(struct spool_reader *reader, uint64_t max)
{
    uint64_t taken = 0;
    struct span span;

    while (taken < max && spool_peek(reader, &span) == 0 && span.len > 0) {
        size_t n = span.len < max - taken ? span.len : (size_t)(max - taken);
        struct file_place place;
        bool is_placed = spool_place(reader, &place);
        cr_assert(!is_placed || kit_same_in_file(place, span));
        bytes_placed += is_placed ? n : 0;
        for (size_t i = 0; i < n; i++) {
            cr_assert_eq(span.at[i], byte_at(reader->offset + i));
        }
        spool_advance(reader, n);
        taken += n;
    }
    return taken;
}

static void open_reader(struct spool_reader *reader, struct spool *spool, uint64_t from,
                        uint64_t to)
{
    cr_assert_eq(
        spool_reader_init(reader, spool, from, to, (struct waker){count_wake, &reader_wakes}), 0);
}

Test(spool, many_readers_each_at_its_own_offset)
{
    struct spool *spool = open_spool(-1, 1 << 20);
    struct spool_reader slow, fast;
    struct span span;

    spool_keep(spool, 1 << 20);
    open_reader(&slow, spool, 0, UINT64_MAX);
    open_reader(&fast, spool, 0, UINT64_MAX);
    for (uint64_t at = 0; at < 300000; at += 1000) {
        append(spool, at, 1000);
        cr_assert_eq(drink(&fast, 1000), 1000);
        cr_assert_eq(drink(&slow, 10), 10);
    }
    cr_assert_eq(spool_peek(&fast, &span), ERR_AGAIN);
    spool_end(spool, 0);
    cr_assert_eq(spool_peek(&fast, &span), 0);
    cr_assert_eq(span.len, 0);
    cr_assert_eq(drink(&slow, UINT64_MAX), 300000 - 3000);
    spool_reader_fini(&slow);
    spool_reader_fini(&fast);
    spool_unref(&spool);
    cr_assert_eq(memory_sum(MEMORY_BODIES), 0);
}

Test(spool, a_waiting_reader_is_woken_once_and_sees_the_error_behind_the_bytes)
{
    struct spool *spool = open_spool(-1, 1 << 20);
    struct spool_reader reader;
    struct span span;

    reader_wakes = 0;
    open_reader(&reader, spool, 0, UINT64_MAX);
    cr_assert_eq(spool_peek(&reader, &span), ERR_AGAIN);
    append(spool, 0, 10);
    append(spool, 10, 10);
    cr_assert_eq(reader_wakes, 1);
    spool_end(spool, ERR_TRUNCATED);
    cr_assert_eq(drink(&reader, 100), 20);
    cr_assert_eq(spool_peek(&reader, &span), ERR_TRUNCATED);
    cr_assert_not(spool_is_complete(spool));
    spool_reader_fini(&reader);
    spool_unref(&spool);
}

Test(spool, passing_through_holds_no_more_than_its_limit)
{
    struct spool *spool = open_spool(-1, 100000);
    struct spool_reader reader;
    uint64_t sent = 0, pauses = 0;

    writer_wakes = 0;
    open_reader(&reader, spool, 0, UINT64_MAX);
    while (sent < 5000000) {
        enum spool_flow flow = append(spool, sent, 10000);
        sent += 10000;
        cr_assert_leq(spool_memory(spool), 100000 + 2 * 65532 + 10000 + 1000);
        if (flow == SPOOL_PAUSE) {
            int before = writer_wakes;
            pauses++;
            drink(&reader, UINT64_MAX);
            cr_assert_eq(writer_wakes, before + 1);
        }
    }
    cr_assert_gt(pauses, 10);
    spool_end(spool, 0);
    drink(&reader, UINT64_MAX);
    cr_assert_eq(reader.offset, sent);
    spool_reader_fini(&reader);
    spool_unref(&spool);
}

Test(spool, who_begins_behind_the_bytes_lets_a_paused_writer_go_on)
{
    struct spool *spool = open_spool(1000000, 100000);
    struct spool_reader reader;

    writer_wakes = 0;
    cr_assert_eq(append(spool, 0, 200000), SPOOL_PAUSE); /* nobody reads yet */
    open_reader(&reader, spool, 500000, 500010);
    cr_expect_eq(writer_wakes, 1);
    cr_expect_eq(append(spool, 200000, 300010), SPOOL_MORE);
    cr_expect_eq(drink(&reader, UINT64_MAX), 10);
    spool_end(spool, 0);
    spool_reader_fini(&reader);
    spool_unref(&spool);
}

Test(spool, who_comes_after_bytes_have_left_is_told)
{
    struct spool *spool = open_spool(-1, 50000);
    struct spool_reader first, late;

    open_reader(&first, spool, 0, UINT64_MAX);
    append(spool, 0, 200000);
    drink(&first, 200000);
    cr_assert_eq(spool_reader_init(&late, spool, 0, UINT64_MAX, (struct waker){0}), ERR_NOT_FOUND);
    spool_reader_fini(&late); /* harmless */
    spool_end(spool, 0);
    spool_reader_fini(&first);
    spool_unref(&spool);
}

/* ---- a crowd ---- */

enum { CROWD = 40, CROWD_LIMIT = 200000, CROWD_STEPS = 6000 };

struct crowd {
    struct spool *spool;
    struct spool_reader readers[CROWD];
    uint64_t sent;
    bool paused;
    unsigned seed;
};

static uint64_t below(struct crowd *crowd, unsigned max)
{
    return (unsigned)rand_r(&crowd->seed) % max;
}

static uint64_t slowest_of(const struct crowd *crowd)
{
    uint64_t offset = crowd->sent;

    for (size_t i = 0; i < CROWD; i++) {
        const struct spool_reader *reader = &crowd->readers[i];
        offset = reader->spool && reader->offset < offset ? reader->offset : offset;
    }
    return offset;
}

/* Joins near the end, behind it, or where bytes may have left already. */
static void join(struct crowd *crowd, struct spool_reader *reader)
{
    uint64_t from = crowd->sent + below(crowd, 20000);
    uint64_t back = below(crowd, 4) ? below(crowd, 20000) : below(crowd, 300000);
    uint64_t slowest = slowest_of(crowd);

    from = from > back ? from - back : 0;
    int err = spool_reader_init(reader, crowd->spool, from, UINT64_MAX,
                                (struct waker){count_wake, &reader_wakes});
    cr_assert(err == 0 || (err == ERR_NOT_FOUND && from < slowest));
}

static void step(struct crowd *crowd)
{
    struct spool_reader *reader = &crowd->readers[below(crowd, CROWD)];
    int wakes = writer_wakes;

    if (below(crowd, 8) == 0 && !crowd->paused) {
        size_t len = 1 + below(crowd, 30000);
        crowd->paused = append(crowd->spool, crowd->sent, len) == SPOOL_PAUSE;
        crowd->sent += len;
        return;
    }
    if (reader->spool == NULL) {
        join(crowd, reader);
    } else if (below(crowd, 50) == 0) {
        spool_reader_fini(reader);
    } else {
        drink(reader, 1 + below(crowd, 1 + (unsigned)below(crowd, 100000)));
    }
    crowd->paused = crowd->paused && writer_wakes == wakes;
}

/* Bytes stay as long as the slowest needs them, and not longer by more than a chunk at each end;
 * and nobody waits for a writer that waits for nobody. */
Test(spool, of_a_crowd_the_slowest_decides)
{
    struct crowd crowd = {.spool = open_spool(-1, CROWD_LIMIT), .seed = 1};
    unsigned pauses = 0;

    for (int i = 0; i < CROWD_STEPS; i++) {
        step(&crowd);
        uint64_t slowest = slowest_of(&crowd);
        if (crowd.sent > slowest || spool_readers(crowd.spool) > 0) {
            cr_assert_leq(spool_memory(crowd.spool), crowd.sent - slowest + 2 * 65532 + 1000,
                          "step %d", i);
        }
        cr_assert(!crowd.paused || slowest < crowd.sent, "step %d", i);
        pauses += crowd.paused;
    }
    cr_expect_gt(pauses, 500);
    cr_expect_gt(crowd.sent, 1000000);
    spool_end(crowd.spool, 0);
    for (size_t i = 0; i < CROWD; i++) {
        if (crowd.readers[i].spool) {
            drink(&crowd.readers[i], UINT64_MAX);
        }
        spool_reader_fini(&crowd.readers[i]);
    }
    spool_unref(&crowd.spool);
    cr_assert_eq(memory_sum(MEMORY_BODIES), 0);
}

Test(spool, a_range_ends_where_it_says)
{
    struct spool *spool = open_spool(1000, 1 << 20);
    struct spool_reader reader;

    spool_keep(spool, 1 << 20);
    append(spool, 0, 1000);
    spool_end(spool, 0);
    open_reader(&reader, spool, 100, 250);
    cr_assert_eq(drink(&reader, UINT64_MAX), 150);
    spool_reader_fini(&reader);
    struct span body;
    cr_assert(spool_whole(spool, &body));
    cr_assert_eq(body.len, 1000);
    spool_unref(&spool);
}

Test(spool, the_writer_is_told_when_nobody_reads_any_more)
{
    struct spool *spool = open_spool(-1, 1 << 20);
    struct spool_reader reader;

    open_reader(&reader, spool, 0, UINT64_MAX);
    append(spool, 0, 10);
    writer_wakes = 0;
    spool_reader_fini(&reader);
    cr_assert_eq(writer_wakes, 1);
    spool_end(spool, ERR_CLOSED);
    spool_unref(&spool);
}

Test(spool, too_much_memory_for_all_makes_small_bodies_pass)
{
    memory_set_limit(10000);
    struct spool *spool = spool_new(&(struct spool_options){
        .expected = -1, .limit = 1 << 20, .writer = {count_wake, &writer_wakes}});
    struct spool_reader reader;

    spool_keep(spool, 1 << 20);
    open_reader(&reader, spool, 0, UINT64_MAX);
    append(spool, 0, 100000);
    cr_assert_eq(drink(&reader, UINT64_MAX), 100000);
    append(spool, 100000, 100000);
    cr_assert_eq(drink(&reader, UINT64_MAX), 100000);
    cr_assert_lt(memory_sum(MEMORY_BODIES), 3 * 65532);
    spool_end(spool, 0);
    cr_assert_not(spool_is_kept(spool));
    spool_reader_fini(&reader);
    spool_unref(&spool);
    cr_assert_eq(memory_sum(MEMORY_BODIES), 0);
}

Test(spool, what_a_wary_one_is_told_of_takes_no_memory_before_it_comes)
{
    enum { ANNOUNCED = 300000 };
    struct spool *spool = spool_new(
        &(struct spool_options){.expected = ANNOUNCED, .limit = 1 << 20, .length_untrusted = true});
    struct spool_reader reader;

    spool_keep(spool, 1 << 20);
    append(spool, 0, 10);
    cr_expect_lt(memory_sum(MEMORY_BODIES) + memory_sum(MEMORY_PROMISED), 8192);
    append(spool, 10, ANNOUNCED - 10);
    spool_end(spool, 0);
    cr_expect(spool_is_kept(spool));
    open_reader(&reader, spool, 0, UINT64_MAX);
    cr_expect_eq(drink(&reader, UINT64_MAX), ANNOUNCED);
    spool_reader_fini(&reader);
    spool_unref(&spool);
    cr_assert_eq(memory_sum(MEMORY_BODIES), 0);
}

Test(spool, what_passes_through_is_narrow_when_memory_is_tight)
{
    struct spool *spool = open_spool(-1, 1 << 20);
    struct spool_reader reader;

    memory_set_limit(1 << 20);
    memory_take(MEMORY_HEADS, 1000000);
    open_reader(&reader, spool, 0, UINT64_MAX);
    uint64_t sent = 0;
    while (append(spool, sent, 1000) == SPOOL_MORE) {
        sent += 1000;
    }
    cr_expect_leq(spool_memory(spool), 40000);
    sent += 1000;
    cr_expect_eq(drink(&reader, UINT64_MAX), sent);
    spool_end(spool, 0);
    spool_reader_fini(&reader);
    spool_unref(&spool);
}

/* Pieces as a socket is read then (proxy/stream/transport.c). */
Test(spool, what_passes_through_comes_piece_by_piece_when_memory_is_over)
{
    enum { PIECE = 4096, PIECES = 20 };
    struct spool *spool = open_spool(-1, 1 << 20);
    struct spool_reader reader;

    memory_set_limit(1 << 20);
    memory_take(MEMORY_HEADS, 1100000);
    open_reader(&reader, spool, 0, UINT64_MAX);
    for (uint64_t at = 0; at < (uint64_t)PIECES * PIECE; at += PIECE) {
        cr_assert_eq(append(spool, at, PIECE), SPOOL_PAUSE);
        cr_expect_leq(spool_memory(spool), 3 * PIECE);
        cr_assert(spool_is_paused(spool));
        cr_assert_eq(drink(&reader, UINT64_MAX), PIECE);
        cr_assert_not(spool_is_paused(spool));
    }
    spool_end(spool, 0);
    spool_reader_fini(&reader);
    spool_unref(&spool);
    cr_expect_eq(memory_sum(MEMORY_BODIES), 0);
}

Test(spool, a_large_body_is_kept_when_it_may_be)
{
    struct spool *spool = open_spool(-1, 1 << 20);
    struct spool_reader reader;

    spool_keep(spool, 10 << 20);
    for (uint64_t at = 0; at < 5000000; at += 50000) {
        cr_assert_eq(append(spool, at, 50000), SPOOL_MORE);
    }
    spool_end(spool, 0);
    cr_expect(spool_is_kept(spool));
    for (int i = 0; i < 2; i++) {
        open_reader(&reader, spool, 0, UINT64_MAX);
        cr_expect_eq(drink(&reader, UINT64_MAX), 5000000);
        spool_reader_fini(&reader);
    }
    spool_unref(&spool);
    cr_expect_eq(memory_sum(MEMORY_BODIES), 0);
}

/* Whatever comes at a time; and the store is given no more pieces than it takes (spool_borrow()).
 */
Test(spool, a_body_of_unknown_length_takes_little_more_than_its_bytes)
{
    static const struct {
        size_t len, part, most;
    } cases[] = {
        /* As it came, or no more than twice as much. */
        {30000, 30000, 30000 + 512}, {100, 100, 4096 + 512},    {30000, 1448, 2 * 30000},
        {20600, 700, 2 * 20600},     {40000, 16384, 2 * 40000}, {1 << 20, 1448, (1 << 20) + 66000},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spool *spool = open_spool(-1, 1 << 20);
        spool_keep(spool, 10 << 20);
        for (size_t at = 0; at < cases[i].len; at += cases[i].part) {
            size_t left = cases[i].len - at;
            append(spool, at, left < cases[i].part ? left : cases[i].part);
        }
        spool_end(spool, 0);
        cr_expect_leq(spool_memory(spool), cases[i].most, "%zu by %zu take %zu", cases[i].len,
                      cases[i].part, spool_memory(spool));
        spool_unref(&spool);
    }
}

/* ---- with a store ---- */

static struct store *open_store(char *path)
{
    struct store *store;

    cr_assert_not_null(mkdtemp(path));
    struct store_options options = {.path = path, .size = 64 << 20, .dirty_limit = 32 << 20};
    cr_assert_eq(store_open(&options, &store), 0);
    return store;
}

struct outcome {
    pthread_mutex_t lock;
    int err;
    bool done;
};

static void on_done(void *arg, int err)
{
    struct outcome *outcome = arg;

    pthread_mutex_lock(&outcome->lock);
    outcome->err = err;
    outcome->done = true;
    pthread_mutex_unlock(&outcome->lock);
}

static void ignore(void *arg, int err)
{
    ++*(int *)arg;
    (void)err;
}

/* As many as fit are stored, the others pass, and all of them together stay below the limit. */
Test(spool, many_bodies_at_once_stay_below_the_limit)
{
    enum { BODIES = 100, FEW = 5, LENGTH = 1500000, STEP = 60000, LIMIT = 8 << 20 };
    char path[] = "/tmp/larder-spool-XXXXXX";
    struct store *store = open_store(path);
    struct spool *spools[BODIES];
    struct spool_reader readers[BODIES];
    uint64_t sent[BODIES] = {0};
    bool moves = true;
    int answers = 0, passing = 0;
    size_t begun = 0;

    memory_set_limit(LIMIT);
    for (size_t i = 0; i < BODIES && memory_begin(SPOOL_LEAST); i++) {
        uint8_t hash[STORE_HASH] = {(uint8_t)i, (uint8_t)(i >> 8)};
        struct store_put *put;
        begun++;
        cr_assert_eq(store_put_begin_anyway(store, hash, SPAN("key"), &put), 0);
        spools[i] = spool_new(&(struct spool_options){
            .expected = i % 2 ? -1 : LENGTH, .limit = 2 << 20, .promised = SPOOL_LEAST});
        spool_store(spools[i], (struct shelf){.store = store}, put, UINT64_MAX);
        open_reader(&readers[i], spools[i], 0, UINT64_MAX);
    }
    /* The first few come alone, and the disk keeps up with them: they can be stored. */
    for (uint64_t round = 0; round * STEP < LENGTH; round++) {
        for (size_t i = 0; i < FEW; i++) {
            append(spools[i], sent[i], STEP);
            sent[i] += STEP;
        }
        store_flush(store);
    }
    while (moves) { /* nobody reads; those that need not wait go on, in turn */
        moves = false;
        for (size_t i = 0; i < begun; i++) {
            if (sent[i] < LENGTH && !(sent[i] && append(spools[i], sent[i], 0) == SPOOL_PAUSE)) {
                size_t step = memory_is_tight() ? 15000 : STEP; /* as the socket is read */
                append(spools[i], sent[i], step);
                sent[i] += step;
                moves = true;
            }
            cr_assert_leq(memory_used(), LIMIT);
        }
        store_flush(store);
    }
    cr_expect_eq(begun, BODIES);
    for (size_t i = 0; i < begun; i++) {
        passing += spool_lacks_room(spools[i]);
        drink(&readers[i], UINT64_MAX);
        while (sent[i] < LENGTH) {
            append(spools[i], sent[i], 15000);
            sent[i] += 15000;
            drink(&readers[i], UINT64_MAX);
        }
        spool_commit(spools[i], SPAN("head"), "meta", 4, ignore, &answers);
        drink(&readers[i], UINT64_MAX);
        cr_assert_eq(readers[i].offset, LENGTH, "body %zu", i);
        spool_reader_fini(&readers[i]);
        spool_unref(&spools[i]);
    }
    store_flush(store);
    cr_expect_eq(answers, (int)begun);
    cr_expect_gt(passing, 0);
    cr_expect_lt(passing, (int)begun, "some of them could be stored");
    store_close(&store);
    cr_expect_eq(memory_sum(MEMORY_BODIES), 0);
    cr_expect_eq(memory_sum(MEMORY_PROMISED), 0);
    char command[64];
    snprintf(command, sizeof(command), "rm -r %s", path);
    cr_assert_eq(system(command), 0);
}

static uint64_t kept_most = 1 << 20; /* what is larger goes to the store while it arrives */

static void store_in_parts(uint64_t length, int64_t expected, size_t parts)
{
    char path[] = "/tmp/larder-spool-XXXXXX";
    struct store *store = open_store(path);
    struct spool *spool = open_spool(expected, 600000);
    struct spool_reader late, whole;
    struct store_put *put;
    struct store_object stored;
    struct outcome outcome = {.lock = PTHREAD_MUTEX_INITIALIZER};
    uint8_t hash[STORE_HASH] = {7};

    cr_assert_eq(store_put_begin(store, hash, SPAN("key"), &put), 0);
    spool_store(spool, (struct shelf){.store = store}, put, kept_most);
    open_reader(&late, spool, 0, UINT64_MAX);
    for (uint64_t at = 0; at < length;) {
        size_t part = length - at < parts ? (size_t)(length - at) : parts;
        while (append(spool, at, part) == SPOOL_PAUSE) {
            store_flush(store); /* the disk catches up */
            part = 0;
        }
        at += part ? part : parts;
        at = at < length ? at : length;
        cr_assert_leq(spool_memory(spool), 600000 + 1000000);
    }
    spool_commit(spool, SPAN("head"), "meta", 4, on_done, &outcome);
    store_flush(store);
    cr_assert(outcome.done);
    cr_assert_eq(outcome.err, 0);
    bytes_placed = 0;
    cr_assert_eq(drink(&late, UINT64_MAX), length, "a reader that never read gets it all");
    cr_expect_eq(bytes_placed >= STORE_CHUNK, length > max_u64(kept_most, 600000),
                 "back from the store");
    open_reader(&whole, spool, length / 3, UINT64_MAX);
    cr_assert_eq(drink(&whole, UINT64_MAX), length - length / 3);
    cr_assert_eq(store_find(store, hash, SPAN("key"), &stored), 0);
    cr_assert_eq(stored.body_len, length);
    cr_expect_eq(stored.chunk_count > 0, length > kept_most,
                 "1 MiB is one record, whatever its head");
    store_object_done(store, &stored);
    spool_reader_fini(&late);
    spool_reader_fini(&whole);
    spool_unref(&spool);
    store_close(&store);
    char command[64];
    snprintf(command, sizeof(command), "rm -r %s", path);
    cr_assert_eq(system(command), 0);
}

static void store_and_read_back(uint64_t length, int64_t expected)
{
    store_in_parts(length, expected, 50000);
}

Test(spool, stores_what_comes_in_parts_of_any_size)
{
    static const size_t parts[] = {700, 4096, 4097, 16385, 32769, 65533};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        store_in_parts(1 << 20, -1, parts[i]);
        store_in_parts(2 * STORE_CHUNK + 700000, -1, parts[i]);
    }
}

Test(spool, stores_small_bodies_in_one_record)
{
    store_and_read_back(0, 0);
    store_and_read_back(1, -1);
    store_and_read_back(70000, -1);
    store_and_read_back(900000, 900000);
    store_and_read_back(1 << 20, 1 << 20);
    store_and_read_back(1 << 20, -1);
}

Test(spool, stores_in_chunks_what_is_too_large_to_be_kept)
{
    kept_most = 300000;
    store_and_read_back(300000, 300000);
    store_and_read_back(300000, -1);
    store_and_read_back(300001, 300001);
    store_and_read_back(300001, -1);
    store_and_read_back(1 << 20, 1 << 20);
    store_and_read_back(1 << 20, -1);
}

Test(spool, stores_large_bodies_in_chunks_while_they_arrive)
{
    store_and_read_back(3000000, -1);
    store_and_read_back(3000000, 3000000);
    store_and_read_back(10ull * STORE_CHUNK, 10 * (int64_t)STORE_CHUNK);
}

/* Asked again for bytes that a socket still sends from, when they have gone to the store. */
Test(spool, what_is_lent_stays_where_it_is)
{
    enum { PART = 50000, LENGTH = 60 * PART };
    char path[] = "/tmp/larder-spool-XXXXXX";
    struct store *store = open_store(path);
    struct spool *spool = open_spool(LENGTH, 600000);
    struct spool_reader reader;
    struct store_put *put;
    struct span lent, again;
    uint8_t hash[STORE_HASH] = {7};

    cr_assert_eq(store_put_begin(store, hash, SPAN("key"), &put), 0);
    spool_store(spool, (struct shelf){.store = store}, put, 300000);
    open_reader(&reader, spool, 0, UINT64_MAX);
    append(spool, 0, PART);
    cr_assert_eq(spool_peek(&reader, &lent), 0);
    for (uint64_t at = PART; at < LENGTH; at += PART) {
        append(spool, at, PART);
        store_flush(store);
    }
    cr_assert_leq(spool_memory(spool), LENGTH / 2, "its beginning has left memory");
    cr_assert_eq(spool_peek(&reader, &again), 0);
    cr_expect_eq(again.at, lent.at);
    cr_expect_eq(drink(&reader, lent.len), lent.len);
    spool_end(spool, ERR_TRUNCATED);
    spool_reader_fini(&reader);
    spool_unref(&spool);
    store_close(&store);
    char command[64];
    snprintf(command, sizeof(command), "rm -r %s", path);
    cr_assert_eq(system(command), 0);
}
