#include "cache/cache_parts.h"
#include "cache/claim.h"
#include "cache/explain.h"
#include "cache/table_parts.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"
#include "cache/store/directory.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* A cache, and one request at a time against it. */
struct kit {
    struct cache *cache;
    struct arena arena;
    char path[32];
    int64_t now;
    int wakes;
};

static void count_wake(void *arg)
{
    ++((struct kit *)arg)->wakes;
}

static void kit_open(struct kit *kit, bool with_store)
{
    *kit = (struct kit){.now = 1000000};
    arena_init(&kit->arena, NULL, 0);
    strcpy(kit->path, "/tmp/larder-cache-XXXXXX");
    cr_assert_not_null(mkdtemp(kit->path));
    struct store_dir dir = {kit->path, 64 << 20};
    struct cache_options options = {.dirs = &dir, .dir_count = with_store, .memory = 32 << 20};
    cr_assert_eq(cache_open(&options, &kit->cache), 0);
}

static void kit_close(struct kit *kit)
{
    char command[64];

    cache_close(&kit->cache);
    arena_fini(&kit->arena);
    snprintf(command, sizeof(command), "rm -r %s", kit->path);
    cr_assert_eq(system(command), 0);
}

struct
try {
    struct http_head request;
    struct policy_request policy;
    struct uri uri;
    struct lookup lookup;
    struct decision decision;
    enum cache_result result;
};

/* `fields`: "Name: value" strings, ended by NULL. */
static void add_lines(struct http_fields *fields, const char *const *lines)
{
    for (; lines && *lines; lines++) {
        struct span rest = span_str(*lines);
        struct span name = span_cut(&rest, ':');
        fields_add(fields, name, span_trim(rest));
    }
}

static void ask(struct kit *kit, const char *url, const char *const *lines, struct try *try)
{
    *try = (struct try){.decision = DECISION_INIT};
    head_init(&try->request, &kit->arena);
    try->request.method = METHOD_GET;
    try->request.version = HTTP_1_1;
    try->request.content_length = -1;
    add_lines(&try->request.fields, lines);
    cr_assert_eq(uri_parse(span_str(url), &kit->arena, &try->uri), 0);
    policy_read_request(&try->request, &policy_defaults, &try->policy);
    struct cache_query query = {
        .request = &try->request,
        .policy = &try->policy,
        .uri = &try->uri,
        .zone = SPAN("t"),
        .now = kit->now,
        .waker = {count_wake, kit},
        .arena = &kit->arena,
    };
    try->result = cache_lookup(kit->cache, &query, &try->lookup, &try->decision);
    while (try->result == CACHE_COLD) {
        while (!lookup_is_ready(&try->lookup)) {
            sched_yield();
        }
        try->result = cache_lookup_on(kit->cache, &query, &try->lookup, &try->decision);
    }
}

/* The origin's answer to a try that leads, and what becomes of it. */
static struct object *answer_as(struct kit *kit, struct try *try, const char *const *lines,
                                size_t body, enum reason expected)
{
    struct http_head response;
    struct freshness freshness;
    struct policy_times times = {kit->now, kit->now};
    enum reason why;

    head_init(&response, &kit->arena);
    response.version = HTTP_1_0;
    response.status = 200;
    response.framing = BODY_LENGTH;
    response.content_length = (int64_t)body;
    add_lines(&response.fields, lines);
    policy_freshness(&response, times, &policy_defaults, &freshness);
    why = policy_may_store(&try->request, &response, &freshness, &policy_defaults);
    struct object *object = cache_admit(kit->cache,
                                        &(struct admission){
                                            .primary = &try->lookup.primary,
                                            .request = &try->request,
                                            .response = &response,
                                            .fields = &response.fields,
                                            .freshness = &freshness,
                                            .store = why == REASON_STORED,
                                            .spool_limit = 1 << 20,
                                            .arena = &kit->arena,
                                        },
                                        &why);
    cr_assert_eq(why, expected);
    return object;
}

static struct object *answer(struct kit *kit, struct try *try, const char *const *lines,
                             size_t body)
{
    return answer_as(kit, try, lines, body, REASON_STORED);
}

static void finish(struct kit *kit, struct try *try, struct object *object, size_t body)
{
    char *bytes = xcalloc(1, body);

    flight_publish(try->lookup.member.flight, object);
    memset(bytes, 'x', body);
    spool_append(object->spool, span_of(bytes, body));
    cache_commit(kit->cache, try->lookup.member.flight, object);
    free(bytes);
    object_unref(&object);
    lookup_fini(&try->lookup);
}

static void fetch(struct kit *kit, const char *url, const char *const *request,
                  const char *const *response, size_t body)
{
    struct try try;

    ask(kit, url, request, &try);
    cr_assert_eq(try.result, CACHE_LEAD, "%s: got %d", url, try.result);
    finish(kit, &try, answer(kit, &try, response, body), body);
}

static enum cache_result result_of(struct kit *kit, const char *url, const char *const *request)
{
    struct try try;

    ask(kit, url, request, &try);
    if (try.lookup.lead) {
        struct flight *flight = flight_ref(try.lookup.member.flight);
        cache_abandon(kit->cache, flight, 0);
        flight_fail(flight, (struct failure){502, REASON_CONNECT});
        flight_unref(&flight);
    }
    lookup_fini(&try.lookup);
    return try.result;
}

static const char *const fresh[] = {"Cache-Control: max-age=60", "ETag: \"1\"", NULL};

Test(cache, what_was_committed_answers_at_once_and_until_it_is_stale)
{
    struct kit kit;

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_open(&kit, with_store);
        fetch(&kit, "http://a/x", NULL, fresh, 1000);
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_FRESH);
        cr_expect_eq(result_of(&kit, "http://a/y", NULL), CACHE_LEAD);
        cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_LEAD, "two hosts never meet");
        kit.now += 60;
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
        kit_close(&kit);
    }
}

Test(cache, large_objects_answer_while_and_after_they_are_written)
{
    struct kit kit;
    struct try try;
    struct object_reader reader;
    struct span span;
    uint64_t total = 0;

    kit_open(&kit, true);
    fetch(&kit, "http://a/large", NULL, fresh, 2500000);
    ask(&kit, "http://a/large", NULL, &try);
    cr_assert_eq(try.result, CACHE_FRESH);
    cr_assert_eq(object_reader_init(&reader, try.lookup.object, 10, UINT64_MAX, (struct waker){0}),
                 0);
    while (source_peek(&reader.source, &span) == 0 && span.len > 0) {
        cr_assert_eq(span.at[0], 'x');
        total += span.len;
        source_advance(&reader.source, span.len);
    }
    cr_assert_eq(total, 2500000 - 10);
    object_reader_fini(&reader);
    lookup_fini(&try.lookup);
    kit_close(&kit);
}

Test(cache, simultaneous_misses_share_one_flight)
{
    struct kit kit;
    struct try leader, follower[10];
    struct object *seen;
    struct failure failure;

    kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &leader);
    cr_assert_eq(leader.result, CACHE_LEAD);
    for (size_t i = 0; i < 10; i++) {
        ask(&kit, "http://a/x", NULL, &follower[i]);
        cr_assert_eq(follower[i].result, CACHE_FOLLOW);
        cr_assert_eq(flight_look(&follower[i].lookup.member, &seen, &failure), FLIGHT_WAITING);
    }
    struct object *object = answer(&kit, &leader, fresh, 5);
    finish(&kit, &leader, object, 5);
    cr_assert_eq(kit.wakes, 11);
    for (size_t i = 0; i < 10; i++) {
        cr_assert_eq(flight_look(&follower[i].lookup.member, &seen, &failure), FLIGHT_SHARED);
        cr_assert(cache_shares(kit.cache, &follower[i].lookup, seen, &follower[i].request.fields,
                               &kit.arena));
        object_unref(&seen);
        lookup_fini(&follower[i].lookup);
    }
    kit_close(&kit);
}

Test(cache, an_unshareable_answer_leaves_a_pass_mark)
{
    struct kit kit;
    struct try try;

    kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &try);
    cache_abandon(kit.cache, try.lookup.member.flight, kit.now + 10);
    flight_fail(try.lookup.member.flight, (struct failure){502, REASON_CONNECT});
    lookup_fini(&try.lookup);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_ALONE);
    kit.now += 10;
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
    kit_close(&kit);
}

static const char *const varies[] = {"Cache-Control: max-age=60", "Vary: Accept-Encoding", NULL};
static const char *const gzip[] = {"Accept-Encoding: gzip", NULL};
static const char *const br[] = {"Accept-Encoding: br", NULL};

Test(cache, variants_are_kept_side_by_side)
{
    struct kit kit;

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_open(&kit, with_store);
        fetch(&kit, "http://a/v", gzip, varies, 10);
        cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_FRESH);
        cr_expect_eq(result_of(&kit, "http://a/v", br), CACHE_LEAD);
        fetch(&kit, "http://a/v", br, varies, 10);
        cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_FRESH);
        cr_expect_eq(result_of(&kit, "http://a/v", br), CACHE_FRESH);
        cr_expect_eq(result_of(&kit, "http://a/v", NULL), CACHE_LEAD, "absent matches only absent");
        kit_close(&kit);
    }
}

