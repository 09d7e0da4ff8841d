#include "cache/ahead.h"

#include "base/err.h"
#include "base/memory.h"
#include "store_kit.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <semaphore.h>

enum { CHUNKS = 6 };
#define BODY ((CHUNKS - 1) * (size_t)STORE_CHUNK + 1000)

struct fixture {
    struct kit kit;
    struct store_object object;
    char *body;
    struct ahead *ahead;
    sem_t woken;
    int before; /* reads */
};

static void wake(void *arg)
{
    sem_post(arg);
}

static bool is_in_memory(struct fixture *f, size_t number)
{
    struct store_pin *pin;
    struct span bytes;
    int err = store_lend_now(f->kit.store, &f->object.chunks[number], &pin, &bytes);

    if (!err) {
        store_unpin(f->kit.store, pin);
    }
    return !err;
}

/* A body whose chunks are on disk only. */
static void setup(struct fixture *f)
{
    *f = (struct fixture){0};
    sem_init(&f->woken, 0, 0);
    kit_init(&f->kit, 4 * KIT_SIZE);
    cr_assert_eq(kit_put(f->kit.store, "x", BODY), 0);
    if (!kit_reopen_cold(&f->kit)) {
        kit_fini(&f->kit);
        cr_skip_test("this file system keeps files in memory");
    }
    cr_assert_eq(kit_find_patiently(&f->kit, "x", &f->object, &f->before), 0);
    cr_assert_eq(f->object.chunk_count, CHUNKS);
    for (int tries = 0; tries < 100 && is_in_memory(f, 0); tries++) {
        kit_cool(&f->kit);
    }
    f->body = kit_body(SPAN("x"), BODY);
    ahead_need(&f->ahead, (struct waker){wake, &f->woken});
}

static void teardown(struct fixture *f)
{
    ahead_free(&f->ahead);
    store_object_done(f->kit.store, &f->object);
    store_stop_reads(f->kit.store);
    cr_expect_eq(memory_sum(MEMORY_BODIES), 0, "all is given back");
    free(f->body);
    kit_fini(&f->kit);
}

static int open_chunk(struct fixture *f, size_t number, struct span *out)
{
    return ahead_chunk(f->ahead, f->kit.store, &f->object.chunks[number], CHUNKS - number, out);
}

static uint64_t reads(struct fixture *f)
{
    struct store_stats stats;

    store_stats(f->kit.store, &stats);
    return stats.reads - (uint64_t)f->before;
}

static void expect_chunk(struct fixture *f, size_t number, struct span bytes)
{
    cr_expect(span_eq(bytes, span_of(f->body + number * STORE_CHUNK, f->object.chunks[number].len)),
              "chunk %zu", number);
}

/* In memory, or asked for. */
static bool is_prepared(struct fixture *f, size_t number)
{
    const struct store_chunk *chunk = &f->object.chunks[number];

    for (size_t i = 0; i < AHEAD_CHUNKS; i++) {
        const struct ahead_slot *slot = &f->ahead->chunks[i];
        if (slot->waiter.read && slot->chunk.number == chunk->number) {
            return true;
        }
    }
    return is_in_memory(f, number);
}

static size_t slots_taken(const struct fixture *f)
{
    size_t taken = 0;

    for (size_t i = 0; i < AHEAD_CHUNKS; i++) {
        taken += f->ahead->chunks[i].waiter.read != NULL;
    }
    return taken;
}

Test(ahead, what_comes_next_is_read_while_this_is_sent)
{
    struct fixture f;
    struct span bytes;

    setup(&f);
    cr_assert_eq(open_chunk(&f, 0, &bytes), ERR_AGAIN);
    cr_expect(f.ahead->behind);
    sem_wait(&f.woken);
    cr_assert_eq(open_chunk(&f, 0, &bytes), 0);
    cr_expect_not(f.ahead->behind);
    expect_chunk(&f, 0, bytes);
    cr_expect(is_prepared(&f, 1));
    cr_expect(is_prepared(&f, 2), "it has waited: two steps");
    for (size_t i = 1; i < CHUNKS; i++) {
        int err = open_chunk(&f, i, &bytes);
        if (err == ERR_AGAIN) {
            sem_wait(&f.woken);
            err = open_chunk(&f, i, &bytes);
        }
        cr_assert_eq(err, 0);
        expect_chunk(&f, i, bytes);
    }
    cr_expect_leq(reads(&f), CHUNKS, "each once");
    teardown(&f);
}

Test(ahead, when_memory_is_tight_only_what_is_waited_for_is_read)
{
    struct fixture f;
    struct span bytes;

    setup(&f);
    memory_set_limit(1000);
    memory_take(MEMORY_QUEUED, 100000);
    for (size_t i = 0; i < CHUNKS; i++) {
        int err = open_chunk(&f, i, &bytes);
        if (err == ERR_AGAIN) {
            sem_wait(&f.woken);
            err = open_chunk(&f, i, &bytes);
        }
        cr_assert_eq(err, 0);
        expect_chunk(&f, i, bytes);
        cr_expect_leq(reads(&f), i + 1, "chunk %zu", i);
        cr_expect(f.ahead->copied || slots_taken(&f) == 0, "what is lent is not held, too");
    }
    memory_give(MEMORY_QUEUED, 100000);
    memory_set_limit(0);
    teardown(&f);
}

