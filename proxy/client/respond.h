/*
 * respond - from a cached or fetched object and a request to the response head and the bytes of the
 * body to send. Pure: no sockets, no clock, memory from the arena.
 */
#ifndef LARDER_PROXY_CLIENT_RESPOND_H
#define LARDER_PROXY_CLIENT_RESPOND_H

#include "proxy/access/pages.h"
#include "proxy/client/multipart.h"

/* What a response is made from. */
struct respond_input {
    const struct http_head *request;
    const struct policy_request *policy;
    const struct object *object;
    const struct decision *decision;
    struct span name;      /* ours: Via, Cache-Status */
    struct span key;       /* of the cache, to be told in Cache-Status; empty: not told */
    struct span mirror;    /* its path, likewise; empty: none */
    int64_t now;           /* seconds since 1970 */
    struct sip_key secret; /* what a boundary is made of, see multipart.h */
    uint64_t serial;
    bool evaluate; /* conditions and Range are ours to evaluate (the response is one
                      that was shared or stored), not passed on to the origin */
    struct arena *arena;
};

struct response {
    struct http_head head;  /* framing and content_length are set for what is sent */
    struct body_parts body; /* one part without a text, but for several ranges */
};

/* 200 (or whatever status the object has), 206, 304, 412 or 416; HEAD gets no body. Several ranges
 * get a multipart/byteranges body, when they are as many as range.h allows. Adds Age (only
 * to responses that came from the cache), Via and Cache-Status; Date is never changed, and added
 * from `now` only when the origin sent none. */
void respond_object(const struct respond_input *input, struct response *out);

/* An error (or another answer) made by ourselves. */
struct respond_error {
    int status;
    enum reason reason;
    const char *what;                /* one sentence for people, or NULL: the reason's text */
    const struct decision *decision; /* NULL: nothing was decided but that */
    struct span name;
    struct span incident;            /* id that is in the access log too */
    struct span mirror;              /* as above */
    struct span host;                /* the target's host, escaped when shown; may be empty */
    struct span realm;               /* of 407: what a password is for */
    const struct http_head *request; /* says which language, and whether HTML; NULL: not known */
    const struct pages *pages;       /* the administrator's templates, or NULL */
    struct {
        uint64_t used, limit; /* bytes */
        int64_t until;        /* seconds since 1970 */
    } quota;                  /* of REASON_QUOTA */
    bool head_only;           /* answers HEAD */
    int64_t now;
    struct arena *arena;
};

/* A small page, in the client's language as far as there is one, of HTML or text; nothing of the
 * request is in it but, from status 500 on, the host. With Proxy-Status (RFC 9209), Cache-Status
 * and Cache-Control: no-store. *body is in the arena. */
void respond_error(const struct respond_error *input, struct http_head *head, struct span *body);

#endif
