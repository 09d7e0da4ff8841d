#include "base/check.h"
#include "base/mem.h"
#include "proxy/admin/decision_json.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

static void add(struct recent *ring, const char *path, int status)
{
    struct decision decision = {.outcome = OUTCOME_MISS,
                                .reason = REASON_NOT_STORED,
                                .store_reason = REASON_PRIVATE,
                                .forward = FORWARD_URI_MISS,
                                .fwd_status = 200,
                                .age = -1,
                                .lifetime = -1};
    struct http_head head = {.method = METHOD_GET, .method_text = SPAN("GET")};
    struct uri uri = {.host = SPAN("example.net"), .port = 80, .path = span_str(path)};
    struct ip client;

    cr_assert_eq(ip_parse(SPAN("192.0.2.7"), &client), 0);
    recent_add(ring, &(struct recent_request){.when_ms = 1763797201007,
                                              .decision = &decision,
                                              .client = &client,
                                              .status = status,
                                              .request = &head,
                                              .uri = &uri});
}

static struct recent *ring_new(void)
{
    return xcalloc(1, sizeof(struct recent));
}

Test(recent, newest_first_and_bounded)
{
    struct recent *ring = ring_new();
    struct recent_entry entry;

    cr_expect_not(recent_read(ring, 0, &entry));
    for (int i = 0; i < RECENT_COUNT + 10; i++) {
        add(ring, "/a", i);
    }
    for (int ago = 0; ago < RECENT_COUNT; ago++) {
        cr_assert(recent_read(ring, (size_t)ago, &entry));
        cr_expect_eq(entry.status, RECENT_COUNT + 9 - ago);
    }
    cr_expect_not(recent_read(ring, RECENT_COUNT, &entry));
    free(ring);
}

Test(recent, is_about_a_url)
{
    struct recent *ring = ring_new();
    struct recent_entry entry;
    struct uri same = {.host = SPAN("example.net"), .port = 80, .path = SPAN("/a?b=c")};
    struct uri other = {.host = SPAN("example.net"), .port = 80, .path = SPAN("/a?b=d")};
    char path[2 * RECENT_TEXT] = "/";

    add(ring, "/a?b=c", 200);
    cr_assert(recent_read(ring, 0, &entry));
    cr_expect(recent_is(&entry, &same, SPAN_EMPTY));
    cr_expect_not(recent_is(&entry, &other, SPAN_EMPTY));
    cr_expect(span_eq(recent_method(&entry), SPAN("GET")));

    memset(path + 1, 'x', sizeof(path) - 2); /* kept in part: it could be any of many */
    add(ring, path, 200);
    cr_assert(recent_read(ring, 0, &entry));
    cr_expect(entry.cut);
    struct uri cut = recent_uri(&entry);
    cr_expect_eq(cut.host.len + cut.path.len, RECENT_TEXT);
    cr_expect_not(recent_is(&entry, &cut, SPAN_EMPTY));
    free(ring);
}

/* Of a URL with so many bytes of path. */
static void add_of_mirror(struct recent *ring, size_t len, struct span user)
{
    static char path[RECENT_TEXT];
    struct decision decision = DECISION_INIT;
    struct uri uri = {.host = SPAN("a"), .port = 80, .path = span_of(path, len)};

    memset(path, '/', len);
    recent_add(ring,
               &(struct recent_request){
                   .decision = &decision, .uri = &uri, .user = user, .mirror = SPAN("/npm/")});
}

