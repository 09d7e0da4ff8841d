/*
 * digest - verifies that a body has the SHA-256 that its URL names, while it passes. The last byte
 * is held back until the digest is known, so a wrong body is never complete. Belongs to one fetch.
 */
#ifndef LARDER_PROXY_MIRROR_DIGEST_H
#define LARDER_PROXY_MIRROR_DIGEST_H

#include "base/arena.h"

struct digest;

/* `hex`: 64 lower-case digits, borrowed. */
struct digest *digest_new(struct span hex);
/* Accepts NULL; sets *digest to NULL. */
void digest_free(struct digest **digest);

/* Takes the next bytes, at least one. Sets `out` to two spans, either of which may be empty, that
 * may pass on now, in this order. They are valid until the next call, and while `bytes` is. */
void digest_take(struct digest *digest, struct span bytes, struct span out[2]);
/* The body has ended. True: the digest is right, and *last is the rest of the body. */
bool digest_ends(struct digest *digest, struct span *last);

#endif
