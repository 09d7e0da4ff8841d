/*
 * shown - makes text from peers safe to show in logs and to people. No byte can end a line or a
 * column, or control a terminal. Values of parameters that look like secrets are left out, in
 * queries and in paths ("/cart;jsessionid=1F"). Pure.
 */
#ifndef LARDER_PROXY_CLIENT_SHOWN_H
#define LARDER_PROXY_CLIENT_SHOWN_H

#include "http/uri.h"

/* Most bytes that shown_host() and shown_url() write. */
#define SHOWN_HOST_MAX 800
#define SHOWN_URL_MAX 26000

/* Does this name, of a parameter or field and in any case, look like that of a secret? */
bool shown_is_secret(struct span name);

/* The first secret value in the parameters of a path (without query), or an empty span at the
 * path's end. */
struct span shown_secret(struct span path);

/* Each function writes at `at` and returns the end of what it wrote. */

/* Percent-encodes all but visible ASCII: at most three times the length. */
char *shown_text(char *at, struct span text);
/* The host; an IPv6 address gets brackets. */
char *shown_host(char *at, const struct uri *uri);
/* The path with its query. */
char *shown_path(char *at, const struct uri *uri);
/* The URL, cut when it is very long; for CONNECT (`connect`) "host:port". NULL, or without a host:
 * "error:invalid-request". */
char *shown_url(char *at, const struct uri *uri, bool connect);

#endif