/* Its Vary base is there before it is. */
Test(cache, the_first_variant_is_shared_while_its_body_arrives)
{
    struct kit kit;
    struct try first, same, other;
    struct failure failure;
    struct object *shared;

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_open(&kit, with_store);
        ask(&kit, "http://a/v", gzip, &first);
        cr_assert_eq(first.result, CACHE_LEAD);
        struct object *object = answer(&kit, &first, varies, 10);

        ask(&kit, "http://a/v", br, &other);
        cr_expect_eq(other.result, CACHE_FOLLOW, "which variant it is will be seen");
        lookup_fini(&other.lookup);
        flight_publish(first.lookup.member.flight, object);
        ask(&kit, "http://a/v", br, &other);
        cr_expect_eq(other.result, CACHE_LEAD, "another one than this");
        cache_abandon(kit.cache, other.lookup.member.flight, 0);
        flight_fail(other.lookup.member.flight, (struct failure){502, REASON_CONNECT});
        lookup_fini(&other.lookup);

        ask(&kit, "http://a/v", gzip, &same);
        cr_assert_eq(same.result, CACHE_FOLLOW);
        cr_expect_eq(flight_look(&same.lookup.member, &shared, &failure), FLIGHT_SHARED);
        cr_expect_eq(shared, object);
        cr_expect(cache_shares(kit.cache, &same.lookup, shared, &same.request.fields, &kit.arena));
        object_unref(&shared);
        lookup_fini(&same.lookup);

        spool_append(object->spool, SPAN("0123456789"));
        cache_commit(kit.cache, first.lookup.member.flight, object);
        object_unref(&object);
        lookup_fini(&first.lookup);
        cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_FRESH);
        kit_close(&kit);
    }
}

Test(cache, invalidation_forgets_every_variant_for_good)
{
    struct kit kit;
    struct uri uri;

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_open(&kit, with_store);
        fetch(&kit, "http://a/v", gzip, varies, 10);
        fetch(&kit, "http://a/v", br, varies, 10);
        cr_assert_eq(uri_parse(SPAN("http://a/v"), &kit.arena, &uri), 0);
        cache_invalidate(kit.cache, &uri, SPAN("t"), &kit.arena);
        cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_LEAD);
        fetch(&kit, "http://a/v", gzip, varies, 10);
        cr_expect_eq(result_of(&kit, "http://a/v", br), CACHE_LEAD, "the old one stays forgotten");
        kit_close(&kit);
    }
}

Test(cache, a_flight_under_way_when_its_key_is_invalidated_is_not_kept)
{
    struct kit kit;
    struct try try;

    kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &try);
    struct object *object = answer(&kit, &try, fresh, 5);
    cache_invalidate(kit.cache, &try.uri, SPAN("t"), &kit.arena);
    finish(&kit, &try, object, 5);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
    kit_close(&kit);
}

Test(cache, a_variants_flight_under_way_is_not_kept_either)
{
    struct kit kit;
    struct try try;

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_open(&kit, with_store);
        fetch(&kit, "http://a/v", gzip, varies, 10);
        ask(&kit, "http://a/v", br, &try);
        cr_assert_eq(try.result, CACHE_LEAD);
        cache_invalidate(kit.cache, &try.uri, SPAN("t"), &kit.arena);
        cr_expect(cache_is_outdated(kit.cache, try.lookup.member.flight));
        finish(&kit, &try, answer(&kit, &try, varies, 10), 10);
        cr_expect_eq(result_of(&kit, "http://a/v", br), CACHE_LEAD);
        fetch(&kit, "http://a/v", br, varies, 10);
        cr_expect_eq(result_of(&kit, "http://a/v", br), CACHE_FRESH, "later ones are");
        kit_close(&kit);
    }
}

/* The variant number `n` of a URL: what asks for it, and what it is. */
static void fetch_numbered(struct kit *kit, const char *url, int n)
{
    const char *etag = arena_printf(&kit->arena, "ETag: \"%d\"", n).at;
    const char *request[] = {arena_printf(&kit->arena, "Foo: %d", n).at, NULL};
    const char *response[] = {"Cache-Control: max-age=60", "Vary: Foo", etag, NULL};

    fetch(kit, url, request, response, 10);
}

static const char *const foo_other[] = {"Foo: other", NULL};

static size_t offered(struct kit *kit, const char *url, struct span *first, struct span *last)
{
    struct try try;
    size_t count;

    ask(kit, url, foo_other, &try);
    cr_assert_eq(try.result, CACHE_LEAD);
    struct flight *flight = flight_ref(try.lookup.member.flight);
    struct object *const *variants = flight_variants(flight, &count);
    if (count > 0) {
        *first = arena_copy(&kit->arena, fields_get(&variants[0]->fields, FIELD_ETAG));
        *last = arena_copy(&kit->arena, fields_get(&variants[count - 1]->fields, FIELD_ETAG));
    }
    cache_abandon(kit->cache, flight, 0);
    flight_fail(flight, (struct failure){502, REASON_CONNECT});
    flight_unref(&flight);
    lookup_fini(&try.lookup);
    return count;
}

Test(cache, rfc9111_4_1_variants_are_offered_newest_first_and_at_most_8)
{
    struct kit kit;
    struct span first, last;
    const char *url = "http://a/v";

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_open(&kit, with_store);
        cr_expect_eq(offered(&kit, url, &first, &last), 0);
        for (int n = 1; n <= 3; n++) {
            fetch_numbered(&kit, url, n);
        }
        cr_expect_eq(offered(&kit, url, &first, &last), 3);
        cr_expect(span_eq(first, SPAN("\"3\"")) && span_eq(last, SPAN("\"1\"")));
        for (int n = 4; n <= 20; n++) {
            fetch_numbered(&kit, url, n);
        }
        cr_expect_eq(offered(&kit, url, &first, &last), 8);
        cr_expect(span_eq(first, SPAN("\"20\"")) && span_eq(last, SPAN("\"13\"")));
        struct uri uri;
        cr_assert_eq(uri_parse(span_str(url), &kit.arena, &uri), 0);
        cache_invalidate(kit.cache, &uri, SPAN("t"), &kit.arena);
        cr_expect_eq(offered(&kit, url, &first, &last), 0);
        kit_close(&kit);
    }
}

Test(cache, what_invalidates_other_urls_does_not_matter)
{
    struct kit kit;
    struct try try;

    kit_open(&kit, true);
    ask(&kit, "http://a/x", NULL, &try);
    struct object *object = answer(&kit, &try, fresh, 5);
    for (int i = 0; i < 35000; i++) { /* each guard sees some thirty */
        struct uri other = try.uri;
        other.path = arena_printf(&kit.arena, "/%d", i);
        cache_invalidate(kit.cache, &other, SPAN("t"), &kit.arena);
    }
    cr_expect(!cache_is_outdated(kit.cache, try.lookup.member.flight));
    finish(&kit, &try, object, 5);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_FRESH);
    kit_close(&kit);
}

Test(cache, more_invalidations_than_are_remembered_count_as_ours)
{
    struct kit kit;
    struct try try;

    kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &try);
    struct object *object = answer(&kit, &try, fresh, 5);
    for (int i = 0; i < 250000; i++) {
        struct uri other = try.uri;
        other.path = arena_printf(&kit.arena, "/%d", i);
        cache_invalidate(kit.cache, &other, SPAN("t"), &kit.arena);
    }
    cr_expect(cache_is_outdated(kit.cache, try.lookup.member.flight));
    finish(&kit, &try, object, 5);
    kit_close(&kit);
}

/* Another URL of the host that has the same guard. */
static struct uri beside(struct kit *kit, const struct try *try)
{
    struct uri other = try->uri;
    struct cache_key key;
    int i = 0;

    do {
        other.path = arena_printf(&kit->arena, "/%d", i++);
        cache_primary_key(kit->cache, &other, SPAN("t"), &kit->arena, &key);
    } while (cache_guard_of(&key) != cache_guard_of(&try->lookup.primary));
    return other;
}

Test(cache, one_url_may_be_invalidated_however_often_while_another_is_fetched)
{
    struct kit kit;
    struct try try;

    kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &try);
    struct object *object = answer(&kit, &try, fresh, 5);
    struct uri other = beside(&kit, &try);
    for (int i = 0; i < 10000; i++) {
        cache_invalidate(kit.cache, &other, SPAN("t"), &kit.arena);
    }
    cr_expect(!cache_is_outdated(kit.cache, try.lookup.member.flight));
    cache_invalidate(kit.cache, &try.uri, SPAN("t"), &kit.arena);
    for (int i = 0; i < 10; i++) {
        cache_invalidate(kit.cache, &other, SPAN("t"), &kit.arena);
    }
    cr_expect(cache_is_outdated(kit.cache, try.lookup.member.flight));
    finish(&kit, &try, object, 5);
    kit_close(&kit);
}

