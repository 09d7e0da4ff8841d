/* date - parses HTTP dates in their three forms, and writes one (RFC 9110 5.6.7). Pure. */
#ifndef LARDER_HTTP_DATE_H
#define LARDER_HTTP_DATE_H

#include "base/span.h"

/* Returns seconds since 1970, 0 for earlier dates, or -1 if the text has none of the three forms.
 * `now` decides the century of a two-digit year. */
int64_t date_parse(struct span text, int64_t now);

/* Writes "Sun, 06 Nov 1994 08:49:37 GMT": 29 bytes, not terminated. */
#define DATE_LEN 29
void date_format(int64_t when, char out[DATE_LEN]);

#endif
