#include "base/err.h"
#include "base/mem.h"
#include "cache/claim.h"
#include "tests/unit/cache/cache_kit.h"
#include "tests/unit/cache/store_kit.h"

#include <criterion/criterion.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

/* Waits until what is on its way to the store is there, and the table has let go what is large. */
static void await_store(struct cache_kit *kit, const char *url)
{
    struct asked try = {.lookup.from_memory = true};

    for (int i = 0; i < 1000 && try.lookup.from_memory; i++) {
        usleep(10000);
        ask(kit, url, NULL, &try);
        cr_assert_eq(try.result, CACHE_FRESH);
        lookup_fini(&try.lookup);
    }
    cr_assert_not(try.lookup.from_memory);
}

/* A lookup of somebody for whom `useless` was of no use. */
static enum cache_result again(struct cache_kit *kit, const char *url, struct object *useless)
{
    struct asked try;

    ask(kit, url, NULL, &try); /* for the request */
    lookup_fini(&try.lookup);
    struct cache_query query = {
        .request = &try.request,
        .policy = &try.policy,
        .uri = &try.uri,
        .zone = SPAN("t"),
        .now = kit->now,
        .useless = useless,
        .alone = true,
        .arena = &kit->arena,
    };
    enum cache_result result = cache_lookup(kit->cache, &query, &try.lookup, &try.decision);
    lookup_fini(&try.lookup);
    return result;
}

Test(cache_parts, what_was_of_no_use_is_passed_over_but_not_what_came_after_it)
{
    struct cache_kit kit;
    struct asked old;

    cache_kit_open(&kit, true);
    fetch_part(&kit, "http://a/x", 1000, 3000000);
    ask(&kit, "http://a/x", NULL, &old);
    kit.now += 60;
    fetch(&kit, "http://a/x", NULL, fresh, 1000);
    cr_expect_eq(again(&kit, "http://a/x", old.lookup.object), CACHE_FRESH);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_FRESH, "it stays for others, too");
    lookup_fini(&old.lookup);
    ask(&kit, "http://a/x", NULL, &old);
    cr_expect_eq(again(&kit, "http://a/x", old.lookup.object), CACHE_ALONE);
    lookup_fini(&old.lookup);
    cache_kit_close(&kit);
}

static void claim_rest(struct cache_kit *kit, struct asked *asked, struct claim *claim)
{
    cr_expect(cache_claim(kit->cache,
                          &(struct claim_order){.lookup = &asked->lookup,
                                                .base = asked->lookup.object,
                                                .from = 1000,
                                                .to = UINT64_MAX,
                                                .where = CLAIM_HERE},
                          claim));
}

Test(cache_parts, who_reads_an_old_version_does_not_bring_it_back)
{
    struct cache_kit kit;
    struct asked old, now;
    struct claim claim;

    cache_kit_open(&kit, true);
    fetch_part(&kit, "http://a/x", 1000, 3000000);
    ask(&kit, "http://a/x", NULL, &old);
    cr_assert_eq(old.result, CACHE_FRESH);
    kit.now += 60;
    fetch(&kit, "http://a/x", NULL, fresh, 2500000);
    await_store(&kit, "http://a/x");
    claim_rest(&kit, &old, &claim);
    cr_expect_not(claim.kept, "the store has a newer one");
    cache_unclaim(kit.cache, &claim);
    ask(&kit, "http://a/x", NULL, &now);
    cr_expect_eq(now.lookup.object->body_len, 2500000);
    lookup_fini(&now.lookup);
    lookup_fini(&old.lookup);
    cache_kit_close(&kit);
}

Test(cache_parts, what_a_304_has_forbidden_is_not_brought_back)
{
    struct cache_kit kit;
    struct asked old;
    struct flight_member alone;
    struct claim claim;

    cache_kit_open(&kit, true);
    fetch_part(&kit, "http://a/x", 1000, 3000000);
    ask(&kit, "http://a/x", NULL, &old);
    cr_assert_eq(old.result, CACHE_FRESH);
    struct waker nobody = {cache_kit_wake, &kit};
    struct flight *flight =
        cache_private_flight(&alone, old.lookup.object, &old.lookup.key, nobody);
    flight_set_mark(flight, old.lookup.mark);
    flight_publish_solo(flight, old.lookup.object);
    cache_discard(kit.cache, flight, 0);
    flight_leave(&alone);
    flight_unref(&flight);
    claim_rest(&kit, &old, &claim);
    cr_expect_not(claim.kept);
    cache_unclaim(kit.cache, &claim);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD, "nobody else finds it");
    lookup_fini(&old.lookup);
    cache_kit_close(&kit);
}

