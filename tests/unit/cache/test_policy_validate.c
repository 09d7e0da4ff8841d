#include "heads.h"

#include "base/check.h"
#include "cache/policy.h"

#include <criterion/criterion.h>

Test(policy_make_conditional, rfc9111_4_3_1)
{
    static const struct {
        const char *request, *stored, *want;
    } cases[] = {
        {"A: b", "ETag: \"x\"", "A: b|If-None-Match: \"x\""},
        {"A: b", "ETag: W/\"x\"", "A: b|If-None-Match: W/\"x\""},
        {"", "Last-Modified: then", "If-Modified-Since: then"},
        {"", "ETag: \"x\"|Last-Modified: then", "If-None-Match: \"x\"|If-Modified-Since: then"},
        {"If-None-Match: \"old\"|If-Modified-Since: before|Range: bytes=0-1|If-Range: \"old\"",
         "ETag: \"x\"", "If-None-Match: \"x\""},
        {"If-None-Match: \"old\"|Range: bytes=0-1", "A: b", ""},
        {"", "ETag: *", ""},
        {"", "ETag: \"a\", \"b\"", ""},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head request, stored;
        head_request(&request, &arena, METHOD_GET, cases[i].request);
        head_response(&stored, &arena, 200, cases[i].stored);
        policy_make_conditional(&request.fields, &stored.fields);
        cr_expect(head_fields_are(&request.fields, cases[i].want), "%s + %s", cases[i].request,
                  cases[i].stored);
    }
    arena_fini(&arena);
}

/* The freshness of a merged head that came `at` seconds after the stored one. */
static struct freshness freshness_at(const struct http_head *head, int64_t at)
{
    struct policy_times times = {NOW + at, NOW + at};
    struct freshness freshness;

    policy_freshness(head, times, &policy_defaults, &freshness);
    return freshness;
}

Test(policy_only_confirms, but_for_the_date_nothing_has_changed)
{
    static const struct {
        const char *stored, *renewed;
        bool want;
    } cases[] = {
        {"Cache-Control: no-cache|A: 1", "Cache-Control: no-cache|A: 1", true},
        {"Cache-Control: max-age=0|Date: @0", "Cache-Control: max-age=0|Date: @10", true},
        {"Cache-Control: no-cache, max-age=9|Date: @0",
         "Cache-Control: no-cache, max-age=9|Date: @10", true},
        {"Cache-Control: no-cache|A: 1", "Cache-Control: no-cache|A: 2", false},
        {"Cache-Control: no-cache|A: 1", "Cache-Control: no-cache|B: 1", false},
        {"Cache-Control: no-cache|A: 1", "Cache-Control: no-cache", false},
        {"Cache-Control: no-cache", "Cache-Control: no-cache|A: 1", false},
        /* what became fresh again, is to be so after a restart */
        {"Cache-Control: max-age=60|Date: @0", "Cache-Control: max-age=60|Date: @10", false},
        {"Cache-Control: max-age=0|Expires: @60", "Cache-Control: max-age=60|Expires: @60", false},
        /* the same fields, but a lifetime by Expires that is over */
        {"Expires: @5|Date: @0", "Expires: @5|Date: @10", false},
        {"Expires: @-5|Date: @0", "Expires: @-5|Date: @10", true},
        /* it was made before what is stored, which would pass for younger */
        {"Cache-Control: no-cache|Via: 1.0 a|Date: @0",
         "Cache-Control: no-cache|Via: 1.0 a|Date: @-1", false},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head stored, renewed;
        head_response(&stored, &arena, 200, cases[i].stored);
        head_response(&renewed, &arena, 200, cases[i].renewed);
        struct freshness was = freshness_at(&stored, 0), is = freshness_at(&renewed, 10);
        cr_expect_eq(policy_only_confirms(&(struct policy_stored){&stored.fields, &was, true},
                                          &(struct policy_stored){&renewed.fields, &is, true}),
                     cases[i].want, "%s + %s", cases[i].stored, cases[i].renewed);
    }
    arena_fini(&arena);
}