Test(cache, a_304_that_forbids_storing_forgets_what_it_confirmed)
{
    struct kit kit;
    struct try try;
    struct object *seen;
    struct failure failure;

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_open(&kit, with_store);
        fetch(&kit, "http://a/x", NULL, fresh, 2000);
        kit.now += 100;
        ask(&kit, "http://a/x", NULL, &try);
        cr_assert_eq(try.result, CACHE_LEAD);
        struct flight *flight = try.lookup.member.flight;
        flight_publish_solo(flight, flight_stale(flight));
        cache_discard(kit.cache, flight, 0);
        cr_expect_eq(flight_look(&try.lookup.member, &seen, &failure), FLIGHT_SOLO);
        cr_expect_eq(seen->body_len, 2000, "who asked gets it");
        object_unref(&seen);
        lookup_fini(&try.lookup);
        kit.now -= 100;
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
        kit_close(&kit);
    }
}

Test(cache, the_fetch_side_hears_that_nobody_waits_any_more)
{
    struct kit kit;
    struct try leader, follower;
    struct kit owner = {0};

    kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &leader);
    ask(&kit, "http://a/x", NULL, &follower);
    struct flight *flight = flight_ref(leader.lookup.member.flight);
    flight_watch(flight, (struct waker){count_wake, &owner});
    lookup_fini(&leader.lookup);
    cr_expect_eq(owner.wakes, 0);
    lookup_fini(&follower.lookup);
    cr_expect_eq(owner.wakes, 1);
    cache_abandon(kit.cache, flight, 0);
    flight_watch(flight, (struct waker){0});
    flight_unref(&flight);
    kit_close(&kit);
}

/* A 304 for `first` comes when `second` has taken its place, `seconds` after it. */
static void replace_before_304(struct kit *kit, const char *const *first, const char *const *second,
                               int seconds)
{
    struct try try;
    struct flight_member alone;
    struct waker nobody = {count_wake, kit};

    fetch(kit, "http://a/x", NULL, first, 10);
    kit->now += seconds;
    ask(kit, "http://a/x", NULL, &try);
    cr_assert_eq(try.result, CACHE_LEAD);
    struct object *stale = object_ref(try.lookup.object);
    struct flight *late = cache_private_flight(&alone, stale, &try.lookup.key, nobody);
    flight_set_mark(late, try.lookup.mark);
    finish(kit, &try, answer(kit, &try, second, 20), 20);
    struct object *renewed = object_updated(stale, &stale->fields, &stale->freshness);
    flight_publish(late, renewed);
    cache_update(kit->cache, late, renewed);
    flight_leave(&alone);
    flight_unref(&late);
    object_unref(&renewed);
    object_unref(&stale);
}

static void expect_length(struct kit *kit, enum cache_result result, int64_t length)
{
    struct try try;

    ask(kit, "http://a/x", NULL, &try);
    cr_expect_eq(try.result, result);
    cr_assert_not_null(try.lookup.object);
    cr_expect_eq(try.lookup.object->body_len, length);
    if (try.lookup.lead) {
        cache_abandon(kit->cache, try.lookup.member.flight, 0);
    }
    lookup_fini(&try.lookup);
}

Test(cache, a_late_304_does_not_bring_back_what_was_replaced)
{
    static const char *const newer[] = {"Cache-Control: max-age=60", "ETag: \"2\"", NULL};
    static const char *const untagged[] = {"Cache-Control: no-cache",
                                           "Last-Modified: Sun, 01 Nov 2020 00:00:00 GMT", NULL};
    struct kit kit;

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_open(&kit, with_store);
        replace_before_304(&kit, fresh, newer, 100);
        expect_length(&kit, CACHE_FRESH, 20);
        kit_close(&kit);
        kit_open(&kit, with_store); /* no clock and no tag tells one from the other */
        replace_before_304(&kit, untagged, untagged, 0);
        expect_length(&kit, CACHE_LEAD, 20);
        kit_close(&kit);
    }
}

/* One for itself and one for all begin together; the first gets its head first, or last, and is
 * whole last. */
static enum reason finish_late(struct kit *kit, int seconds)
{
    struct flight_member alone;
    struct waker nobody = {count_wake, kit};
    struct try try;

    ask(kit, "http://a/x", NULL, &try);
    struct flight *late = cache_private_flight(&alone, NULL, &try.lookup.key, nobody);
    flight_set_mark(late, try.lookup.mark);
    struct object *object = answer(kit, &try, fresh, 10);
    kit->now += seconds;
    finish(kit, &try, answer(kit, &try, fresh, 20), 20);
    flight_publish(late, object);
    spool_append(object->spool, SPAN("0123456789"));
    enum reason why = cache_commit(kit->cache, late, object);
    object_unref(&object);
    flight_leave(&alone);
    flight_unref(&late);
    return why;
}

Test(cache, a_late_response_does_not_replace_a_newer_one)
{
    struct kit kit;

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_open(&kit, with_store);
        cr_expect_eq(finish_late(&kit, 1), REASON_OVERTAKEN);
        expect_length(&kit, CACHE_FRESH, 20);
        kit_close(&kit);
        kit_open(&kit, with_store);
        cr_expect_eq(finish_late(&kit, -1), REASON_STORED);
        expect_length(&kit, CACHE_FRESH, 10);
        kit_close(&kit);
        kit_open(&kit, with_store); /* the clock was a day ahead */
        kit.now = clock_wall();
        cr_expect_eq(finish_late(&kit, 86400), REASON_STORED);
        kit_close(&kit);
    }
}

/* A 304 for what the try has found. */
static void confirm(struct kit *kit, struct try *try)
{
    struct object *stale = try->lookup.object;

    cr_assert_eq(try->result, CACHE_LEAD);
    cr_assert_not_null(flight_stale(try->lookup.member.flight));
    struct freshness renewed = stale->freshness;
    renewed.response_time = kit->now;
    struct object *object = object_updated(stale, &stale->fields, &renewed);
    flight_publish(try->lookup.member.flight, object);
    cache_update(kit->cache, try->lookup.member.flight, object);
    object_unref(&object);
    lookup_fini(&try->lookup);
}

Test(cache, a_304_renews_what_is_stored)
{
    struct kit kit;
    struct try try;

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_open(&kit, with_store);
        fetch(&kit, "http://a/x", NULL, fresh, 2000);
        kit.now += 100;
        ask(&kit, "http://a/x", NULL, &try);
        confirm(&kit, &try);
        ask(&kit, "http://a/x", NULL, &try);
        cr_expect_eq(try.result, CACHE_FRESH);
        cr_expect_eq(try.lookup.object->body_len, 2000);
        lookup_fini(&try.lookup);
        struct cache_stats stats;
        cache_stats(kit.cache, &stats);
        cr_expect_geq(stats.body_memory, 2000);
        cr_expect_gt(stats.table.bytes, stats.body_memory, "its body counts");
        kit_close(&kit);
    }
}

static uint64_t commits(struct kit *kit)
{
    struct cache_stats stats;

    stores_flush(kit->cache->stores);
    cache_stats(kit->cache, &stats);
    return stats.store.commits;
}

/* A 304 `later` seconds after the last; returns how many commits it takes. */
static uint64_t commits_of_304(struct kit *kit, const char *url, int64_t later)
{
    uint64_t before = commits(kit);
    struct try try;

    kit->now += later;
    ask(kit, url, NULL, &try);
    confirm(kit, &try);
    return commits(kit) - before;
}

static int64_t confirmed_at(struct kit *kit, const char *url)
{
    struct try try;

    ask(kit, url, NULL, &try);
    cr_assert_not_null(try.lookup.object);
    int64_t when = try.lookup.object->freshness.response_time;
    cache_abandon(kit->cache, try.lookup.member.flight, 0);
    lookup_fini(&try.lookup);
    return when;
}

Test(cache, a_304_that_only_confirms_what_is_always_validated_is_written_once_a_minute)
{
    static const char *const always[] = {"Cache-Control: no-cache", "ETag: \"1\"", NULL};
    struct kit kit;
    struct try try;

    kit_open(&kit, true);
    fetch(&kit, "http://a/x", NULL, always, 2000);
    int64_t written = kit.now;
    for (int i = 0; i < 5; i++) {
        cr_expect_eq(commits_of_304(&kit, "http://a/x", 10), 0);
        cr_expect_eq(confirmed_at(&kit, "http://a/x"), kit.now);
    }
    ask(&kit, "http://a/x", NULL, &try);
    table_clear(kit.cache->table, &try.lookup.key);
    cache_abandon(kit.cache, try.lookup.member.flight, 0);
    lookup_fini(&try.lookup);
    cr_expect_eq(confirmed_at(&kit, "http://a/x"), written, "what is on disk is older");
    cr_expect_eq(confirmed_at(&kit, "http://a/x"), written, "and now in memory again");
    cr_expect_eq(commits_of_304(&kit, "http://a/x", 9), 0);
    cr_expect_eq(commits_of_304(&kit, "http://a/x", 1), 1, "a minute since it was written");
    cr_expect_eq(commits_of_304(&kit, "http://a/x", 59), 0);
    cr_expect_eq(commits_of_304(&kit, "http://a/x", -60), 1, "the clock was set back");
    kit_close(&kit);
}