Test(ahead, what_is_lent_is_given_in_windows)
{
    struct fixture f;
    struct span bytes, given;

    setup(&f);
    cr_assert_eq(open_chunk(&f, 0, &bytes), ERR_AGAIN);
    sem_wait(&f.woken);
    cr_assert_eq(open_chunk(&f, 0, &bytes), 0);
    cr_assert_not_null(f.ahead->pin, "it was read, so it is in memory and lent from there");
    ahead_moved(f.ahead);
    struct span rest = span_skip(bytes, 5000);
    cr_assert_eq(ahead_lent(f.ahead, f.kit.store, f.ahead->pin, rest, &given), 0);
    cr_expect(span_eq(given, rest));
    teardown(&f);
}

/* A slow reader's bytes have left memory since, and are read for it again: not many of them. */
Test(ahead, when_memory_is_tight_windows_are_small)
{
    struct fixture f;
    struct span bytes, given;

    setup(&f);
    cr_assert_eq(open_chunk(&f, 0, &bytes), ERR_AGAIN);
    sem_wait(&f.woken);
    cr_assert_eq(open_chunk(&f, 0, &bytes), 0);
    cr_assert_not_null(f.ahead->pin);
    posix_fadvise(store_place(f.ahead->pin, bytes).fd, 0, 0, POSIX_FADV_DONTNEED);
    ahead_moved(f.ahead);
    memory_set_limit(1000);
    memory_take(MEMORY_QUEUED, 100000);
    struct span rest = span_skip(bytes, 5000);
    size_t at = 5000;
    while (rest.len > 0) {
        int err = ahead_lent(f.ahead, f.kit.store, f.ahead->pin, rest, &given);
        if (err == ERR_AGAIN) {
            sem_wait(&f.woken);
            continue;
        }
        cr_assert_eq(err, 0);
        cr_expect(!f.ahead->copied || given.len <= 32 << 10, "%zu bytes", given.len);
        cr_assert(given.len > 0 && span_eq(given, span_of(f.body + at, given.len)));
        at += given.len;
        rest = span_skip(rest, given.len);
        ahead_moved(f.ahead);
    }
    memory_give(MEMORY_QUEUED, 100000);
    memory_set_limit(0);
    teardown(&f);
}

/* Brings chunks to memory, which they may leave again: nobody touches them there. What was read to
 * get them there is not kept beside them. */
static void warm(struct fixture *f, size_t count)
{
    struct span bytes;

    for (size_t i = 0; i < count; i++) {
        int err;
        while ((err = open_chunk(f, i, &bytes)) == ERR_AGAIN) {
            sem_wait(&f->woken);
        }
        cr_assert_eq(err, 0);
    }
    ahead_free(&f->ahead);
    ahead_need(&f->ahead, (struct waker){wake, &f->woken});
}

Test(ahead, what_was_found_ahead_is_given)
{
    struct fixture f;
    struct span bytes;

    setup(&f);
    warm(&f, CHUNKS);
    cr_assert_eq(open_chunk(&f, 0, &bytes), 0);
    for (size_t i = 1; i < CHUNKS; i++) {
        struct ahead_next next = f.ahead->next;
        cr_assert_not_null(next.pin);
        ahead_close(f.ahead);
        cr_assert_eq(open_chunk(&f, i, &bytes), 0);
        cr_expect_eq(f.ahead->pin, next.pin);
        cr_expect_eq(bytes.at, next.bytes.at);
        expect_chunk(&f, i, bytes);
    }
    cr_expect_null(f.ahead->next.pin, "nothing is behind the last");
    cr_assert_eq(open_chunk(&f, 0, &bytes), 0);
    f.ahead->next.bytes.len = 10; /* so that it can be told from what a lookup finds */
    cr_assert_eq(open_chunk(&f, 1, &bytes), 0);
    cr_expect_eq(bytes.len, 10);
    cr_assert_eq(open_chunk(&f, 4, &bytes), 0, "not what was found");
    expect_chunk(&f, 4, bytes);
    cr_expect_eq(f.ahead->next.chunk.number, f.object.chunks[5].number);
    teardown(&f);
}

Test(ahead, what_was_found_ahead_may_have_left_memory)
{
    struct fixture f;
    struct span bytes;

    setup(&f);
    warm(&f, 2);
    cr_assert_eq(open_chunk(&f, 0, &bytes), 0);
    cr_assert_not_null(f.ahead->next.pin);
    for (int tries = 0; tries < 100 && is_in_memory(&f, 1); tries++) {
        kit_cool(&f.kit);
    }
    cr_expect_eq(open_chunk(&f, 1, &bytes), ERR_AGAIN);
    cr_expect_null(f.ahead->next.pin);
    teardown(&f);
}
