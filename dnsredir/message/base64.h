/*
 * base64 - bytes as text (RFC 4648 4), as configurations have them. Pure.
 */
#ifndef LARDER_DNSREDIR_MESSAGE_BASE64_H
#define LARDER_DNSREDIR_MESSAGE_BASE64_H

#include "base/span.h"

/* Strict: padded, and one text for each value; `text` is not empty. At most `max` bytes go to
 * `out`, *len of them. 0 or ERR_SYNTAX. */
int base64_read(struct span text, uint8_t *out, size_t max, size_t *len);

#endif
