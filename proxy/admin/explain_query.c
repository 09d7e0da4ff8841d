#include "proxy/admin/explain_query.h"

#include "base/check.h"
#include "base/err.h"
#include "http/chars.h"
#include "http/hop.h"
#include "http/percent.h"
#include "proxy/client/shown.h"

/* ---- what is wrong ---- */

/* most bytes of the query that an error repeats */
static int complain(struct arena *arena, struct span text, const char *sentence, struct span *what)
{
    struct span shown = span_take(text, 80);
    char *copy = arena_alloc(arena, 3 * shown.len);
    char *end = shown_text(copy, shown);

    *what = arena_printf(arena, "\"%.*s%s\" %s", (int)(end - copy), copy,
                         shown.len < text.len ? "..." : "", sentence);
    return ERR_SYNTAX;
}

/* ---- parameters ---- */

static int take_url(struct span value, struct arena *arena, struct explain_query *out,
                    struct span *what)
{
    bool absolute = span_starts(value, SPAN("/")) || span_eq(value, SPAN("*"));

    for (size_t i = 0; i + 2 < value.len && !absolute; i++) {
        absolute = span_starts(span_skip(value, i), SPAN("://"));
    }
    out->request.target = value;
    if (value.len && !absolute && out->request.method != METHOD_CONNECT) {
        return complain(arena, value, "is not a URL; expected one such as http://example.net/path",
                        what);
    }
    return 0;
}

static int take_method(struct span value, struct arena *arena, struct explain_query *out,
                       struct span *what)
{
    if (!http_is_token(value)) {
        return complain(arena, value, "is not a method; expected a word such as GET", what);
    }
    out->request.method = http_method_id(value);
    out->request.method_text = value;
    return 0;
}

static int take_field(struct span value, struct arena *arena, struct explain_query *out,
                      struct span *what)
{
    struct span text = value;
    struct span name = span_cut(&text, ':');

    if (name.len == value.len || !http_is_token(name) || !chars_are_value(text)) {
        return complain(arena, value, "is not a header field; expected \"Name: value\"", what);
    }
    if (out->request.fields.count == EXPLAIN_FIELDS_MAX) {
        *what = arena_printf(arena, "there are more than %d header fields", EXPLAIN_FIELDS_MAX);
        return ERR_TOO_LARGE;
    }
    fields_add(&out->request.fields, name, span_trim(text));
    return 0;
}

static int take_client(struct span value, struct arena *arena, struct explain_query *out,
                       struct span *what)
{
    out->has_client = true;
    return ip_parse(value, &out->client) == 0
               ? 0
               : complain(arena, value, "is not an address; expected one such as 192.0.2.7", what);
}

static int take_user(struct span value, struct arena *arena, struct explain_query *out,
                     struct span *what)
{
    out->user = value;
    return value.len ? 0 : complain(arena, value, "is not a user name", what);
}

static int take_mirror(struct span value, struct arena *arena, struct explain_query *out,
                       struct span *what)
{
    out->mirror = value;
    return span_starts(value, SPAN("/"))
               ? 0
               : complain(arena, value, "is not the path of a mirror; expected one such as /npm/",
                          what);
}

static const struct parameter {
    struct span name;
    bool many;
    int (*take)(struct span value, struct arena *arena, struct explain_query *out,
                struct span *what);
} parameters[] = {
    /* handled in this order, as the form of the URL depends on the method */
    {SPAN_INIT("method"), false, take_method}, {SPAN_INIT("url"), false, take_url},
    {SPAN_INIT("header"), true, take_field},   {SPAN_INIT("client"), false, take_client},
    {SPAN_INIT("user"), false, take_user},     {SPAN_INIT("mirror"), false, take_mirror},
};

static int take_all(struct span query, const struct parameter *parameter, struct arena *arena,
                    struct explain_query *out, struct span *what)
{
    int err = 0, seen = 0;

    while (!err && query.len) {
        struct span value = span_cut(&query, '&');
        struct span name = span_cut(&value, '=');
        if (!span_eq(name, parameter->name)) {
            continue;
        }
        if (seen++ && !parameter->many) {
            return complain(arena, name, "is given more than once", what);
        }
        if (!percent_decode(value, arena, &value)) {
            return complain(arena, value, "is not percent-encoded", what);
        }
        if (value.len > EXPLAIN_VALUE_MAX) {
            return complain(arena, value, "is too long", what);
        }
        err = parameter->take(value, arena, out, what);
    }
    return err;
}

static int refuse_unknown(struct span query, struct arena *arena, struct span *what)
{
    while (query.len) {
        struct span value = span_cut(&query, '&');
        struct span name = span_cut(&value, '=');
        bool known = name.len == 0;
        for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
            known |= span_eq(name, parameters[i].name);
        }
        if (!known) {
            return complain(arena, name,
                            "is unknown; expected url, method, header, client, user or mirror",
                            what);
        }
    }
    return 0;
}

/* ---- the request ---- */

/* "example.net:8080" of "http://example.net:8080/path"; for CONNECT the whole target. */
static struct span authority_of(struct span target)
{
    size_t end = 0;

    for (size_t i = 0; i + 2 < target.len; i++) {
        if (span_starts(span_skip(target, i), SPAN("://"))) {
            target = span_skip(target, i + 3);
            break;
        }
    }
    while (end < target.len && !memchr("/?#", target.at[end], 3)) {
        end++;
    }
    return span_take(target, end);
}

/* Completes the request as a client would send it: adds Host, and whether a body follows. */
static void complete(struct explain_query *out)
{
    struct http_head *request = &out->request;
    uint64_t length;

    if (!fields_has(&request->fields, FIELD_HOST) && !span_starts(request->target, SPAN("/"))) {
        fields_add_id(&request->fields, FIELD_HOST, authority_of(request->target));
    }
    if (fields_has(&request->fields, FIELD_TRANSFER_ENCODING)) {
        request->framing = BODY_CHUNKED;
    } else if (span_to_u64(fields_get(&request->fields, FIELD_CONTENT_LENGTH), INT64_MAX,
                           &length)) {
        request->framing = BODY_LENGTH;
        request->content_length = (int64_t)length;
    }
    request->upgrade = fields_list_has(&request->fields, FIELD_CONNECTION, SPAN("upgrade")) &&
                       fields_has(&request->fields, FIELD_UPGRADE);
    hop_strip_listed(&request->fields);
}

int explain_query_parse(struct span query, struct arena *arena, struct explain_query *out,
                        struct span *what)
{
    int err = refuse_unknown(query, arena, what);

    *out = (struct explain_query){0};
    head_init(&out->request, arena);
    out->request.version = HTTP_1_1;
    out->request.method = METHOD_GET;
    out->request.method_text = SPAN("GET");
    out->request.framing = BODY_NONE;
    out->request.content_length = -1;
    for (size_t i = 0; !err && i < ARRAY_LEN(parameters); i++) {
        err = take_all(query, &parameters[i], arena, out, what);
    }
    if (!err && out->request.target.len == 0) {
        *what = SPAN("there is no URL; expected /explain?url=http%3A%2F%2Fexample.net%2F");
        return ERR_SYNTAX;
    }
    if (!err) {
        complete(out);
    }
    return err;
}
