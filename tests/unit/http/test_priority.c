#include "http/priority.h"

#include <criterion/criterion.h>

#include "base/check.h"

static struct arena arena;
static struct http_fields fields;

static void setup(void)
{
    arena_init(&arena, NULL, 0);
    fields_init(&fields, &arena, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(priority, .init = setup, .fini = teardown);

Test(priority, rfc9218_4)
{
    static const struct {
        const char *value;
        unsigned urgency;
        bool incremental;
    } cases[] = {
        {"u=0", 0, false},      {"u=7, i", 7, true}, {"i", 3, true},
        {"i=?0", 3, false},     {"", 3, false},      {"u=1;x=2, foo=bar, i;y", 1, true},
        {"u=1, u=2", 2, false}, {"u=8", 3, false},   {"u=-1", 3, false},
        {"u=1.0", 3, false},    {"u", 3, false},     {"i=1", 3, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct priority got = {.urgency = 9};
        fields_set_id(&fields, FIELD_PRIORITY, span_str(cases[i].value));
        cr_expect(priority_read(&fields, &got), "%s", cases[i].value);
        cr_expect_eq(got.urgency, cases[i].urgency, "%s: %u", cases[i].value, got.urgency);
        cr_expect_eq(got.incremental, cases[i].incremental, "%s", cases[i].value);
    }
}

Test(priority, lines_are_one_dictionary_rfc9651_3_2)
{
    struct priority got;

    fields_add_id(&fields, FIELD_PRIORITY, SPAN("u=1, i"));
    fields_add_id(&fields, FIELD_PRIORITY, SPAN("u=5"));
    cr_assert(priority_read(&fields, &got));
    cr_assert_eq(got.urgency, 5);
    cr_assert(got.incremental);
}

Test(priority, what_is_absent_or_malformed_says_nothing)
{
    static const char *const malformed[] = {"u=", "i=?2", ",", "U=1", "\"", "u=1,", "u=1 i"};
    struct priority got = {.urgency = 9};

    cr_expect(!priority_read(&fields, &got));
    for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
        fields_set_id(&fields, FIELD_PRIORITY, span_str(malformed[i]));
        cr_expect(!priority_read(&fields, &got), "%s", malformed[i]);
    }
    cr_expect_eq(got.urgency, 9);
}
