/* accesslog_columns - columns that several formats of the access log share. Only for accesslog*.c.
 * No column can be forged: each is visible ASCII without spaces. */
#ifndef LARDER_PROXY_CLIENT_ACCESSLOG_COLUMNS_H
#define LARDER_PROXY_CLIENT_ACCESSLOG_COLUMNS_H

#include "proxy/client/accesslog.h"

enum { WORD_MAX_SHOWN = 128, QUOTED_MAX_SHOWN = 256 };

/* Each function writes at `at` and returns the end of what it wrote. */

/* A word, cut to WORD_MAX_SHOWN bytes, or "-". */
char *column_word(char *at, struct span word);
char *column_padded(char *at, uint64_t number, size_t width, char pad);
char *column_method(char *at, const struct http_head *request);
char *column_hierarchy(char *at, const struct accesslog_entry *entry);
/* A media type without its parameters. */
char *column_type(char *at, struct span type);
/* "reason:rule,store-reason#incident". */
char *column_reason(char *at, const struct accesslog_entry *entry);

/* "1994-11-06T08:49:37.000Z". */
char *column_time(char *at, int64_t when_ms);
/* Text between quotes: spaces stay, quotes are replaced. */
char *column_quotable(char *at, struct span text);
/* A referer without its query, and without credentials. */
struct span column_referer(struct span referer);
/* Escapes, in place, what was written between `start` and `end` for use inside a JSON string.
 * Returns the new end. There is room, as each quote takes a byte where an escaped byte took
 * three. */
char *column_escape(char *start, char *end);

/* ---- whole lines, without the newline ---- */

char *accesslog_json(char *at, const struct accesslog_entry *entry);
char *accesslog_combined(char *at, const struct accesslog_entry *entry);
char *accesslog_template(char *at, const struct log_style *style,
                         const struct accesslog_entry *entry);
/* A JSON object with the fields of the style. */
char *accesslog_members(char *at, const struct log_style *style,
                        const struct accesslog_entry *entry);

#endif
