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
char *column_ip(char *at, const struct ip *ip);
char *column_method(char *at, const struct http_head *request);
char *column_hierarchy(char *at, const struct accesslog_entry *entry);
/* The type without its parameters. */
char *column_type(char *at, struct span type);
/* "reason:rule,store-reason#incident". */
char *column_reason(char *at, const struct accesslog_entry *entry);

/* ---- accesslog_json.c, accesslog_combined.c: a line without its end ---- */

char *accesslog_json(char *at, const struct accesslog_entry *entry);
char *accesslog_combined(char *at, const struct accesslog_entry *entry);

#endif