Test(cache, a_304_that_makes_fresh_again_is_always_written)
{
    struct kit kit;

    kit_open(&kit, true);
    fetch(&kit, "http://a/x", NULL, fresh, 2000);
    cr_expect_eq(commits_of_304(&kit, "http://a/x", 100), 1);
    cr_expect_eq(commits_of_304(&kit, "http://a/x", 100), 1);
    kit_close(&kit);
}

Test(cache, rfc9111_5_2_1_7_only_if_cached_validates_nothing_in_the_background)
{
    static const char *const lasting[] = {"Cache-Control: max-age=60, stale-while-revalidate=60",
                                          "ETag: \"1\"", NULL};
    static const char *const only[] = {"Cache-Control: only-if-cached", NULL};
    struct kit kit;
    struct try try;

    kit_open(&kit, true);
    fetch(&kit, "http://a/x", NULL, lasting, 1000);
    kit.now += 61;
    ask(&kit, "http://a/x", only, &try);
    cr_expect_eq(try.result, CACHE_STALE);
    cr_expect_not(try.lookup.lead);
    lookup_fini(&try.lookup);
    kit_close(&kit);
}

/* A 206 under way. */
struct part {
    struct try try;
    struct claim claim;
    struct object *piece;
    uint64_t length;
};

/* It is to bring the first `length` bytes of `whole`, which becomes known in parts. */
static void begin_part(struct kit *kit, const char *url, uint64_t length, int64_t whole,
                       struct part *part)
{
    struct http_head response;
    struct freshness freshness;
    struct policy_times times = {kit->now, kit->now};
    enum reason why;

    ask(kit, url, NULL, &part->try);
    cr_assert_eq(part->try.result, CACHE_LEAD);
    head_init(&response, &kit->arena);
    response.status = 200;
    response.framing = BODY_LENGTH;
    response.content_length = whole;
    add_lines(&response.fields, fresh);
    policy_freshness(&response, times, &policy_defaults, &freshness);
    cr_assert(cache_admit_partial(kit->cache,
                                  &(struct admission){
                                      .primary = &part->try.lookup.primary,
                                      .request = &part->try.request,
                                      .response = &response,
                                      .fields = &response.fields,
                                      .freshness = &freshness,
                                      .store = true,
                                      .arena = &kit->arena,
                                  },
                                  part->try.lookup.member.flight, (struct piece_range){0, length},
                                  &part->claim, &why));
    part->length = length;
    part->piece = cache_admit_piece(kit->cache, &part->claim, 1 << 20, (struct waker){0}, &why);
    flight_publish(part->try.lookup.member.flight, part->claim.base);
}

static void end_part(struct kit *kit, struct part *part)
{
    struct flight *flight = part->try.lookup.member.flight;
    char *bytes = xcalloc(1, part->length);

    spool_append(part->piece->spool, span_of(bytes, part->length));
    cache_end_piece(kit->cache, flight, &part->claim, part->piece, 0);
    cache_abandon(kit->cache, flight, 0);
    object_unref(&part->piece);
    lookup_fini(&part->try.lookup);
    free(bytes);
}

static void fetch_part(struct kit *kit, const char *url, uint64_t length, int64_t whole)
{
    struct part part;

    begin_part(kit, url, length, whole, &part);
    end_part(kit, &part);
}

/* Waits until what is on its way to the store is there, and the table has let go what is large. */
static void await_store(struct kit *kit, const char *url)
{
    struct try try = {.lookup.from_memory = true};

    for (int i = 0; i < 1000 && try.lookup.from_memory; i++) {
        usleep(10000);
        ask(kit, url, NULL, &try);
        cr_assert_eq(try.result, CACHE_FRESH);
        lookup_fini(&try.lookup);
    }
    cr_assert_not(try.lookup.from_memory);
}

/* A lookup of somebody for whom `useless` was of no use. */
static enum cache_result again(struct kit *kit, const char *url, struct object *useless)
{
    struct try try;

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

Test(cache, what_was_of_no_use_is_passed_over_but_not_what_came_after_it)
{
    struct kit kit;
    struct try old;

    kit_open(&kit, true);
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
    kit_close(&kit);
}

Test(cache, who_reads_an_old_version_does_not_bring_it_back)
{
    struct kit kit;
    struct try old, now;
    struct claim claim;

    kit_open(&kit, true);
    fetch_part(&kit, "http://a/x", 1000, 3000000);
    ask(&kit, "http://a/x", NULL, &old);
    cr_assert_eq(old.result, CACHE_FRESH);
    kit.now += 60;
    fetch(&kit, "http://a/x", NULL, fresh, 2500000);
    await_store(&kit, "http://a/x");
    cr_expect(cache_claim(kit.cache,
                          &(struct claim_order){.lookup = &old.lookup,
                                                .base = old.lookup.object,
                                                .from = 1000,
                                                .to = UINT64_MAX,
                                                .where = CLAIM_HERE},
                          &claim));
    cr_expect_not(claim.kept, "the store has a newer one");
    cache_unclaim(kit.cache, &claim);
    ask(&kit, "http://a/x", NULL, &now);
    cr_expect_eq(now.lookup.object->body_len, 2500000);
    lookup_fini(&now.lookup);
    lookup_fini(&old.lookup);
    kit_close(&kit);
}

Test(cache, survives_reopening)
{
    struct kit kit;
    struct try try;

    kit_open(&kit, true);
    fetch(&kit, "http://a/small", NULL, fresh, 100);
    fetch(&kit, "http://a/large", NULL, fresh, 1500000);
    fetch(&kit, "http://a/v", gzip, varies, 10);
    cache_close(&kit.cache);
    struct store_dir dir = {kit.path, 64 << 20};
    struct cache_options options = {.dirs = &dir, .dir_count = 1, .memory = 32 << 20};
    cr_assert_eq(cache_open(&options, &kit.cache), 0);
    cr_expect_eq(result_of(&kit, "http://a/small", NULL), CACHE_FRESH);
    cr_expect_eq(result_of(&kit, "http://a/large", NULL), CACHE_FRESH);
    cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_FRESH);
    ask(&kit, "http://a/small", NULL, &try);
    cr_expect(span_eq(fields_get(&try.lookup.object->fields, FIELD_ETAG), SPAN("\"1\"")));
    cr_expect_eq(try.lookup.object->received, HTTP_1_0);
    lookup_fini(&try.lookup);
    kit_close(&kit);
}

Test(cache, what_the_store_has_comes_to_memory_at_its_second_use)
{
    static const char *const wanted[] = {"store", "store", "memory", "memory"};
    struct kit kit;
    struct try try;

    kit_open(&kit, true);
    struct store_dir dir = {kit.path, 64 << 20};
    struct cache_options options = {.dirs = &dir, .dir_count = 1, .memory = 32 << 20};
    fetch(&kit, "http://a/x", NULL, fresh, 2000);
    fetch(&kit, "http://a/large", NULL, fresh, 100000);
    cache_close(&kit.cache);
    cr_assert_eq(cache_open(&options, &kit.cache), 0);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        ask(&kit, "http://a/x", NULL, &try);
        cr_expect_eq(try.result, CACHE_FRESH);
        cr_expect_str_eq(try.lookup.from_memory ? "memory" : "store", wanted[i], "use %zu", i + 1);
        cr_expect_eq(try.decision.served, try.lookup.from_memory ? SERVED_MEMORY : SERVED_DISK);
        cr_expect_eq(try.lookup.object->body_len, 2000);
        lookup_fini(&try.lookup);
        ask(&kit, "http://a/large", NULL, &try);
        cr_expect_not(try.lookup.from_memory, "too large");
        lookup_fini(&try.lookup);
    }
    kit_close(&kit);
}

Test(cache, without_a_store_large_bodies_are_kept_while_there_is_room)
{
    struct kit kit;
    struct try try;

    kit_open(&kit, false);
    fetch(&kit, "http://a/large", NULL, fresh, 5 << 20);
    for (int i = 0; i < 3; i++) {
        ask(&kit, "http://a/large", NULL, &try);
        cr_assert_eq(try.result, CACHE_FRESH);
        cr_expect(object_in_memory(try.lookup.object));
        cr_expect_eq(try.lookup.object->body_len, 5 << 20);
        lookup_fini(&try.lookup);
    }
    kit_close(&kit);
}

Test(cache, without_a_store_a_large_body_makes_others_leave_at_its_second_request_only)
{
    struct kit kit;
    struct cache_stats stats;
    char url[64];

    kit_open(&kit, false);
    for (int i = 0; i < 2000; i++) { /* more than there is room for */
        snprintf(url, sizeof(url), "http://a/%d", i);
        fetch(&kit, url, NULL, fresh, 20000);
    }
    cache_stats(kit.cache, &stats);
    uint64_t evicted = stats.table.evicted;
    fetch(&kit, "http://a/large", NULL, fresh, 4 << 20);
    cache_stats(kit.cache, &stats);
    cr_expect_lt(stats.table.evicted, evicted + 300, "no more than while it passed");
    fetch(&kit, "http://a/large", NULL, fresh, 4 << 20);
    cr_expect_eq(result_of(&kit, "http://a/large", NULL), CACHE_FRESH);
    cr_expect_leq(memory_used(), 32 << 20);
    kit_close(&kit);
}

