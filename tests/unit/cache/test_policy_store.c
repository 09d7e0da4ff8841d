#include "heads.h"

#include "base/check.h"
#include "cache/policy.h"

#include <criterion/criterion.h>

static const struct policy_times received = {.request = NOW, .response = NOW};

static struct uri uri_of(const char *text, struct arena *arena)
{
    struct uri uri;

    cr_assert_eq(uri_parse(span_str(text), arena, &uri), 0, "%s", text);
    return uri;
}

/* ---- storing ---- */

struct store_case {
    const char *request;
    int status;
    const char *response;
    enum reason reason;
};

static void expect_store(const struct store_case *cases, size_t count,
                         const struct policy_settings *settings)
{
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < count; i++) {
        struct http_head request, response;
        struct freshness freshness;
        enum reason reason;
        head_request(&request, &arena, METHOD_GET, cases[i].request);
        head_response(&response, &arena, cases[i].status, cases[i].response);
        policy_freshness(&response, received, settings, &freshness);
        reason = policy_may_store(&request, &response, &freshness, settings);
        cr_expect_eq(reason, cases[i].reason, "%s / %d %s: %.*s", cases[i].request, cases[i].status,
                     cases[i].response, SPAN_ARGS(reason_word(reason)));
    }
    arena_fini(&arena);
}

Test(policy_may_store, rfc9111_3_directives)
{
    static const struct store_case cases[] = {
        {"", 200, "Cache-Control: max-age=60", REASON_STORED},
        {"", 200, "Cache-Control: max-age=60, no-store", REASON_RESPONSE_NO_STORE},
        {"", 200, "Cache-Control: No-StOrE, s-maxage=60", REASON_RESPONSE_NO_STORE},
        {"", 200, "Cache-Control: max-age=60, PRIVATE", REASON_PRIVATE},
        {"", 200, "Cache-Control: private=\"set-cookie\", max-age=60", REASON_PRIVATE},
        {"", 200, "Cache-Control: a=\"no-store\", max-age=60", REASON_STORED},
        {"", 200, "Expires: @60|Date: @0|Cache-Control: private", REASON_PRIVATE},
        {"Cache-Control: no-store", 200, "Cache-Control: max-age=60", REASON_REQUEST_NO_STORE},
        {"Cookie: a=b", 200, "Cache-Control: max-age=60", REASON_STORED},
        {"Cache-Control: no-cache", 200, "Cache-Control: max-age=60", REASON_STORED},
        /* no-cache is stored when it can be validated */
        {"", 200, "Cache-Control: no-cache, max-age=60|ETag: \"a\"", REASON_STORED},
        {"", 200, "Cache-Control: no-cache|ETag: \"a\"", REASON_STORED},
        {"", 200, "Cache-Control: no-cache, max-age=60", REASON_NO_LIFETIME},
        {"", 200, "Cache-Control: no-cache, stale-while-revalidate=60", REASON_NO_LIFETIME},
    };
    expect_store(cases, ARRAY_LEN(cases), &policy_defaults);
}

Test(policy_may_store, rfc9111_3_lifetime_or_validator)
{
    static const struct store_case cases[] = {
        {"", 200, "", REASON_NO_LIFETIME},
        {"", 200, "ETag: \"a\"", REASON_STORED},
        {"", 200, "Last-Modified: @-100", REASON_STORED},
        {"", 200, "Last-Modified: yesterday", REASON_NO_LIFETIME},
        {"", 200, "Cache-Control: max-age=0", REASON_NO_LIFETIME},
        {"", 200, "Cache-Control: max-age=0|ETag: \"a\"", REASON_STORED},
        {"", 200, "Cache-Control: max-age=60|Age: 60", REASON_NO_LIFETIME},
        {"", 200, "Cache-Control: max-age=0, stale-while-revalidate=60", REASON_STORED},
        {"", 200, "Cache-Control: max-age=0, stale-if-error=60", REASON_STORED},
        {"", 200, "Cache-Control: s-maxage=0, stale-if-error=60", REASON_NO_LIFETIME},
        {"", 200, "Expires: 0", REASON_NO_LIFETIME},
        {"", 200, "Expires: 0|Last-Modified: @-100", REASON_STORED},
    };
    expect_store(cases, ARRAY_LEN(cases), &policy_defaults);
}

