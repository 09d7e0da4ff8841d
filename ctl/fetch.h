/*
 * fetch - sends one request to an admin listener, blocking.
 */
#ifndef LARDER_CTL_FETCH_H
#define LARDER_CTL_FETCH_H

#include "base/buf.h"

#define FETCH_PROXY_ADMIN "127.0.0.1:3129"
#define FETCH_DNS_ADMIN "127.0.0.1:3130"

/* Writes the address of an admin listener, as a C string: `usual` if `admin` is NULL, and with the
 * port of `usual` if `admin` is a host alone. Returns 0, or ERR_SYNTAX with a sentence for people
 * in *why. */
int fetch_address(const char *admin, const char *usual, struct buf *out, struct buf *why);

/* Sends a GET. `admin` is "ADDRESS:PORT" or "NAME:PORT", maybe behind "http://", or "unix:/PATH".
 * Returns 0 with the body of a 200 response in *body; otherwise a negative code with a sentence for
 * people in *why. ERR_REFUSED: *body is that of a 400 response, which explains the error, and *why
 * is empty. ERR_BUSY: *body is that of a 503 response. Gives up when nothing arrives for ten
 * seconds. */
int fetch(const char *admin, const char *path, struct buf *body, struct buf *why);

/* The same with an empty POST. */
int fetch_post(const char *admin, const char *path, struct buf *body, struct buf *why);

/* Appends what the body of an answer says about an error: "error" of a JSON object, or the line of
 * a short text. False: nothing. Pure. */
bool fetch_error(struct span body, struct buf *out);

/* Only sends the request. Returns a descriptor to read the response from, or a negative code with a
 * sentence in *why. */
int fetch_begin(const char *admin, const char *method, const char *path, struct buf *why);

#endif
