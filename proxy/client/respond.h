/*
 * respond - makes the response head, and selects the bytes of the body, from an object and a
 * request. Pure: no sockets, no clock; memory from the arena.
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
    struct span name;      /* our name, for Via and Cache-Status */
    struct span key;       /* cache key, shown in Cache-Status; empty: not shown */
    struct span mirror;    /* path of the mirror, shown likewise; empty: none */
    int64_t now;           /* seconds since 1970 */
    struct sip_key secret; /* with `serial`: makes the boundary, see multipart.h */
    uint64_t serial;
    bool evaluate; /* evaluate conditions and Range here, because the response was stored or shared;
                      else they were sent to the origin */
    struct arena *arena;
};

struct response {
    struct http_head head;  /* framing and content_length are those of the response to send */
    struct body_parts body; /* one part without text, unless there are several ranges */
};

/* Makes a 200 (or the object's own status), 206, 304, 412 or 416 response. HEAD gets no body.
 * Several ranges get a multipart/byteranges body if there are no more than range.h allows. Adds Via
 * and Cache-Status, and Age if the response came from the cache. Date is never changed, and added
 * only if the origin sent none. */
void respond_object(const struct respond_input *input, struct response *out);

/* An error page, or another answer made here. */
struct respond_error {
    int status;
    enum reason reason;
    const char *what;                /* one sentence for people; NULL: the text of `reason` */
    const struct decision *decision; /* NULL: nothing but `reason` was decided */
    struct span name;
    struct span incident;            /* id that is also in the access log */
    struct span mirror;              /* path of the mirror; empty: none */
    struct span host;                /* host of the target, escaped when shown; may be empty */
    struct span realm;               /* for 407: what the password is for */
    const struct http_head *request; /* for language and media type; NULL: not known */
    const struct pages *pages;       /* the administrator's templates, or NULL */
    struct {
        uint64_t used, limit; /* bytes */
        int64_t until;        /* seconds since 1970 */
    } quota;                  /* for REASON_QUOTA */
    bool head_only;           /* the request was HEAD */
    int64_t now;
    struct arena *arena;
};

/* Makes a small page of HTML or text, in the client's language if available, with Proxy-Status (RFC
 * 9209), Cache-Status and Cache-Control: no-store. It shows nothing of the request, except its host
 * from status 500 on. *body is in the arena. */
void respond_error(const struct respond_error *input, struct http_head *head, struct span *body);

#endif