Test(policy_may_store, any_final_status_with_a_lifetime)
{
    static const int stored[] = {200, 203, 204, 299, 301, 302, 303, 307, 308,
                                 400, 404, 410, 499, 500, 502, 503, 504, 599};

    for (size_t i = 0; i < ARRAY_LEN(stored); i++) {
        const struct store_case cases[] = {
            {"", stored[i], "Cache-Control: max-age=60", REASON_STORED},
            {"", stored[i], "Expires: @60|Date: @0", REASON_STORED},
            {"", stored[i], "Expires: @-60|Date: @0", REASON_NO_LIFETIME},
        };
        expect_store(cases, ARRAY_LEN(cases), &policy_defaults);
    }
}

Test(policy_may_store, statuses_without_a_lifetime)
{
    static const struct store_case cases[] = {
        {"", 404, "Last-Modified: @-100", REASON_STORED},
        {"", 403, "Last-Modified: @-100", REASON_STATUS},
        {"", 503, "ETag: \"a\"", REASON_STATUS},
        {"", 599, "Last-Modified: @-100", REASON_STATUS},
        {"", 599, "Last-Modified: @-100|Cache-Control: public", REASON_STORED},
        /* they speak about one request or one hop */
        {"", 206, "Cache-Control: max-age=60", REASON_PARTIAL},
        {"", 304, "Cache-Control: max-age=60", REASON_CONDITIONAL},
        {"", 412, "Cache-Control: max-age=60", REASON_CONDITIONAL},
        {"", 416, "Cache-Control: max-age=60", REASON_RANGE},
        {"", 407, "Cache-Control: max-age=60", REASON_STATUS},
        /* RFC 6585: never */
        {"", 428, "Cache-Control: max-age=60, public", REASON_STATUS},
        {"", 429, "Cache-Control: max-age=60, public", REASON_STATUS},
        {"", 431, "Cache-Control: max-age=60, public", REASON_STATUS},
        {"", 511, "Cache-Control: max-age=60, public", REASON_STATUS},
        {"", 103, "Cache-Control: max-age=60", REASON_STATUS},
        {"", 200, "Cache-Control: max-age=60|Content-Range: bytes 0-1/2", REASON_STORED},
    };
    expect_store(cases, ARRAY_LEN(cases), &policy_defaults);
}

Test(policy_may_store, rfc9111_5_2_2_3_must_understand)
{
    static const struct store_case cases[] = {
        {"", 200, "Cache-Control: max-age=60, must-understand, no-store", REASON_STORED},
        {"", 599, "Cache-Control: max-age=60, must-understand, no-store", REASON_MUST_UNDERSTAND},
        {"", 599, "Cache-Control: max-age=60, must-understand", REASON_MUST_UNDERSTAND},
        {"", 200, "Cache-Control: max-age=60, must-understand, private", REASON_PRIVATE},
    };
    expect_store(cases, ARRAY_LEN(cases), &policy_defaults);
}

Test(policy_may_store, rfc9111_3_5_authorization)
{
    static const struct store_case cases[] = {
        {"Authorization: x", 200, "Cache-Control: max-age=60", REASON_AUTHORIZATION},
        {"Authorization: x", 200, "Last-Modified: @-100", REASON_AUTHORIZATION},
        {"Authorization: x", 200, "Cache-Control: max-age=60, public", REASON_STORED},
        {"Authorization: x", 200, "Cache-Control: max-age=60, must-revalidate", REASON_STORED},
        {"Authorization: x", 200, "Cache-Control: s-maxage=60", REASON_STORED},
    };
    expect_store(cases, ARRAY_LEN(cases), &policy_defaults);
}

Test(policy_may_store, vary_star)
{
    static const struct store_case cases[] = {
        {"", 200, "Cache-Control: max-age=60|Vary: Accept", REASON_STORED},
        {"", 200, "Cache-Control: max-age=60|Vary: *", REASON_VARY_STAR},
        {"", 200, "Cache-Control: max-age=60|Vary: *, *", REASON_VARY_STAR},
        {"", 200, "Cache-Control: max-age=60|Vary: *|Vary: *", REASON_VARY_STAR},
        {"", 200, "Cache-Control: max-age=60|Vary: , *", REASON_VARY_STAR},
        {"", 200, "Cache-Control: max-age=60|Vary: *, Accept", REASON_VARY_STAR},
        {"", 200, "Cache-Control: max-age=60|Vary: Accept|Vary: *", REASON_VARY_STAR},
    };
    expect_store(cases, ARRAY_LEN(cases), &policy_defaults);
}

