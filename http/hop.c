/*
 * A peer may have fields removed by naming them in Connection, but only those that this program
 * does not know. Each field of names.h is either removed anyway or meant for all recipients, and
 * RFC 9110 7.6.1 forbids to list the latter: a client that lists Cookie, Host, Cache-Control or
 * Range wants the origin to see another request than the cache did. The same applies to the usual
 * fields in which proxies describe the client to origins.
 */
#include "http/hop.h"

#include "base/check.h"
#include "http/chars.h"
#include "http/put.h"
#include "http/trailers.h"

enum { OPTIONS_MAX = 64 };

static bool is_hop_field(enum http_field_id id)
{
    switch (id) {
    case FIELD_CONNECTION:
    case FIELD_HTTP2_SETTINGS:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_AUTHENTICATE:
    case FIELD_PROXY_AUTHENTICATION_INFO:
    case FIELD_PROXY_AUTHORIZATION:
    case FIELD_PROXY_CONNECTION:
    case FIELD_TE:
    case FIELD_TRAILER:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_UPGRADE:
        return true;
    default:
        return false;
    }
}

/* The options of Connection that name fields to remove, parsed once. */
struct options {
    size_t count;
    bool too_many; /* more options than an honest peer sends: all unknown fields are removed */
    struct span at[OPTIONS_MAX];
};

/* Reads the options. With a head, only those are taken that name fields unknown to us: the known
 * ones are for all recipients. */
static void options_read(struct options *options, struct list_members it, bool of_a_head)
{
    struct span member;

    options->count = 0;
    options->too_many = false;
    while (list_next(&it, &member)) {
        if (of_a_head &&
            (span_ieq(member, SPAN("close")) || http_field_id(member) != FIELD_OTHER)) {
            continue;
        }
        if (options->count == OPTIONS_MAX) {
            options->too_many = true;
            return;
        }
        options->at[options->count++] = member;
    }
}

static bool tells_about_client(struct span name)
{
    const struct span prefix = SPAN("X-Forwarded-");

    return span_ieq(span_take(name, prefix.len), prefix) || span_ieq(name, SPAN("X-Real-IP"));
}

static bool is_listed(const struct options *options, struct span name)
{
    for (size_t i = 0; i < options->count; i++) {
        if (span_ieq(options->at[i], name)) {
            return true;
        }
    }
    return options->too_many;
}

static void strip(struct http_fields *fields, bool hop_fields_too)
{
    struct options options;
    size_t kept = 0;

    options_read(&options, list_members(fields, FIELD_CONNECTION), true);
    for (size_t i = 0; i < fields->count; i++) {
        struct http_field field = fields->at[i];
        bool listed = field.id == FIELD_OTHER && !tells_about_client(field.name) &&
                      is_listed(&options, field.name);
        if (!listed && !(hop_fields_too && is_hop_field(field.id))) {
            fields->at[kept++] = field;
        }
    }
    fields->count = kept;
}

void hop_strip(struct http_fields *fields)
{
    strip(fields, true);
}

void hop_strip_listed(struct http_fields *fields)
{
    if (fields_has(fields, FIELD_CONNECTION)) {
        strip(fields, false);
    }
}

void hop_strip_trailers(struct http_fields *trailers, struct span connection)
{
    struct options options;
    size_t kept = 0;

    options_read(&options, list_members_of(connection), false);
    for (size_t i = 0; i < trailers->count; i++) {
        if (!is_listed(&options, trailers->at[i].name)) {
            trailers->at[kept++] = trailers->at[i];
        }
    }
    trailers->count = kept;
}

struct span hop_trailer_names(struct span names, struct span connection, struct arena *arena)
{
    struct list_members it = list_members_of(names);
    struct options options;
    struct span member;

    if (names.len == 0) {
        return SPAN_EMPTY;
    }
    char *text = arena_alloc(arena, 2 * names.len); /* ", " replaces "," */
    char *at = text;
    options_read(&options, list_members_of(connection), false);
    while (list_next(&it, &member)) {
        struct http_field field = {member, SPAN_EMPTY, http_field_id(member)};
        if (trailer_may_pass(&field) && !is_listed(&options, member)) {
            at = put_span(put_span(at, at == text ? SPAN_EMPTY : SPAN(", ")), member);
        }
    }
    return span_from_to(text, at);
}

