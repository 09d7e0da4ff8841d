/*
 * uri_parts - the inside of uri, shared by uri.c (authorities, absolute URIs, texts), uri_request.c
 * (request targets), uri_resolve.c (references) and h2_head.c (authorities of HTTP/2). Pure.
 */
#ifndef LARDER_HTTP_URI_PARTS_H
#define LARDER_HTTP_URI_PARTS_H

#include "http/uri.h"

enum { PORT_HTTP = 80, PORT_HTTPS = 443 };

static inline uint16_t uri_default_port(bool https)
{
    return https ? PORT_HTTPS : PORT_HTTP;
}

/* Length of "http://" or "https://" at the beginning, and which it is; 0: neither. */
size_t uri_scheme_len(struct span text, bool *https);
/* Is it a valid path with query: no fragment, only visible bytes? */
bool uri_path_is_valid(struct span path);

#endif