Test(policy_304_selects, rfc9111_4_3_4)
{
    static const struct {
        const char *stored, *update;
        bool want;
    } cases[] = {
        {"ETag: \"a\"", "ETag: \"a\"", true},
        {"ETag: \"a\"", "ETag: \"b\"", false},
        {"ETag: W/\"a\"", "ETag: W/\"a\"", true},
        {"ETag: \"a\"", "ETag: W/\"a\"", true},
        {"ETag: W/\"a\"", "ETag: \"a\"", false}, /* a strong validator needs the same strong one */
        {"ETag: W/\"a\"", "ETag: W/\"b\"", false},
        {"ETag: \"a\"", "", true},
        {"ETag: \"a\"", "Last-Modified: @-60", false},
        {"ETag: \"a\"|Last-Modified: @-60", "Last-Modified: @-60", true},
        {"Last-Modified: @-60", "Last-Modified: @-60", true},
        {"Last-Modified: @-60", "Last-Modified: @-61", false},
        {"Last-Modified: @-60", "", true},
        {"Last-Modified: @-60", "ETag: \"a\"", false},
        /* the strong tag is new; a date is as good only when nothing can have changed behind it */
        {"Last-Modified: @-60", "ETag: \"a\"|Last-Modified: @-60", false},
        {"Last-Modified: @-60|Date: @-59", "ETag: \"a\"|Last-Modified: @-60", false},
        {"Last-Modified: @-60|Date: @0", "ETag: \"a\"|Last-Modified: @-60", true},
        {"Last-Modified: @-60", "ETag: W/\"a\"|Last-Modified: @-60", true},
        /* what the origin compresses has the tag made weak, its 304 has the tag as it was */
        {"ETag: W/\"a\"|Last-Modified: @-60|Date: @0", "ETag: \"a\"|Last-Modified: @-60", true},
        {"ETag: W/\"a\"|Last-Modified: @-60|Date: @0", "ETag: \"a\"|Last-Modified: @-61", false},
        {"ETag: W/\"a\"|Last-Modified: @-60|Date: @0", "ETag: \"b\"|Last-Modified: @-60", false},
        {"ETag: W/\"a\"|Last-Modified: @-60|Date: @-1", "ETag: \"a\"|Last-Modified: @-60", false},
        {"ETag: \"a\"|Last-Modified: @-60|Date: @0", "ETag: \"b\"|Last-Modified: @-60", false},
        /* without quotes it is no entity-tag */
        {"ETag: a|Last-Modified: @-60", "ETag: a|Last-Modified: @-60", true},
        {"ETag: a|Last-Modified: @-60", "ETag: a|Last-Modified: @-61", false},
        {"ETag: \"a\"|Last-Modified: @-60", "ETag: \"a\"|Last-Modified: @0", true},
        {"", "", true},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head stored, update;
        head_response(&stored, &arena, 200, cases[i].stored);
        head_response(&update, &arena, 304, cases[i].update);
        cr_expect_eq(policy_304_selects(&stored.fields, &update.fields), cases[i].want, "%s / %s",
                     cases[i].stored, cases[i].update);
    }
    arena_fini(&arena);
}

Test(policy_judge_head, rfc9111_4_3_5)
{
    static const struct {
        const char *stored, *head;
        enum policy_head want;
    } cases[] = {
        {"ETag: \"a\"", "", HEAD_DIFFERS}, /* it says nothing of what is stored */
        {"ETag: \"a\"", "Content-Length: 10", HEAD_DIFFERS},
        {"ETag: \"a\"|Last-Modified: @0", "Last-Modified: @0", HEAD_CONFIRMS},
        {"Last-Modified: @0", "", HEAD_DIFFERS},
        {"Last-Modified: @0", "Last-Modified: @0", HEAD_CONFIRMS},
        {"", "", HEAD_PROVES_NOTHING},
        {"", "Cache-Control: max-age=60", HEAD_PROVES_NOTHING},
        {"", "Content-Length: 10", HEAD_CONFIRMS},
        {"", "Content-Length: 11", HEAD_DIFFERS},
        {"ETag: a", "Content-Length: 10", HEAD_CONFIRMS}, /* without quotes it is no entity-tag */
        {"ETag: a", "", HEAD_PROVES_NOTHING},
        {"ETag: \"a\"", "ETag: \"a\"|Content-Length: 10", HEAD_CONFIRMS},
        {"ETag: \"a\"", "ETag: \"b\"", HEAD_DIFFERS},
        {"", "ETag: \"b\"", HEAD_DIFFERS},
        {"ETag: \"a\"", "Content-Length: 11", HEAD_DIFFERS},
        {"ETag: \"a\"", "Content-Length: x", HEAD_DIFFERS},
        {"Last-Modified: @0", "Last-Modified: @1", HEAD_DIFFERS},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_head stored, head;
        head_response(&stored, &arena, 200, cases[i].stored);
        head_response(&head, &arena, 200, cases[i].head);
        cr_expect_eq(policy_judge_head(&stored.fields, 10, &head.fields), cases[i].want, "%s / %s",
                     cases[i].stored, cases[i].head);
    }
    arena_fini(&arena);
}

/* ---- several stored responses ---- */

