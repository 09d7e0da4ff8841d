/* accesslog_columns - what the formats of the access log have in common. No column can be forged:
 * each is visible ASCII without blanks. Nobody else includes it. */
#ifndef LARDER_PROXY_CLIENT_ACCESSLOG_COLUMNS_H
#define LARDER_PROXY_CLIENT_ACCESSLOG_COLUMNS_H

#include "proxy/client/accesslog.h"

enum { WORD_MAX_SHOWN = 128, QUOTED_MAX_SHOWN = 256 };

/* Each returns the place behind what it wrote. */

/* A word of at most WORD_MAX_SHOWN bytes, or "-". */
char *column_word(char *at, struct span word);
char *column_padded(char *at, uint64_t number, size_t width, char pad);
char *column_method(char *at, const struct http_head *request);
char *column_hierarchy(char *at, const struct accesslog_entry *entry);
/* The type without its parameters. */
char *column_type(char *at, struct span type);
/* "reason:rule,store-reason#incident". */
char *column_reason(char *at, const struct accesslog_entry *entry);

/* "1994-11-06T08:49:37.000Z". */
char *column_time(char *at, int64_t when_ms);
/* Text that may stand between quotes: blanks stay, quotes do not. */
char *column_quotable(char *at, struct span text);
/* Where somebody came from, without what they asked there, and as whom. */
struct span column_referer(struct span referer);
/* What was written from `start` to `end` becomes the inside of a string of JSON; returns its end. A
 * quote was one byte of which three could have been made, so there is room. */
char *column_escape(char *start, char *end);

/* ---- a line without its end ---- */

char *accesslog_json(char *at, const struct accesslog_entry *entry);
char *accesslog_combined(char *at, const struct accesslog_entry *entry);
char *accesslog_template(char *at, const struct log_style *style,
                         const struct accesslog_entry *entry);
/* An object of the style's fields. */
char *accesslog_members(char *at, const struct log_style *style,
                        const struct accesslog_entry *entry);

#endif
