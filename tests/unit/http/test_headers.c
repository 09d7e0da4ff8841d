#include "http/headers.h"

#include <criterion/criterion.h>

#include "base/check.h"

static struct arena arena;
static struct http_fields fields;

static void setup(void)
{
    arena_init(&arena, NULL, 0);
    fields_init(&fields, &arena, 2);
}

static void teardown(void)
{
    arena_fini(&arena);
}

TestSuite(headers, .init = setup, .fini = teardown);

static void add(const char *name, const char *value)
{
    fields_add(&fields, span_str(name), span_str(value));
}

Test(headers, lookup_by_id_and_by_name)
{
    add("HOST", "a");
    add("X-One", "1");
    add("x-one", "2");
    add("Accept", "b");
    cr_expect_eq(fields_find(&fields, FIELD_HOST), &fields.at[0]);
    cr_expect_eq(fields_find_name(&fields, SPAN("X-ONE")), &fields.at[1]);
    cr_expect_eq(fields_find_name(&fields, SPAN("accept")), &fields.at[3]);
    cr_expect_null(fields_find_name(&fields, SPAN("X-Two")));
    cr_expect_null(fields_find(&fields, FIELD_DATE));
    cr_expect_null(fields_get(&fields, FIELD_DATE).at);
    cr_expect(span_eq(fields_get(&fields, FIELD_ACCEPT), SPAN("b")));
    cr_expect(fields_has(&fields, FIELD_HOST));
    cr_expect_not(fields_has(&fields, FIELD_DATE));
}

Test(headers, adding_setting_removing_keeps_the_order)
{
    add("Via", "1");
    add("A", "2");
    add("via", "3");
    add("B", "4");
    cr_expect_eq(fields_count(&fields, FIELD_VIA), 2);
    fields_set_id(&fields, FIELD_VIA, SPAN("5"));
    cr_assert_eq(fields.count, 3);
    cr_expect(span_eq(fields.at[0].name, SPAN("A")));
    cr_expect(span_eq(fields.at[1].name, SPAN("B")));
    cr_expect(span_eq(fields.at[2].name, SPAN("Via")));
    cr_expect(span_eq(fields.at[2].value, SPAN("5")));
    fields_remove_id(&fields, FIELD_VIA);
    fields_remove_id(&fields, FIELD_AGE);
    cr_expect_eq(fields.count, 2);
}

Test(headers, grows_from_nothing)
{
    struct http_fields other;

    fields_init(&other, &arena, 0);
    for (int i = 0; i < 100; i++) {
        fields_add_id(&other, FIELD_COOKIE, SPAN("x"));
    }
    fields_append(&fields, &other);
    fields_append(&fields, &other);
    cr_expect_eq(fields_count(&fields, FIELD_COOKIE), 200);
}

Test(headers, joined_lines_rfc9110_5_3)
{
    struct span joined;

    add("Accept", "a, b");
    add("X", "1");
    cr_expect_not(fields_joined(&fields, SPAN("Vary"), &arena, &joined));
    cr_expect(fields_joined(&fields, SPAN("accept"), &arena, &joined));
    cr_expect_eq(joined.at, fields.at[0].value.at, "one line is not copied");
    add("ACCEPT", "c");
    add("x", "2");
    cr_expect(fields_joined(&fields, SPAN("accept"), &arena, &joined));
    cr_expect(span_eq(joined, SPAN("a, b, c")));
    cr_expect(fields_joined(&fields, SPAN("X"), &arena, &joined));
    cr_expect(span_eq(joined, SPAN("1, 2")));
}

Test(headers, list_members_rfc9110_5_6_1)
{
    static const struct {
        const char *first, *second;
        const char *want; /* members, each followed by "|" */
    } cases[] = {
        {"a", NULL, "a|"},
        {"a,b , c", NULL, "a|b|c|"},
        {" , a ,, b\t,", NULL, "a|b|"},
        {"a, b", "c,d", "a|b|c|d|"},
        {"", "a", "a|"},
        {"a", "", "a|"},
        {"", NULL, ""},
        {",,,", NULL, ""},
        {"a=\"b, c\", d", NULL, "a=\"b, c\"|d|"},
        {"\"a\\\", b\", c", NULL, "\"a\\\", b\"|c|"},
        {"\"a\\\\\", b", NULL, "\"a\\\\\"|b|"},
        {"a\\, b", NULL, "a\\|b|"},
        {"\"a, b", NULL, "\"a|b|"},
        {"a, \"b, c", "\"d, e\"", "a|\"b|c|\"d, e\"|"},
        {"\"a\", \"b, c\\\"", NULL, "\"a\"|\"b|c\\\"|"},
        {"\"", NULL, "\"|"},
        {"\"\\", NULL, "\"\\|"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[128];
        size_t used = 0;
        struct span member;
        fields.count = 0;
        add("Cache-Control", cases[i].first);
        add("Connection", "not, these");
        if (cases[i].second) {
            add("Cache-Control", cases[i].second);
        }
        struct list_members it = list_members(&fields, FIELD_CACHE_CONTROL);
        while (list_next(&it, &member)) {
            memcpy(got + used, member.at, member.len);
            used += member.len;
            got[used++] = '|';
        }
        cr_expect(span_eq(span_of(got, used), span_str(cases[i].want)), "%s: %.*s", cases[i].first,
                  (int)used, got);
    }
}

Test(headers, members_of_one_value)
{
    struct list_members it = list_members_of(SPAN("a, b"));
    struct span member;

    cr_expect(list_next(&it, &member) && span_eq(member, SPAN("a")));
    cr_expect(list_next(&it, &member) && span_eq(member, SPAN("b")));
    cr_expect_not(list_next(&it, &member));
    cr_expect_not(list_next(&it, &member));
    it = list_members_of(SPAN_EMPTY);
    cr_expect_not(list_next(&it, &member));
}

Test(headers, list_has_compares_whole_members)
{
    add("Connection", "Keep-Alive, x-close");
    add("Connection", "Upgrade");
    cr_expect(fields_list_has(&fields, FIELD_CONNECTION, SPAN("keep-alive")));
    cr_expect(fields_list_has(&fields, FIELD_CONNECTION, SPAN("UPGRADE")));
    cr_expect_not(fields_list_has(&fields, FIELD_CONNECTION, SPAN("close")));
    cr_expect_not(fields_list_has(&fields, FIELD_VIA, SPAN("upgrade")));
}
