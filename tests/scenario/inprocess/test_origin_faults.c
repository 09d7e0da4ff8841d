#include "tests/scenario/inprocess/kit.h"

#include <criterion/criterion.h>

#define STORABLE "Cache-Control: max-age=60\r\n"
#define VALIDATE "Cache-Control: max-age=0\r\n"

/* One GET, whole; the caller gives the response back. */
static enum client_outcome get(const struct kit *kit, const char *path, const char *lines,
                               struct client_response *response)
{
    return client_get(kit->port, kit_path(kit, path), lines, response);
}

static bool says(const struct client_response *response, const char *name, const char *value)
{
    return span_eq(client_field(response, name), span_str(value));
}

/* ---- an origin that breaks off ---- */

struct broken {
    struct kit kit;
    const char *path;
    atomic_size_t unbroken;
};

static void read_broken(void *arg, size_t number)
{
    struct broken *broken = arg;
    struct client_response response;
    enum client_outcome outcome = get(&broken->kit, broken->path, NULL, &response);

    (void)number;
    if (outcome != CLIENT_TRUNCATED && outcome != CLIENT_RESET && outcome != CLIENT_CLOSED) {
        atomic_fetch_add(&broken->unbroken, 1);
    }
    client_response_fini(&response);
}

Test(origin_faults, rfc9112_8_a_broken_response_is_broken_for_all_and_never_stored)
{
    static const struct {
        const char *path;
        struct origin_reply reply;
    } cases[] = {
        {"/short", {.headers = STORABLE, .size = 100000, .cut = true, .cut_after = 50000}},
        {"/large", {.headers = STORABLE, .size = 3000000, .cut = true, .cut_after = 2500000}},
        {"/chunks",
         {.headers = STORABLE, .size = 9000, .chunked = true, .cut = true, .cut_after = 9000}},
        {"/middle",
         {.headers = STORABLE, .size = 900000, .chunked = true, .cut = true, .cut_after = 500000}},
        {"/reset",
         {.headers = STORABLE, .size = 100000, .cut = true, .cut_after = 50000, .reset = true}},
        {"/until",
         {.headers = STORABLE,
          .size = 100000,
          .until_close = true,
          .cut = true,
          .cut_after = 50000,
          .reset = true}},
        {"/pass",
         {.headers = "Cache-Control: no-store\r\n",
          .size = 900000,
          .cut = true,
          .cut_after = 700000}},
    };
    struct broken broken = {0};
    struct crowd crowd;

    kit_start(&broken.kit, true, NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        broken.path = cases[i].path;
        origin_set(broken.kit.origin, cases[i].path, &cases[i].reply);
        crowd_start(&crowd, 6, read_broken, &broken);
        crowd_join(&crowd);
        cr_expect_eq(atomic_exchange(&broken.unbroken, 0), 0, "%s", cases[i].path);
        unsigned before = origin_count(broken.kit.origin, cases[i].path);
        read_broken(&broken, 0);
        cr_expect_gt(origin_count(broken.kit.origin, cases[i].path), before, "%s: stored",
                     cases[i].path);
    }
    cr_expect_eq(kit_stats(&broken.kit).store.objects, 0);
    kit_stop(&broken.kit);
}

/* ---- validation ---- */

Test(origin_faults, rfc9111_4_2_4_stale_when_the_origin_is_dead)
{
    struct kit kit;
    struct client_response response;

    kit_start(&kit, true, NULL, NULL);
    origin_set(kit.origin, "/s",
               &(struct origin_reply){.headers = VALIDATE, .etag = "\"1\"", .size = 700});
    kit_expect(&kit, "/s", NULL, 0, 700);
    origin_set(kit.origin, "/s", &(struct origin_reply){.hang_up = true});
    kit_expect(&kit, "/s", NULL, 0, 700);
    cr_expect(KIT_UNTIL(kit_outcomes(&kit, OUTCOME_STALE) == 1));
    origin_set(kit.origin, "/s", &(struct origin_reply){.status = 503, .size = 7});
    kit_expect(&kit, "/s", NULL, 0, 700);
    cr_expect(KIT_UNTIL(kit_outcomes(&kit, OUTCOME_STALE) == 2));
    origin_set(kit.origin, "/never", &(struct origin_reply){.hang_up = true});
    cr_expect_eq(get(&kit, "/never", NULL, &response), CLIENT_OK);
    cr_expect_eq(response.status, 502);
    client_response_fini(&response);
    kit_stop(&kit);
}

