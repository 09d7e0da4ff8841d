/*
 * tls_set - what settings say of TLS, as contexts: the certificates of each listener, and whom to
 * trust for whose origins. Made after settings are loaded, kept with them, read by any thread.
 */
#ifndef LARDER_PROXY_TLS_SET_H
#define LARDER_PROXY_TLS_SET_H

#include "proxy/directives.h"
#include "proxy/stream/tls_context.h"

/* Reads the files. What is the same as in `before` (NULL: none), to the last byte of its files, is
 * not made anew: connections to origins stay, and sessions with them. Listeners keep their ticket
 * keys in any case, so that clients resume their sessions. Files that cannot be used are told in
 * the report, all at once: ERR_CONFIG, and nothing is made. */
int tls_set_make(struct settings *settings, const struct settings *before,
                 const struct tls_report *report);

/* Of the listener with this address (as configured). NULL: it is plain, or not there. Borrowed. */
struct tls_context *tls_set_listener(const struct settings *settings, const char *address);

/* For https:// origins of a site, or of forward requests (NULL). Borrowed. */
struct tls_context *tls_set_origins(const struct settings *settings, const struct site *site);

#endif
