#include "heads.h"

#include "base/check.h"

#include <criterion/criterion.h>

Test(policy_read_request, rfc9111_5_2_1_directives)
{
    static const struct {
        const char *fields;
        bool no_cache, no_store, only_if_cached, max_stale_any;
        int64_t max_age, min_fresh, max_stale;
    } cases[] = {
        {"", 0, 0, 0, 0, -1, -1, -1},
        {"Accept: */*|Host: a", 0, 0, 0, 0, -1, -1, -1},
        {"Cache-Control: no-cache", 1, 0, 0, 0, -1, -1, -1},
        {"Cache-Control: max-age=0, no-store", 0, 1, 0, 0, 0, -1, -1},
        {"Cache-Control: min-fresh=30|Cache-Control: max-stale=7", 0, 0, 0, 0, -1, 30, 7},
        {"Cache-Control: max-stale", 0, 0, 0, 1, -1, -1, -1},
        {"Cache-Control: only-if-cached", 0, 0, 1, 0, -1, -1, -1},
        {"Pragma: no-cache", 1, 0, 0, 0, -1, -1, -1},
        {"Pragma: foo, NO-CACHE", 1, 0, 0, 0, -1, -1, -1},
        {"Pragma: foo", 0, 0, 0, 0, -1, -1, -1},
        /* Pragma counts only without Cache-Control (5.4) */
        {"Pragma: no-cache|Cache-Control: max-age=5", 0, 0, 0, 0, 5, -1, -1},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head head;
        struct policy_request request;
        const char *what = cases[i].fields;
        head_request(&head, &arena, METHOD_GET, what);
        policy_read_request(&head, &policy_defaults, &request);
        cr_expect(request.lookup, "%s", what);
        cr_expect_eq(request.control.no_cache, cases[i].no_cache, "%s", what);
        cr_expect_eq(request.control.no_store, cases[i].no_store, "%s", what);
        cr_expect_eq(request.control.only_if_cached, cases[i].only_if_cached, "%s", what);
        cr_expect_eq(request.control.max_stale_any, cases[i].max_stale_any, "%s", what);
        head_expect(request.control.max_age, cases[i].max_age, what, "max-age");
        head_expect(request.control.min_fresh, cases[i].min_fresh, what, "min-fresh");
        head_expect(request.control.max_stale, cases[i].max_stale, what, "max-stale");
    }
    arena_fini(&arena);
}

Test(policy_read_request, which_requests_the_cache_answers)
{
    static const struct {
        const char *what;
        enum http_method method;
        const char *fields;
        enum http_framing framing;
        int64_t length;
        enum reason reason;
        bool range, authorization;
    } cases[] = {
        {"GET", METHOD_GET, "", BODY_NONE, -1, REASON_NONE, 0, 0},
        {"HEAD", METHOD_HEAD, "", BODY_NONE, -1, REASON_NONE, 0, 0},
        {"POST", METHOD_POST, "", BODY_LENGTH, 3, REASON_METHOD, 0, 0},
        {"PUT without a body", METHOD_PUT, "", BODY_NONE, -1, REASON_METHOD, 0, 0},
        {"unknown method", METHOD_OTHER, "", BODY_NONE, -1, REASON_METHOD, 0, 0},
        {"OPTIONS", METHOD_OPTIONS, "", BODY_NONE, -1, REASON_METHOD, 0, 0},
        {"GET with a body", METHOD_GET, "", BODY_LENGTH, 3, REASON_REQUEST_BODY, 0, 0},
        {"GET, chunked", METHOD_GET, "", BODY_CHUNKED, -1, REASON_REQUEST_BODY, 0, 0},
        {"GET, HTTP/2 body", METHOD_GET, "", BODY_STREAM, -1, REASON_REQUEST_BODY, 0, 0},
        {"HEAD with a body", METHOD_HEAD, "", BODY_LENGTH, 1, REASON_REQUEST_BODY, 0, 0},
        {"Content-Length: 0 is no body", METHOD_GET, "", BODY_LENGTH, 0, REASON_NONE, 0, 0},
        {"Range", METHOD_GET, "Range: bytes=0-1", BODY_NONE, -1, REASON_NONE, 1, 0},
        {"Range means nothing to HEAD", METHOD_HEAD, "Range: bytes=0-1", BODY_NONE, -1, REASON_NONE,
         0, 0},
        {"credentials", METHOD_GET, "Authorization: Basic YTpi", BODY_NONE, -1, REASON_NONE, 0, 1},
        {"a cookie does not matter", METHOD_GET, "Cookie: a=b", BODY_NONE, -1, REASON_NONE, 0, 0},
        {"If-None-Match is ours", METHOD_GET, "If-None-Match: \"a\"", BODY_NONE, -1, REASON_NONE, 0,
         0},
        {"If-Match is the origin's", METHOD_GET, "If-Match: \"a\"", BODY_NONE, -1,
         REASON_CONDITIONAL, 0, 0},
        {"If-Unmodified-Since may be ignored", METHOD_GET, "If-Unmodified-Since: @0", BODY_NONE, -1,
         REASON_NONE, 0, 0},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head head;
        struct policy_request request;
        head_request(&head, &arena, cases[i].method, cases[i].fields);
        head.framing = cases[i].framing;
        head.content_length = cases[i].length;
        policy_read_request(&head, &policy_defaults, &request);
        cr_expect_eq(request.reason, cases[i].reason, "%s", cases[i].what);
        cr_expect_eq(request.lookup, cases[i].reason == REASON_NONE, "%s", cases[i].what);
        cr_expect_eq(request.has_range, cases[i].range, "%s", cases[i].what);
        cr_expect_eq(request.authorization, cases[i].authorization, "%s", cases[i].what);
    }
    arena_fini(&arena);
}

Test(policy_read_request, clients_may_bypass_no)
{
    struct policy_settings settings = policy_defaults;
    struct policy_request request;
    struct http_head head;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    settings.ignore_client_control = true;
    head_request(&head, &arena, METHOD_GET,
                 "Cache-Control: no-cache, max-age=0, min-fresh=9, no-store, max-stale=3, "
                 "only-if-cached");
    policy_read_request(&head, &settings, &request);
    cr_expect(!request.control.no_cache);
    head_expect(request.control.max_age, -1, "bypass", "max-age");
    head_expect(request.control.min_fresh, -1, "bypass", "min-fresh");
    /* what does not go past the cache still counts */
    cr_expect(request.control.no_store);
    cr_expect(request.control.only_if_cached);
    head_expect(request.control.max_stale, 3, "bypass", "max-stale");

    head_request(&head, &arena, METHOD_GET, "Pragma: no-cache");
    policy_read_request(&head, &settings, &request);
    cr_expect(!request.control.no_cache);
    arena_fini(&arena);
}
