#include "tests/unit/cache/cache_kit.h"

#include "base/mem.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>

const char *const fresh[] = {"Cache-Control: max-age=60", "ETag: \"1\"", NULL};
const char *const fresh_untagged[] = {"Cache-Control: max-age=60", NULL};
const char *const varies[] = {"Cache-Control: max-age=60", "Vary: Accept-Encoding", NULL};
const char *const gzip[] = {"Accept-Encoding: gzip", NULL};
const char *const br[] = {"Accept-Encoding: br", NULL};

void cache_kit_wake(void *arg)
{
    ++((struct cache_kit *)arg)->wakes;
}

void cache_kit_open(struct cache_kit *kit, bool with_store)
{
    *kit = (struct cache_kit){.now = 1000000};
    arena_init(&kit->arena, NULL, 0);
    strcpy(kit->path, "/tmp/larder-cache-XXXXXX");
    cr_assert_not_null(mkdtemp(kit->path));
    struct store_dir dir = {kit->path, 64 << 20};
    struct cache_options options = {.dirs = &dir, .dir_count = with_store, .memory = 32 << 20};
    cr_assert_eq(cache_open(&options, &kit->cache), 0);
}

void cache_kit_close(struct cache_kit *kit)
{
    char command[64];

    cache_close(&kit->cache);
    arena_fini(&kit->arena);
    snprintf(command, sizeof(command), "rm -r %s", kit->path);
    cr_assert_eq(system(command), 0);
}

struct cache *cache_kit_beside(const struct cache_kit *kit, const struct sip_key *late)
{
    struct cache *cache = NULL;
    struct store_dir dir = {kit->path, 64 << 20};
    struct cache_options options = {.dirs = &dir, .dir_count = 1, .memory = 32 << 20, .late = late};

    cr_assert_eq(cache_open(&options, &cache), 0);
    return cache;
}

void cache_kit_reopen(struct cache_kit *kit)
{
    cache_close(&kit->cache);
    kit->cache = cache_kit_beside(kit, NULL);
}

void add_lines(struct http_fields *fields, const char *const *lines)
{
    for (; lines && *lines; lines++) {
        struct span rest = span_str(*lines);
        struct span name = span_cut(&rest, ':');
        fields_add(fields, name, span_trim(rest));
    }
}

void ask_after(struct cache_kit *kit, const char *url, const char *const *lines,
               struct flight *failed, struct asked *try)
{
    *try = (struct asked){.decision = DECISION_INIT};
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
        .failed = failed,
        .waker = {cache_kit_wake, kit},
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

void ask(struct cache_kit *kit, const char *url, const char *const *lines, struct asked *try)
{
    ask_after(kit, url, lines, NULL, try);
}

struct object *answer_as(struct cache_kit *kit, struct asked *try, const char *const *lines,
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

struct object *answer(struct cache_kit *kit, struct asked *try, const char *const *lines,
                      size_t body)
{
    return answer_as(kit, try, lines, body, REASON_STORED);
}

void finish(struct cache_kit *kit, struct asked *try, struct object *object, size_t body)
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

void fetch(struct cache_kit *kit, const char *url, const char *const *request,
           const char *const *response, size_t body)
{
    struct asked try;

    ask(kit, url, request, &try);
    cr_assert_eq(try.result, CACHE_LEAD, "%s: got %d", url, try.result);
    finish(kit, &try, answer(kit, &try, response, body), body);
}

void fetch_numbered(struct cache_kit *kit, const char *url, int n)
{
    const char *etag = arena_printf(&kit->arena, "ETag: \"%d\"", n).at;
    const char *request[] = {arena_printf(&kit->arena, "Foo: %d", n).at, NULL};
    const char *response[] = {"Cache-Control: max-age=60", "Vary: Foo", etag, NULL};

    fetch(kit, url, request, response, 10);
}

enum cache_result result_of(struct cache_kit *kit, const char *url, const char *const *request)
{
    struct asked try;

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

void expect_length(struct cache_kit *kit, enum cache_result result, int64_t length)
{
    struct asked try;

    ask(kit, "http://a/x", NULL, &try);
    cr_expect_eq(try.result, result);
    cr_assert_not_null(try.lookup.object);
    cr_expect_eq(try.lookup.object->body_len, length);
    if (try.lookup.lead) {
        cache_abandon(kit->cache, try.lookup.member.flight, 0);
    }
    lookup_fini(&try.lookup);
}

void confirm(struct cache_kit *kit, struct asked *try)
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

void begin_part(struct cache_kit *kit, const char *url, uint64_t length, int64_t whole,
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

void end_part(struct cache_kit *kit, struct part *part)
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

void fetch_part(struct cache_kit *kit, const char *url, uint64_t length, int64_t whole)
{
    struct part part;

    begin_part(kit, url, length, whole, &part);
    end_part(kit, &part);
}
