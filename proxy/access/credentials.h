/*
 * credentials - name and password out of a field Proxy-Authorization (RFC 7617). Pure.
 */
#ifndef LARDER_PROXY_ACCESS_CREDENTIALS_H
#define LARDER_PROXY_ACCESS_CREDENTIALS_H

#include "base/arena.h"

enum { CREDENTIALS_NAME_MAX = 255, CREDENTIALS_PASSWORD_MAX = 255 };

struct credentials {
    struct span name, password; /* from the arena */
};

/* `value` is that of the field. ERR_UNSUPPORTED: another scheme than Basic; ERR_SYNTAX: no base64,
 * no colon, no name, a control character; ERR_TOO_LARGE. */
int credentials_parse(struct span value, struct arena *arena, struct credentials *out);

#endif