/* A 304 for what is known in parts comes while the first of them is on its way. */
static void renew_meanwhile(struct cache_kit *kit, const struct asked *try, struct object *base)
{
    struct waker nobody = {cache_kit_wake, kit};
    struct flight_member alone;
    struct flight *flight = cache_private_flight(&alone, base, &try->lookup.key, nobody);
    struct freshness newer = base->freshness;

    newer.response_time = kit->now;
    flight_set_mark(flight, try->lookup.mark);
    struct object *renewed = object_updated(base, &base->fields, &newer);
    flight_publish(flight, renewed);
    cache_update(kit->cache, flight, renewed);
    object_unref(&renewed);
    flight_leave(&alone);
    flight_unref(&flight);
}

/* A large response arrives as what is known in parts, with `meanwhile` before its last bytes. */
static enum reason end_large(struct cache_kit *kit,
                             void (*meanwhile)(struct cache_kit *, struct asked *))
{
    enum { LEN = 3000000 };
    char *bytes = xcalloc(1, LEN / 2);
    struct claim claim;
    struct asked try;

    ask(kit, "http://a/x", NULL, &try);
    struct object *object = answer(kit, &try, fresh, LEN);
    struct flight *flight = try.lookup.member.flight;
    cr_assert(cache_admit_as_parts(kit->cache, flight, object, &claim));
    flight_publish(flight, claim.base);
    spool_append(object->spool, span_of(bytes, LEN / 2));
    meanwhile(kit, &try);
    spool_append(object->spool, span_of(bytes, LEN / 2));
    enum reason why = cache_end_piece(kit->cache, flight, &claim, object, 0);
    cache_abandon(kit->cache, flight, 0);
    object_unref(&object);
    lookup_fini(&try.lookup);
    free(bytes);
    return why;
}

static void change_nothing(struct cache_kit *kit, struct asked *try)
{
    (void)kit;
    (void)try;
}

static void invalidate_it(struct cache_kit *kit, struct asked *try)
{
    cache_invalidate(kit->cache, &try->uri, SPAN("t"), &kit->arena);
}

Test(cache_parts, what_became_parts_and_is_not_kept_says_so)
{
    struct cache_kit kit;

    cache_kit_open(&kit, true);
    cr_expect_eq(end_large(&kit, invalidate_it), REASON_INVALIDATED);
    cr_expect_eq(end_large(&kit, change_nothing), REASON_STORED);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_FRESH);
    cache_kit_close(&kit);
}

Test(cache_parts, what_is_renewed_while_it_arrives_is_kept)
{
    enum { LEN = 3000000 };
    char *bytes = xcalloc(1, LEN / 2);
    struct claim claim;
    struct cache_kit kit;
    struct asked try;

    cache_kit_open(&kit, true);
    ask(&kit, "http://a/x", NULL, &try);
    struct object *object = answer(&kit, &try, fresh, LEN);
    struct flight *flight = try.lookup.member.flight;
    cr_assert(cache_admit_as_parts(kit.cache, flight, object, &claim));
    flight_publish(flight, claim.base);
    spool_append(object->spool, span_of(bytes, LEN / 2));
    kit.now += 2;
    renew_meanwhile(&kit, &try, claim.base);
    spool_append(object->spool, span_of(bytes, LEN / 2));
    cache_end_piece(kit.cache, flight, &claim, object, 0);
    cache_abandon(kit.cache, flight, 0);
    object_unref(&object);
    lookup_fini(&try.lookup);
    cache_kit_reopen(&kit);
    ask(&kit, "http://a/x", NULL, &try);
    cr_assert_eq(try.result, CACHE_FRESH);
    cr_expect_eq(try.lookup.object->body_len, LEN);
    cr_expect_not(cache_claim(kit.cache,
                              &(struct claim_order){.lookup = &try.lookup,
                                                    .base = try.lookup.object,
                                                    .to = UINT64_MAX,
                                                    .where = CLAIM_HERE},
                              &claim),
                  "all of it is there");
    lookup_fini(&try.lookup);
    cache_kit_close(&kit);
    free(bytes);
}

/* The rest of a slow response comes by a second connection; then the first one breaks off, exactly
 * where the second one has begun. */