/* What the origin saw of it is nowhere in the client's request. */
Test(policy_may_store, vary_on_what_we_make_for_each_client)
{
    static const struct store_case cases[] = {
        {"", 200, "Cache-Control: max-age=60|Vary: Accept", REASON_STORED},
        {"", 200, "Cache-Control: max-age=60|Vary: X-Forwarded", REASON_STORED},
        {"", 200, "Cache-Control: max-age=60|Vary: Accept, x-forwarded-for", REASON_VARY_STAR},
        {"X-Forwarded-For: 192.0.2.1", 200, "Cache-Control: max-age=60|Vary: X-Forwarded-For",
         REASON_VARY_STAR},
    };
    struct policy_settings settings = policy_defaults;

    settings.per_client = SPAN("X-Forwarded-For");
    expect_store(cases, ARRAY_LEN(cases), &settings);
}

Test(policy_may_store, vary_on_what_only_clients_make)
{
    static const struct store_case cases[] = {
        {"", 200, "Cache-Control: max-age=60|Vary: X-Forwarded-For, Forwarded", REASON_STORED},
    };
    expect_store(cases, ARRAY_LEN(cases), &policy_defaults);
}

/* It is about what is kept, so it holds where clients may not make us ask the origin. */
Test(policy_may_store, request_no_store_though_clients_may_not_bypass)
{
    static const struct store_case cases[] = {
        {"Cache-Control: no-store", 200, "Cache-Control: max-age=60", REASON_REQUEST_NO_STORE},
        {"Cache-Control: no-cache", 200, "Cache-Control: max-age=60", REASON_STORED},
    };
    struct policy_settings settings = policy_defaults;

    settings.ignore_client_control = true;
    expect_store(cases, ARRAY_LEN(cases), &settings);
}

Test(policy_may_store, set_cookie)
{
    static const struct store_case cases[] = {
        {"", 200, "Cache-Control: max-age=60|Set-Cookie: a=b", REASON_STORED},
        {"", 200, "Last-Modified: @-1000|Set-Cookie: a=b", REASON_SET_COOKIE},
        {"", 200, "ETag: \"a\"|Cache-Control: max-age=0|Set-Cookie: a=b", REASON_SET_COOKIE},
    };
    static const struct store_case refused[] = {
        {"", 200, "Cache-Control: max-age=60|Set-Cookie: a=b", REASON_SET_COOKIE},
    };
    struct policy_settings settings = policy_defaults;

    expect_store(cases, ARRAY_LEN(cases), &policy_defaults);
    settings.refuse_set_cookie = true;
    expect_store(refused, ARRAY_LEN(refused), &settings);
}

Test(policy_may_store, rfc9213_targeted)
{
    static const struct span names[] = {SPAN_INIT("CDN-Cache-Control")};
    static const struct store_case cases[] = {
        {"", 200, "CDN-Cache-Control: max-age=60|Cache-Control: no-store", REASON_STORED},
        {"", 200, "CDN-Cache-Control: no-store|Cache-Control: max-age=60",
         REASON_RESPONSE_NO_STORE},
        {"", 200, "CDN-Cache-Control: private|Cache-Control: max-age=60", REASON_PRIVATE},
    };
    struct policy_settings settings = policy_defaults;

    settings.targeted = names;
    settings.targeted_count = ARRAY_LEN(names);
    expect_store(cases, ARRAY_LEN(cases), &settings);
}

Test(policy_may_store, methods_and_bodies)
{
    struct http_head request, response;
    struct freshness freshness;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    head_response(&response, &arena, 200, "Cache-Control: max-age=60");
    policy_freshness(&response, received, &policy_defaults, &freshness);

    static const enum http_method others[] = {METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_OTHER};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        head_request(&request, &arena, others[i], "");
        cr_expect_eq(policy_may_store(&request, &response, &freshness, &policy_defaults),
                     REASON_METHOD);
    }
    head_request(&request, &arena, METHOD_GET, "");
    request.framing = BODY_LENGTH;
    request.content_length = 4;
    cr_expect_eq(policy_may_store(&request, &response, &freshness, &policy_defaults),
                 REASON_REQUEST_BODY);
    arena_fini(&arena);
}

