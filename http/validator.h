/* validator - ETags and conditional requests (RFC 9110 8.8, 13). Pure. */
#ifndef LARDER_HTTP_VALIDATOR_H
#define LARDER_HTTP_VALIDATOR_H

#include "http/message.h"

/* Is it one valid entity-tag, weak or strong? */
bool etag_is_valid(struct span text);
bool etag_is_weak(struct span text);
/* Weak comparison (8.8.3.2). Two equal texts without quotes match, too, though they are invalid. */
bool etag_weak_match(struct span a, struct span b);
bool etag_strong_match(struct span a, struct span b);
/* Does any member of If-Match or If-None-Match match? "*" always does. */
bool etag_list_matches(const struct http_fields *fields, enum http_field_id id, struct span etag,
                       bool weak);

/* How a stored response with status 2xx answers a conditional GET or HEAD (13.2.2). */
enum precondition {
    PRECONDITION_NONE,         /* the request has no conditions */
    PRECONDITION_OK,           /* send the response */
    PRECONDITION_NOT_MODIFIED, /* send 304 */
    /* If-Match or If-Unmodified-Since fails for the stored response. Only the origin may answer 412
     * (RFC 9111 4.3.2): forward the request. */
    PRECONDITION_FAILED,
};
enum precondition validator_evaluate(const struct http_fields *request,
                                     const struct http_fields *stored, int64_t now);

/* Does If-Range allow applying the Range (13.1.5)? True without If-Range. */
bool validator_if_range_holds(const struct http_fields *request, const struct http_fields *stored,
                              int64_t now);

/* Is Last-Modified strong: at least a minute older than Date (8.8.2.2)? */
bool validator_last_modified_is_strong(const struct http_fields *stored, int64_t now);

/* The field whose value identifies other responses with bytes of the same representation: a strong
 * ETag, else (without any ETag) a strong Last-Modified. FIELD_OTHER: there is none, so bytes of
 * this response must not be combined with others' (15.3.7.3; RFC 9111 3.4). */
enum http_field_id validator_strong(const struct http_fields *stored, int64_t now);
/* Does the 206 `part` have the same value of that field? */
bool validator_joins(const struct http_fields *stored, const struct http_fields *part, int64_t now);

#endif
