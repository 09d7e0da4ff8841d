/*
 * How the end of a body is found, and whether the connection stays open (RFC 9112 6.3, 9.3). A
 * message is accepted only if there is exactly one way to frame it: whatever two recipients could
 * read in two ways is refused.
 */
#include "http/h1_framing.h"

#include "http/uri.h"

static bool fail(struct h1_error *error, int status, const char *what)
{
    *error = (struct h1_error){status, what};
    return false;
}

/* Reads Content-Length: there must be exactly one, decimal, and small enough for arithmetic without
 * overflow. */
static bool read_length(const struct h1_seen *seen, struct http_head *head, struct h1_error *error)
{
    uint64_t length;

    if (seen->lengths > 1) {
        return fail(error, 400, "There is more than one Content-Length");
    }
    if (seen->length.len > LENGTH_DIGITS_MAX || !span_to_u64(seen->length, INT64_MAX, &length)) {
        return fail(error, 400, "Content-Length is not a decimal number");
    }
    head->content_length = (int64_t)length;
    head->framing = BODY_LENGTH;
    return true;
}

enum codings {
    CODINGS_CHUNKED,         /* exactly "chunked" */
    CODINGS_IDENTITY,        /* exactly "identity": nothing was done (RFC 2616 3.6) */
    CODINGS_UNKNOWN,         /* well-formed, without chunked */
    CODINGS_UNKNOWN_CHUNKED, /* well-formed, chunked once and last */
    CODINGS_BROKEN,          /* malformed, empty, chunked twice or not last */
};

static enum codings classify_codings(const struct http_head *head, const struct h1_seen *seen)
{
    struct list_members it = list_members(&head->fields, FIELD_TRANSFER_ENCODING);
    enum codings result = CODINGS_BROKEN;
    struct span member;

    if (seen->codings == 1 && span_ieq(seen->coding, SPAN("chunked"))) {
        return CODINGS_CHUNKED;
    }
    if (seen->codings == 1 && span_ieq(seen->coding, SPAN("identity"))) {
        return CODINGS_IDENTITY;
    }
    while (list_next(&it, &member)) {
        bool chunked = span_ieq(member, SPAN("chunked"));
        if (result == CODINGS_UNKNOWN_CHUNKED || !http_is_token(member) ||
            (chunked && result == CODINGS_BROKEN)) {
            return CODINGS_BROKEN;
        }
        result = chunked ? CODINGS_UNKNOWN_CHUNKED : CODINGS_UNKNOWN;
    }
    return result;
}

static bool may_be_coded(const struct h1_seen *seen, const struct http_head *head,
                         struct h1_error *error)
{
    if (seen->lengths) {
        return fail(error, 400, "There are both Content-Length and Transfer-Encoding");
    }
    if (head->version == HTTP_1_0) {
        return fail(error, 400, "HTTP/1.0 has no Transfer-Encoding");
    }
    return true;
}

static bool frame_request_by_coding(const struct h1_seen *seen, struct http_head *head,
                                    struct h1_error *error)
{
    if (!may_be_coded(seen, head, error)) {
        return false;
    }
    switch (classify_codings(head, seen)) {
    case CODINGS_CHUNKED:
        head->framing = BODY_CHUNKED;
        return true;
    case CODINGS_IDENTITY:
    case CODINGS_UNKNOWN:
    case CODINGS_UNKNOWN_CHUNKED:
        return fail(error, 501, "The only transfer coding understood here is chunked");
    case CODINGS_BROKEN:
        return fail(error, 400, "Transfer-Encoding is malformed");
    }
    return false;
}

