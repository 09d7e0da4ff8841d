/* date - HTTP dates (RFC 9110 5.6.7): three forms in, one out. Pure. */
#ifndef LARDER_HTTP_DATE_H
#define LARDER_HTTP_DATE_H

#include "base/span.h"

/* Seconds since 1970; -1 when the text is not one of the three forms. `now` decides the century of
 * a two-digit year; a date before 1970 is 0. */
int64_t date_parse(struct span text, int64_t now);

/* "Sun, 06 Nov 1994 08:49:37 GMT": 29 bytes into `out`, not terminated. */
#define DATE_LEN 29
void date_format(int64_t when, char out[DATE_LEN]);

#endif