Test(origin_faults, rfc9111_4_3_4_a_304_renews_the_stored_fields)
{
    struct kit kit;
    struct client_response response;
    struct origin_request request;

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_start(&kit, with_store, NULL, NULL);
        origin_set(kit.origin, "/m",
                   &(struct origin_reply){.headers = VALIDATE "X-Kept: 1\r\nX-New: 1\r\n",
                                          .etag = "\"1\"",
                                          .size = 700});
        kit_expect(&kit, "/m", NULL, 0, 700);
        origin_set(kit.origin, "/m",
                   &(struct origin_reply){
                       .headers = STORABLE "X-New: 2\r\n", .etag = "\"1\"", .size = 700});
        for (int i = 0; i < 2; i++) {
            cr_expect_eq(get(&kit, "/m", NULL, &response), CLIENT_OK);
            cr_expect_eq(response.status, 200);
            cr_expect_eq(response.body_len, 700);
            cr_expect(says(&response, "X-Kept", "1") && says(&response, "X-New", "2"));
            client_response_fini(&response);
        }
        cr_expect_eq(origin_count(kit.origin, "/m"), 2, "the second time it is fresh");
        cr_expect(KIT_UNTIL(kit_outcomes(&kit, OUTCOME_REVALIDATED) == 1));
        cr_assert(origin_request(kit.origin, "/m", 1, &request));
        cr_expect(span_eq(origin_request_field(&request, "If-None-Match"), SPAN("\"1\"")));
        origin_request_fini(&request);
        kit_stop(&kit);
    }
}

Test(origin_faults, rfc9111_4_3_4_a_304_that_forbids_storing_ends_it)
{
    static const char *const forbidding[] = {"Cache-Control: no-store\r\n",
                                             "Cache-Control: private, max-age=60\r\n",
                                             "Cache-Control: max-age=0\r\nSet-Cookie: a=b\r\n"};
    struct kit kit;
    struct origin_request request;

    for (size_t i = 0; i < ARRAY_LEN(forbidding); i++) {
        kit_start(&kit, true, NULL, NULL);
        origin_set(kit.origin, "/m",
                   &(struct origin_reply){.headers = VALIDATE, .etag = "\"1\"", .size = 700});
        kit_expect(&kit, "/m", NULL, 0, 700);
        origin_set(kit.origin, "/m",
                   &(struct origin_reply){.headers = forbidding[i], .etag = "\"1\"", .size = 700});
        kit_expect(&kit, "/m", NULL, 0, 700);
        kit_expect(&kit, "/m", NULL, 0, 700);
        cr_assert(origin_request(kit.origin, "/m", 2, &request));
        cr_expect_null(origin_request_field(&request, "If-None-Match").at, "%s", forbidding[i]);
        origin_request_fini(&request);
        cr_expect(KIT_UNTIL(kit_stats(&kit).store.objects == 0));
        kit_stop(&kit);
    }
}

Test(origin_faults, rfc9110_6_6_1_a_response_without_date_gets_one)
{
    struct kit kit;
    struct client_response response;

    kit_start(&kit, true, NULL, NULL);
    origin_set(kit.origin, "/d",
               &(struct origin_reply){.headers = STORABLE, .date = "", .size = 70});
    for (int i = 0; i < 2; i++) { /* fetched, then stored */
        cr_expect_eq(get(&kit, "/d", NULL, &response), CLIENT_OK);
        cr_expect_eq(client_field_count(&response, "Date"), 1);
        client_response_fini(&response);
    }
    cr_expect_eq(origin_count(kit.origin, "/d"), 1);
    kit_stop(&kit);
}

/* Expires − Date counts from the 304's receipt, not from the Date stored long ago. */
Test(origin_faults, rfc9111_4_2_1_a_304_without_date_is_dated_too)
{
    struct kit kit;

    kit_start(&kit, true, NULL, NULL);
    origin_set(kit.origin, "/d",
               &(struct origin_reply){.headers = VALIDATE,
                                      .date = "Tue, 01 Jan 2019 00:00:00 GMT",
                                      .etag = "\"1\"",
                                      .size = 70});
    kit_expect(&kit, "/d", NULL, 0, 70);
    origin_set(kit.origin, "/d",
               &(struct origin_reply){
                   .headers = "Cache-Control: public\r\nExpires: Wed, 01 Jan 2020 00:00:00 GMT\r\n",
                   .date = "",
                   .etag = "\"1\"",
                   .size = 70});
    kit_expect(&kit, "/d", NULL, 0, 70);
    kit_expect(&kit, "/d", NULL, 0, 70);
    cr_expect_eq(origin_count(kit.origin, "/d"), 3, "it had expired at the 304 already");
    kit_stop(&kit);
}