static struct span version_text(enum http_version version)
{
    switch (version) {
    case HTTP_1_0:
        return SPAN("1.0 ");
    case HTTP_1_1:
        return SPAN("1.1 ");
    case HTTP_2:
        return SPAN("2.0 ");
    }
    return SPAN("1.1 ");
}

void hop_add_via(struct http_fields *fields, enum http_version received, struct span pseudonym,
                 struct arena *arena)
{
    struct span version = version_text(received);
    char *text = arena_alloc(arena, version.len + pseudonym.len);
    char *end = put_span(put_span(text, version), pseudonym);

    fields_add_id(fields, FIELD_VIA, span_from_to(text, end));
}

/* The second word of "1.1 name (comment)" (RFC 9110 7.6.3). */
static struct span via_received_by(struct span member)
{
    span_cut(&member, ' ');
    member = span_trim(member);
    return span_cut(&member, ' ');
}

bool hop_is_loop(const struct http_fields *fields, struct span pseudonym)
{
    struct list_members via = list_members(fields, FIELD_VIA);
    struct list_members cdn_loop = list_members(fields, FIELD_CDN_LOOP);
    struct span member;

    while (list_next(&via, &member)) {
        if (span_ieq(via_received_by(member), pseudonym)) {
            return true;
        }
    }
    while (list_next(&cdn_loop, &member)) {
        if (span_ieq(span_trim(span_cut(&member, ';')), pseudonym)) {
            return true;
        }
    }
    return false;
}

void hop_add_cdn_loop(struct http_fields *fields, struct span pseudonym, struct arena *arena)
{
    fields_add_id(fields, FIELD_CDN_LOOP, arena_copy(arena, pseudonym));
}

bool hop_says_https(const struct http_fields *fields)
{
    return fields_count(fields, FIELD_X_FORWARDED_PROTO) == 1 &&
           span_ieq(fields_get(fields, FIELD_X_FORWARDED_PROTO), SPAN("https"));
}

void hop_say_https(struct http_fields *fields)
{
    if (!fields_has(fields, FIELD_X_FORWARDED_PROTO)) {
        fields_add_id(fields, FIELD_X_FORWARDED_PROTO, SPAN("https"));
    }
}

static bool is_place(const struct http_field *field)
{
    static const struct span names[] = {
        SPAN_INIT("Front-End-Https"),
        SPAN_INIT("X-Forwarded-Path"),
        SPAN_INIT("X-Forwarded-Protocol"),
        SPAN_INIT("X-Forwarded-Uri"),
        SPAN_INIT("X-HTTP-Host-Override"),
        SPAN_INIT("X-HTTP-Method-Override"),
        SPAN_INIT("X-Url-Scheme"),
        SPAN_INIT("X-Forwarded-Host"),
        SPAN_INIT("X-Forwarded-Scheme"),
        SPAN_INIT("X-Forwarded-Port"),
        SPAN_INIT("X-Forwarded-Prefix"),
        SPAN_INIT("X-Forwarded-Server"),
        SPAN_INIT("X-Forwarded-Ssl"),
        SPAN_INIT("X-Host"),
        SPAN_INIT("X-HTTP-Method"),
        SPAN_INIT("X-Method-Override"),
        SPAN_INIT("X-Original-Host"),
        SPAN_INIT("X-Original-URI"),
        SPAN_INIT("X-Original-URL"),
        SPAN_INIT("X-Rewrite-URL"),
        SPAN_INIT("X-Scheme"),
    };

    if (field->id != FIELD_OTHER) {
        return field->id == FIELD_FORWARDED || field->id == FIELD_X_FORWARDED_PROTO;
    }
    char first = field->name.len ? field->name.at[0] | 0x20 : 0;
    if (first != 'x' && first != 'f') {
        return false; /* most fields of most requests are not special */
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (span_ieq(field->name, names[i])) {
            return true;
        }
    }
    return false;
}

bool hop_says_place(const struct http_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (is_place(&fields->at[i])) {
            return true;
        }
    }
    return false;
}

static bool is_scheme(struct span value, const struct uri *uri)
{
    return span_ieq(value, uri->https ? SPAN("https") : SPAN("http"));
}