Test(policy_may_store_post, rfc9110_9_3_3)
{
    static const struct {
        int status;
        const char *response;
        enum reason reason;
    } cases[] = {
        {200, "Cache-Control: max-age=60|Content-Location: http://a/x?y", REASON_STORED},
        {200, "Cache-Control: max-age=60|Content-Location: /x?y", REASON_STORED},
        {200, "Cache-Control: max-age=60|Content-Location: http://A:80/x?y", REASON_STORED},
        {200, "Cache-Control: max-age=60|Content-Location: /other", REASON_METHOD},
        {200, "Cache-Control: max-age=60|Content-Location: http://b/x?y", REASON_METHOD},
        {200, "Cache-Control: max-age=60|Content-Location: https://a/x?y", REASON_METHOD},
        {200, "Cache-Control: max-age=60", REASON_METHOD},
        {500, "Cache-Control: max-age=60|Content-Location: /x?y", REASON_METHOD},
        {200, "Last-Modified: @-99|Content-Location: /x?y", REASON_NO_LIFETIME},
        {200, "Cache-Control: no-store, max-age=9|Content-Location: /x?y",
         REASON_RESPONSE_NO_STORE},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    struct uri target = uri_of("http://a/x?y", &arena);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head request, response;
        struct freshness freshness;
        head_request(&request, &arena, METHOD_POST, "");
        request.framing = BODY_LENGTH;
        request.content_length = 3;
        head_response(&response, &arena, cases[i].status, cases[i].response);
        policy_freshness(&response, received, &policy_defaults, &freshness);
        cr_expect_eq(policy_may_store_post(&request, &response, &freshness, &policy_defaults,
                                           &target, &arena),
                     cases[i].reason, "%s", cases[i].response);
    }
    arena_fini(&arena);
}

/* ---- fields ---- */

Test(policy_stored_fields, rfc9111_3_1)
{
    static const struct {
        const char *received, *stored;
    } cases[] = {
        {"X-Own: a|Set-Cookie: b=c|Set-Cookie2: d|Content-Encoding: gzip|Content-MD5: x",
         "X-Own: a|Set-Cookie: b=c|Set-Cookie2: d|Content-Encoding: gzip|Content-MD5: x"},
        {"Content-Range: bytes 0-1/2|Clear-Site-Data: \"cookies\"|Public-Key-Pins: p",
         "Content-Range: bytes 0-1/2|Clear-Site-Data: \"cookies\"|Public-Key-Pins: p"},
        {"Connection: close, X-Hop|X-Hop: 1|X-Own: a", "X-Own: a"},
        {"Keep-Alive: x|Proxy-Authenticate: x|Proxy-Authentication-Info: x|A: b", "A: b"},
        {"Proxy-Authorization: x|Proxy-Connection: x|TE: x|Transfer-Encoding: x|Upgrade: x|A: b",
         "A: b"},
        {"Age: 5|A: b", "Age: 5|A: b"},
        {"Date: yesterday", "Date: yesterday"},
        /* obsolete, and nobody's to drop (RFC 9111 5.5) */
        {"Warning: 110 a \"stale\"|A: b", "Warning: 110 a \"stale\"|A: b"},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head head;
        struct http_fields stored;
        head_response(&head, &arena, 200, cases[i].received);
        fields_init(&stored, &arena, 4);
        policy_stored_fields(&head, &stored);
        cr_expect(head_fields_are(&stored, cases[i].stored), "%s", cases[i].received);
    }
    arena_fini(&arena);
}

