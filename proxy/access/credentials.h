/*
 * credentials - parses name and password of a Proxy-Authorization field (Basic, RFC 7617). Pure.
 */
#ifndef LARDER_PROXY_ACCESS_CREDENTIALS_H
#define LARDER_PROXY_ACCESS_CREDENTIALS_H

#include "base/arena.h"

enum { CREDENTIALS_NAME_MAX = 255, CREDENTIALS_PASSWORD_MAX = 255 };

struct credentials {
    struct span name, password; /* from the arena */
};

/* `value` is the field's value. Returns 0; ERR_UNSUPPORTED: a scheme other than Basic; ERR_SYNTAX:
 * no base64, no colon, no name, or a control character; ERR_TOO_LARGE. */
int credentials_parse(struct span value, struct arena *arena, struct credentials *out);

#endif
