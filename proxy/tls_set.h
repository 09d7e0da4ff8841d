/*
 * tls_set - the TLS contexts of settings: certificates of listeners, and whom to trust as origins.
 *
 * Made once after the settings are loaded and freed with them. Thread-safe to read.
 */
#ifndef LARDER_PROXY_TLS_SET_H
#define LARDER_PROXY_TLS_SET_H

#include "proxy/config/directives.h"
#include "proxy/stream/tls_context.h"

/* Reads the certificate files and makes the contexts. A context whose files have the same bytes
 * as in `before` (NULL: none) is shared with it, so that connections and sessions with origins
 * survive a reload. Listeners always keep their ticket keys, so that clients can resume their
 * sessions. Returns 0, or ERR_CONFIG after reporting every file that cannot be used; then no
 * context is made. */
int tls_set_make(struct settings *settings, const struct settings *before,
                 const struct tls_report *report);

/* The context of the listener with this address, as configured. NULL: it has no TLS, or there is no
 * such listener. Borrowed. */
struct tls_context *tls_set_listener(const struct settings *settings, const char *address);

/* The context for https:// origins of a site; site NULL: of forward proxy requests. Borrowed. */
struct tls_context *tls_set_origins(const struct settings *settings, const struct site *site);

#endif