/* "+" in front of a row's fields: its Vary matches the request. */
static size_t read_stored(const char *const rows[], struct arena *arena,
                          struct policy_stored out[POLICY_STORED_MAX])
{
    size_t count = 0;

    for (; count < POLICY_STORED_MAX && rows[count]; count++) {
        struct http_head *head = arena_alloc(arena, sizeof(*head));
        struct freshness *freshness = arena_alloc(arena, sizeof(*freshness));
        const char *fields = rows[count];
        bool selected = *fields == '+';
        head_response(head, arena, 200, fields + selected);
        *freshness = (struct freshness){.response_time = NOW + (int64_t)count};
        out[count] = (struct policy_stored){&head->fields, freshness, selected};
    }
    return count;
}

Test(policy_choose, rfc9111_4_most_recent_by_date)
{
    static const struct {
        const char *stored[POLICY_STORED_MAX];
        int want;
    } cases[] = {
        {{NULL}, -1},
        {{"Date: @0", "Date: @1"}, -1},
        {{"+Date: @0", "Date: @1"}, 0},
        {{"+Date: @0", "+Date: @1"}, 1},
        {{"+Date: @1", "+Date: @0"}, 0},
        {{"+Date: @5", "Date: @9", "+Date: @7", "+Date: @6"}, 2},
        /* the same second: the last to arrive */
        {{"+Date: @0", "+Date: @0", "+Date: @0"}, 2},
        /* without a usable Date, when it arrived */
        {{"+Date: @-60", "+A: b"}, 1},
        {{"+Date: @60", "+Date: yesterday"}, 0},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy_stored stored[POLICY_STORED_MAX];
        size_t count = read_stored(cases[i].stored, &arena, stored);
        cr_expect_eq(policy_choose(stored, count), cases[i].want, "row %zu", i);
    }
    arena_fini(&arena);
}

Test(policy_make_conditional_any, rfc9111_4_3_1_one_list)
{
    static const struct {
        const char *request;
        const char *stored[POLICY_STORED_MAX];
        const char *want;
    } cases[] = {
        {"A: b", {NULL}, "A: b"},
        {"A: b", {"ETag: \"x\""}, "A: b|If-None-Match: \"x\""},
        {"", {"ETag: \"x\"", "+ETag: W/\"y\""}, "If-None-Match: \"x\", W/\"y\""},
        /* a weak one may belong to another coding as well */
        {"", {"ETag: W/\"x\""}, ""},
        {"", {"ETag: W/\"x\"", "ETag: \"y\"", "ETag: W/\"y\""}, "If-None-Match: \"y\""},
        {"", {"ETag: \"x\"", "A: b", "ETag: *", "ETag: \"z\""}, "If-None-Match: \"x\", \"z\""},
        /* each once; weak and strong are two */
        {"", {"ETag: \"x\"", "+ETag: W/\"x\"", "ETag: \"x\""}, "If-None-Match: \"x\", W/\"x\""},
        /* a tag may hold a comma */
        {"", {"ETag: \"a,b\"", "ETag: \"c\""}, "If-None-Match: \"a,b\", \"c\""},
        /* the date of the one this request selects, not of another */
        {"", {"Last-Modified: one", "Last-Modified: two"}, ""},
        {"", {"Last-Modified: one", "+Last-Modified: two"}, "If-Modified-Since: two"},
        {"",
         {"ETag: \"x\"|Last-Modified: one", "+ETag: \"y\"|Last-Modified: two"},
         "If-None-Match: \"x\", \"y\"|If-Modified-Since: two"},
        /* the client's own conditions go */
        {"If-None-Match: \"old\"|Range: bytes=0-1|If-Match: \"m\"",
         {"ETag: \"x\""},
         "If-None-Match: \"x\""},
        {"If-None-Match: \"old\"|If-Modified-Since: then", {"A: b", "+A: b"}, ""},
        {"",
         {"ETag: \"1\"", "ETag: \"2\"", "ETag: \"3\"", "ETag: \"4\"", "ETag: \"5\"", "ETag: \"6\"",
          "ETag: \"7\"", "ETag: \"8\""},
         "If-None-Match: \"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\""},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy_stored stored[POLICY_STORED_MAX];
        size_t count = read_stored(cases[i].stored, &arena, stored);
        struct http_head request;
        head_request(&request, &arena, METHOD_GET, cases[i].request);
        policy_make_conditional_any(&request.fields, stored, count, &arena);
        cr_expect(head_fields_are(&request.fields, cases[i].want), "row %zu: %s", i, cases[i].want);
    }
    arena_fini(&arena);
}

