#include "http/names.h"

#include "base/check.h"
#include "http/chars.h"

enum { NAME_LEN_MAX = 25, HASHES = 256 };

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
#define X(id, text, small) [FIELD_##id] = {text, sizeof(text) - 1},
    HTTP_FIELDS(X)
#undef X
};

static const struct span small_names[FIELD_COUNT] = {
#define X(id, text, small) [FIELD_##id] = {small, sizeof(small) - 1},
    HTTP_FIELDS(X)
#undef X
};

/* The known names in a perfect hash table, whose hash function was found by trial. A unit test
 * fails when a new name of HTTP_FIELDS is missing here or collides with another. */
/* clang-format off */
static const uint8_t fields_by_hash[HASHES] = {
    [3] = FIELD_DATE,
    [12] = FIELD_WWW_AUTHENTICATE,
    [21] = FIELD_ORIGIN,
    [43] = FIELD_FORWARDED,
    [44] = FIELD_KEEP_ALIVE,
    [46] = FIELD_HTTP2_SETTINGS,
    [48] = FIELD_PROXY_AUTHORIZATION,
    [49] = FIELD_IF_MATCH,
    [50] = FIELD_PRAGMA,
    [52] = FIELD_SERVER,
    [55] = FIELD_CONTENT_LANGUAGE,
    [61] = FIELD_AUTHORIZATION,
    [63] = FIELD_IF_UNMODIFIED_SINCE,
    [65] = FIELD_CONTENT_LENGTH,
    [69] = FIELD_EXPECT,
    [70] = FIELD_VIA,
    [72] = FIELD_CACHE_GROUPS,
    [74] = FIELD_CONTENT_LOCATION,
    [80] = FIELD_PROXY_STATUS,
    [82] = FIELD_CONTENT_ENCODING,
    [86] = FIELD_SURROGATE_KEY,
    [88] = FIELD_ACCEPT_RANGES,
    [99] = FIELD_PROXY_AUTHENTICATION_INFO,
    [113] = FIELD_LAST_MODIFIED,
    [115] = FIELD_UPGRADE,
    [117] = FIELD_REFERER,
    [119] = FIELD_RANGE,
    [120] = FIELD_EXPIRES,
    [121] = FIELD_CONNECTION,
    [125] = FIELD_VARY,
    [128] = FIELD_IF_RANGE,
    [133] = FIELD_RETRY_AFTER,
    [135] = FIELD_IF_NONE_MATCH,
    [139] = FIELD_ACCEPT_CHARSET,
    [140] = FIELD_TE,
    [144] = FIELD_TRANSFER_ENCODING,
    [150] = FIELD_X_FORWARDED_FOR,
    [158] = FIELD_ETAG,
    [163] = FIELD_X_FORWARDED_PROTO,
    [167] = FIELD_ALLOW,
    [177] = FIELD_CACHE_CONTROL,
    [179] = FIELD_CDN_CACHE_CONTROL,
    [183] = FIELD_CONTENT_TYPE,
    [185] = FIELD_USER_AGENT,
    [188] = FIELD_CACHE_TAG,
    [189] = FIELD_PRIORITY,
    [194] = FIELD_SET_COOKIE,
    [197] = FIELD_ACCEPT_LANGUAGE,
    [204] = FIELD_AGE,
    [208] = FIELD_PROXY_CONNECTION,
    [213] = FIELD_ACCEPT,
    [219] = FIELD_HOST,
    [222] = FIELD_LOCATION,
    [224] = FIELD_ACCEPT_ENCODING,
    [225] = FIELD_TRAILER,
    [227] = FIELD_PROXY_AUTHENTICATE,
    [228] = FIELD_CACHE_STATUS,
    [230] = FIELD_COOKIE,
    [237] = FIELD_WARNING,
    [239] = FIELD_MAX_FORWARDS,
    [240] = FIELD_CDN_LOOP,
    [241] = FIELD_CONTENT_RANGE,
    [242] = FIELD_IF_MODIFIED_SINCE,
    [243] = FIELD_CACHE_GROUP_INVALIDATION,
};
/* clang-format on */

static uint8_t hash_of(struct span name)
{
    unsigned first = (unsigned char)name.at[0] | 0x20;
    unsigned middle = (unsigned char)name.at[name.len / 2] | 0x20;
    unsigned last = (unsigned char)name.at[name.len - 1] | 0x20;

    return (uint8_t)((unsigned)name.len * 58 + first * 28 + middle * 13 + last * 59);
}

/* Lower-cases eight ASCII bytes at once; other bytes stay. */
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

/* Loads four to eight bytes; if there are fewer than eight, the middle ones are loaded twice. */
static uint64_t load_short(const char *at, size_t len)
{
    uint32_t first, last;

    memcpy(&first, at, sizeof(first));
    memcpy(&last, at + len - sizeof(last), sizeof(last));
    return first | (uint64_t)last << 32;
}

/* Compares exactly first: most senders write names as the RFCs do, and HTTP/2 in lower case. */
static bool is_same(uint64_t a, uint64_t b)
{
    return a == b || fold8(a) == fold8(b);
}

/* span_ieq() for two texts of the same length, eight bytes at a time: this is the hot part of head
 * parsing. */
static bool same_name(const char *a, const char *b, size_t len)
{
    if (len < 4) {
        return span_ieq(span_of(a, len), span_of(b, len));
    }
    if (len < 8) {
        return is_same(load_short(a, len), load_short(b, len));
    }
    for (size_t i = 0; i + 8 < len; i += 8) {
        if (!is_same(load8(a + i), load8(b + i))) {
            return false;
        }
    }
    return is_same(load8(a + len - 8), load8(b + len - 8));
}

enum http_field_id http_field_id(struct span name)
{
    if (name.len == 0 || name.len > NAME_LEN_MAX) {
        return FIELD_OTHER;
    }
    enum http_field_id id = (enum http_field_id)fields_by_hash[hash_of(name)];
    const struct span *known = &field_names[id];

    return known->len == name.len && same_name(known->at, name.at, name.len) ? id : FIELD_OTHER;
}

struct span http_field_name(enum http_field_id id)
{
    CHECK(id > FIELD_OTHER && id < FIELD_COUNT);
    return field_names[id];
}

struct span http_field_name_small(enum http_field_id id)
{
    CHECK(id > FIELD_OTHER && id < FIELD_COUNT);
    return small_names[id];
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
    if (span_eq(text, SPAN("GET"))) {
        return METHOD_GET;
    }
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
