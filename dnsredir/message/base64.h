/*
 * base64 - bytes as text (RFC 4648 4), as configurations have them. Pure.
 */
#ifndef LARDER_DNSREDIR_MESSAGE_BASE64_H
#define LARDER_DNSREDIR_MESSAGE_BASE64_H

#include "base/span.h"

/* Reads padded, canonical base64. Writes at most `max` bytes to `out`, and their number to *len.
 * Returns 0, or ERR_SYNTAX, also for an empty text or too many bytes. */
int base64_read(struct span text, uint8_t *out, size_t max, size_t *len);

#endif
