#include "tests/scenario/inprocess/kit.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define STORABLE "Cache-Control: max-age=3600\r\n"

/* ---- more than the store takes ---- */

/* How much of what comes while the disk is behind goes by unstored is the disk's affair, so the
 * crowd comes again until the store has been written over. */
enum { OBJECTS = 60, READERS = 4, EVICTED = 4, CROWDS = 20 };

static uint64_t size_of(size_t number)
{
    static const uint64_t sizes[] = {900, 30000, 200000, 1048576, 1100000, 3000000};

    return sizes[number % ARRAY_LEN(sizes)] + number;
}

static void any_object(struct origin *origin, const struct origin_request *request,
                       struct arena *memory, struct origin_reply *reply)
{
    struct span target = origin_request_target(request);
    uint64_t number = 0;

    (void)origin;
    (void)memory;
    span_to_u64(span_skip(target, strlen("/o/")), UINT64_MAX, &number);
    *reply = (struct origin_reply){.headers = STORABLE, .size = size_of((size_t)number)};
}

/* Everything once, in another order each, and then again. */
static void read_all(void *arg, size_t number)
{
    char path[32];

    for (size_t i = 0; i < 2 * OBJECTS; i++) {
        size_t object = (i * (2 * number + 1) + number * 31) % OBJECTS;
        snprintf(path, sizeof(path), "/o/%zu", object);
        kit_expect(arg, path, NULL, 0, size_of(object));
    }
}

Test(life, a_store_smaller_than_the_traffic_never_mixes_bodies)
{
    static const char *const options[] = {"--store-size", "16MiB", "--memory", "8MiB", NULL};
    struct kit kit;
    struct crowd crowd;
    struct cache_stats stats = {0};
    uint64_t asked = 0;

    kit_start(&kit, true, any_object, options);
    for (int i = 0; i < CROWDS && stats.store.evicted_segments < EVICTED; i++) {
        crowd_start(&crowd, READERS, read_all, &kit);
        crowd_join(&crowd);
        stats = kit_stats(&kit);
        asked += 2 * OBJECTS * READERS;
    }
    cr_expect_geq(stats.store.evicted_segments, EVICTED);
    cr_expect_leq(stats.store.used, UINT64_C(16) << 20);
    cr_expect_eq(stats.store.corrupt, 0);
    cr_expect_lt(origin_count(kit.origin, NULL), asked, "some were hits");
    kit_stop(&kit);
}

Test(life, memory_only)
{
    struct kit kit;
    struct crowd crowd;

    kit_start(&kit, false, any_object, NULL);
    crowd_start(&crowd, READERS, read_all, &kit);
    crowd_join(&crowd);
    struct cache_stats stats = kit_stats(&kit);
    cr_expect_not(stats.has_store);
    cr_expect_leq(stats.body_memory, UINT64_C(16) << 20);
    cr_expect_gt(kit_outcomes(&kit, OUTCOME_HIT_MEMORY), 0);
    kit_stop(&kit);
}

/* ---- changing while serving ---- */

struct load {
    struct kit kit;
    atomic_bool stop;
    atomic_size_t served;
};

static void keep_asking(void *arg, size_t number)
{
    struct load *load = arg;
    char path[32];

    for (size_t i = number; !atomic_load(&load->stop); i++) {
        snprintf(path, sizeof(path), "/o/%zu", i % 20 * 6);
        kit_expect(&load->kit, path, i % 3 ? NULL : "Cache-Control: no-cache\r\n", 0,
                   size_of(i % 20 * 6));
        atomic_fetch_add(&load->served, 1);
    }
}

Test(life, a_reload_under_load_fails_no_request)
{
    struct load load = {0};
    struct crowd crowd;

    kit_start(&load.kit, true, any_object, NULL);
    crowd_start(&crowd, 8, keep_asking, &load);
    for (size_t i = 1; i <= 20; i++) {
        cr_assert(KIT_UNTIL(atomic_load(&load.served) >= i * 20));
        kill(getpid(), SIGHUP);
    }
    atomic_store(&load.stop, true);
    crowd_join(&crowd);
    kit_stop(&load.kit);
}

