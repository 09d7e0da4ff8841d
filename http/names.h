/*
 * names - the vocabulary of HTTP as tables: field names, methods, status texts. Pure.
 *
 * A field whose name is known carries its id, so that the rest of the code compares integers.
 */
#ifndef LARDER_HTTP_NAMES_H
#define LARDER_HTTP_NAMES_H

#include "base/span.h"

/* clang-format off */
#define HTTP_FIELDS(X)                                                                             \
    X(ACCEPT,              "Accept")                                                               \
    X(ACCEPT_CHARSET,      "Accept-Charset")                                                       \
    X(ACCEPT_ENCODING,     "Accept-Encoding")                                                      \
    X(ACCEPT_LANGUAGE,     "Accept-Language")                                                      \
    X(ACCEPT_RANGES,       "Accept-Ranges")                                                        \
    X(AGE,                 "Age")                                                                  \
    X(ALLOW,               "Allow")                                                                \
    X(AUTHORIZATION,       "Authorization")                                                        \
    X(CACHE_CONTROL,       "Cache-Control")                                                        \
    X(CACHE_GROUPS,        "Cache-Groups")                                                         \
    X(CACHE_GROUP_INVALIDATION, "Cache-Group-Invalidation")                                        \
    X(CACHE_STATUS,        "Cache-Status")                                                         \
    X(CACHE_TAG,           "Cache-Tag")                                                            \
    X(CDN_CACHE_CONTROL,   "CDN-Cache-Control")                                                    \
    X(CDN_LOOP,            "CDN-Loop")                                                             \
    X(CONNECTION,          "Connection")                                                           \
    X(CONTENT_ENCODING,    "Content-Encoding")                                                     \
    X(CONTENT_LANGUAGE,    "Content-Language")                                                     \
    X(CONTENT_LENGTH,      "Content-Length")                                                       \
    X(CONTENT_LOCATION,    "Content-Location")                                                     \
    X(CONTENT_RANGE,       "Content-Range")                                                        \
    X(CONTENT_TYPE,        "Content-Type")                                                         \
    X(COOKIE,              "Cookie")                                                               \
    X(DATE,                "Date")                                                                 \
    X(ETAG,                "ETag")                                                                 \
    X(EXPECT,              "Expect")                                                               \
    X(EXPIRES,             "Expires")                                                              \
    X(FORWARDED,           "Forwarded")                                                            \
    X(HOST,                "Host")                                                                 \
    X(HTTP2_SETTINGS,      "HTTP2-Settings")                                                       \
    X(IF_MATCH,            "If-Match")                                                             \
    X(IF_MODIFIED_SINCE,   "If-Modified-Since")                                                    \
    X(IF_NONE_MATCH,       "If-None-Match")                                                        \
    X(IF_RANGE,            "If-Range")                                                             \
    X(IF_UNMODIFIED_SINCE, "If-Unmodified-Since")                                                  \
    X(KEEP_ALIVE,          "Keep-Alive")                                                           \
    X(LAST_MODIFIED,       "Last-Modified")                                                        \
    X(LOCATION,            "Location")                                                             \
    X(MAX_FORWARDS,        "Max-Forwards")                                                         \
    X(ORIGIN,              "Origin")                                                               \
    X(PRAGMA,              "Pragma")                                                               \
    X(PRIORITY,            "Priority")                                                             \
    X(PROXY_AUTHENTICATE,  "Proxy-Authenticate")                                                   \
    X(PROXY_AUTHENTICATION_INFO, "Proxy-Authentication-Info")                                      \
    X(PROXY_AUTHORIZATION, "Proxy-Authorization")                                                  \
    X(PROXY_CONNECTION,    "Proxy-Connection")                                                     \
    X(PROXY_STATUS,        "Proxy-Status")                                                         \
    X(RANGE,               "Range")                                                                \
    X(REFERER,             "Referer")                                                              \
    X(RETRY_AFTER,         "Retry-After")                                                          \
    X(SERVER,              "Server")                                                               \
    X(SET_COOKIE,          "Set-Cookie")                                                           \
    X(SURROGATE_KEY,       "Surrogate-Key")                                                        \
    X(TE,                  "TE")                                                                   \
    X(TRAILER,             "Trailer")                                                              \
    X(TRANSFER_ENCODING,   "Transfer-Encoding")                                                    \
    X(UPGRADE,             "Upgrade")                                                              \
    X(USER_AGENT,          "User-Agent")                                                           \
    X(VARY,                "Vary")                                                                 \
    X(VIA,                 "Via")                                                                  \
    X(WARNING,             "Warning")                                                              \
    X(WWW_AUTHENTICATE,    "WWW-Authenticate")                                                     \
    X(X_FORWARDED_FOR,     "X-Forwarded-For")                                                      \
    X(X_FORWARDED_PROTO,   "X-Forwarded-Proto")

#define HTTP_METHODS(X)                                                                            \
    /* id, safe (RFC 9110 9.2.1), idempotent (9.2.2) */                                            \
    X(GET, 1, 1) X(HEAD, 1, 1) X(POST, 0, 0) X(PUT, 0, 1) X(DELETE, 0, 1) X(CONNECT, 0, 0)         \
    X(OPTIONS, 1, 1) X(TRACE, 1, 1) X(PATCH, 0, 0) X(PURGE, 0, 1)
/* clang-format on */

enum http_field_id {
    FIELD_OTHER = 0,
#define X(id, text) FIELD_##id,
    HTTP_FIELDS(X)
#undef X
        FIELD_COUNT
};

enum http_method {
    METHOD_OTHER = 0, /* any other token: forwarded, treated as unsafe */
#define X(id, safe, idempotent) METHOD_##id,
    HTTP_METHODS(X)
#undef X
};

/* The id of a field name, compared without case; FIELD_OTHER when it is not in the table. */
enum http_field_id http_field_id(struct span name);
/* The name as the RFCs write it. `id` must not be FIELD_OTHER. */
struct span http_field_name(enum http_field_id id);

/* Methods are case-sensitive (RFC 9110 9.1). */
enum http_method http_method_id(struct span text);
struct span http_method_text(enum http_method method);
bool http_method_is_safe(enum http_method method);
bool http_method_is_idempotent(enum http_method method);

/* The reason phrase of RFC 9110; an empty span for a status it does not name. */
struct span http_status_text(int status);

/* RFC 9110 5.6.2. */
bool http_is_token(struct span text);

#endif