/* Frames a request (RFC 9112 6.3). A length of 0 means no body. */
static bool frame_request(const struct h1_seen *seen, struct http_head *head,
                          struct h1_error *error)
{
    if (seen->codings && !frame_request_by_coding(seen, head, error)) {
        return false;
    }
    if (seen->lengths && !read_length(seen, head, error)) {
        return false;
    }
    if (head->content_length == 0) {
        head->framing = BODY_NONE;
    }
    if (head->method == METHOD_CONNECT && head->framing != BODY_NONE) {
        return fail(error, 400, "CONNECT has no body");
    }
    if (head->method == METHOD_TRACE && head->framing != BODY_NONE) {
        return fail(error, 400, "TRACE has no body"); /* RFC 9110 9.3.8 */
    }
    return true;
}

/* RFC 9112 3.2. */
static bool check_host(const struct h1_seen *seen, const struct http_head *head,
                       struct h1_error *error)
{
    if (seen->hosts > 1) {
        return fail(error, 400, "There is more than one Host");
    }
    if (seen->hosts == 0 && head->version != HTTP_1_0) {
        return fail(error, 400, "Host is missing");
    }
    return uri_host_field_is_valid(seen->host) ||
           fail(error, 400, "Host is not a valid name or address");
}

/* Reads Connection (RFC 9112 9.3). Upgrade and Expect have no meaning in HTTP/1.0 (RFC 9110 7.8,
 * 10.1.1). */
static void read_connection(struct http_head *head, const struct h1_seen *seen)
{
    bool modern = head->version != HTTP_1_0;

    head->keep_alive = !seen->close && (modern || seen->keep_alive);
    head->upgrade = modern && seen->upgrade_named && seen->upgrade_field;
    head->expect_continue = modern && seen->expect_continue;
}

/* Transfer-Encoding is not forwarded (hop_strip()), so a coding that is left on the body would
 * become part of it for every recipient, now or later from the store. */
static bool frame_response_by_coding(const struct h1_seen *seen, struct http_head *head,
                                     struct h1_error *error)
{
    if (!may_be_coded(seen, head, error)) {
        return false;
    }
    switch (classify_codings(head, seen)) {
    case CODINGS_CHUNKED:
        head->framing = BODY_CHUNKED;
        return true;
    case CODINGS_IDENTITY:
        return true; /* the body ends with the connection */
    case CODINGS_UNKNOWN:
    case CODINGS_UNKNOWN_CHUNKED:
        return fail(error, 400, "A transfer coding was applied that was not asked for");
    case CODINGS_BROKEN:
        return fail(error, 400, "Transfer-Encoding is malformed");
    }
    return false;
}

/*
 * Frames a response (RFC 9112 6.3). If a 204 announces a body, bytes that follow all the same must
 * not be taken for the next response: the connection is closed. An interim response that does so is
 * refused, as they could be taken for the final one; after a 101, HTTP has ended.
 */
bool h1_frame_response(const struct h1_seen *seen, enum http_method request, struct http_head *head,
                       struct h1_error *error)
{
    bool bodiless = head->status < 200 || head->status == 204;

    read_connection(head, seen);
    if (request == METHOD_CONNECT && head->status / 100 == 2) {
        return true;
    }
    head->framing = BODY_CLOSE;
    if (seen->codings && !frame_response_by_coding(seen, head, error)) {
        return false;
    }
    if (seen->lengths && !read_length(seen, head, error)) {
        return false;
    }
    bool announces_body = head->content_length > 0 || seen->codings;
    if (announces_body && head->status < 200 && head->status != 101) {
        return fail(error, 400, "An interim response announces a body");
    }
    if (bodiless) {
        head->keep_alive &= !announces_body;
        head->content_length = -1;
        head->framing = BODY_NONE;
    } else if (request == METHOD_HEAD || head->status == 304) {
        head->framing = BODY_NONE;
    }
    head->keep_alive &= head->framing != BODY_CLOSE;
    return true;
}

bool h1_frame_request(const struct h1_seen *seen, struct http_head *head, struct h1_error *error)
{
    read_connection(head, seen);
    return check_host(seen, head, error) && frame_request(seen, head, error);
}