/* A site's origins belong to the settings: a fetch under way needs the old ones. */
Test(life, a_reload_leaves_a_refresh_under_way_its_site)
{
    struct kit kit;
    struct client client;
    struct client_response response;
    char site[96], lines[] = "GET /w HTTP/1.1\r\nHost: replica\r\n\r\n";
    const char *headers = "Cache-Control: max-age=0, stale-while-revalidate=60\r\n";

    struct origin *origin = origin_start("127.0.0.1:0", NULL);
    cr_assert_not_null(origin);
    snprintf(site, sizeof(site), "replica=http://127.0.0.1:%u", origin_port(origin));
    kit_start(&kit, true, NULL, (const char *const[]){"--site", site, NULL});
    origin_set(origin, "/w",
               &(struct origin_reply){.headers = headers, .etag = "\"1\"", .text = "old"});
    cr_assert(client_open(&client, kit.port));
    for (int i = 0; i < 2; i++) {
        client_send(&client, span_str(lines));
        cr_expect_eq(client_read(&client, "GET", CLIENT_MS, &response), CLIENT_OK);
        cr_expect_str_eq(response.body, "old");
        client_response_fini(&response);
        origin_set(origin, "/w",
                   &(struct origin_reply){
                       .headers = STORABLE, .etag = "\"2\"", .text = "new", .hold = true});
    }
    cr_assert(origin_wait(origin, "/w", 2, KIT_PATIENCE_MS));
    kill(getpid(), SIGHUP);
    cr_expect(KIT_UNTIL(server_reloads(kit.server) == 1));
    client_close(&client);
    origin_hang_up(origin); /* the refresh asks again, at the site */
    origin_release(origin, "/w");
    cr_expect(KIT_UNTIL(kit_stats(&kit).table.flights == 0));
    kit_stop(&kit);
    origin_stop(&origin);
}

/* ---- the end ---- */

static void *drain(void *arg)
{
    kit_drain(arg);
    return NULL;
}

Test(life, what_is_under_way_is_finished_before_the_end)
{
    enum { SIZE = 3000000 };
    struct kit kit;
    struct download download;
    struct client late;
    pthread_t thread;

    kit_start(&kit, true, NULL, NULL);
    origin_set(kit.origin, "/d",
               &(struct origin_reply){
                   .headers = STORABLE, .size = SIZE, .hold_body = true, .hold_after = 1000});
    cr_assert(download_open(&download, &kit, "/d", NULL, 0, 0));
    cr_expect(download_to(&download, 1000));
    cr_assert_eq(pthread_create(&thread, NULL, drain, &kit), 0);
    cr_expect(KIT_UNTIL(!client_open(&late, kit.port) || (client_close(&late), false)),
              "nobody new is let in");
    origin_release(kit.origin, "/d");
    cr_expect(download_to(&download, SIZE));
    cr_expect(client_at_end(&download.client, KIT_PATIENCE_MS));
    download_close(&download);
    pthread_join(thread, NULL);
    kit_stop(&kit);
}

Test(life, the_end_comes_though_a_client_stands_still)
{
    static const char *const options[] = {"--set", "timeouts.drain=300ms", NULL};
    struct kit kit;
    struct download download;

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_start(&kit, with_store, NULL, options);
        origin_set(
            kit.origin, "/d",
            &(struct origin_reply){
                .headers = STORABLE, .size = 3000000, .hold_body = true, .hold_after = 1000});
        cr_assert(download_open(&download, &kit, "/d", NULL, 0, 0));
        cr_expect(download_to(&download, 1000));
        kit_drain(&kit);
        cr_expect_not(download_to(&download, 3000000), "cut, and seen to be");
        download_close(&download);
        cr_expect_eq(kit_stats(&kit).body_memory, 0);
        kit_stop(&kit);
    }
}
