#include "http/control.h"

#include <criterion/criterion.h>

#include "base/check.h"

static struct arena arena;
static struct http_fields fields;

static void setup(void)
{
    arena_init(&arena, NULL, 0);
    fields_init(&fields, &arena, 4);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(control, .init = setup, .fini = teardown);

/* Up to two lines of one field. */
static void set_lines(const char *name, const char *first, const char *second)
{
    fields.count = 0;
    if (first) {
        fields_add(&fields, span_str(name), span_str(first));
    }
    if (second) {
        fields_add(&fields, span_str(name), span_str(second));
    }
}

static struct cache_control parse(const char *first, const char *second)
{
    struct cache_control control;

    set_lines("cache-control", first, second);
    control_parse(&fields, &control);
    return control;
}

Test(control, seconds_rfc9111_5_2)
{
    static const struct {
        const char *line, *second;
        int64_t max_age, s_maxage;
    } cases[] = {
        {"max-age=3600", NULL, 3600, -1},
        {"MAX-AGE=3600", NULL, 3600, -1},
        {"max-age=0", NULL, 0, -1},
        {"max-age=003600", NULL, 3600, -1},
        {"max-age=2147483647", NULL, 2147483647, -1},
        {"max-age=2147483648", NULL, INT64_C(2147483648), -1},
        {"max-age=2147483649", NULL, INT64_C(2147483649), -1},
        {"max-age=99999999999", NULL, INT64_C(99999999999), -1},
        {"max-age=99999999999999999999999999999999", NULL, SECONDS_MAX, -1},
        {"max-age=\"3600\"", NULL, 3600, -1},
        {"foo, max-age=3600, bar=\"x\"", NULL, 3600, -1},
        {"foo", "max-age=3600", 3600, -1},
        {",,, max-age=3600 ,", NULL, 3600, -1},
        /* not a number: stale */
        {"max-age=-1", NULL, 0, -1},
        {"max-age=-3600", NULL, 0, -1},
        {"max-age=+3600", NULL, 0, -1},
        {"max-age='3600'", NULL, 0, -1},
        {"max-age=3600.0", NULL, 0, -1},
        {"max-age=0x3600", NULL, 0, -1},
        {"max-age=3600s", NULL, 0, -1},
        {"max-age=", NULL, 0, -1},
        {"max-age=\"\"", NULL, 0, -1},
        {"max-age", NULL, 0, -1},
        {"max-age= 3600", NULL, 0, -1},
        {"max-age =3600", NULL, 0, -1},
        {"max-age=3600;s-maxage=1", NULL, 0, -1},
        /* of several the first */
        {"max-age=1, max-age=3600", NULL, 1, -1},
        {"max-age=3600", "max-age=1", 3600, -1},
        {"max-age=x, max-age=3600", NULL, 0, -1},
        /* both kinds, in either order and place */
        {"s-maxage=1, max-age=3600", NULL, 3600, 1},
        {"max-age=3600, s-maxage=1", NULL, 3600, 1},
        {"max-age=3600", "s-maxage=1", 3600, 1},
        {"s-maxage=x", NULL, -1, 0},
        /* inside something else */
        {"foo=\"max-age=1\"", NULL, -1, -1},
        {"foo=\"a, max-age=1, b\", max-age=3600", NULL, 3600, -1},
        {"max-age=3600, foo=\"a, max-age=1, b\"", NULL, 3600, -1},
        {"foo=\"\\\", max-age=1\", max-age=3600", NULL, 3600, -1},
        {"foo=', max-age=3600", NULL, 3600, -1},
        {"xmax-age=3600", NULL, -1, -1},
        {"max-age-x=3600", NULL, -1, -1},
        {"x max-age=3600", NULL, -1, -1},
        {"", NULL, -1, -1},
        {NULL, NULL, -1, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cache_control c = parse(cases[i].line, cases[i].second);
        cr_expect_eq(c.max_age, cases[i].max_age, "%s: %lld", cases[i].line, (long long)c.max_age);
        cr_expect_eq(c.s_maxage, cases[i].s_maxage, "%s: %lld", cases[i].line,
                     (long long)c.s_maxage);
        cr_expect_eq(c.present, cases[i].line != NULL);
    }
}

Test(control, flags_in_any_case_and_beside_anything_rfc9111_5_2)
{
    struct cache_control c = parse("No-Store, NO-TRANSFORM, must-revalidate, Proxy-Revalidate",
                                   "PUBLIC, must-understand, immutable, only-if-cached, x=\"y\"");

    cr_expect(c.no_store && c.no_transform && c.must_revalidate && c.proxy_revalidate);
    cr_expect(c.is_public && c.must_understand && c.immutable && c.only_if_cached);
    cr_expect(!c.no_cache && !c.is_private && !c.max_stale_any);

    cr_expect(parse("no-store=x", NULL).no_store);
    cr_expect(parse("no-store =x", NULL).no_store);
    cr_expect(parse("no-store=\"\"", NULL).no_store);
    cr_expect_not(parse("x=\"no-store\"", NULL).no_store);
    cr_expect_not(parse("no-stores", NULL).no_store);
    cr_expect_not(parse(NULL, NULL).no_store);
}

/* "no-cache; no-store" is what many write. */
Test(control, separated_by_other_than_commas)
{
    struct cache_control c = parse("no-cache; no-store;must-revalidate; proxy-revalidate", NULL);

    cr_expect(c.no_cache && c.no_store && c.must_revalidate && c.proxy_revalidate);
    cr_expect(parse("private; max-age=60", NULL).is_private);
    cr_expect(parse("max-age=60; private", NULL).is_private);
    cr_expect(parse("max-age=60 no-store", NULL).no_store);
    cr_expect(parse("public, no-store;", NULL).no_store);
    cr_expect(parse("foo;no-store=1", NULL).no_store);
    c = parse("no-cache=\"a\", public; no-cache", NULL);
    cr_expect(c.no_cache && c.no_cache_fields.len == 0);

    cr_expect_eq(parse("max-age=60; private", NULL).max_age, 0, "what may last longer is not read");
    cr_expect_eq(parse("public; max-age=60", NULL).max_age, -1);
    cr_expect_not(parse("public; max-age=60", NULL).is_public);
    cr_expect_not(parse("x=\"a; no-store\"; b", NULL).no_store);
    cr_expect_not(parse("xno-store; no-storex", NULL).no_store);
}

Test(control, an_unclosed_quote_hides_nothing)
{
    struct cache_control c = parse("x=\"y, no-store, max-age=5, private", NULL);

    cr_expect(c.no_store);
    cr_expect_eq(c.max_age, 5);
}

Test(control, qualified_forms_rfc9111_5_2_2)
{
    static const struct {
        const char *line, *second;
        bool is_private, no_cache;
        const char *private_fields, *no_cache_fields;
    } cases[] = {
        {"private", NULL, true, false, "", ""},
        {"no-cache", NULL, false, true, "", ""},
        {"private=\"Set-Cookie, X\"", NULL, true, false, "Set-Cookie, X", ""},
        {"no-cache=\"set-cookie\", max-age=1", NULL, false, true, "", "set-cookie"},
        {"no-cache=set-cookie", NULL, false, true, "", "set-cookie"},
        {"no-cache=\"a\"", "no-cache", false, true, "", ""},
        {"no-cache", "no-cache=\"a\"", false, true, "", ""},
        {"no-cache=\"a\", no-cache=\"b\"", NULL, false, true, "", ""},
        {"no-cache=\"\"", NULL, false, true, "", ""},
        {"no-cache=", NULL, false, true, "", ""},
        {"no-cache=\"a\\\"b\"", NULL, false, true, "", ""},
        {"private=\"a\", no-cache=\"b\"", NULL, true, true, "a", "b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cache_control c = parse(cases[i].line, cases[i].second);
        cr_expect_eq(c.is_private, cases[i].is_private, "%s", cases[i].line);
        cr_expect_eq(c.no_cache, cases[i].no_cache, "%s", cases[i].line);
        cr_expect(span_eq(c.private_fields, span_str(cases[i].private_fields)), "%s",
                  cases[i].line);
        cr_expect(span_eq(c.no_cache_fields, span_str(cases[i].no_cache_fields)), "%s",
                  cases[i].line);
    }
}

Test(control, request_directives_rfc9111_5_2_1)
{
    struct cache_control c = parse("max-stale", NULL);
    cr_expect(c.max_stale_any);
    cr_expect_eq(c.max_stale, SECONDS_NONE);

    c = parse("max-stale=60, min-fresh=5", NULL);
    cr_expect_not(c.max_stale_any);
    cr_expect_eq(c.max_stale, 60);
    cr_expect_eq(c.min_fresh, 5);

    /* of several the first */
    cr_expect_not(parse("max-stale=60, max-stale", NULL).max_stale_any);
    cr_expect_eq(parse("max-stale=60, max-stale", NULL).max_stale, 60);
    cr_expect(parse("max-stale", "max-stale=60").max_stale_any);
    cr_expect_eq(parse("max-stale", "max-stale=60").max_stale, SECONDS_NONE);

    c = parse("max-stale=x, min-fresh=x, stale-if-error=x, stale-while-revalidate=-1", NULL);
    cr_expect_not(c.max_stale_any);
    cr_expect_eq(c.max_stale, SECONDS_NONE);
    cr_expect_eq(c.min_fresh, SECONDS_NONE);
    cr_expect_eq(c.stale_if_error, SECONDS_NONE);
    cr_expect_eq(c.stale_while_revalidate, SECONDS_NONE);
}

Test(control, stale_extensions_rfc5861)
{
    struct cache_control c = parse("stale-while-revalidate=30, stale-if-error=\"60\"", NULL);

    cr_expect_eq(c.stale_while_revalidate, 30);
    cr_expect_eq(c.stale_if_error, 60);
}

Test(control, age_values_rfc9111_5_1)
{
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {
        {"0", 0},
        {"7200", 7200},
        {"007200", 7200},
        {"2147483647", 2147483647},
        {"2147483648", INT64_C(2147483648)},
        {"2147483649", INT64_C(2147483649)},
        {"1099511627775", SECONDS_MAX - 1},
        {"1099511627776", SECONDS_MAX},
        {"99999999999999999999999999", SECONDS_MAX},
        {"", -1},
        {"abc", -1},
        {"7200a", -1},
        {"a7200", -1},
        {"-7200", -1},
        {"+7200", -1},
        {"7200.0", -1},
        {"7200, 0", -1},
        {"7 200", -1},
        {"\"7200\"", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(control_seconds(span_str(cases[i].text)), cases[i].want, "%s", cases[i].text);
    }
}

Test(control, targeted_seconds_rfc9213_2_1)
{
    static const struct {
        const char *line, *second;
        bool counts;
        int64_t max_age;
    } cases[] = {
        {"max-age=3600", NULL, true, 3600},
        {"max-age=0", NULL, true, 0},
        {"max-age=-5", NULL, true, 0},
        {"max-age=99999999999", NULL, true, INT64_C(99999999999)},
        {"max-age=999999999999999", NULL, true, SECONDS_MAX},
        {"max-age=3600;foo=bar;baz", NULL, true, 3600},
        {"max-age=1, max-age=3600", NULL, true, 3600},
        {"max-age=1", "max-age=3600", true, 3600},
        /* the last of a key counts, so an earlier one may be anything */
        {"max-age=x, max-age=3600", NULL, true, 3600},
        {"max-age", "max-age=3600", true, 3600},
        {"max-age=3600, max-age=x", NULL, false, -1},
        {"max-age=1", "", true, 1},
        {"foo=(a b;c=1 \"d\" 1.5 :aGk=: ?1), max-age=3600", NULL, true, 3600},
        {"foo=bar,\t max-age=3600 ", NULL, true, 3600},
        {"foo", NULL, true, -1},
        {NULL, NULL, false, -1},
        {"", NULL, false, -1},
        {" ", NULL, false, -1},
        {"max-age=\"3600\"", NULL, false, -1},
        {"max-age=3600.0", NULL, false, -1},
        {"max-age=abc", NULL, false, -1},
        {"max-age=?1", NULL, false, -1},
        {"max-age=(3600)", NULL, false, -1},
        {"max-age", NULL, false, -1},
        {"max-age=", NULL, false, -1},
        {"max-age=1000000000000000", NULL, false, -1},
        {"Max-Age=3600", NULL, false, -1},
        {"max-age=3600,", NULL, false, -1},
        {",max-age=3600", NULL, false, -1},
        {"max-age=3600,,foo", NULL, false, -1},
        {"max-age=3600 foo", NULL, false, -1},
        {"max-age =3600", NULL, false, -1},
        {"max-age= 3600", NULL, false, -1},
        {"max-age=3600; foo=\"a", NULL, false, -1},
        {"max-age=3600", "&", false, -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct cache_control c;
        set_lines("CDN-Cache-Control", cases[i].line, cases[i].second);
        bool counts = control_parse_targeted(&fields, SPAN("cdn-cache-control"), &c);
        cr_expect_eq(counts, cases[i].counts, "%s", cases[i].line);
        cr_expect_eq(c.present, cases[i].counts, "%s", cases[i].line);
        cr_expect_eq(c.max_age, cases[i].max_age, "%s: %lld", cases[i].line, (long long)c.max_age);
    }
}

Test(control, targeted_flags_and_names_rfc9213_2_1)
{
    struct cache_control c;

    set_lines("Larder-Cache-Control", "no-store, private=\"x\", must-revalidate=?0, other=?1",
              NULL);
    cr_expect(control_parse_targeted(&fields, SPAN("LARDER-cache-control"), &c));
    cr_expect(c.no_store && c.is_private && !c.must_revalidate && !c.no_cache);
    cr_expect(span_eq(c.private_fields, SPAN("x")));
    cr_expect_not(control_parse_targeted(&fields, SPAN("Other-Cache-Control"), &c));

    set_lines("CDN-Cache-Control", "no-cache=\"x\", no-cache, private, private=?0", NULL);
    cr_expect(control_parse_targeted(&fields, SPAN("CDN-Cache-Control"), &c));
    cr_expect(c.no_cache && !c.is_private);
    cr_expect_eq(c.no_cache_fields.len, 0);
}