Test(cache, memory_stays_under_its_limit)
{
    struct kit kit;
    struct cache_stats stats;
    char url[64];

    kit_open(&kit, false);
    for (int i = 0; i < 4000; i++) {
        snprintf(url, sizeof(url), "http://a/%d", i);
        fetch(&kit, url, NULL, fresh, 20000);
    }
    cache_stats(kit.cache, &stats);
    cr_expect_leq(stats.table.bytes, 32 << 20);
    cr_expect_leq(stats.body_memory, 32 << 20);
    cr_expect_gt(stats.table.evicted, 1000);
    cr_expect_eq(result_of(&kit, url, NULL), CACHE_FRESH);
    kit_close(&kit);
}

/* Answers in chunks, so that only its end tells how long it is. */
static struct object *answer_unmeasured(struct kit *kit, struct try *try)
{
    struct http_head response;
    struct freshness freshness;
    enum reason why = REASON_NONE;

    head_init(&response, &kit->arena);
    response.status = 200;
    response.framing = BODY_CHUNKED;
    response.content_length = -1;
    add_lines(&response.fields, fresh);
    policy_freshness(&response, (struct policy_times){kit->now, kit->now}, &policy_defaults,
                     &freshness);
    struct object *object = cache_admit(kit->cache,
                                        &(struct admission){.primary = &try->lookup.primary,
                                                            .request = &try->request,
                                                            .response = &response,
                                                            .fields = &response.fields,
                                                            .freshness = &freshness,
                                                            .store = true,
                                                            .spool_limit = 1 << 20,
                                                            .arena = &kit->arena},
                                        &why);
    cr_assert_eq(why, REASON_STORED);
    return object;
}

Test(cache, what_turns_out_too_large_is_not_kept)
{
    static const size_t bodies[] = {1000, 1001};
    struct kit kit;
    struct try try;

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_open(&kit, with_store);
        cache_close(&kit.cache);
        struct store_dir dir = {kit.path, 64 << 20};
        struct cache_options options = {
            .dirs = &dir, .dir_count = (size_t)with_store, .memory = 32 << 20, .object_max = 1000};
        cr_assert_eq(cache_open(&options, &kit.cache), 0);
        for (size_t i = 0; i < 2; i++) {
            const char *url = i ? "http://a/larger" : "http://a/just";
            ask(&kit, url, NULL, &try);
            struct object *object = answer_unmeasured(&kit, &try);
            char bytes[1001] = {0};
            flight_publish(try.lookup.member.flight, object);
            spool_append(object->spool, span_of(bytes, bodies[i]));
            cr_expect_eq(cache_commit(kit.cache, try.lookup.member.flight, object),
                         i ? REASON_TOO_LARGE : REASON_STORED);
            object_unref(&object);
            lookup_fini(&try.lookup);
            cr_expect_eq(result_of(&kit, url, NULL), i ? CACHE_LEAD : CACHE_FRESH);
        }
        kit_close(&kit);
    }
}

Test(cache, what_has_become_too_large_is_not_written_any_further)
{
    enum { BITE = 1 << 20, MOST = 2 * BITE, BITES = 8 };
    char *bytes = xcalloc(1, BITE);
    struct cache_stats stats;
    struct kit kit;
    struct try try;

    kit_open(&kit, true);
    cache_set_object_max(kit.cache, MOST);
    ask(&kit, "http://a/x", NULL, &try);
    struct object *object = answer_unmeasured(&kit, &try);
    flight_publish(try.lookup.member.flight, object);
    for (int i = 0; i < BITES; i++) {
        spool_append(object->spool, span_of(bytes, BITE));
        cr_expect_eq(spool_is_wanted(object->spool), (i + 1) * BITE <= MOST);
    }
    cache_set_object_max(kit.cache, 0); /* its beginning is gone all the same */
    cr_expect_eq(cache_commit(kit.cache, try.lookup.member.flight, object), REASON_TOO_LARGE);
    stores_flush(cache_stores(kit.cache));
    cache_stats(kit.cache, &stats);
    cr_expect_leq(stats.store.written_bytes, MOST + BITE);
    object_unref(&object);
    lookup_fini(&try.lookup);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
    kit_close(&kit);
    free(bytes);
}

Test(cache, how_large_what_is_kept_may_be_changes_while_it_runs)
{
    struct kit kit;
    struct try try;

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_open(&kit, with_store);
        cache_set_object_max(kit.cache, 1000);
        ask(&kit, "http://a/x", NULL, &try);
        finish(&kit, &try, answer_as(&kit, &try, fresh, 1001, REASON_TOO_LARGE), 1001);
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
        cache_set_object_max(kit.cache, 0);
        fetch(&kit, "http://a/x", NULL, fresh, 1001);
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_FRESH);
        kit_close(&kit);
    }
}

/* ---- explaining ---- */

static void explain(struct kit *kit, const char *url, const char *const *lines,
                    struct explanation *out)
{
    struct http_head request;
    struct policy_request policy;
    struct uri uri;

    head_init(&request, &kit->arena);
    request.method = METHOD_GET;
    request.content_length = -1;
    add_lines(&request.fields, lines);
    cr_assert_eq(uri_parse(span_str(url), &kit->arena, &uri), 0);
    policy_read_request(&request, &policy_defaults, &policy);
    cache_explain(kit->cache,
                  &(struct cache_query){.request = &request,
                                        .policy = &policy,
                                        .uri = &uri,
                                        .zone = SPAN("t"),
                                        .now = kit->now,
                                        .arena = &kit->arena},
                  out);
}

Test(cache, an_explanation_says_what_a_lookup_would_and_leaves_no_trace)
{
    struct explanation explanation;
    struct cache_stats stats;
    struct kit kit;

    kit_open(&kit, true);
    explain(&kit, "http://a/x", NULL, &explanation);
    cr_expect_eq(explanation.result, CACHE_LEAD);
    cr_expect_eq(explanation.decision.reason, REASON_NOT_STORED);
    cr_expect_eq(explanation.decision.forward, FORWARD_URI_MISS);
    explanation_fini(&explanation);
    cache_stats(kit.cache, &stats);
    cr_expect_eq(stats.table.entries, 0);
    cr_expect_eq(stats.table.flights, 0);

    fetch(&kit, "http://a/x", NULL, fresh, 1000);
    cache_close(&kit.cache); /* now it is on disk only */
    struct store_dir dir = {kit.path, 64 << 20};
    struct cache_options options = {.dirs = &dir, .dir_count = 1, .memory = 32 << 20};
    cr_assert_eq(cache_open(&options, &kit.cache), 0);
    for (int i = 0; i < 2; i++) {
        explain(&kit, "http://a/x", NULL, &explanation);
        cr_expect_eq(explanation.result, CACHE_FRESH);
        cr_expect_eq(explanation.decision.outcome, OUTCOME_HIT, "it became hot");
        cr_expect_eq(explanation.decision.age, 0);
        cr_expect_eq(explanation.decision.lifetime, 60);
        explanation_fini(&explanation);
    }
    kit.now += 60;
    explain(&kit, "http://a/x", NULL, &explanation);
    cr_expect_eq(explanation.result, CACHE_LEAD);
    cr_expect_eq(explanation.decision.reason, REASON_STALE);
    cr_assert_not_null(explanation.lookup.object);
    explanation_fini(&explanation);
    kit_close(&kit);
}

Test(cache, an_explanation_names_flights_and_pass_marks)
{
    struct explanation explanation;
    struct kit kit;
    struct try try;

    kit_open(&kit, false);
    ask(&kit, "http://a/x", NULL, &try);
    explain(&kit, "http://a/x", NULL, &explanation);
    cr_expect_eq(explanation.result, CACHE_FOLLOW);
    cr_expect(explanation.present.fetching);
    cr_expect_eq(explanation.present.waiting, 1);
    explanation_fini(&explanation);

    struct object *object = answer(&kit, &try, fresh, 0);
    object->stored_reason = REASON_PRIVATE;
    flight_publish_solo(try.lookup.member.flight, object);
    cache_abandon(kit.cache, try.lookup.member.flight, kit.now + 120);
    spool_end(object->spool, 0);
    object_unref(&object);
    lookup_fini(&try.lookup);
    explain(&kit, "http://a/x", NULL, &explanation);
    cr_expect_eq(explanation.result, CACHE_ALONE);
    cr_expect_eq(explanation.decision.reason, REASON_PASS_MARK);
    cr_expect_eq(explanation.present.pass_until, kit.now + 120);
    cr_expect_eq(explanation.present.pass_reason, REASON_PRIVATE);
    explanation_fini(&explanation);
    kit_close(&kit);
}