Test(policy_304_confirms, rfc9111_4_3_4_among_several)
{
    static const struct {
        const char *stored[POLICY_STORED_MAX];
        const char *update;
        int use;
        unsigned updated;
    } cases[] = {
        /* a strong validator: all that have it, the most recent answers */
        {{"+ETag: \"a\"|Date: @2", "+ETag: \"a\"|Date: @1", "+ETag: \"b\""}, "ETag: \"a\"", 0, 3},
        {{"+ETag: \"a\"", "+ETag: \"b\""}, "ETag: \"b\"", 1, 2},
        {{"+ETag: \"a\"", "+ETag: \"b\""}, "ETag: \"c\"", -1, 0},
        {{"+ETag: W/\"a\"", "+ETag: \"b\""}, "ETag: \"a\"", -1, 0},
        {{"+ETag: \"a\"", "+ETag: \"a\"|Last-Modified: @-9"},
         "ETag: \"a\"|Last-Modified: @-9",
         1,
         3},
        /* a weak one: only the most recent that has it */
        {{"+ETag: W/\"a\"|Date: @2", "+ETag: W/\"a\"|Date: @1"}, "ETag: W/\"a\"", 0, 1},
        {{"+ETag: \"a\"|Date: @1", "+ETag: W/\"a\"|Date: @2"}, "ETag: W/\"a\"", 1, 2},
        {{"+ETag: \"a\"", "+ETag: \"b\""}, "ETag: W/\"c\"", -1, 0},
        {{"+Last-Modified: @-60|Date: @0", "+Last-Modified: @-60|Date: @1"},
         "Last-Modified: @-60",
         1,
         2},
        {{"+Last-Modified: @-60", "+Last-Modified: @-90"}, "Last-Modified: @-90", 1, 2},
        {{"+Last-Modified: @-60", "+Last-Modified: @-90"}, "Last-Modified: @-91", -1, 0},
        /* none: only if there is no choice */
        {{"+A: b"}, "", 0, 1},
        {{"+ETag: \"a\""}, "", 0, 1},
        {{"+A: b", "+A: b"}, "", -1, 0},
        {{"+ETag: \"a\"", "+A: b"}, "", -1, 0},
        {{"+ETag: \"a\"", "ETag: \"b\""}, "Cache-Control: max-age=9", -1, 0},
        /* what is no entity-tag is no validator */
        {{"+ETag: \"a\"", "+ETag: b"}, "ETag: b", -1, 0},
        {{NULL}, "ETag: \"a\"", -1, 0},
        {{NULL}, "", -1, 0},
        /* Vary selects none of them, the origin does: it answers, and is not changed */
        {{"ETag: \"a\"", "ETag: \"b\""}, "ETag: \"b\"", 1, 0},
        {{"+ETag: \"a\"", "ETag: \"b\""}, "ETag: \"b\"", 1, 0},
        /* …by a strong tag: gzip and identity may have the same weak one, or date */
        {{"ETag: W/\"a\"", "ETag: \"b\""}, "ETag: W/\"a\"", -1, 0},
        {{"ETag: W/\"a\""}, "ETag: W/\"a\"", -1, 0},
        {{"ETag: W/\"a\""}, "ETag: \"a\"", -1, 0},
        {{"ETag: \"a\""}, "ETag: W/\"a\"", -1, 0},
        {{"ETag: W/\"a\"|Last-Modified: @-90"}, "ETag: W/\"a\"|Last-Modified: @-90", -1, 0},
        {{"Last-Modified: @-90|Date: @0"}, "Last-Modified: @-90", -1, 0},
        {{"Last-Modified: @-90|Date: @0"}, "ETag: \"a\"|Last-Modified: @-90", -1, 0},
        {{"ETag: \"a\""}, "", -1, 0},
        {{"+ETag: W/\"b\"", "ETag: W/\"a\""}, "ETag: W/\"a\"", -1, 0},
        /* one that Vary selects goes before a more recent one that it does not */
        {{"+ETag: \"a\"|Date: @0", "ETag: \"a\"|Date: @9"}, "ETag: \"a\"", 0, 1},
        {{"+ETag: W/\"a\"|Date: @0", "ETag: W/\"a\"|Date: @9"}, "ETag: W/\"a\"", 0, 1},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct policy_stored stored[POLICY_STORED_MAX];
        size_t count = read_stored(cases[i].stored, &arena, stored);
        struct http_head update;
        head_response(&update, &arena, 304, cases[i].update);
        struct policy_confirmed got = policy_304_confirms(stored, count, &update.fields);
        cr_expect_eq(got.use, cases[i].use, "row %zu: uses %d", i, got.use);
        cr_expect_eq(got.update, cases[i].updated, "row %zu: updates %x", i, got.update);
    }
    arena_fini(&arena);
}
