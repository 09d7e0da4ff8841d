#include "proxy/mirror/challenge.h"

#include "base/buf.h"
#include "base/check.h"
#include "http/chars.h"

#include <jansson.h>

enum {
    URL_MAX = 4096,
    SECONDS_DEFAULT = 60, /* what the specification says of a token that does not say so itself */
    SECONDS_MAX_KEPT = 3600,
};

/* ---- the challenge ---- */

struct parameters {
    struct span realm, service, scope;
};

static bool is_token_char(char c)
{
    return http_is_token(span_of(&c, 1));
}

/* "value", or what stands between quotes; *rest goes behind it. False: it does not end. */
static bool read_value(struct span *rest, struct arena *arena, struct span *out)
{
    size_t len = 0, i = 0;

    if (rest->len == 0 || rest->at[0] != '"') {
        while (i < rest->len && is_token_char(rest->at[i])) {
            i++;
        }
        *out = span_take(*rest, i);
        *rest = span_skip(*rest, i);
        return i > 0;
    }
    char *text = arena_alloc(arena, rest->len);
    for (i = 1; i < rest->len && rest->at[i] != '"'; i++) {
        i += rest->at[i] == '\\' && i + 1 < rest->len;
        text[len++] = rest->at[i];
    }
    if (i >= rest->len) {
        return false;
    }
    *out = span_of(text, len);
    *rest = span_skip(*rest, i + 1);
    return true;
}

static void keep(struct span name, struct span value, struct parameters *out)
{
    if (span_ieq(name, SPAN("realm"))) {
        out->realm = value;
    } else if (span_ieq(name, SPAN("service"))) {
        out->service = value;
    } else if (span_ieq(name, SPAN("scope"))) {
        out->scope = value;
    }
}

/* Name, "=", value, and a comma or the end. */
static bool read_parameters(struct span rest, struct arena *arena, struct parameters *out)
{
    while ((rest = span_trim(rest)).len) {
        size_t i = 0;
        while (i < rest.len && is_token_char(rest.at[i])) {
            i++;
        }
        struct span name = span_take(rest, i), value;
        rest = span_trim(span_skip(rest, i));
        if (name.len == 0 || rest.len == 0 || rest.at[0] != '=') {
            return false;
        }
        rest = span_trim(span_skip(rest, 1));
        if (!read_value(&rest, arena, &value)) {
            return false;
        }
        keep(name, value, out);
        rest = span_trim(rest);
        if (rest.len && rest.at[0] != ',') {
            return false;
        }
        rest = span_skip(rest, 1);
    }
    return true;
}

static void put_query(struct buf *url, char before, const char *name, struct span value)
{
    if (value.len == 0) {
        return;
    }
    buf_printf(url, "%c%s=", before, name);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];
        char lower = ascii_lower(value.at[i]);
        bool plain = (lower >= 'a' && lower <= 'z') || ascii_is_digit((char)c) ||
                     (c && strchr("-._~:/,", c));
        buf_printf(url, plain ? "%c" : "%%%02X", c);
    }
}

static bool make_url(const struct parameters *parameters, struct arena *arena, struct uri *out)
{
    bool has_query = span_find(parameters->realm, '?') < parameters->realm.len;
    bool service = parameters->service.len > 0;
    struct buf url = BUF_INIT;

    buf_append(&url, parameters->realm);
    put_query(&url, has_query ? '&' : '?', "service", parameters->service);
    put_query(&url, has_query || service ? '&' : '?', "scope", parameters->scope);
    struct span copy = buf_len(&url) <= URL_MAX ? arena_copy(arena, buf_span(&url)) : SPAN_EMPTY;
    buf_fini(&url);
    return copy.len && uri_parse(copy, arena, out) == 0;
}

bool challenge_read(const struct http_fields *response, struct arena *arena, struct uri *out)
{
    for (size_t i = 0; i < response->count; i++) {
        const struct http_field *field = &response->at[i];
        struct parameters parameters = {0};
        struct span rest = span_trim(field->value);
        if (!span_ieq(field->name, SPAN("WWW-Authenticate"))) {
            continue;
        }
        struct span scheme = span_cut(&rest, ' ');
        if (span_ieq(scheme, SPAN("Bearer")) && read_parameters(rest, arena, &parameters) &&
            make_url(&parameters, arena, out)) {
            return true;
        }
    }
    return false;
}

/* ---- the answer ---- */

/* It goes into a field: RFC 6750's b64token, and no longer than a head may be. */
static bool is_sendable(const char *token, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = ascii_lower(token[i]);
        if (!(c >= 'a' && c <= 'z') && !ascii_is_digit(c) && !memchr("-._~+/=", c, 7)) {
            return false;
        }
    }
    return len > 0 && len <= TOKEN_MAX;
}

static struct span text_of(const json_t *answer, const char *name)
{
    const json_t *value = json_object_get(answer, name);

    return json_is_string(value) ? span_of(json_string_value(value), json_string_length(value))
                                 : SPAN_EMPTY;
}

bool token_read(struct span answer, struct arena *arena, struct span *token, int64_t *seconds)
{
    json_t *json = answer.len ? json_loadb(answer.at, answer.len, 0, NULL) : NULL;
    struct span found = text_of(json, "token");
    const json_t *lives = json_object_get(json, "expires_in");
    int64_t given = json_is_integer(lives) ? json_integer_value(lives) : SECONDS_DEFAULT;

    found = found.len ? found : text_of(json, "access_token");
    bool good = found.len && is_sendable(found.at, found.len);
    if (good) {
        *token = arena_copy(arena, found);
        *seconds = given < 0 ? 0 : given > SECONDS_MAX_KEPT ? SECONDS_MAX_KEPT : given;
    }
    json_decref(json);
    return good;
}