Test(cache, an_explanation_lists_variants_and_what_selects_them)
{
    static const char *const by_two[] = {"Cache-Control: max-age=60", "Vary: B, a", NULL};
    static const char *const one[] = {"A: 1", NULL};
    static const char *const two[] = {"A: 2", "B: x, y", NULL};
    struct explanation explanation;
    struct kit kit;
    struct span name, value;
    bool absent;

    kit_open(&kit, false);
    fetch(&kit, "http://a/x", one, by_two, 10);
    fetch(&kit, "http://a/x", two, by_two, 20);
    fetch(&kit, "http://a/xy", one, by_two, 30);
    explain(&kit, "http://a/x", NULL, &explanation);
    cr_expect_eq(explanation.decision.reason, REASON_VARY_MISS);
    cr_assert_eq(explanation.spec_count, 1);
    cr_expect(span_eq(explanation.specs[0], SPAN("a,b")));
    cr_assert_eq(explanation.variant_count, 2);
    for (size_t i = 0; i < 2; i++) {
        bool second = explanation.variants[i]->body_len == 20;
        struct selection selection = explanation_selection(explanation.variants[i]);
        cr_assert(selection_next(&selection, &name, &value, &absent));
        cr_expect(span_eq(name, SPAN("a")));
        cr_expect(span_eq(value, second ? SPAN("2") : SPAN("1")));
        cr_assert(selection_next(&selection, &name, &value, &absent));
        cr_expect(span_eq(name, SPAN("b")));
        cr_expect_eq(absent, !second);
        cr_expect(span_eq(value, second ? SPAN("x,y") : SPAN_EMPTY));
        cr_expect_not(selection_next(&selection, &name, &value, &absent));
    }
    explanation_fini(&explanation);
    kit_close(&kit);
}

/* ---- a store that does not take what replaces something ---- */

static struct cache *open_beside(const struct kit *kit, const struct sip_key *late)
{
    struct cache *cache = NULL;
    struct store_dir dir = {kit->path, 64 << 20};
    struct cache_options options = {.dirs = &dir, .dir_count = 1, .memory = 32 << 20, .late = late};

    cr_assert_eq(cache_open(&options, &cache), 0);
    return cache;
}

static void reopen(struct kit *kit)
{
    cache_close(&kit->cache);
    kit->cache = open_beside(kit, NULL);
}

/* A 304 for what is known in parts comes while the first of them is on its way. */
static void renew_meanwhile(struct kit *kit, const struct try *try, struct object *base)
{
    struct waker nobody = {count_wake, kit};
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
static enum reason end_large(struct kit *kit, void (*meanwhile)(struct kit *, struct try *))
{
    enum { LEN = 3000000 };
    char *bytes = xcalloc(1, LEN / 2);
    struct claim claim;
    struct try try;

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

static void change_nothing(struct kit *kit, struct try *try)
{
    (void)kit;
    (void)try;
}

static void invalidate_it(struct kit *kit, struct try *try)
{
    cache_invalidate(kit->cache, &try->uri, SPAN("t"), &kit->arena);
}

Test(cache, what_became_parts_and_is_not_kept_says_so)
{
    struct kit kit;

    kit_open(&kit, true);
    cr_expect_eq(end_large(&kit, invalidate_it), REASON_INVALIDATED);
    cr_expect_eq(end_large(&kit, change_nothing), REASON_STORED);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_FRESH);
    kit_close(&kit);
}

Test(cache, what_is_renewed_while_it_arrives_is_kept)
{
    enum { LEN = 3000000 };
    char *bytes = xcalloc(1, LEN / 2);
    struct claim claim;
    struct kit kit;
    struct try try;

    kit_open(&kit, true);
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
    reopen(&kit);
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
    kit_close(&kit);
    free(bytes);
}

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

static void jam_begin(struct kit *kit, const struct cache_key *beside, struct jam *jam)
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

static void jam_end(struct kit *kit, struct jam *jam)
{
    store_put_abort(jam->put);
    sem_post(&jam->end);
    stores_flush(cache_stores(kit->cache));
    sem_destroy(&jam->end);
}

/* They are small, but there may be one for every URL. */
Test(cache, bases_do_not_wait_without_end_for_a_disk_that_does_not_answer)
{
    static char key[STORE_KEY_MAX];
    struct store_put *put;
    struct kit kit;
    struct try try;
    struct jam jam;
    int err = 0;

    kit_open(&kit, true);
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
    kit_close(&kit);
}

/* The base has a generation that nobody can guess: once it is lost, so are its variants. */
Test(cache, a_base_is_stored_when_its_first_variant_is_not)
{
    struct kit kit;
    struct try try;
    struct jam jam;

    kit_open(&kit, true);
    fetch(&kit, "http://a/v", NULL, fresh, 100);
    stores_flush(cache_stores(kit.cache));
    kit.now += 60;
    ask(&kit, "http://a/v", gzip, &try);
    cr_assert_eq(try.result, CACHE_LEAD);
    jam_begin(&kit, &try.lookup.primary, &jam);
    finish(&kit, &try, answer_as(&kit, &try, varies, 10, REASON_STORE_BUSY), 10);
    jam_end(&kit, &jam);
    fetch(&kit, "http://a/v", br, varies, 10);
    reopen(&kit);
    cr_expect_eq(result_of(&kit, "http://a/v", br), CACHE_FRESH);
    kit.now -= 60;
    cr_expect_eq(result_of(&kit, "http://a/v", NULL), CACHE_LEAD, "what did not vary is gone");
    kit_close(&kit);
}

/* The table may not let it go, whatever room it needs. */
static bool is_held(struct kit *kit, const struct cache_key *key)
{
    struct shard *shard = table_lock(kit->cache->table, key->hash);
    struct entry *entry = table_entry(shard, key->hash);
    bool held = entry && hot_is_held(&entry->hot);

    table_unlock(shard);
    return held;
}

Test(cache, a_base_stays_in_memory_until_the_store_has_it)
{
    struct kit kit;
    struct try try;
    struct jam jam;

    kit_open(&kit, true);
    ask(&kit, "http://a/v", gzip, &try);
    struct cache_key primary = try.lookup.primary;
    jam_begin(&kit, &primary, &jam);
    finish(&kit, &try, answer_as(&kit, &try, varies, 10, REASON_STORE_BUSY), 10);
    cr_expect(is_held(&kit, &primary), "an older one would be found in its place");
    jam_end(&kit, &jam);
    cr_expect_not(is_held(&kit, &primary));
    kit_close(&kit);
    kit_open(&kit, false);
    ask(&kit, "http://a/v", gzip, &try);
    primary = try.lookup.primary;
    finish(&kit, &try, answer(&kit, &try, varies, 10), 10);
    cr_expect_not(is_held(&kit, &primary), "without a store it waits for nothing");
    cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_FRESH);
    kit_close(&kit);
}

/* No byte can be written to a file. A moment later one can, but nothing new is taken for a while.
 */
static void fail_a_commit(struct kit *kit)
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

static int64_t length_of(struct kit *kit, const char *url)
{
    struct try try;

    ask(kit, url, NULL, &try);
    int64_t length = try.lookup.object ? try.lookup.object->body_len : -1;
    if (try.lookup.lead) {
        cache_abandon(kit->cache, try.lookup.member.flight, 0);
    }
    lookup_fini(&try.lookup);
    return length;
}

Test(cache, what_became_known_in_parts_takes_the_place_of_what_was_whole)
{
    struct kit kit;
    struct part part;

    kit_open(&kit, true);
    fetch(&kit, "http://a/x", NULL, fresh, 100);
    stores_flush(cache_stores(kit.cache));
    kit.now += 60;
    begin_part(&kit, "http://a/x", 1000, 3000000, &part);
    fail_a_commit(&kit);
    end_part(&kit, &part);
    while (atomic_load(&kit.cache->saving) > 0) {
        stores_flush(cache_stores(kit.cache));
    }
    reopen(&kit);
    kit.now -= 60;
    cr_expect_neq(length_of(&kit, "http://a/x"), 100, "with or without the parts");
    kit_close(&kit);
}

/* ---- a store that comes late ---- */

static const char *const kept_long[] = {"Cache-Control: max-age=60", NULL};

