/*
 * digest - is a body that passes the one that its URL names by SHA-256? The last byte is kept back
 * until that is known: a body that is another one is never complete. Belongs to one fetch.
 */
#ifndef LARDER_PROXY_MIRROR_DIGEST_H
#define LARDER_PROXY_MIRROR_DIGEST_H

#include "base/arena.h"

struct digest;

/* `hex`: 64 lower-case digits, borrowed. */
struct digest *digest_new(struct span hex);
/* Accepts NULL, sets it to NULL. */
void digest_free(struct digest **digest);

/* More of the body, at least a byte. Two spans that may go on now, the second one after the first;
 * either may be empty. Valid until the next call, and as long as `bytes`. */
void digest_take(struct digest *digest, struct span bytes, struct span out[2]);
/* The body has ended. True: it is the right one, and *last the rest of it. */
bool digest_ends(struct digest *digest, struct span *last);

#endif
