/*
 * priority - the Priority field of a request (RFC 9218 4). Pure.
 */
#ifndef LARDER_HTTP_PRIORITY_H
#define LARDER_HTTP_PRIORITY_H

#include "http/headers.h"

enum { PRIORITY_DEFAULT = 3, PRIORITY_LEAST = 7 };

struct priority {
    uint8_t urgency; /* 0 is the most urgent */
    bool incremental;
};

/* False, and *out is not changed: the field is not there, or malformed. What has another type or
 * range than its parameter is ignored. */
bool priority_read(const struct http_fields *fields, struct priority *out);

#endif