Test(cache, a_store_that_comes_late_has_no_say_about_what_has_changed)
{
    struct kit kit;
    struct uri uri;

    kit_open(&kit, true);
    fetch(&kit, "http://a/kept", NULL, kept_long, 100);
    fetch(&kit, "http://a/changed", NULL, kept_long, 100);
    fetch(&kit, "http://a/dropped", NULL, kept_long, 100);
    struct cache *older = kit.cache;
    kit.cache = open_beside(&kit, cache_secret(older));
    cr_expect(cache_is_late(kit.cache));
    cr_expect_eq(result_of(&kit, "http://a/kept", NULL), CACHE_LEAD, "not yet");
    fetch(&kit, "http://a/changed", NULL, kept_long, 200);
    cr_assert_eq(uri_parse(SPAN("http://a/dropped"), &kit.arena, &uri), 0);
    cache_invalidate(kit.cache, &uri, SPAN("t"), &kit.arena);
    cr_expect_eq(cache_open_late(kit.cache), ERR_BUSY);
    cr_expect(cache_is_late(kit.cache), "there will be another time");
    cache_let_go(older);
    cr_assert_eq(cache_open_late(kit.cache), 0);
    cr_expect_not(cache_is_late(kit.cache));
    cr_expect_eq(result_of(&kit, "http://a/kept", NULL), CACHE_FRESH);
    cr_expect_eq(result_of(&kit, "http://a/dropped", NULL), CACHE_LEAD);
    cr_expect_eq(result_of(&kit, "http://a/changed", NULL), CACHE_FRESH, "from memory");
    cache_close(&older);
    cache_close(&kit.cache);
    kit.cache = open_beside(&kit, NULL);
    cr_expect_eq(result_of(&kit, "http://a/changed", NULL), CACHE_LEAD, "the older one is gone");
    cr_expect_eq(result_of(&kit, "http://a/kept", NULL), CACHE_FRESH);
    kit_close(&kit);
}

/* It has no place there, and neither has what it replaced: nor may a later 304 write its head on
 * that. */
Test(cache, what_was_under_way_when_the_store_came_takes_the_place_of_what_it_has)
{
    struct kit kit;
    struct try try;

    for (int renewed = 0; renewed < 2; renewed++) {
        kit_open(&kit, true);
        fetch(&kit, "http://a/x", NULL, kept_long, 100);
        struct cache *older = kit.cache;
        kit.cache = open_beside(&kit, cache_secret(older));
        ask(&kit, "http://a/x", NULL, &try);
        cr_assert_eq(try.result, CACHE_LEAD);
        struct object *newer = answer(&kit, &try, fresh, 200);
        cache_close(&older);
        cr_assert_eq(cache_open_late(kit.cache), 0);
        finish(&kit, &try, newer, 200);
        if (renewed) {
            kit.now += 100;
            ask(&kit, "http://a/x", NULL, &try);
            confirm(&kit, &try);
        }
        expect_length(&kit, CACHE_FRESH, 200);
        reopen(&kit);
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD, "the older one is gone");
        kit_close(&kit);
    }
}

Test(cache, a_late_store_under_another_secret_is_left_alone)
{
    static const struct sip_key another = {1, 2};
    struct kit kit;

    kit_open(&kit, true);
    fetch(&kit, "http://a/kept", NULL, kept_long, 100);
    struct cache *older = kit.cache;
    kit.cache = open_beside(&kit, &another);
    cache_close(&older);
    cr_expect_neq(cache_open_late(kit.cache), 0);
    cr_expect_not(cache_is_late(kit.cache));
    cr_expect_eq(result_of(&kit, "http://a/kept", NULL), CACHE_LEAD);
    cache_close(&kit.cache);
    kit.cache = open_beside(&kit, NULL);
    cr_expect_eq(result_of(&kit, "http://a/kept", NULL), CACHE_FRESH, "nothing was taken from it");
    kit_close(&kit);
}

Test(cache, a_late_store_has_dropped_what_has_changed_before_it_is_looked_at)
{
    enum { HOT = (1 << 20) + 1, CHANGED = 20000 };
    struct kit kit;
    struct cache_key key = {.hash = {1}};
    struct cache_stats stats;

    kit_open(&kit, true);
    fetch(&kit, "http://a/kept", NULL, kept_long, 100);
    struct cache *older = kit.cache;
    kit.cache = open_beside(&kit, cache_secret(older));
    for (int i = 0; i < HOT; i++) { /* one key takes one place */
        cache_changed(kit.cache, &key);
    }
    for (uint64_t i = 1; i <= CHANGED; i++) {
        memcpy(key.hash + 8, &i, sizeof(i)); /* and many belong into one place */
        memcpy(key.hash, &(uint64_t){i / 64}, sizeof(i));
        cache_changed(kit.cache, &key);
    }
    cache_close(&older);
    cr_assert_eq(cache_open_late(kit.cache), 0);
    cache_stats(kit.cache, &stats);
    cr_expect_eq(stats.store.dirty, 0, "nothing is pending");
    cr_expect_eq(result_of(&kit, "http://a/kept", NULL), CACHE_FRESH);
    kit_close(&kit);
}

Test(cache, a_store_that_nobody_has_is_not_late)
{
    static const struct sip_key of_another = {1, 2};
    struct kit kit;

    kit_open(&kit, true);
    fetch(&kit, "http://a/kept", NULL, kept_long, 100);
    cache_close(&kit.cache);
    kit.cache = open_beside(&kit, &of_another);
    cr_expect_not(cache_is_late(kit.cache));
    cr_expect_eq(result_of(&kit, "http://a/kept", NULL), CACHE_FRESH);
    kit_close(&kit);
}

/* ---- purges ---- */

static void on_purged(void *arg, int err)
{
    atomic_store((atomic_int *)arg, err ? 2 : 1);
}

/* Whether it is durable. */
static bool try_purge(struct kit *kit, const char *url, struct purge_found *found)
{
    atomic_int done = 0;
    struct uri uri;

    cr_assert_eq(uri_parse(span_str(url), &kit->arena, &uri), 0);
    cr_assert_eq(cache_purge(kit->cache, &uri, SPAN("t"), &kit->arena, found, on_purged, &done), 0);
    while (atomic_load(&done) == 0) {
        sched_yield();
    }
    return atomic_load(&done) == 1;
}

static struct purge_found purge(struct kit *kit, const char *url)
{
    struct purge_found found;

    cr_expect(try_purge(kit, url, &found), "it is durable");
    return found;
}

Test(cache, a_purge_says_what_there_was_and_all_of_it_is_gone)
{
    struct kit kit;
    struct cache_stats stats;

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_open(&kit, with_store);
        fetch(&kit, "http://a/x", NULL, fresh, 1000);
        fetch(&kit, "http://a/v", gzip, varies, 10);
        fetch(&kit, "http://a/v", br, varies, 20);
        fetch(&kit, "http://a/other", NULL, fresh, 5);
        struct purge_found found = purge(&kit, "http://a/x");
        cr_expect(found.responses == 1 && found.bytes == 1000 && !found.varies && !found.fetches);
        found = purge(&kit, "http://a/v");
        cr_expect(found.responses == 2 && found.bytes == 30 && found.varies && !found.fetches);
        found = purge(&kit, "http://a/v");
        cr_expect(found.responses == 0 && !found.varies, "the second time there is nothing");
        cache_stats(kit.cache, &stats);
        cr_expect_eq(stats.purges, 3);
        if (with_store) {
            reopen(&kit);
        }
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
        cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_LEAD);
        cr_expect_eq(result_of(&kit, "http://a/v", br), CACHE_LEAD);
        cr_expect_eq(result_of(&kit, "http://a/other", NULL), CACHE_FRESH);
        kit_close(&kit);
    }
}

Test(cache, purged_variants_leave_no_records)
{
    struct kit kit;
    struct cache_stats stats;

    kit_open(&kit, true);
    for (int n = 1; n <= 3; n++) {
        fetch_numbered(&kit, "http://a/v", n);
    }
    stores_flush(cache_stores(kit.cache));
    cache_stats(kit.cache, &stats);
    cr_expect_eq(stats.store.objects, 4);
    reopen(&kit);
    cr_expect_eq(purge(&kit, "http://a/v").responses, 3, "those with an ETag are known");
    stores_flush(cache_stores(kit.cache));
    cache_stats(kit.cache, &stats);
    cr_expect_eq(stats.store.objects, 0);
    kit_close(&kit);
}

/* Its table and its piece are there. */
static void await_parts_saved(struct kit *kit)
{
    struct cache_stats stats = {0};

    while (stats.store.objects < 2 || atomic_load(&kit->cache->saving) > 0) {
        stores_flush(cache_stores(kit->cache));
        cache_stats(kit->cache, &stats);
    }
}

Test(cache, a_purge_takes_what_is_known_in_parts)
{
    struct kit kit;
    struct cache_stats stats;

    kit_open(&kit, true);
    fetch_part(&kit, "http://a/x", 1000, 3000000);
    await_parts_saved(&kit);
    struct purge_found found = purge(&kit, "http://a/x");
    cr_expect(found.responses == 1 && found.bytes == 1000);
    stores_flush(cache_stores(kit.cache));
    cache_stats(kit.cache, &stats);
    cr_expect_eq(stats.store.objects, 0, "nor is a piece left");
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
    kit_close(&kit);
}

