/* log_style - access logs: where their lines go, and what is in them. Part of the settings. */
#ifndef LARDER_PROXY_CONFIG_LOG_STYLE_H
#define LARDER_PROXY_CONFIG_LOG_STYLE_H

#include "base/span.h"

/* Formats of the access log. Only ACCESS_JSON and ACCESS_TEMPLATE may have pieces. */
enum access_format { ACCESS_SQUID, ACCESS_COMBINED, ACCESS_JSON, ACCESS_TEMPLATE };

/* clang-format off */
/* id, word in formats, longest text in bytes, is it a number? */
#define LOG_FIELDS(X)                                                                              \
    X(TEXT,         "",             0,     false) /* none: what stands between them */             \
    X(TIME,         "time",         32,    false) /* 2026-11-22T07:40:01.007Z */                   \
    X(EPOCH,        "epoch",        32,    true)  /* 1763797201.007 */                             \
    X(ELAPSED_MS,   "elapsed_ms",   24,    true)                                                   \
    X(ELAPSED_US,   "elapsed_us",   24,    true)                                                   \
    X(CLIENT,       "client",       64,    false)                                                  \
    X(USER,         "user",         400,   false)                                                  \
    X(METHOD,       "method",       400,   false)                                                  \
    X(URL,          "url",          26000, false)                                                  \
    X(HOST,         "host",         800,   false)                                                  \
    X(PATH,         "path",         25200, false)                                                  \
    X(VERSION,      "version",      16,    false) /* HTTP/1.1 */                                   \
    X(STATUS,       "status",       24,    true)                                                   \
    X(BYTES,        "bytes",        24,    true)                                                   \
    X(CONTENT_TYPE, "content_type", 400,   false)                                                  \
    X(OUTCOME,      "outcome",      32,    false)                                                  \
    X(RESULT,       "result",       64,    false) /* TCP_MISS_ABORTED */                           \
    X(REASON,       "reason",       64,    false)                                                  \
    X(STORE_REASON, "store_reason", 64,    false)                                                  \
    X(DETAIL,       "detail",       600,   false) /* Squid's last column here */                   \
    X(FWD,          "fwd",          32,    false)                                                  \
    X(FWD_STATUS,   "fwd_status",   24,    true)                                                   \
    X(AGE,          "age",          24,    true)                                                   \
    X(LIFETIME,     "lifetime",     24,    true)                                                   \
    X(SERVED_FROM,  "served_from",  32,    false)                                                  \
    X(DISK_WAIT_US, "disk_wait_us", 24,    true)                                                   \
    X(END,          "end",          32,    false)                                                  \
    X(ORIGIN,       "origin",       64,    false) /* its address */                                \
    X(HIERARCHY,    "hierarchy",    832,   false) /* HIER_DIRECT/192.0.2.1 */                      \
    X(REFERER,      "referer",      800,   false)                                                  \
    X(USER_AGENT,   "user_agent",   800,   false)                                                  \
    X(INCIDENT,     "incident",     400,   false)                                                  \
    X(MIRROR,       "mirror",       400,   false) /* /npm/ */                                      \
    X(REQUEST,      "request.NAME", 800,   false) /* a field of the request */
/* clang-format on */

enum log_field {
#define X(id, word, max, number) LOG_##id,
    LOG_FIELDS(X)
#undef X
        LOG_FIELD_COUNT
};
extern const char *const log_field_words[];

struct log_piece {
    enum log_field field;
    bool quoted;      /* stands between quotes, so spaces may stay */
    struct span text; /* LOG_TEXT: the text; LOG_REQUEST: the field's name */
};

/* How the lines of an access log are written. */
struct log_style {
    enum access_format format;
    const struct log_piece
        *pieces; /* all of ACCESS_TEMPLATE; of ACCESS_JSON only when fields are chosen */
    size_t piece_count;
};

enum { ACCESS_LOGS_MAX = 8 };

/* An access log. `to` is "-" (standard output), "syslog" or "journald" (either may be followed by
 * ":/PATH" of a socket), or a file. */
struct access_log {
    char *to;
    struct log_style style;
    bool has_style;
    struct log_piece *fields;
    size_t field_count;
};

#endif
