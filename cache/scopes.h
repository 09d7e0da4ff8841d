/*
 * scopes - what was purged at once: all below a prefix, of a host, or everything. Nothing is looked
 * for and deleted: each such purge gives the URLs in its scope another salt, which goes into the
 * hashes of their keys. What was kept before, or is still on its way, lies under hashes that nobody
 * asks for any more, and its room is taken by what comes.
 *
 * A scope is a text with which the place of a URL begins (scope_place()):
 *
 *   ""                                 everything
 *   "www.example.net "                 a host
 *   "www.example.net http:80 forward /img/"    what is below a prefix
 *
 * A purge replaces those inside its scope, so that there are few. Thread-safe; who asks for a salt
 * takes no lock until there is a scope, and then one that is shared with few others.
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
/* Accepts NULL. */
void scopes_free(struct scopes **scopes);

/* "<host> <scheme>:<port> <zone> <path>". */
struct span scope_place(const struct uri *uri, struct span zone, struct arena *arena);
/* Of all that has this host, whatever its scheme, port and zone. */
struct span scope_host(const struct uri *uri, struct arena *arena);

/* What goes into the hash of the URL's key; 0: it is in no scope. */
uint64_t scopes_salt(struct scopes *scopes, const struct uri *uri, struct span zone,
                     struct arena *arena);

/* From here on what begins with `text` has another salt. 0; ERR_TOO_LARGE: the text is longer than
 * SCOPE_TEXT_MAX; ERR_FULL: there are SCOPES_MAX of which it holds none. */
int scopes_purge(struct scopes *scopes, struct span text);

/* All of them, as bytes. Each purge has made them newer, which scopes_serial() counts. */
void scopes_encode(struct scopes *scopes, struct buf *out);
uint64_t scopes_serial(struct scopes *scopes);
/* Takes over what was encoded, if it is newer. *agree: one has come from the other by purges, as
 * far as can be told; if not, everything is purged, later than both. 0, or ERR_CORRUPT, with
 * nothing changed. */
int scopes_decode(struct scopes *scopes, struct span bytes, bool *agree);
/* What was purged since they were encoded as `before` (by this process) is purged once more. */
void scopes_renew(struct scopes *scopes, struct span before);

#endif