Test(recent, tells_who_asked_and_of_which_mirror)
{
    struct recent *ring = ring_new();
    struct recent_entry entry;

    add_of_mirror(ring, 3, SPAN("eve"));
    cr_assert(recent_read(ring, 0, &entry));
    struct uri uri = recent_uri(&entry);
    cr_expect(span_eq(uri.path, SPAN("///")));
    cr_expect(span_eq(recent_user(&entry), SPAN("eve")));
    cr_expect(span_eq(recent_mirror(&entry), SPAN("/npm/")));
    cr_expect(recent_is(&entry, &uri, SPAN("/npm/")));
    cr_expect_not(recent_is(&entry, &uri, SPAN_EMPTY));
    json_t *json = recent_json(&entry);
    cr_expect_str_eq(json_string_value(json_object_get(json, "user")), "eve");
    cr_expect_str_eq(json_string_value(json_object_get(json, "mirror")), "/npm/");
    json_decref(json);

    add_of_mirror(ring, RECENT_TEXT - 6, SPAN("eve")); /* the path and the mirror fit, no name */
    cr_assert(recent_read(ring, 0, &entry));
    cr_expect_not(entry.cut);
    cr_expect_eq(recent_user(&entry).len, 0);
    cr_expect(span_eq(recent_mirror(&entry), SPAN("/npm/")));

    add_of_mirror(ring, RECENT_TEXT - 5, SPAN_EMPTY); /* of which mirror is not known */
    cr_assert(recent_read(ring, 0, &entry));
    cr_expect(entry.cut);
    cr_expect_eq(recent_mirror(&entry).len, 0);
    free(ring);
}

Test(recent, nothing_understood_is_nothing_shown)
{
    struct recent *ring = ring_new();
    struct decision decision = DECISION_INIT;
    struct recent_entry entry;

    recent_add(ring, &(struct recent_request){.decision = &decision, .status = 400});
    cr_assert(recent_read(ring, 0, &entry));
    json_t *json = recent_json(&entry);
    cr_expect_str_eq(json_string_value(json_object_get(json, "url")), "error:invalid-request");
    cr_expect_str_eq(json_string_value(json_object_get(json, "method")), "");
    json_decref(json);
    free(ring);
}

Test(recent, json_has_everything_but_secrets)
{
    struct recent *ring = ring_new();
    struct recent_entry entry;

    add(ring, "/\xff?token=abc", 200);
    cr_assert(recent_read(ring, 0, &entry));
    json_t *json = recent_json(&entry);
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);
    cr_expect_str_eq(text,
                     "{\"time_ms\":1763797201007,\"client\":\"192.0.2.7\",\"user\":null,\"mirror\":"
                     "null,\"method\":\"GET\","
                     "\"url\":\"http://example.net/%FF?token=\\u2026\",\"cut\":false,"
                     "\"status\":200,\"bytes\":0,\"elapsed_us\":0,\"outcome\":\"miss\","
                     "\"reason\":\"absent\","
                     "\"because\":\"nothing is stored under this URL\","
                     "\"store_reason\":\"private\",\"fwd\":\"uri-miss\",\"fwd_status\":200,"
                     "\"stored\":false,\"collapsed\":false,\"age\":null,\"lifetime\":null,"
                     "\"ttl\":null,\"served_from\":null,\"disk_wait_us\":0,\"end\":\"complete\"}");
    free(text);
    json_decref(json);
    free(ring);
}

/* ---- one writes, one reads ---- */

enum { ENTRIES = 200000 };

static void *write_all(void *arg)
{
    char path[64];

    for (int i = 1; i <= ENTRIES; i++) {
        snprintf(path, sizeof(path), "/%0*d", i % 40 + 8, i);
        add(arg, path, i);
    }
    return NULL;
}

Test(recent, what_is_read_is_one_entry)
{
    struct recent *ring = ring_new();
    struct recent_entry entry = {0};
    size_t read = 0, torn = 0;
    pthread_t writer;

    cr_assert_eq(pthread_create(&writer, NULL, write_all, ring), 0);
    for (size_t ago = 0; entry.status != ENTRIES; ago = (ago + 1) % 3) {
        if (recent_read(ring, ago, &entry)) {
            struct uri uri = recent_uri(&entry);
            char path[64];
            snprintf(path, sizeof(path), "/%0*d", entry.status % 40 + 8, entry.status);
            torn += !span_eq(uri.path, span_str(path));
            read++;
        }
    }
    pthread_join(writer, NULL);
    cr_expect_eq(torn, 0);
    cr_expect_gt(read, 0);
    free(ring);
}
