/*
 * shown - what peers say as it may be shown in a log or to people: no byte of it ends a line or a
 * column or steers a terminal, and values of parameters that look like secrets are left out, of the
 * query and of the path ("/cart;jsessionid=1F"). Pure.
 */
#ifndef LARDER_PROXY_CLIENT_SHOWN_H
#define LARDER_PROXY_CLIENT_SHOWN_H

#include "http/uri.h"

/* Bytes that these write at most. */
#define SHOWN_HOST_MAX 800
#define SHOWN_URL_MAX 26000

/* Is a value under this name (of a parameter or field, in any case) one that is left out? */
bool shown_is_secret(struct span name);

/* The first value of a parameter of this path (without a query) that is left out; without one an
 * empty span at its end. */
struct span shown_secret(struct span path);

/* Each returns the place behind what it wrote. */

/* Everything but visible ASCII is percent-encoded: up to three times the length. */
char *shown_text(char *at, struct span text);
/* The host, an IPv6 address in brackets. */
char *shown_host(char *at, const struct uri *uri);
/* The path with its query. */
char *shown_path(char *at, const struct uri *uri);
/* The URL; of a CONNECT ("connect") "host:port"; cut when it is very long. NULL or without a host:
 * "error:invalid-request". */
char *shown_url(char *at, const struct uri *uri, bool connect);

#endif
