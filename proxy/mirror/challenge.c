#include "proxy/mirror/challenge.h"

#include "base/buf.h"
#include "base/check.h"
#include "http/chars.h"

#include <jansson.h>

enum {
    URL_MAX = 4096,
    ITEMS_MAX = 32,       /* most schemes and parameters in a line */
    SECONDS_DEFAULT = 60, /* lifetime of a token that does not state it, by the specification */
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

static struct span read_token(struct span *rest)
{
    size_t i = 0;

    while (i < rest->len && is_token_char(rest->at[i])) {
        i++;
    }
    struct span token = span_take(*rest, i);
    *rest = span_skip(*rest, i);
    return token;
}

/* The position of the closing quote; the length: there is none. */
static size_t find_quote(struct span text)
{
    size_t i = 1;

    while (i < text.len && text.at[i] != '"') {
        i += text.at[i] == '\\' ? 2 : 1;
    }
    return i < text.len ? i : text.len;
}

static struct span unquoted(struct span text, struct arena *arena)
{
    char *copy = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        i += text.at[i] == '\\' && i + 1 < text.len;
        copy[len++] = text.at[i];
    }
    return span_of(copy, len);
}

/* Reads a token or a quoted string, and advances *rest. False: it has no end. */
static bool read_value(struct span *rest, struct arena *arena, struct span *out)
{
    if (rest->len == 0 || rest->at[0] != '"') {
        *out = read_token(rest);
        return out->len > 0;
    }
    size_t end = find_quote(*rest);
    if (end == rest->len) {
        return false;
    }
    *out = unquoted(span_skip(span_take(*rest, end), 1), arena);
    *rest = span_skip(*rest, end + 1);
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

/* Reads "=", the value, and a comma or the end. */
static bool read_parameter(struct span *rest, struct span name, struct arena *arena,
                           struct parameters *out)
{
    struct span value;

    *rest = span_trim(span_skip(*rest, 1));
    if (name.len == 0 || !read_value(rest, arena, &value)) {
        return false;
    }
    keep(name, value, out);
    *rest = span_trim(*rest);
    return rest->len == 0 || rest->at[0] == ',';
}

/* Skips to the next comma outside quotes. */
static struct span skip_item(struct span rest)
{
    while (rest.len && rest.at[0] != ',') {
        rest = span_skip(rest, rest.at[0] == '"' ? find_quote(rest) : 0);
        rest = span_skip(rest, rest.len > 0);
    }
    return rest;
}

static struct span skip_commas(struct span rest)
{
    while ((rest = span_trim(rest)).len && rest.at[0] == ',') {
        rest = span_skip(rest, 1);
    }
    return rest;
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

/* Reads challenges, each a scheme with parameters (RFC 9110 11.6.1), and uses the first valid
 * Bearer. Commas separate both; a scheme is what no "=" follows. */
static bool read_line(struct span line, struct arena *arena, struct uri *out)
{
    struct parameters parameters = {0};
    bool bearer = false;

    for (int items = 0; (line = skip_commas(line)).len; items++) {
        struct span rest = line, name = read_token(&rest);
        rest = span_trim(rest);
        if (items == ITEMS_MAX) {
            return false;
        }
        if (name.len && (rest.len == 0 || rest.at[0] != '=')) {
            if (bearer && make_url(&parameters, arena, out)) {
                return true;
            }
            bearer = span_ieq(name, SPAN("Bearer"));
            parameters = (struct parameters){0};
            line = rest;
        } else if (read_parameter(&rest, name, arena, &parameters)) {
            line = rest;
        } else {
            bearer = false;
            line = skip_item(line);
        }
    }
    return bearer && make_url(&parameters, arena, out);
}

bool challenge_read(const struct http_fields *response, struct arena *arena, struct uri *out)
{
    for (size_t i = 0; i < response->count; i++) {
        const struct http_field *field = &response->at[i];
        if (span_ieq(field->name, SPAN("WWW-Authenticate")) &&
            read_line(field->value, arena, out)) {
            return true;
        }
    }
    return false;
}

/* ---- the answer ---- */

/* Can it be sent in a field? It must be a b64token (RFC 6750), and not too long. */
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
