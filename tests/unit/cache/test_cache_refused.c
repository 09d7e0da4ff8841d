#include "base/err.h"
#include "cache/table_parts.h"
#include "tests/unit/cache/cache_kit.h"

#include <criterion/criterion.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

/* More waits for the store than it takes, a quarter of the memory, but less than twice that, as
 * long as the writer stands still. */
struct jam {
    struct store_put *put;
    sem_t end;
};

static void stand_still(void *arg, int err, const struct store_chunk *chunk)
{
    (void)err;
    (void)chunk;
    sem_wait(arg);
}

static void jam_begin(struct cache_kit *kit, const struct cache_key *beside, struct jam *jam)
{
    static const char bytes[STORE_CHUNK];
    struct store_piece piece = {.bytes = span_of(bytes, sizeof(bytes))};
    struct shelf shelf = cache_shelf(kit->cache, beside);

    sem_init(&jam->end, 0, 0);
    cr_assert_eq(shelf_put_begin(shelf, beside->hash, SPAN("jam"), &jam->put), 0);
    store_put_chunk(jam->put, &piece, 1, stand_still, &jam->end);
    for (size_t i = 0; i < (12 << 20) / sizeof(bytes); i++) {
        store_put_chunk(jam->put, &piece, 1, NULL, NULL);
    }
}

static void jam_end(struct cache_kit *kit, struct jam *jam)
{
    store_put_abort(jam->put);
    sem_post(&jam->end);
    stores_flush(cache_stores(kit->cache));
    sem_destroy(&jam->end);
}

/* They are small, but there may be one for every URL. */
Test(cache_refused, bases_do_not_wait_without_end_for_a_disk_that_does_not_answer)
{
    static char key[STORE_KEY_MAX];
    struct store_put *put;
    struct cache_kit kit;
    struct asked try;
    struct jam jam;
    int err = 0;

    cache_kit_open(&kit, true);
    ask(&kit, "http://a/x", NULL, &try);
    jam_begin(&kit, &try.lookup.primary, &jam);
    struct shelf shelf = cache_shelf(kit.cache, &try.lookup.primary);
    for (int i = 0; i < 1000 && !err; i++) {
        err =
            shelf_put_begin_anyway(shelf, try.lookup.primary.hash, span_of(key, sizeof(key)), &put);
        if (!err) {
            store_put_finish(put, SPAN("head"), "m", 1, 0, NULL, 0, NULL, NULL);
        }
    }
    cr_expect_eq(err, ERR_BUSY);
    jam_end(&kit, &jam);
    cache_abandon(kit.cache, try.lookup.member.flight, 0);
    lookup_fini(&try.lookup);
    cache_kit_close(&kit);
}

/* The base has a generation that nobody can guess: once it is lost, so are its variants. */
Test(cache_refused, a_base_is_stored_when_its_first_variant_is_not)
{
    struct cache_kit kit;
    struct asked try;
    struct jam jam;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/v", NULL, fresh, 100);
    stores_flush(cache_stores(kit.cache));
    kit.now += 60;
    ask(&kit, "http://a/v", gzip, &try);
    cr_assert_eq(try.result, CACHE_LEAD);
    jam_begin(&kit, &try.lookup.primary, &jam);
    finish(&kit, &try, answer_as(&kit, &try, varies, 10, REASON_STORE_BUSY), 10);
    jam_end(&kit, &jam);
    fetch(&kit, "http://a/v", br, varies, 10);
    cache_kit_reopen(&kit);
    cr_expect_eq(result_of(&kit, "http://a/v", br), CACHE_FRESH);
    kit.now -= 60;
    cr_expect_eq(result_of(&kit, "http://a/v", NULL), CACHE_LEAD, "what did not vary is gone");
    cache_kit_close(&kit);
}

/* The table may not let it go, whatever room it needs. */
static bool is_held(struct cache_kit *kit, const struct cache_key *key)
{
    struct shard *shard = table_lock(kit->cache->table, key->hash);
    struct entry *entry = table_entry(shard, key->hash);
    bool held = entry && hot_is_held(&entry->hot);

    table_unlock(shard);
    return held;
}

Test(cache_refused, a_base_stays_in_memory_until_the_store_has_it)
{
    struct cache_kit kit;
    struct asked try;
    struct jam jam;

    cache_kit_open(&kit, true);
    ask(&kit, "http://a/v", gzip, &try);
    struct cache_key primary = try.lookup.primary;
    jam_begin(&kit, &primary, &jam);
    finish(&kit, &try, answer_as(&kit, &try, varies, 10, REASON_STORE_BUSY), 10);
    cr_expect(is_held(&kit, &primary), "an older one would be found in its place");
    jam_end(&kit, &jam);
    cr_expect_not(is_held(&kit, &primary));
    cache_kit_close(&kit);
    cache_kit_open(&kit, false);
    ask(&kit, "http://a/v", gzip, &try);
    primary = try.lookup.primary;
    finish(&kit, &try, answer(&kit, &try, varies, 10), 10);
    cr_expect_not(is_held(&kit, &primary), "without a store it waits for nothing");
    cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_FRESH);
    cache_kit_close(&kit);
}

/* No byte can be written to a file. A moment later one can, but nothing new is taken for a while.
 */
static void fail_a_commit(struct cache_kit *kit)
{
    struct rlimit before, none;

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    fetch(kit, "http://a/other", NULL, fresh, 10);
    stores_flush(cache_stores(kit->cache));
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
}

static int64_t length_of(struct cache_kit *kit, const char *url)
{
    struct asked try;

    ask(kit, url, NULL, &try);
    int64_t length = try.lookup.object ? try.lookup.object->body_len : -1;
    if (try.lookup.lead) {
        cache_abandon(kit->cache, try.lookup.member.flight, 0);
    }
    lookup_fini(&try.lookup);
    return length;
}

Test(cache_refused, what_became_known_in_parts_takes_the_place_of_what_was_whole)
{
    struct cache_kit kit;
    struct part part;

    cache_kit_open(&kit, true);
    fetch(&kit, "http://a/x", NULL, fresh, 100);
    stores_flush(cache_stores(kit.cache));
    kit.now += 60;
    begin_part(&kit, "http://a/x", 1000, 3000000, &part);
    fail_a_commit(&kit);
    end_part(&kit, &part);
    while (atomic_load(&kit.cache->saving) > 0) {
        stores_flush(cache_stores(kit.cache));
    }
    cache_kit_reopen(&kit);
    kit.now -= 60;
    cr_expect_neq(length_of(&kit, "http://a/x"), 100, "with or without the parts");
    cache_kit_close(&kit);
}
