/*
 * coding - which content codings a client takes: Accept-Encoding (RFC 9110 12.5.3). Pure.
 */
#ifndef LARDER_HTTP_CODING_H
#define LARDER_HTTP_CODING_H

#include "http/headers.h"

/* Has the request named every coding of the response, or all by "*"? True if there is none. A
 * request without Accept-Encoding takes any coding by the letter, but its client mostly decodes
 * none: false. */
bool coding_is_named(const struct http_fields *request, const struct http_fields *response);

#endif
