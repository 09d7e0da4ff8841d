/*
 * names - the vocabulary of HTTP as tables: field names, methods, status texts. Pure. Known field
 * names have an id, so that other code compares integers.
 */
#ifndef LARDER_HTTP_NAMES_H
#define LARDER_HTTP_NAMES_H

#include "base/span.h"

/* clang-format off */
#define HTTP_FIELDS(X)                                                                             \
    /* id, as the RFCs write it, as HTTP/2 does (RFC 9113 8.2) */                                  \
    X(ACCEPT,                     "Accept",                    "accept")                           \
    X(ACCEPT_CHARSET,             "Accept-Charset",            "accept-charset")                   \
    X(ACCEPT_ENCODING,            "Accept-Encoding",           "accept-encoding")                  \
    X(ACCEPT_LANGUAGE,            "Accept-Language",           "accept-language")                  \
    X(ACCEPT_RANGES,              "Accept-Ranges",             "accept-ranges")                    \
    X(AGE,                        "Age",                       "age")                              \
    X(ALLOW,                      "Allow",                     "allow")                            \
    X(AUTHORIZATION,              "Authorization",             "authorization")                    \
    X(CACHE_CONTROL,              "Cache-Control",             "cache-control")                    \
    X(CACHE_GROUPS,               "Cache-Groups",              "cache-groups")                     \
    X(CACHE_GROUP_INVALIDATION,   "Cache-Group-Invalidation",  "cache-group-invalidation")         \
    X(CACHE_STATUS,               "Cache-Status",              "cache-status")                     \
    X(CACHE_TAG,                  "Cache-Tag",                 "cache-tag")                        \
    X(CDN_CACHE_CONTROL,          "CDN-Cache-Control",         "cdn-cache-control")                \
    X(CDN_LOOP,                   "CDN-Loop",                  "cdn-loop")                         \
    X(CONNECTION,                 "Connection",                "connection")                       \
    X(CONTENT_ENCODING,           "Content-Encoding",          "content-encoding")                 \
    X(CONTENT_LANGUAGE,           "Content-Language",          "content-language")                 \
    X(CONTENT_LENGTH,             "Content-Length",            "content-length")                   \
    X(CONTENT_LOCATION,           "Content-Location",          "content-location")                 \
    X(CONTENT_RANGE,              "Content-Range",             "content-range")                    \
    X(CONTENT_TYPE,               "Content-Type",              "content-type")                     \
    X(COOKIE,                     "Cookie",                    "cookie")                           \
    X(DATE,                       "Date",                      "date")                             \
    X(ETAG,                       "ETag",                      "etag")                             \
    X(EXPECT,                     "Expect",                    "expect")                           \
    X(EXPIRES,                    "Expires",                   "expires")                          \
    X(FORWARDED,                  "Forwarded",                 "forwarded")                        \
    X(HOST,                       "Host",                      "host")                             \
    X(HTTP2_SETTINGS,             "HTTP2-Settings",            "http2-settings")                   \
    X(IF_MATCH,                   "If-Match",                  "if-match")                         \
    X(IF_MODIFIED_SINCE,          "If-Modified-Since",         "if-modified-since")                \
    X(IF_NONE_MATCH,              "If-None-Match",             "if-none-match")                    \
    X(IF_RANGE,                   "If-Range",                  "if-range")                         \
    X(IF_UNMODIFIED_SINCE,        "If-Unmodified-Since",       "if-unmodified-since")              \
    X(KEEP_ALIVE,                 "Keep-Alive",                "keep-alive")                       \
    X(LAST_MODIFIED,              "Last-Modified",             "last-modified")                    \
    X(LOCATION,                   "Location",                  "location")                         \
    X(MAX_FORWARDS,               "Max-Forwards",              "max-forwards")                     \
    X(ORIGIN,                     "Origin",                    "origin")                           \
    X(PRAGMA,                     "Pragma",                    "pragma")                           \
    X(PRIORITY,                   "Priority",                  "priority")                         \
    X(PROXY_AUTHENTICATE,         "Proxy-Authenticate",        "proxy-authenticate")               \
    X(PROXY_AUTHENTICATION_INFO,  "Proxy-Authentication-Info", "proxy-authentication-info")        \
    X(PROXY_AUTHORIZATION,        "Proxy-Authorization",       "proxy-authorization")              \
    X(PROXY_CONNECTION,           "Proxy-Connection",          "proxy-connection")                 \
    X(PROXY_STATUS,               "Proxy-Status",              "proxy-status")                     \
    X(RANGE,                      "Range",                     "range")                            \
    X(REFERER,                    "Referer",                   "referer")                          \
    X(RETRY_AFTER,                "Retry-After",               "retry-after")                      \
    X(SERVER,                     "Server",                    "server")                           \
    X(SET_COOKIE,                 "Set-Cookie",                "set-cookie")                       \
    X(SURROGATE_KEY,              "Surrogate-Key",             "surrogate-key")                    \
    X(TE,                         "TE",                        "te")                               \
    X(TRAILER,                    "Trailer",                   "trailer")                          \
    X(TRANSFER_ENCODING,          "Transfer-Encoding",         "transfer-encoding")                \
    X(UPGRADE,                    "Upgrade",                   "upgrade")                          \
    X(USER_AGENT,                 "User-Agent",                "user-agent")                       \
    X(VARY,                       "Vary",                      "vary")                             \
    X(VIA,                        "Via",                       "via")                              \
    X(WARNING,                    "Warning",                   "warning")                          \
    X(WWW_AUTHENTICATE,           "WWW-Authenticate",          "www-authenticate")                 \
    X(X_FORWARDED_FOR,            "X-Forwarded-For",           "x-forwarded-for")                  \
    X(X_FORWARDED_PROTO,          "X-Forwarded-Proto",         "x-forwarded-proto")

#define HTTP_METHODS(X)                                                                            \
    /* id, safe (RFC 9110 9.2.1), idempotent (9.2.2) */                                            \
    X(GET, 1, 1) X(HEAD, 1, 1) X(POST, 0, 0) X(PUT, 0, 1) X(DELETE, 0, 1) X(CONNECT, 0, 0)         \
    X(OPTIONS, 1, 1) X(TRACE, 1, 1) X(PATCH, 0, 0) X(PURGE, 0, 1)
/* clang-format on */

enum http_field_id {
    FIELD_OTHER = 0,
#define X(id, text, small) FIELD_##id,
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

/* The id of a field name, without regard to case; FIELD_OTHER: it is not in the table. */
enum http_field_id http_field_id(struct span name);
/* The name as the RFCs write it. `id` must not be FIELD_OTHER. */
struct span http_field_name(enum http_field_id id);
/* The same in lower case, for HTTP/2. */
struct span http_field_name_small(enum http_field_id id);

/* Methods are case-sensitive (RFC 9110 9.1). */
enum http_method http_method_id(struct span text);
struct span http_method_text(enum http_method method);
bool http_method_is_safe(enum http_method method);
bool http_method_is_idempotent(enum http_method method);

/* The reason phrase of RFC 9110; empty for other statuses. */
struct span http_status_text(int status);

/* Is it a token (RFC 9110 5.6.2)? */
bool http_is_token(struct span text);

#endif
