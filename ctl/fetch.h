/*
 * fetch - one request to an admin listener, blocking: larderctl has nothing else to do meanwhile.
 */
#ifndef LARDER_CTL_FETCH_H
#define LARDER_CTL_FETCH_H

#include "base/buf.h"

#define FETCH_DEFAULT_ADMIN "127.0.0.1:3129"
#define FETCH_DNS_ADMIN "127.0.0.1:3130"

/* `admin` is "ADDRESS:PORT", "NAME[:PORT]", the same behind "http://", or "unix:/PATH". Returns 0
 * and the body of a 200 answer in *body; else a negative number and a sentence for people in *why.
 * ERR_REFUSED: *body is that of a 400 answer, which says itself what is wrong, and *why is empty.
 * ERR_BUSY: it is that of a 503, and *why has a sentence all the same.
 * Gives up when nothing arrives for ten seconds. */
int fetch(const char *admin, const char *path, struct buf *body, struct buf *why);

/* The same with a POST, of nothing. */
int fetch_post(const char *admin, const char *path, struct buf *body, struct buf *why);

/* Only sends the request: a descriptor of which the answer can be read, or a negative number and a
 * sentence in *why. */
int fetch_begin(const char *admin, const char *method, const char *path, struct buf *why);

#endif
