/*
 * h1_parse - parses HTTP/1 heads: bytes → http_head, "need more", or an error. RFC 9112, strict as
 * in the table of docs/protocol.md: no bare LF, no obs-fold, no space before the colon, exactly one
 * way to frame a body. Pure; the same code for requests and responses.
 *
 * Call it again with the same bytes and more behind them. `scanned` remembers how far the search
 * for the end of the head has come, so that a head which arrives byte by byte takes linear time.
 */
#ifndef LARDER_HTTP_H1_PARSE_H
#define LARDER_HTTP_H1_PARSE_H

#include "http/message.h"

/* Most bytes of a field name or a reason phrase, whatever the limits; more: 431 (502 for a
 * response). Stored heads have 16 bits for these lengths (cache/object.c). */
enum { HEAD_NAME_MAX = 8192 };

struct h1_limits {
    size_t target; /* most bytes of the request target; more: 414 */
    size_t head;   /* most bytes of the whole head; more: 431 (502 for a response) */
    size_t fields; /* most field lines; more: 431 */
};

/* 8 KiB target, 32 KiB head, 128 fields. */
extern const struct h1_limits h1_default_limits;

struct h1_error {
    int status;       /* status of the answer: 400, 414, 431, 501, 505; 502 for a response */
    const char *what; /* one sentence for people, static */
};

struct h1_scan {
    size_t scanned; /* bytes searched for the end of the head; 0 for a new message */
};

/*
 * Parses the head of a request; or of a response, where `request` is the method that it answers,
 * which decides whether a body follows. Up to two empty lines before a request line are skipped
 * (RFC 9112 2.2). Returns 0: *head is filled in, with spans into `bytes` and fields in `arena`;
 * *used is the length of the head with its empty line. ERR_MORE: it is incomplete. ERR_SYNTAX: see
 * *error.
 */
int h1_parse_request(struct h1_scan *scan, struct span bytes, const struct h1_limits *limits,
                     struct arena *arena, struct http_head *head, size_t *used,
                     struct h1_error *error);
int h1_parse_response(struct h1_scan *scan, struct span bytes, const struct h1_limits *limits,
                      enum http_method request, struct arena *arena, struct http_head *head,
                      size_t *used, struct h1_error *error);

#endif
