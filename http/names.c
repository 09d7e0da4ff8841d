#include "http/names.h"

#include "base/check.h"
#include "http/chars.h"

enum { NAME_LEN_MAX = 25, NAMES_PER_LEN = 7 };

/* clang-format off */
#define HTTP_STATUSES(X)                                                                           \
    X(100, "Continue")                                                                             \
    X(101, "Switching Protocols")                                                                  \
    X(102, "Processing")                                                                           \
    X(103, "Early Hints")                                                                          \
    X(200, "OK")                                                                                   \
    X(201, "Created")                                                                              \
    X(202, "Accepted")                                                                             \
    X(203, "Non-Authoritative Information")                                                        \
    X(204, "No Content")                                                                           \
    X(205, "Reset Content")                                                                        \
    X(206, "Partial Content")                                                                      \
    X(207, "Multi-Status")                                                                         \
    X(208, "Already Reported")                                                                     \
    X(226, "IM Used")                                                                              \
    X(300, "Multiple Choices")                                                                     \
    X(301, "Moved Permanently")                                                                    \
    X(302, "Found")                                                                                \
    X(303, "See Other")                                                                            \
    X(304, "Not Modified")                                                                         \
    X(305, "Use Proxy")                                                                            \
    X(307, "Temporary Redirect")                                                                   \
    X(308, "Permanent Redirect")                                                                   \
    X(400, "Bad Request")                                                                          \
    X(401, "Unauthorized")                                                                         \
    X(402, "Payment Required")                                                                     \
    X(403, "Forbidden")                                                                            \
    X(404, "Not Found")                                                                            \
    X(405, "Method Not Allowed")                                                                   \
    X(406, "Not Acceptable")                                                                       \
    X(407, "Proxy Authentication Required")                                                        \
    X(408, "Request Timeout")                                                                      \
    X(409, "Conflict")                                                                             \
    X(410, "Gone")                                                                                 \
    X(411, "Length Required")                                                                      \
    X(412, "Precondition Failed")                                                                  \
    X(413, "Content Too Large")                                                                    \
    X(414, "URI Too Long")                                                                         \
    X(415, "Unsupported Media Type")                                                               \
    X(416, "Range Not Satisfiable")                                                                \
    X(417, "Expectation Failed")                                                                   \
    X(421, "Misdirected Request")                                                                  \
    X(422, "Unprocessable Content")                                                                \
    X(423, "Locked")                                                                               \
    X(424, "Failed Dependency")                                                                    \
    X(425, "Too Early")                                                                            \
    X(426, "Upgrade Required")                                                                     \
    X(428, "Precondition Required")                                                                \
    X(429, "Too Many Requests")                                                                    \
    X(431, "Request Header Fields Too Large")                                                      \
    X(451, "Unavailable For Legal Reasons")                                                        \
    X(500, "Internal Server Error")                                                                \
    X(501, "Not Implemented")                                                                      \
    X(502, "Bad Gateway")                                                                          \
    X(503, "Service Unavailable")                                                                  \
    X(504, "Gateway Timeout")                                                                      \
    X(505, "HTTP Version Not Supported")                                                           \
    X(506, "Variant Also Negotiates")                                                              \
    X(507, "Insufficient Storage")                                                                 \
    X(508, "Loop Detected")                                                                        \
    X(511, "Network Authentication Required")
/* clang-format on */

static const struct span field_names[FIELD_COUNT] = {
#define X(id, text) [FIELD_##id] = {text, sizeof(text) - 1},
    HTTP_FIELDS(X)
#undef X
};

/* The known names by their length: few names share one, and fewer their first letter. A name that
 * is in HTTP_FIELDS but not here is caught by a test. */
