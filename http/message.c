#include "http/message.h"

enum { FIELDS_EXPECTED = 24 };

void head_init(struct http_head *head, struct arena *arena)
{
    *head = (struct http_head){.version = HTTP_1_1, .content_length = -1};
    fields_init(&head->fields, arena, FIELDS_EXPECTED);
}

/* Moves the bytes of a span to *at. An empty span keeps its NULL or non-NULL pointer. */
static void take_copy(struct span *span, char **at)
{
    if (span->len == 0) {
        return;
    }
    memcpy(*at, span->at, span->len);
    span->at = *at;
    *at += span->len;
}

static size_t text_len(const struct http_head *head)
{
    size_t len = head->method_text.len + head->target.len + head->scheme.len + head->authority.len +
                 head->place.host.len + head->reason.len;

    for (size_t i = 0; i < head->fields.count; i++) {
        len += head->fields.at[i].name.len + head->fields.at[i].value.len;
    }
    return len;
}

void head_copy(struct http_head *copy, const struct http_head *head, struct arena *arena)
{
    char *text = arena_alloc(arena, text_len(head));
    struct http_fields fields;

    fields_init(&fields, arena, head->fields.count);
    fields_append(&fields, &head->fields);
    *copy = *head;
    copy->fields = fields;
    take_copy(&copy->method_text, &text);
    take_copy(&copy->target, &text);
    take_copy(&copy->scheme, &text);
    take_copy(&copy->authority, &text);
    take_copy(&copy->place.host, &text);
    take_copy(&copy->reason, &text);
    for (size_t i = 0; i < fields.count; i++) {
        take_copy(&fields.at[i].name, &text);
        take_copy(&fields.at[i].value, &text);
    }
}