Test(cache_parts, what_has_come_as_far_as_the_next_piece_has_not_broken_off)
{
    enum { LEN = 3000000, CUT = 2900000, SLOW_MS = 10000 };
    static const char *const in_ranges[] = {"Cache-Control: max-age=60", "ETag: \"1\"",
                                            "Accept-Ranges: bytes", NULL};
    char *bytes = xcalloc(1, CUT);
    struct object_reader reader;
    struct claim first, second;
    struct cache_kit kit;
    struct asked try;
    struct span got;
    enum reason why;

    cache_kit_open(&kit, true);
    ask(&kit, "http://a/x", NULL, &try);
    struct waker nobody = {cache_kit_wake, &kit};
    struct object *object = answer(&kit, &try, in_ranges, LEN);
    struct flight *flight = try.lookup.member.flight;
    first = (struct claim){0};
    cr_assert(cache_admit_as_parts(kit.cache, flight, object, &first));
    flight_publish(flight, first.base);
    spool_append(object->spool, span_of(bytes, 1000));
    cr_assert_eq(object_reader_init(&reader, first.base, CUT - 10, LEN, nobody), 0);
    cr_assert_eq(source_peek(&reader.source, &got), ERR_AGAIN);
    cr_assert(cache_claim(kit.cache,
                          &(struct claim_order){.lookup = &try.lookup,
                                                .base = first.base,
                                                .from = CUT,
                                                .to = LEN,
                                                .where = CLAIM_HERE,
                                                .now_ms = SLOW_MS},
                          &second));
    struct object *rest = cache_admit_piece(kit.cache, &second, LEN, nobody, &why);
    cr_assert_not_null(rest);
    spool_append(object->spool, span_of(bytes, CUT - 1000));
    cache_end_piece(kit.cache, flight, &first, object, ERR_TRUNCATED);
    cr_assert_eq(source_peek(&reader.source, &got), 0);
    cr_assert_eq(got.len, 10);
    source_advance(&reader.source, 10);
    cr_expect_eq(source_peek(&reader.source, &got), ERR_AGAIN, "the rest is on its way");
    object_reader_fini(&reader);
    cache_end_piece(kit.cache, flight, &second, rest, ERR_TRUNCATED);
    cache_abandon(kit.cache, flight, 0);
    object_unref(&rest);
    object_unref(&object);
    lookup_fini(&try.lookup);
    cache_kit_close(&kit);
    free(bytes);
}

/* ---- pieces on disk ---- */

enum { PIECE = 3000000 }; /* long enough to be stored in chunks */

static void post(void *arg)
{
    sem_post(arg);
}

/* Of http://a/x only the first `length` bytes are known, and these are not in our memory. */
static void find_piece(struct cache_kit *kit, uint64_t length, bool cold, struct asked *try)
{
    struct kit files = {0};

    cache_kit_open(kit, true);
    fetch_part(kit, "http://a/x", length, 2 * PIECE);
    cache_kit_reopen(kit);
    if (cold) {
        snprintf(files.dir, sizeof(files.dir), "%s", kit->path);
        kit_cool(&files);
    }
    ask(kit, "http://a/x", NULL, try);
    cr_assert_eq(try->result, CACHE_FRESH);
}

Test(cache_parts, a_piece_on_disk_is_waited_for_and_stays_one)
{
    struct object_reader reader;
    struct cache_kit kit;
    struct asked try;
    struct span bytes;
    uint64_t have = 0, from, to;
    unsigned waits = 0;
    sem_t woken;

    sem_init(&woken, 0, 0);
    find_piece(&kit, PIECE, true, &try);
    struct partial *parts = object_parts(try.lookup.object);
    cr_assert_eq(
        object_reader_init(&reader, try.lookup.object, 0, PIECE, (struct waker){post, &woken}), 0);
    while (have < PIECE) {
        int err = source_peek(&reader.source, &bytes);
        cr_assert(partial_covers(parts, 0, PIECE, false), "at %zu", (size_t)have);
        if (err == ERR_AGAIN) {
            waits++;
            cr_expect_not(object_reader_waits(&reader, &from, &to), "nobody needs to fetch it");
            sem_wait(&woken);
            continue;
        }
        cr_assert(err == 0 && bytes.len > 0);
        source_advance(&reader.source, bytes.len);
        have += bytes.len;
    }
    object_reader_fini(&reader);
    lookup_fini(&try.lookup);
    cache_kit_close(&kit);
    if (waits == 0) {
        cr_skip_test("this file system keeps files in memory");
    }
}

static void cut_segments(const struct cache_kit *kit)
{
    char command[128];

    snprintf(command, sizeof(command), "truncate -s 64K %s/seg-*.mdb", kit->path);
    cr_assert_eq(system(command), 0);
}

Test(cache_parts, a_piece_in_one_record_that_breaks_off_becomes_a_hole)
{
    enum { LENGTH = 600000, SENT = 200000 };
    struct object_reader reader;
    struct cache_kit kit;
    struct asked try;
    struct span bytes;
    uint64_t from, to;
    sem_t woken;

    sem_init(&woken, 0, 0);
    find_piece(&kit, LENGTH, false, &try);
    cr_assert_eq(
        object_reader_init(&reader, try.lookup.object, 0, LENGTH, (struct waker){post, &woken}), 0);
    while (source_peek(&reader.source, &bytes) == ERR_AGAIN) {
        sem_wait(&woken);
    }
    cr_assert_gt(bytes.len, SENT);
    source_advance(&reader.source, SENT);
    cut_segments(&kit);
    int err = source_peek(&reader.source, &bytes);
    while (err == ERR_AGAIN && !object_reader_waits(&reader, &from, &to)) {
        sem_wait(&woken);
        err = source_peek(&reader.source, &bytes);
    }
    cr_assert_eq(err, ERR_AGAIN);
    cr_expect_eq(from, SENT, "somebody may fetch the rest");
    object_reader_fini(&reader);
    lookup_fini(&try.lookup);
    cache_kit_close(&kit);
}