/* Does a pair of Forwarded (RFC 7239 4), "name=value" or "name=\"value\"", agree with the request?
 * Escapes, and semicolons inside quotes, are not supported: no value that matters here has them. */
static bool pair_agrees(struct span pair, const struct uri *uri, struct arena *arena)
{
    struct span name = span_cut(&pair, '=');
    bool quoted = pair.len >= 2 && pair.at[0] == '"' && pair.at[pair.len - 1] == '"';
    struct span value = quoted ? span_of(pair.at + 1, pair.len - 2) : pair;

    if (span_ieq(name, SPAN("for")) || span_ieq(name, SPAN("by"))) {
        return true;
    }
    if (span_ieq(name, SPAN("proto"))) {
        return is_scheme(value, uri);
    }
    return span_ieq(name, SPAN("host")) && uri_host_field_names(value, uri, arena);
}

static bool forwarded_agrees(struct span value, const struct uri *uri, struct arena *arena)
{
    struct list_members it = list_members_of(value);
    struct span member;

    while (list_next(&it, &member)) {
        while (member.len) {
            if (!pair_agrees(span_trim(span_cut(&member, ';')), uri, arena)) {
                return false;
            }
        }
    }
    return true;
}

static bool place_agrees(const struct http_field *field, const struct uri *uri, struct arena *arena)
{
    if (field->id == FIELD_FORWARDED) {
        return forwarded_agrees(field->value, uri, arena);
    }
    if (field->id == FIELD_X_FORWARDED_PROTO) {
        return is_scheme(field->value, uri);
    }
    return span_ieq(field->name, SPAN("X-Forwarded-Host")) &&
           uri_host_field_names(field->value, uri, arena);
}

bool hop_says_other_place(const struct http_fields *fields, const struct uri *uri,
                          struct arena *arena)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (is_place(&fields->at[i]) && !place_agrees(&fields->at[i], uri, arena)) {
            return true;
        }
    }
    return false;
}

void hop_strip_places(struct http_fields *fields)
{
    size_t kept = 0;

    for (size_t i = 0; i < fields->count; i++) {
        if (!is_place(&fields->at[i])) {
            fields->at[kept++] = fields->at[i];
        }
    }
    fields->count = kept;
}

void hop_add_forwarded_for(struct http_fields *fields, struct span client, struct arena *arena)
{
    struct span before = SPAN_EMPTY;
    struct span separator = SPAN(", ");

    fields_joined(fields, http_field_name(FIELD_X_FORWARDED_FOR), arena, &before);
    char *text = arena_alloc(arena, before.len + separator.len + client.len);
    char *at = put_span(text, before);
    at = put_span(at, before.len ? separator : SPAN_EMPTY);
    at = put_span(at, client);
    fields_set_id(fields, FIELD_X_FORWARDED_FOR, span_from_to(text, at));
}

/* Values that are not tokens are quoted (RFC 7239 4). Neither addresses nor host names need an
 * escape. */
static char *put_value(char *at, struct span value, bool in_brackets)
{
    bool quoted = in_brackets || !http_is_token(value);

    at = put_span(at, quoted ? SPAN("\"") : SPAN_EMPTY);
    at = put_span(at, in_brackets ? SPAN("[") : SPAN_EMPTY);
    at = put_span(at, value);
    at = put_span(at, in_brackets ? SPAN("]") : SPAN_EMPTY);
    return put_span(at, quoted ? SPAN("\"") : SPAN_EMPTY);
}

void hop_add_forwarded(struct http_fields *fields, struct span client, struct span host, bool https,
                       struct arena *arena)
{
    bool is_ipv6 = span_find(client, ':') < client.len;
    char *text =
        arena_alloc(arena, sizeof("for=\"[]\";host=\"\";proto=https") + client.len + host.len);
    char *at = put_value(put_span(text, SPAN("for=")), client, is_ipv6);

    if (host.len) {
        at = put_value(put_span(at, SPAN(";host=")), host, false);
    }
    at = put_span(at, https ? SPAN(";proto=https") : SPAN(";proto=http"));
    fields_add_id(fields, FIELD_FORWARDED, span_from_to(text, at));
}
