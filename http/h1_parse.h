/*
 * h1_parse - bytes → http_head, need more, or an error. RFC 9112, strict on every line of the
 * table in docs/protocol.md: no bare LF, no obs-fold, no space before the colon, exactly one way
 * to frame a body. Pure; the same code for requests and responses.
 *
 * Incremental in the sense that matters: call it again with the same bytes and more behind them;
 * `scanned` remembers how far the search for the end of the head has come, so a head that
 * trickles in one byte at a time costs linear time.
 */
#ifndef LARDER_HTTP_H1_PARSE_H
#define LARDER_HTTP_H1_PARSE_H

#include "http/message.h"

/* Bytes of a field's name and of a reason, whatever the limits say; more: 431 (502 for a response).
 * Records of stored heads have 16 bits for them (cache/object.c). */
enum { HEAD_NAME_MAX = 8192 };

struct h1_limits {
    size_t target; /* bytes of the request target; more: 414 */
    size_t head;   /* bytes of the whole head; more: 431 (502 for a response) */
    size_t fields; /* number of field lines; more: 431 */
};

/* 8 KiB target, 32 KiB head, 128 fields. */
extern const struct h1_limits h1_default_limits;

struct h1_error {
    int status;       /* what to answer: 400, 414, 431, 501, 505; 502 for a response */
    const char *what; /* one sentence for people, static */
};

struct h1_scan {
    size_t scanned; /* bytes known to hold no end of head; 0 for a new message */
};

/*
 * Parses a request head (or a response head: `request` is the method it answers, which decides
 * whether a body follows). Up to two empty lines before a request line are skipped (9112 2.2).
 *
 * 0: *head is filled, its spans point into `bytes`, its fields are in `arena`; *used is the
 * length of the head including its empty line. ERR_MORE: not complete. ERR_SYNTAX: *error is set.
 */
int h1_parse_request(struct h1_scan *scan, struct span bytes, const struct h1_limits *limits,
                     struct arena *arena, struct http_head *head, size_t *used,
                     struct h1_error *error);
int h1_parse_response(struct h1_scan *scan, struct span bytes, const struct h1_limits *limits,
                      enum http_method request, struct arena *arena, struct http_head *head,
                      size_t *used, struct h1_error *error);

#endif
