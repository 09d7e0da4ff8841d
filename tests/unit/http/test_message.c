#include "http/message.h"

#include <criterion/criterion.h>

static struct span take(struct arena *arena, const char *text)
{
    return arena_copy(arena, span_str(text));
}

Test(message, a_copy_outlives_its_original)
{
    struct arena first, second;
    struct http_head head, copy;

    arena_init(&first, NULL, 0);
    arena_init(&second, NULL, 0);
    head_init(&head, &first);
    head.method = METHOD_POST;
    head.method_text = take(&first, "POST");
    head.target = take(&first, "/a");
    head.authority = take(&first, "example.com");
    head.place = (struct http_authority){take(&first, "example.com"), 80, false};
    head.framing = BODY_LENGTH;
    head.content_length = 7;
    head.keep_alive = true;
    fields_add(&head.fields, take(&first, "X-A"), take(&first, "1"));
    fields_add(&head.fields, take(&first, "host"), take(&first, ""));
    head_copy(&copy, &head, &second);
    arena_fini(&first);

    cr_expect_eq(copy.method, METHOD_POST);
    cr_expect(span_eq(copy.method_text, SPAN("POST")));
    cr_expect(span_eq(copy.target, SPAN("/a")));
    cr_expect(span_eq(copy.authority, SPAN("example.com")));
    cr_expect(span_eq(copy.place.host, SPAN("example.com")));
    cr_expect_eq(copy.place.port, 80);
    cr_expect_eq(copy.scheme.len, 0);
    cr_expect_eq(copy.content_length, 7);
    cr_expect(copy.keep_alive);
    cr_assert_eq(copy.fields.count, 2);
    cr_expect(span_eq(copy.fields.at[0].name, SPAN("X-A")));
    cr_expect(span_eq(copy.fields.at[0].value, SPAN("1")));
    cr_expect_eq(copy.fields.at[1].id, FIELD_HOST);
    fields_add(&copy.fields, SPAN("B"), SPAN("2"));
    cr_expect_eq(copy.fields.count, 3);
    arena_fini(&second);
}

Test(message, an_empty_head_says_nothing)
{
    struct arena arena;
    struct http_head head, copy;

    arena_init(&arena, NULL, 0);
    head_init(&head, &arena);
    cr_expect_eq(head.content_length, -1);
    cr_expect_eq(head.framing, BODY_NONE);
    cr_expect_eq(head.fields.count, 0);
    head_copy(&copy, &head, &arena);
    fields_add_id(&copy.fields, FIELD_AGE, SPAN("1"));
    cr_expect_eq(copy.fields.count, 1);
    cr_expect_eq(head.fields.count, 0);
    arena_fini(&arena);
}