Test(policy_merge_304, rfc9111_3_2)
{
    static const struct {
        const char *stored, *update, *merged;
    } cases[] = {
        {"A: 1|B: 2", "B: 3", "A: 1|B: 3"},
        {"A: 1|B: 2", "", "A: 1|B: 2"},
        {"X-A: 1|Content-Foo: 1|Cache-Control: max-age=1",
         "x-a: 2|content-foo: 2|Cache-Control: max-age=9",
         "x-a: 2|content-foo: 2|Cache-Control: max-age=9"},
        {"A: 1|A: 2|B: 1", "A: 3|A: 4", "B: 1|A: 3|A: 4"},
        {"A: 1", "B: 2", "A: 1|B: 2"},
        {"Content-Length: 5", "Content-Length: 0", "Content-Length: 5"},
        {"A: 1", "Content-Length: 0", "A: 1"},
        {"Content-Encoding: gzip", "Content-Encoding: br", "Content-Encoding: gzip"},
        {"A: 1", "Content-Range: bytes 0-1/2", "A: 1"},
        {"A: 1", "Connection: B|B: 2|Transfer-Encoding: chunked|C: 3", "A: 1|C: 3"},
        {"Content-Type: a/b|Set-Cookie: a=b|Vary: Foo",
         "Content-Type: c/d|Set-Cookie: e=f|Vary: Bar",
         "Content-Type: c/d|Set-Cookie: e=f|Vary: Bar"},
        {"ETag: \"a\"|Expires: @60", "ETag: W/\"a\"|Expires: @99|Date: @0",
         "ETag: W/\"a\"|Expires: Fri, 15 Jan 2027 08:01:39 GMT|Date: Fri, 15 Jan 2027 08:00:00 "
         "GMT"},
        /* bytes that the origin has compressed are not those that the strong tag names */
        {"ETag: W/\"a\"|A: 1", "ETag: \"a\"|A: 2", "ETag: W/\"a\"|A: 2"},
        {"ETag: W/\"a\"", "ETag: \"b\"", "ETag: \"b\""},
        {"Warning: 110 a b", "", "Warning: 110 a b"},
        {"A: 1", "Keep-Alive: x|Proxy-Authenticate: x|Trailer: x|Upgrade: x", "A: 1"},
        /* the age of the 304, never the one stored */
        {"Age: 9|A: 1", "", "A: 1"},
        {"A: 1", "Age: 4", "A: 1|Age: 4"},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head stored, update;
        struct http_fields merged;
        head_response(&stored, &arena, 200, cases[i].stored);
        head_response(&update, &arena, 304, cases[i].update);
        policy_merge_304(&stored.fields, &update.fields, &arena, &merged);
        cr_expect(head_fields_are(&merged, cases[i].merged), "%s + %s", cases[i].stored,
                  cases[i].update);
    }
    arena_fini(&arena);
}

/* ---- invalidation ---- */

Test(policy_invalidates, rfc9111_4_4)
{
    static const struct {
        enum http_method method;
        int status;
        bool want;
    } cases[] = {
        {METHOD_POST, 200, true},     {METHOD_PUT, 204, true},    {METHOD_DELETE, 302, true},
        {METHOD_OTHER, 200, true},    {METHOD_PATCH, 200, true},  {METHOD_POST, 500, false},
        {METHOD_POST, 404, false},    {METHOD_GET, 200, false},   {METHOD_HEAD, 200, false},
        {METHOD_OPTIONS, 200, false}, {METHOD_TRACE, 200, false}, {METHOD_CONNECT, 200, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(policy_invalidates(cases[i].method, cases[i].status), cases[i].want, "row %zu",
                     i);
    }
}

Test(policy_also_invalidates, rfc9111_4_4_same_origin_only)
{
    static const struct {
        const char *response;
        size_t count;
        const char *first;
    } cases[] = {
        {"", 0, ""},
        {"Location: /new", 1, "/new"},
        {"Content-Location: http://a/cl?q", 1, "/cl?q"},
        {"Location: /new|Content-Location: /cl", 2, "/new"},
        {"Location: http://b/new|Content-Location: /cl", 1, "/cl"},
        {"Location: https://a/new", 0, ""},
        {"Location: http://a:81/new", 0, ""},
        {"Location: ftp://a/new", 0, ""},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    struct uri target = uri_of("http://a/dir/x", &arena);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head response;
        struct uri also[POLICY_ALSO_MAX];
        size_t count;
        head_response(&response, &arena, 200, cases[i].response);
        count = policy_also_invalidates(&target, &response.fields, &arena, also);
        cr_assert_eq(count, cases[i].count, "%s", cases[i].response);
        cr_expect(count == 0 || span_eq(also[0].path, span_str(cases[i].first)), "%s",
                  cases[i].response);
    }
    arena_fini(&arena);
}
