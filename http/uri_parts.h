/*
 * uri_parts - the inside of URIs, for the files they are made of: uri.c (authorities, absolute
 * URIs, texts), uri_request.c (targets of requests), uri_resolve.c (references). Pure.
 */
#ifndef LARDER_HTTP_URI_PARTS_H
#define LARDER_HTTP_URI_PARTS_H

#include "http/uri.h"

enum { PORT_HTTP = 80, PORT_HTTPS = 443 };

static inline uint16_t uri_default_port(bool https)
{
    return https ? PORT_HTTPS : PORT_HTTP;
}

/* "http://" or "https://" at the beginning: how many bytes, and which. 0 when it is neither. */
size_t uri_scheme_len(struct span text, bool *https);
/* Bytes that a path with its query may have: no fragment, nothing invisible. */
bool uri_path_is_valid(struct span path);

#endif
