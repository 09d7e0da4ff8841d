/*
 * message - the head of a request or a response, the same for every HTTP version.
 *
 * All spans point into one copy of the received head, or to literals; the arena that holds
 * `fields.at` usually holds that copy, too.
 */
#ifndef LARDER_HTTP_MESSAGE_H
#define LARDER_HTTP_MESSAGE_H

#include "http/headers.h"

enum http_version { HTTP_1_0 = 10, HTTP_1_1 = 11, HTTP_2 = 20 };

/* How the end of the body is determined. */
enum http_framing {
    BODY_NONE,    /* no body: HEAD, 204, 304, CONNECT, a request without one or of length 0 */
    BODY_LENGTH,  /* content_length bytes */
    BODY_CHUNKED, /* HTTP/1.1 chunked coding */
    BODY_CLOSE,   /* a response that ends when the connection is closed */
    BODY_STREAM,  /* HTTP/2: until END_STREAM; content_length if announced */
};

/* HTTP/2: what :authority says, parsed as by uri_parse_authority(). */
struct http_authority {
    struct span host; /* empty: it was not parsed */
    uint16_t port;
    bool is_ipv6;
};

struct http_head {
    enum http_version version; /* of the received message */
    /* request */
    enum http_method method;
    struct span method_text;
    struct span target;    /* request target as received; in HTTP/2 its :path (or :authority) */
    struct span scheme;    /* HTTP/2 :scheme; else empty */
    struct span authority; /* HTTP/2 :authority; else empty */
    struct http_authority place;
    /* response */
    int status; /* 0 in a request */
    struct span reason;

    struct http_fields fields;

    enum http_framing framing;
    int64_t content_length; /* -1 when not announced */
    bool keep_alive;        /* HTTP/1: the sender keeps the connection open */
    bool expect_continue;   /* Expect: 100-continue */
    bool upgrade;           /* Connection names Upgrade: asks for, or answers, a protocol switch */
};

/* Makes an empty head with room for some fields. */
void head_init(struct http_head *head, struct arena *arena);

/* Makes a deep copy, so that `head` and the bytes it points to may be freed. */
void head_copy(struct http_head *copy, const struct http_head *head, struct arena *arena);

#endif
