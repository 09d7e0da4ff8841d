/* percent - percent-encoding (RFC 3986 2.1). Pure. */
#ifndef LARDER_HTTP_PERCENT_H
#define LARDER_HTTP_PERCENT_H

#include "base/arena.h"
#include "base/span.h"

/* Decodes `text` into memory of `arena`. False: a "%" without two hexadecimal digits; then *out is
 * unchanged. */
bool percent_decode(struct span text, struct arena *arena, struct span *out);

#endif
