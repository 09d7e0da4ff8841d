#include "tests/scenario/inprocess/kit.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { FIRST = 64 * 1024, SIZE = 300 * 1024 };

#define STORABLE "Cache-Control: max-age=60\r\n"

struct party {
    struct kit kit;
    atomic_size_t have_first; /* clients that have read the first part */
    atomic_size_t right;      /* and everything */
};

/* Reads the first part, tells so, and reads on. */
static void read_in_two(void *arg, size_t number)
{
    struct party *party = arg;
    struct download download;

    (void)number;
    if (download_open(&download, &party->kit, "/c", NULL, 0, 0) && download_to(&download, FIRST)) {
        atomic_fetch_add(&party->have_first, 1);
        if (download_to(&download, SIZE)) {
            atomic_fetch_add(&party->right, 1);
        }
    }
    download_close(&download);
}

/* Everybody reads while the origin still holds the rest back: one fetch serves all of them. */
static void collapse(size_t clients)
{
    struct party party = {0};
    struct crowd crowd;

    kit_start(&party.kit, true, NULL, NULL);
    origin_set(party.kit.origin, "/c",
               &(struct origin_reply){
                   .headers = STORABLE, .size = SIZE, .hold_body = true, .hold_after = FIRST});
    crowd_start(&crowd, clients, read_in_two, &party);
    cr_expect(KIT_UNTIL(atomic_load(&party.have_first) == clients));
    origin_release(party.kit.origin, "/c");
    crowd_join(&crowd);
    cr_expect_eq(atomic_load(&party.right), clients);
    cr_expect_eq(origin_count(party.kit.origin, "/c"), 1);
    cr_expect_eq(kit_fetches(&party.kit), 1);
    cr_expect(KIT_UNTIL(kit_outcomes(&party.kit, OUTCOME_COLLAPSED) == clients - 1));
    cr_expect(KIT_UNTIL(kit_outcomes(&party.kit, OUTCOME_MISS) == 1));
    kit_expect(&party.kit, "/c", NULL, 0, SIZE);
    cr_expect_eq(origin_count(party.kit.origin, "/c"), 1, "and it was kept");
    kit_stop(&party.kit);
}

Test(collapse, ten_misses_are_one_fetch_and_stream_while_it_fills)
{
    collapse(10);
}

Test(collapse, a_hundred_misses_too)
{
    collapse(100);
}

Test(collapse, followers_get_everything_though_the_leader_leaves)
{
    struct party party = {0};
    struct client leader;
    struct crowd crowd;

    kit_start(&party.kit, true, NULL, NULL);
    origin_set(party.kit.origin, "/c",
               &(struct origin_reply){.headers = STORABLE, .size = SIZE, .hold = true});
    cr_assert(client_open(&leader, party.kit.port));
    client_ask(&leader, "GET", kit_path(&party.kit, "/c"), NULL);
    cr_assert(origin_wait(party.kit.origin, "/c", 1, KIT_PATIENCE_MS));
    crowd_start(&crowd, 8, read_in_two, &party);
    cr_assert(KIT_UNTIL(kit_accepted(&party.kit) == 9));
    client_close(&leader);
    origin_release(party.kit.origin, "/c");
    crowd_join(&crowd);
    cr_expect_eq(atomic_load(&party.right), 8);
    cr_expect_eq(origin_count(party.kit.origin, "/c"), 1);
    kit_stop(&party.kit);
}

Test(collapse, what_everybody_left_is_still_kept_when_it_is_not_much)
{
    struct kit kit;
    struct client clients[6];

    kit_start(&kit, true, NULL, NULL);
    origin_set(kit.origin, "/c",
               &(struct origin_reply){.headers = STORABLE, .size = SIZE, .hold = true});
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        cr_assert(client_open(&clients[i], kit.port));
        client_ask(&clients[i], "GET", kit_path(&kit, "/c"), NULL);
    }
    cr_assert(origin_wait(kit.origin, "/c", 1, KIT_PATIENCE_MS));
    cr_assert(KIT_UNTIL(kit_accepted(&kit) == ARRAY_LEN(clients)));
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        client_reset(&clients[i]);
    }
    origin_release(kit.origin, "/c");
    cr_expect(KIT_UNTIL(kit_stats(&kit).store.objects == 1));
    kit_expect(&kit, "/c", NULL, 0, SIZE);
    cr_expect_eq(origin_count(kit.origin, "/c"), 1);
    kit_stop(&kit);
}

/* The body nobody reads is not fetched to its end when it cannot be kept or is too much. */
static void leave_in_the_middle(const char *headers, uint64_t size)
{
    struct kit kit;
    struct download download;

    kit_start(&kit, true, NULL, NULL);
    origin_set(kit.origin, "/c", &(struct origin_reply){.headers = headers, .size = size});
    cr_assert(download_open(&download, &kit, "/c", NULL, 0, 4096));
    cr_expect(download_to(&download, FIRST));
    download_close(&download);
    cr_expect(KIT_UNTIL(kit_stats(&kit).table.flights == 0));
    cr_expect(KIT_UNTIL(kit_stats(&kit).body_memory == 0));
    cr_expect_lt(origin_bytes(kit.origin), size);
    cr_expect_eq(kit_stats(&kit).store.objects, 0);
    kit_stop(&kit);
}

