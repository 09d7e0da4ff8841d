#include "http/trailers.h"

#include "base/check.h"

/* Families of fields, and fields without an id, that are only allowed in a head. */
static bool belongs_in_head(struct span name)
{
    static const struct span families[] = {
        SPAN_INIT("Accept-"),       SPAN_INIT("Access-Control-"),
        SPAN_INIT("Client-Cert"),   SPAN_INIT("Content-"),
        SPAN_INIT("Cross-Origin-"), SPAN_INIT("If-"),
        SPAN_INIT("Proxy-"),        SPAN_INIT("Sec-"),
        SPAN_INIT("X-Accel-"),      SPAN_INIT("X-Forwarded-"),
    };
    static const struct span names[] = {
        SPAN_INIT("Alt-Svc"),
        SPAN_INIT("CF-Connecting-IP"),
        SPAN_INIT("Clear-Site-Data"),
        SPAN_INIT("Early-Data"),
        SPAN_INIT("From"),
        SPAN_INIT("Permissions-Policy"),
        SPAN_INIT("Referrer-Policy"),
        SPAN_INIT("Refresh"),
        SPAN_INIT("Set-Cookie2"),
        SPAN_INIT("Strict-Transport-Security"),
        SPAN_INIT("Surrogate-Control"),
        SPAN_INIT("True-Client-IP"),
        SPAN_INIT("X-Client-IP"),
        SPAN_INIT("X-Cluster-Client-IP"),
        SPAN_INIT("X-Frame-Options"),
        SPAN_INIT("X-HTTP-Method-Override"),
        SPAN_INIT("X-Original-URL"),
        SPAN_INIT("X-Real-IP"),
        SPAN_INIT("X-Rewrite-URL"),
        SPAN_INIT("X-Sendfile"),
    };

    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        if (span_ieq(span_take(name, families[i].len), families[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (span_ieq(name, names[i])) {
            return true;
        }
    }
    return false;
}

bool trailer_may_pass(const struct http_field *field)
{
    switch (field->id) {
    case FIELD_ETAG:
    case FIELD_PROXY_STATUS:
        return true;
    case FIELD_OTHER:
        return span_ieq(field->name, SPAN("Content-Digest")) || !belongs_in_head(field->name);
    default:
        return false;
    }
}

static struct span next_line(struct span *rest)
{
    size_t len = span_find(*rest, '\r');
    struct span line = span_take(*rest, len);

    *rest = span_skip(*rest, len + 2);
    return line;
}

void trailers_read(struct span section, struct http_fields *out)
{
    while (section.len) {
        struct span value = next_line(&section);
        struct span name = span_cut(&value, ':');
        struct http_field field = {name, span_trim(value), http_field_id(name)};
        if (http_is_token(name) && trailer_may_pass(&field)) {
            fields_add(out, field.name, field.value);
        }
    }
}

void trailers_copy(struct http_fields *to, const struct http_fields *from)
{
    fields_init(to, to->arena, from->count);
    for (size_t i = 0; i < from->count; i++) {
        fields_add(to, arena_copy(to->arena, from->at[i].name),
                   arena_copy(to->arena, from->at[i].value));
    }
}

bool trailers_are_wanted(const struct http_head *request)
{
    bool is_named = request->version == HTTP_2 ||
                    (request->version == HTTP_1_1 &&
                     fields_list_has(&request->fields, FIELD_CONNECTION, SPAN("TE")));

    return is_named && fields_list_has(&request->fields, FIELD_TE, SPAN("trailers"));
}
