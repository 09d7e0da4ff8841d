/*
 * h1_framing - what a parsed HTTP/1 head means for its body and its connection (RFC 9112 3.2, 6.3,
 * 9.3). The second half of h1_parse, and used by nobody else, except the limit. Pure.
 */
#ifndef LARDER_HTTP_H1_FRAMING_H
#define LARDER_HTTP_H1_FRAMING_H

#include "http/h1_parse.h"

/* Most digits of a Content-Length, with leading zeros; also in HTTP/2. */
#define LENGTH_DIGITS_MAX 18

/* Collected while fields are parsed: the last value of each, and how often it occurred. */
struct h1_seen {
    struct span host, length, coding;
    unsigned hosts, lengths, codings;
    bool close, keep_alive, upgrade_named, upgrade_field, expect_continue;
};

/* Set head->framing, content_length, keep_alive, expect_continue and upgrade. False: the head must
 * be refused; *error has the reason, and the status for a request. */
bool h1_frame_request(const struct h1_seen *seen, struct http_head *head, struct h1_error *error);
bool h1_frame_response(const struct h1_seen *seen, enum http_method request, struct http_head *head,
                       struct h1_error *error);

#endif
