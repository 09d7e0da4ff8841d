/*
 * scopes - purges of everything below a prefix, of a host, or of all. Nothing is searched and
 * deleted: such a purge gives the URLs in its scope another salt, which goes into the hashes of
 * their keys. What was stored before, or is on its way, has hashes that nobody asks for any more,
 * and is evicted in time.
 *
 * A scope is the beginning of a URL's place (scope_place()):
 *
 *   ""                                 everything
 *   "www.example.net "                 a host
 *   "www.example.net http:80 forward /img/"    everything below a prefix
 *
 * A purge replaces the scopes inside its own, so there are few. Thread-safe; reading a salt takes
 * no lock until there are scopes, and then one that few others share.
 */
#ifndef LARDER_CACHE_SCOPES_H
#define LARDER_CACHE_SCOPES_H

#include "base/buf.h"
#include "http/uri.h"

#define SCOPES_MAX 1024
#define SCOPE_TEXT_MAX 4096
#define SCOPES_BYTES_MAX (64u + SCOPES_MAX * (16u + SCOPE_TEXT_MAX)) /* of all of them, encoded */

struct scopes;

struct scopes *scopes_new(void);
/* Accepts NULL; sets *scopes to NULL. */
void scopes_free(struct scopes **scopes);

/* "<host> <scheme>:<port> <zone> <path>". */
struct span scope_place(const struct uri *uri, struct span zone, struct arena *arena);
/* The scope of a host, with any scheme, port and zone. */
struct span scope_host(const struct uri *uri, struct arena *arena);

/* The salt for the hash of a URL's key; 0: it is in no scope. */
uint64_t scopes_salt(struct scopes *scopes, const struct uri *uri, struct span zone,
                     struct arena *arena);

/* Gives everything that begins with `text` another salt. Returns 0; ERR_TOO_LARGE: longer than
 * SCOPE_TEXT_MAX; ERR_FULL: there are SCOPES_MAX, none of them inside it. */
int scopes_purge(struct scopes *scopes, struct span text);

/* Encodes all scopes. scopes_serial() grows with each purge. */
void scopes_encode(struct scopes *scopes, struct buf *out);
uint64_t scopes_serial(struct scopes *scopes);
/* Takes over encoded scopes if they are newer. *agree: one of the two seems to be a later state of
 * the other; if not, everything is purged. Returns 0, or ERR_CORRUPT with nothing changed. */
int scopes_decode(struct scopes *scopes, struct span bytes, bool *agree);
/* Repeats the purges that this process has made since the state encoded in `before`. */
void scopes_renew(struct scopes *scopes, struct span before);

#endif