Test(collapse, what_everybody_left_and_nobody_may_keep_is_given_up)
{
    leave_in_the_middle("Cache-Control: no-store\r\n", 40 << 20);
}

Test(collapse, a_304_to_the_only_client_ends_the_fetch_of_what_is_not_kept)
{
    struct kit kit;
    struct client client;
    struct client_response response;

    kit_start(&kit, true, NULL, NULL);
    /* This origin has no validator of its own to answer with 304: we evaluate the condition. */
    origin_set(kit.origin, "/c",
               &(struct origin_reply){.headers = "Cache-Control: no-store\r\nETag: \"e\"\r\n",
                                      .size = 40 << 20});
    cr_assert(client_open(&client, kit.port));
    client_ask(&client, "GET", kit_path(&kit, "/c"), "If-None-Match: \"e\"\r\n");
    cr_expect_eq(client_read(&client, "GET", CLIENT_MS, &response), CLIENT_OK);
    cr_expect_eq(response.status, 304);
    client_response_fini(&response);
    client_close(&client);
    cr_expect(KIT_UNTIL(kit_stats(&kit).body_memory == 0));
    cr_expect_lt(origin_bytes(kit.origin), 40 << 20);
    kit_stop(&kit);
}

static void read_small(void *arg, size_t number)
{
    struct party *party = arg;
    struct download download;

    (void)number;
    if (download_open(&download, &party->kit, "/p", NULL, 0, 0) && download.status == 200 &&
        download_to(&download, 5000)) {
        atomic_fetch_add(&party->right, 1);
    }
    download_close(&download);
}

Test(collapse, a_private_answer_releases_the_followers)
{
    struct party party = {0};
    struct crowd crowd;

    kit_start(&party.kit, true, NULL, NULL);
    origin_set(party.kit.origin, "/p",
               &(struct origin_reply){
                   .headers = "Cache-Control: private\r\n", .size = 5000, .hold = true});
    crowd_start(&crowd, 10, read_small, &party);
    cr_assert(origin_wait(party.kit.origin, "/p", 1, KIT_PATIENCE_MS));
    cr_assert(KIT_UNTIL(kit_accepted(&party.kit) == 10));
    origin_release(party.kit.origin, "/p");
    crowd_join(&crowd);
    cr_expect_eq(atomic_load(&party.right), 10);
    cr_expect_eq(origin_count(party.kit.origin, "/p"), 10, "each of them has one of its own");
    cr_expect_eq(kit_stats(&party.kit).store.objects, 0);
    kit_stop(&party.kit);
}

static const char *const languages[] = {"en", "de", "fr"};

static void speak(struct origin *origin, const struct origin_request *request, struct arena *memory,
                  struct origin_reply *reply)
{
    struct span language = origin_request_field(request, "Accept-Language");

    (void)origin;
    *reply = (struct origin_reply){
        .headers = STORABLE "Vary: Accept-Language\r\n",
        .text = arena_printf(memory, "in %.*s%c", SPAN_ARGS(language), 0).at,
        .hold = true,
    };
}

static void listen_in(void *arg, size_t number)
{
    struct party *party = arg;
    struct client_response response;
    char line[64], want[16];

    const char *language = languages[number % ARRAY_LEN(languages)];
    snprintf(line, sizeof(line), "Accept-Language: %s\r\n", language);
    snprintf(want, sizeof(want), "in %s", language);
    enum client_outcome outcome =
        client_get(party->kit.port, kit_path(&party->kit, "/v"), line, &response);
    if (outcome == CLIENT_OK && strcmp(response.body, want) == 0) {
        atomic_fetch_add(&party->right, 1);
    }
    client_response_fini(&response);
}

Test(collapse, followers_of_another_variant_share_their_own)
{
    struct party party = {0};
    struct crowd crowd;

    kit_start(&party.kit, true, speak, NULL);
    crowd_start(&crowd, 24, listen_in, &party);
    cr_assert(origin_wait(party.kit.origin, "/v", 1, KIT_PATIENCE_MS));
    cr_assert(KIT_UNTIL(kit_accepted(&party.kit) == 24));
    origin_release(party.kit.origin, "/v");
    crowd_join(&crowd);
    cr_expect_eq(atomic_load(&party.right), 24);
    cr_expect_geq(origin_count(party.kit.origin, "/v"), 3);
    cr_expect_leq(origin_count(party.kit.origin, "/v"), 6, "%u fetches for three variants",
                  origin_count(party.kit.origin, "/v"));
    kit_stop(&party.kit);
}
