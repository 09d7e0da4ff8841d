/* Lines of a request, an empty line, lines of a response: what no pair of heads may lead to. */
#include "base/check.h"
#include "cache/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_fields(struct span *rest, struct http_fields *fields)
{
    while (rest->len) {
        struct span line = span_cut(rest, '\n');
        if (line.len == 0) {
            return;
        }
        struct span name = span_cut(&line, ':');
        fields_add(fields, name, span_trim(line));
    }
}

static void check_reuse(const struct policy_request *request, const struct freshness *freshness,
                        int64_t now)
{
    int64_t age = policy_age(freshness, now);
    bool fresh = age < freshness->lifetime;
    enum reason reason;

    CHECK(age >= 0 && age <= SECONDS_MAX);
    switch (policy_reuse(request, freshness, now, &reason)) {
    case POLICY_FRESH:
        CHECK(!freshness->no_cache && !request->control.no_cache);
        CHECK(fresh || (reason == REASON_STALE_REQUEST && !freshness->must_revalidate));
        break;
    case POLICY_STALE_NOW:
        CHECK(!fresh && !freshness->no_cache && !freshness->must_revalidate);
        break;
    case POLICY_VALIDATE:
        CHECK(reason != REASON_NONE && reason != REASON_FRESH);
        break;
    }
    CHECK(!policy_stale_on_error(request, freshness, &policy_defaults, now) || fresh ||
          !freshness->must_revalidate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 204, 206, 302, 304, 404, 503, 599};
    const int64_t now = 1800000000;
    struct policy_times times = {.request = now - 1, .response = now};
    struct span rest = span_of(data, size);
    struct http_head request, response;
    struct policy_request seen;
    struct freshness freshness;
    struct http_fields kept, merged;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    head_init(&request, &arena);
    head_init(&response, &arena);
    request.method = METHOD_GET;
    response.status = statuses[size % ARRAY_LEN(statuses)];
    read_fields(&rest, &request.fields);
    read_fields(&rest, &response.fields);
    policy_read_request(&request, &policy_defaults, &seen);
    policy_freshness(&response, times, &policy_defaults, &freshness);
    CHECK(freshness.lifetime >= 0 && freshness.lifetime <= SECONDS_MAX);
    for (int64_t step = 0; step < SECONDS_MAX; step = step * 8 + 1) {
        check_reuse(&seen, &freshness, now + step);
    }
    if (policy_may_store(&request, &response, &freshness, &policy_defaults) == REASON_STORED) {
        CHECK(response.status != 206 && response.status != 304);
        CHECK(!seen.control.no_store);
    }
    fields_init(&kept, &arena, 0);
    policy_stored_fields(&response, &kept);
    CHECK(!fields_has(&kept, FIELD_CONNECTION) && !fields_has(&kept, FIELD_TRANSFER_ENCODING));
    policy_merge_304(&kept, &request.fields, &arena, &merged);
    CHECK(fields_count(&merged, FIELD_CONTENT_LENGTH) == fields_count(&kept, FIELD_CONTENT_LENGTH));
    policy_make_conditional(&request.fields, &kept);
    CHECK(!fields_has(&request.fields, FIELD_RANGE));
    arena_fini(&arena);
    return 0;
}
