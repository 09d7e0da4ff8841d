/* validator - ETags and conditional requests (RFC 9110 8.8, 13). Pure. */
#ifndef LARDER_HTTP_VALIDATOR_H
#define LARDER_HTTP_VALIDATOR_H

#include "http/message.h"

/* `text` is one syntactically valid entity-tag, weak or strong. */
bool etag_is_valid(struct span text);
bool etag_is_weak(struct span text);
/* 8.8.3.2. Two texts without quotes, though invalid, match weakly when they are equal. */
bool etag_weak_match(struct span a, struct span b);
bool etag_strong_match(struct span a, struct span b);
/* Any member of an If-None-Match / If-Match list matches; "*" always does. */
bool etag_list_matches(const struct http_fields *fields, enum http_field_id id, struct span etag,
                       bool weak);

/* What a stored 200-class response answers to a conditional GET or HEAD (13.2.2). */
enum precondition {
    PRECONDITION_NONE,         /* nothing was asked */
    PRECONDITION_OK,           /* answer as if nothing had been asked */
    PRECONDITION_NOT_MODIFIED, /* 304 */
    /* If-Match or If-Unmodified-Since does not hold for what is stored. Only the origin may answer
     * 412 to it (RFC 9111 4.3.2): pass the request on. */
    PRECONDITION_FAILED,
};
enum precondition validator_evaluate(const struct http_fields *request,
                                     const struct http_fields *stored, int64_t now);

/* May a Range be applied under this request's If-Range (13.1.5)? True without If-Range. */
bool validator_if_range_holds(const struct http_fields *request, const struct http_fields *stored,
                              int64_t now);

/* Last-Modified is strong enough to join pieces: at least a minute older than Date (8.8.2.2). */
bool validator_last_modified_is_strong(const struct http_fields *stored, int64_t now);

/* The field by whose value other responses can be known to carry bytes of the same representation:
 * a strong ETag, else (without any ETag) a strong Last-Modified. FIELD_OTHER: there is none, and
 * bytes of this response must not be joined with others' (15.3.7.3; RFC 9111 3.4). */
enum http_field_id validator_strong(const struct http_fields *stored, int64_t now);
/* `part`, a 206, has the value that validator_strong() named. */
bool validator_joins(const struct http_fields *stored, const struct http_fields *part, int64_t now);

#endif