/* clang-format off */
static const uint8_t fields_by_len[NAME_LEN_MAX + 1][NAMES_PER_LEN] = {
    [2] = {FIELD_TE},
    [3] = {FIELD_AGE, FIELD_VIA},
    [4] = {FIELD_DATE, FIELD_ETAG, FIELD_HOST, FIELD_VARY},
    [5] = {FIELD_ALLOW, FIELD_RANGE},
    [6] = {FIELD_ACCEPT, FIELD_COOKIE, FIELD_EXPECT, FIELD_ORIGIN, FIELD_PRAGMA, FIELD_SERVER},
    [7] = {FIELD_EXPIRES, FIELD_REFERER, FIELD_TRAILER, FIELD_UPGRADE, FIELD_WARNING},
    [8] = {FIELD_CDN_LOOP, FIELD_IF_MATCH, FIELD_IF_RANGE, FIELD_LOCATION, FIELD_PRIORITY},
    [9] = {FIELD_CACHE_TAG, FIELD_FORWARDED},
    [10] = {FIELD_CONNECTION, FIELD_KEEP_ALIVE, FIELD_SET_COOKIE, FIELD_USER_AGENT},
    [11] = {FIELD_RETRY_AFTER},
    [12] = {FIELD_CACHE_GROUPS, FIELD_CACHE_STATUS, FIELD_CONTENT_TYPE, FIELD_MAX_FORWARDS,
            FIELD_PROXY_STATUS},
    [13] = {FIELD_ACCEPT_RANGES, FIELD_AUTHORIZATION, FIELD_CACHE_CONTROL, FIELD_CONTENT_RANGE,
            FIELD_IF_NONE_MATCH, FIELD_LAST_MODIFIED, FIELD_SURROGATE_KEY},
    [14] = {FIELD_ACCEPT_CHARSET, FIELD_CONTENT_LENGTH, FIELD_HTTP2_SETTINGS},
    [15] = {FIELD_ACCEPT_ENCODING, FIELD_ACCEPT_LANGUAGE, FIELD_X_FORWARDED_FOR},
    [16] = {FIELD_CONTENT_ENCODING, FIELD_CONTENT_LANGUAGE, FIELD_CONTENT_LOCATION,
            FIELD_PROXY_CONNECTION, FIELD_WWW_AUTHENTICATE},
    [17] = {FIELD_CDN_CACHE_CONTROL, FIELD_IF_MODIFIED_SINCE, FIELD_TRANSFER_ENCODING,
            FIELD_X_FORWARDED_PROTO},
    [18] = {FIELD_PROXY_AUTHENTICATE},
    [19] = {FIELD_IF_UNMODIFIED_SINCE, FIELD_PROXY_AUTHORIZATION},
    [24] = {FIELD_CACHE_GROUP_INVALIDATION},
    [25] = {FIELD_PROXY_AUTHENTICATION_INFO},
};
/* clang-format on */

/* Eight bytes at once: ASCII capitals become small, everything else stays. */
static uint64_t fold8(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t low = word & (0x7f * ones);
    uint64_t at_least_a = low + (0x80 - 'A') * ones;
    uint64_t beyond_z = low + (0x7f - 'Z') * ones;
    uint64_t capitals = (at_least_a ^ beyond_z) & ~word & (0x80 * ones);

    return word | (capitals >> 2);
}

static uint64_t load8(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* span_ieq() for two texts of one length, by words: this is the hot part of parsing a head. */
static bool same_name(const char *a, const char *b, size_t len)
{
    if (len < 8) {
        return span_ieq(span_of(a, len), span_of(b, len));
    }
    for (size_t i = 0; i + 8 < len; i += 8) {
        if (fold8(load8(a + i)) != fold8(load8(b + i))) {
            return false;
        }
    }
    return fold8(load8(a + len - 8)) == fold8(load8(b + len - 8));
}

enum http_field_id http_field_id(struct span name)
{
    if (name.len == 0 || name.len > NAME_LEN_MAX) {
        return FIELD_OTHER;
    }
    const uint8_t *candidates = fields_by_len[name.len];
    char first = (char)(name.at[0] | 0x20);

    for (size_t i = 0; i < NAMES_PER_LEN && candidates[i] != FIELD_OTHER; i++) {
        const char *known = field_names[candidates[i]].at;
        if ((known[0] | 0x20) == first && same_name(known, name.at, name.len)) {
            return (enum http_field_id)candidates[i];
        }
    }
    return FIELD_OTHER;
}

struct span http_field_name(enum http_field_id id)
{
    CHECK(id > FIELD_OTHER && id < FIELD_COUNT);
    return field_names[id];
}

struct method {
    struct span text;
    bool safe, idempotent;
};

static const struct method methods[] = {
#define X(id, safe, idempotent) [METHOD_##id] = {{#id, sizeof(#id) - 1}, safe, idempotent},
    HTTP_METHODS(X)
#undef X
};

enum http_method http_method_id(struct span text)
{
    for (size_t i = METHOD_OTHER + 1; i < ARRAY_LEN(methods); i++) {
        if (span_eq(methods[i].text, text)) {
            return (enum http_method)i;
        }
    }
    return METHOD_OTHER;
}

struct span http_method_text(enum http_method method)
{
    CHECK(method > METHOD_OTHER && method < ARRAY_LEN(methods));
    return methods[method].text;
}

bool http_method_is_safe(enum http_method method)
{
    return methods[method].safe;
}

bool http_method_is_idempotent(enum http_method method)
{
    return methods[method].idempotent;
}

struct span http_status_text(int status)
{
    switch (status) {
#define X(code, text)                                                                              \
    case code:                                                                                     \
        return SPAN(text);
        HTTP_STATUSES(X)
#undef X
    default:
        return SPAN_EMPTY;
    }
}

bool http_is_token(struct span text)
{
    return text.len > 0 && chars_are(text, CHAR_TOKEN);
}