Test(cache, what_is_under_way_is_counted_and_not_kept)
{
    struct kit kit;
    struct try try;

    kit_open(&kit, true);
    ask(&kit, "http://a/x", NULL, &try);
    struct object *object = answer(&kit, &try, fresh, 5);
    struct purge_found found = purge(&kit, "http://a/x");
    cr_expect(found.responses == 0 && found.fetches == 1);
    struct try later;
    ask(&kit, "http://a/x", NULL, &later);
    cr_expect_eq(later.result, CACHE_LEAD, "who comes later does not wait for it");
    finish(&kit, &try, object, 5);
    finish(&kit, &later, answer(&kit, &later, fresh, 7), 7);
    ask(&kit, "http://a/x", NULL, &later);
    cr_expect_eq(later.result, CACHE_FRESH);
    cr_expect_eq(later.lookup.object->body_len, 7);
    lookup_fini(&later.lookup);
    kit_close(&kit);
}

/* All of the host "a", and of no other. */
static void purge_host(struct kit *kit)
{
    cr_assert_eq(cache_purge_scope(kit->cache, SPAN("a ")), 0);
}

Test(cache, a_purged_scope_stays_so)
{
    struct kit kit;
    struct try try;

    for (int with_store = 0; with_store < 2; with_store++) {
        kit_open(&kit, with_store);
        fetch(&kit, "http://a/x", NULL, fresh, 1000);
        fetch(&kit, "http://a/v", gzip, varies, 10);
        fetch(&kit, "http://b/x", NULL, fresh, 5);
        ask(&kit, "http://a/late", NULL, &try);
        purge_host(&kit);
        finish(&kit, &try, answer(&kit, &try, fresh, 5), 5);
        fetch(&kit, "http://a/new", NULL, fresh, 9);
        for (int round = 0; round <= with_store; round++) {
            cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
            cr_expect_eq(result_of(&kit, "http://a/v", gzip), CACHE_LEAD);
            cr_expect_eq(result_of(&kit, "http://a/late", NULL), CACHE_LEAD, "it was under way");
            cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_FRESH);
            cr_expect_eq(result_of(&kit, "http://a/new", NULL), CACHE_FRESH, "what came later");
            if (with_store) {
                reopen(&kit);
            }
        }
        kit_close(&kit);
    }
}

static void write_purged(const struct kit *kit, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/purged", kit->path);
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

Test(cache, a_damaged_list_of_purges_brings_nothing_back)
{
    struct kit kit;

    kit_open(&kit, true);
    fetch(&kit, "http://a/x", NULL, fresh, 1000);
    fetch(&kit, "http://b/x", NULL, fresh, 1000);
    purge_host(&kit);
    cache_close(&kit.cache);
    write_purged(&kit, "something else");
    kit.cache = open_beside(&kit, NULL);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
    cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_LEAD, "nobody knows what it said");
    fetch(&kit, "http://b/x", NULL, fresh, 1000);
    reopen(&kit);
    cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_FRESH);
    kit_close(&kit);
}

/* The kit's folder, and a new one beside it. */
struct two {
    char path[40];
    struct store_dir dirs[2];
};

static void open_two(struct kit *kit, struct two *two)
{
    snprintf(two->path, sizeof(two->path), "%s/two", kit->path);
    two->dirs[0] = (struct store_dir){kit->path, 64 << 20};
    two->dirs[1] = (struct store_dir){two->path, 64 << 20};
    struct cache_options options = {.dirs = two->dirs, .dir_count = 2, .memory = 32 << 20};
    cr_assert_eq(cache_open(&options, &kit->cache), 0);
}

Test(cache, a_new_folder_does_not_make_up_for_a_damaged_list_of_purges)
{
    static const char *const urls[] = {"http://a/1", "http://a/2", "http://a/3", "http://a/4",
                                       "http://a/5", "http://a/6", "http://a/7", "http://a/8"};
    struct kit kit;
    struct two two;

    kit_open(&kit, true);
    for (size_t i = 0; i < 8; i++) { /* one share or other stays where it was */
        fetch(&kit, urls[i], NULL, fresh, 1000);
    }
    purge_host(&kit);
    cache_close(&kit.cache);
    write_purged(&kit, "something else");
    open_two(&kit, &two);
    for (size_t i = 0; i < 8; i++) {
        cr_expect_eq(result_of(&kit, urls[i], NULL), CACHE_LEAD, "%s", urls[i]);
    }
    kit_close(&kit);
}

Test(cache, folders_that_were_purged_without_each_other_start_empty)
{
    struct kit kit;
    struct two two;
    struct scopes *another = scopes_new();
    struct buf bytes = BUF_INIT;

    kit_open(&kit, true);
    cache_close(&kit.cache);
    open_two(&kit, &two);
    fetch(&kit, "http://a/x", NULL, fresh, 1000);
    fetch(&kit, "http://b/x", NULL, fresh, 1000);
    purge_host(&kit);
    cache_close(&kit.cache);
    cr_assert_eq(scopes_purge(another, SPAN("b ")), 0);
    scopes_encode(another, &bytes);
    cr_assert_eq(directory_write(two.path, "purged", buf_span(&bytes)), 0);
    open_two(&kit, &two);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
    cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_LEAD);
    fetch(&kit, "http://b/x", NULL, fresh, 1000);
    cache_close(&kit.cache);
    open_two(&kit, &two);
    cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_FRESH, "both know it now");
    buf_fini(&bytes);
    scopes_free(&another);
    kit_close(&kit);
}

Test(cache, nothing_is_purged_while_another_process_has_the_store)
{
    struct kit kit;
    struct uri uri;
    struct purge_found found;

    kit_open(&kit, true);
    fetch(&kit, "http://a/x", NULL, kept_long, 100);
    fetch(&kit, "http://b/x", NULL, kept_long, 100);
    struct cache *older = kit.cache;
    kit.cache = open_beside(&kit, cache_secret(older));
    cr_assert_eq(uri_parse(SPAN("http://a/x"), &kit.arena, &uri), 0);
    cr_expect_eq(cache_purge(kit.cache, &uri, SPAN("t"), &kit.arena, &found, on_purged, NULL),
                 ERR_BUSY);
    cr_expect_eq(cache_purge_scope(kit.cache, SPAN_EMPTY), ERR_BUSY);
    cr_expect_eq(cache_purge_scope(older, SPAN("a ")), 0, "the other one can, and is believed");
    cache_close(&older);
    cr_assert_eq(cache_open_late(kit.cache), 0);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
    cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_FRESH);
    kit_close(&kit);
}

Test(cache, what_changed_before_a_late_store_is_not_brought_back_by_what_was_purged_there)
{
    struct kit kit;
    struct uri uri;

    kit_open(&kit, true);
    cr_assert_eq(cache_purge_scope(kit.cache, SPAN("b ")), 0);
    fetch(&kit, "http://b/x", NULL, kept_long, 100);
    struct cache *older = kit.cache, *newer = open_beside(&kit, cache_secret(older));
    purge_host(&kit);
    fetch(&kit, "http://a/x", NULL, kept_long, 100);
    kit.cache = newer;
    cr_assert_eq(uri_parse(SPAN("http://a/x"), &kit.arena, &uri), 0);
    cache_invalidate(kit.cache, &uri, SPAN("t"), &kit.arena);
    cache_close(&older);
    cr_assert_eq(cache_open_late(kit.cache), 0);
    cr_expect_eq(result_of(&kit, "http://b/x", NULL), CACHE_FRESH, "purged before");
    for (int round = 0; round < 2; round++) {
        cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD);
        reopen(&kit);
    }
    kit_close(&kit);
}

Test(cache, what_a_store_that_failed_to_come_cannot_write_down_is_said)
{
    static const struct sip_key another = {1, 2};
    struct kit kit;
    struct purge_found found;

    kit_open(&kit, true);
    struct cache *older = kit.cache;
    kit.cache = open_beside(&kit, &another);
    cache_close(&older);
    cr_assert_neq(cache_open_late(kit.cache), 0);
    fetch(&kit, "http://a/x", NULL, kept_long, 100);
    fetch(&kit, "http://a/y", NULL, kept_long, 100);
    cr_expect_not(try_purge(&kit, "http://a/x", &found));
    cr_expect_eq(found.responses, 1);
    cr_expect_eq(result_of(&kit, "http://a/x", NULL), CACHE_LEAD, "gone all the same");
    cr_expect_eq(cache_purge_scope(kit.cache, SPAN("a ")), ERR_IO);
    cr_expect_eq(result_of(&kit, "http://a/y", NULL), CACHE_LEAD);
    kit_close(&kit);
}

Test(cache, a_folder_that_could_not_be_opened_does_not_know_what_was_purged)
{
    struct kit kit;
    struct two two;

    kit_open(&kit, true);
    cache_close(&kit.cache);
    snprintf(two.path, sizeof(two.path), "%s/two", kit.path);
    FILE *file = fopen(two.path, "w"); /* no folder */
    cr_assert(file && fclose(file) == 0);
    open_two(&kit, &two);
    cr_expect_eq(cache_purge_scope(kit.cache, SPAN("a ")), ERR_IO);
    purge(&kit, "http://b/x");
    cache_close(&kit.cache);
    cr_assert_eq(unlink(two.path), 0);
    open_two(&kit, &two);
    cr_expect_eq(cache_purge_scope(kit.cache, SPAN("a ")), 0, "it is there again");
    kit_close(&kit);
}
