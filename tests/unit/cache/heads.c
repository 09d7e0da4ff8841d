#include "heads.h"

#include "http/date.h"

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