Test(origin_faults, rfc5861_3_stale_now_and_refreshed_behind)
{
    struct kit kit;
    const char *headers = "Cache-Control: max-age=0, stale-while-revalidate=60\r\n";

    kit_start(&kit, true, NULL, NULL);
    origin_set(kit.origin, "/w",
               &(struct origin_reply){.headers = headers, .etag = "\"1\"", .size = 700});
    kit_expect(&kit, "/w", NULL, 0, 700);
    origin_set(kit.origin, "/w",
               &(struct origin_reply){
                   .headers = STORABLE, .etag = "\"2\"", .size = 800, .version = 1, .hold = true});
    kit_expect(&kit, "/w", NULL, 0, 700);
    kit_expect(&kit, "/w", NULL, 0, 700);
    cr_assert(origin_wait(kit.origin, "/w", 2, KIT_PATIENCE_MS));
    origin_release(kit.origin, "/w");
    cr_assert(KIT_UNTIL(kit_stats(&kit).table.flights == 0));
    kit_expect(&kit, "/w", NULL, 1, 800);
    cr_expect_eq(origin_count(kit.origin, "/w"), 2, "two stale answers, one refresh");
    cr_expect(KIT_UNTIL(kit_outcomes(&kit, OUTCOME_STALE) == 2));
    kit_stop(&kit);
}

/* ---- a kept connection that has died ---- */

static atomic_int hang_ups;

/* The first request for this path finds its connection closed. */
static void die_once(struct origin *origin, const struct origin_request *request,
                     struct arena *memory, struct origin_reply *reply)
{
    (void)origin;
    (void)request;
    (void)memory;
    *reply = (struct origin_reply){.text = "alive"};
    reply->hang_up = atomic_exchange(&hang_ups, 1) == 0;
}

static void ask_kept(struct kit *kit, const char *method, int *status)
{
    struct client client;
    struct client_response response;

    cr_assert(client_open(&client, kit->port));
    client_ask(&client, "GET", kit_path(kit, "/first"), NULL);
    cr_expect_eq(client_read(&client, "GET", CLIENT_MS, &response), CLIENT_OK);
    client_response_fini(&response);
    client_ask(&client, method, kit_path(kit, "/dies"), NULL);
    cr_expect_eq(client_read(&client, method, CLIENT_MS, &response), CLIENT_OK);
    *status = response.status;
    client_response_fini(&response);
    client_close(&client);
}

Test(origin_faults, rfc9110_9_2_2_a_dead_kept_connection_is_retried_when_that_is_safe)
{
    static const struct {
        const char *method;
        int status;
        unsigned requests, retries;
    } cases[] = {{"GET", 200, 2, 1}, {"DELETE", 200, 2, 1}, {"POST", 502, 1, 0}};
    struct kit kit;
    int status;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        atomic_store(&hang_ups, 0);
        kit_start(&kit, true, die_once, NULL);
        origin_set(kit.origin, "/first", &(struct origin_reply){.text = "kept"});
        ask_kept(&kit, cases[i].method, &status);
        cr_expect_eq(status, cases[i].status, "%s: %d", cases[i].method, status);
        cr_expect_eq(origin_count(kit.origin, "/dies"), cases[i].requests, "%s", cases[i].method);
        cr_expect_eq(kit_retries(&kit), cases[i].retries);
        kit_stop(&kit);
    }
}

/* ---- connecting ---- */

Test(origin_faults, rfc9209_2_3_a_connect_that_takes_too_long_is_told_apart)
{
    static const char *const options[] = {"--set", "timeouts.connect=300ms", NULL};
    struct kit kit;
    struct client_response response;

    kit_start(&kit, true, NULL, options);
    /* Reserved for documentation (RFC 5737): nobody answers there, or the network says so. */
    enum client_outcome outcome = client_get(kit.port, "http://192.0.2.1:8080/", NULL, &response);
    cr_expect_eq(outcome, CLIENT_OK);
    cr_expect(response.status == 504 || response.status == 502);
    struct span status = client_field(&response, "Proxy-Status");
    cr_expect_null(memmem(status.at, status.len, "http_response_timeout", 21));
    client_response_fini(&response);
    kit_stop(&kit);
}
