#include "heads.h"

#include "http/date.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct span value_of(struct span text, struct arena *arena)
{
    char *date;

    if (text.len < 2 || text.at[0] != '@') {
        return text;
    }
    date = arena_alloc(arena, DATE_LEN);
    date_format(NOW + strtoll(text.at + 1, NULL, 10), date);
    return span_of(date, DATE_LEN);
}

static void add_fields(struct http_head *head, struct arena *arena, const char *fields)
{
    struct span rest = span_str(fields);

    while (rest.len) {
        struct span line = span_cut(&rest, '|');
        struct span name = span_cut(&line, ':');
        fields_add(&head->fields, name, value_of(span_trim(line), arena));
    }
}

void head_response(struct http_head *head, struct arena *arena, int status, const char *fields)
{
    head_init(head, arena);
    head->version = HTTP_1_1;
    head->status = status;
    head->content_length = -1;
    add_fields(head, arena, fields);
}

void head_request(struct http_head *head, struct arena *arena, enum http_method method,
                  const char *fields)
{
    head_init(head, arena);
    head->version = HTTP_1_1;
    head->method = method;
    head->framing = BODY_NONE;
    head->content_length = -1;
    add_fields(head, arena, fields);
}

bool head_fields_are(const struct http_fields *fields, const char *want)
{
    char text[1024];
    size_t len = 0;

    for (size_t i = 0; i < fields->count; i++) {
        int n = snprintf(text + len, sizeof(text) - len, "%s%.*s: %.*s", i ? "|" : "",
                         SPAN_ARGS(fields->at[i].name), SPAN_ARGS(fields->at[i].value));
        cr_assert(n > 0 && (size_t)n < sizeof(text) - len);
        len += (size_t)n;
    }
    return span_eq(span_of(text, len), span_str(want));
}

void head_freshness(struct arena *arena, int status, const char *fields,
                    const struct policy_settings *settings, struct freshness *out)
{
    struct policy_times times = {.request = NOW, .response = NOW};
    struct http_head head;

    head_response(&head, arena, status, fields);
    policy_freshness(&head, times, settings, out);
}

void head_expect(int64_t got, int64_t want, const char *what, const char *of)
{
    cr_expect_eq(got, want, "%s: %s is %lld, not %lld", what, of, (long long)got, (long long)want);
}
