#include "http/h1_write.h"

#include "base/check.h"
#include "http/put.h"

enum {
    /* the start line without target and reason, the lines that the writer adds, and the empty
     * line */
    OWN_LINES_MAX = 192,
};

static char *put_field(char *at, const struct http_field *field)
{
    at = put_span(at, field->name);
    *at++ = ':';
    *at++ = ' ';
    at = put_span(at, field->value);
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

/* Fields that only the writer makes. Upgrade is sent only together with the Connection line that
 * names it (RFC 9110 7.8). */
static bool is_own_line(const struct http_head *head, enum http_field_id id)
{
    switch (id) {
    case FIELD_CONNECTION:
    case FIELD_CONTENT_LENGTH:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_TRANSFER_ENCODING:
        return true;
    case FIELD_UPGRADE:
        return !head->upgrade;
    default:
        return false;
    }
}

static size_t fields_size(const struct http_fields *fields)
{
    size_t size = 0;

    for (size_t i = 0; i < fields->count; i++) {
        size += fields->at[i].name.len + fields->at[i].value.len + sizeof(": \r\n") - 1;
    }
    return size;
}

static size_t size_max(const struct http_head *head)
{
    return OWN_LINES_MAX + head->method_text.len + head->target.len + head->reason.len +
           fields_size(&head->fields);
}

/* Writes all fields except those of the writer and, if it was written already, Host. */
static char *put_fields(char *at, const struct http_head *head, const struct http_field *host)
{
    for (size_t i = 0; i < head->fields.count; i++) {
        const struct http_field *field = &head->fields.at[i];
        if (field != host && !is_own_line(head, field->id)) {
            at = put_field(at, field);
        }
    }
    return at;
}

static char *put_length(char *at, int64_t length)
{
    at = put_span(at, SPAN("Content-Length: "));
    at = put_number(at, (uint64_t)length);
    return put_span(at, SPAN("\r\n"));
}

static char *put_option(char *at, struct span option, bool *is_first)
{
    at = put_span(at, *is_first ? SPAN("Connection: ") : SPAN(", "));
    *is_first = false;
    return put_span(at, option);
}

static char *put_connection(char *at, const struct http_head *head, bool close, bool keep_alive)
{
    bool is_first = true;

    if (head->upgrade && fields_has(&head->fields, FIELD_UPGRADE)) {
        at = put_option(at, SPAN("upgrade"), &is_first);
        keep_alive = false;
    }
    if (head->status == 0 && fields_has(&head->fields, FIELD_TE)) {
        at = put_option(at, SPAN("TE"), &is_first); /* RFC 9110 10.1.4 */
    }
    if (close || keep_alive) {
        at = put_option(at, close ? SPAN("close") : SPAN("keep-alive"), &is_first);
    }
    return is_first ? at : put_span(at, SPAN("\r\n"));
}

static void finish(struct buf *out, char *start, char *at)
{
    at = put_span(at, SPAN("\r\n"));
    buf_commit(out, (size_t)(at - start));
}

/* A request body of unknown length is sent in chunks. BODY_STREAM has an unknown length unless one
 * was announced. */
static char *put_request_framing(char *at, const struct http_head *head)
{
    switch (head->framing) {
    case BODY_NONE:
        return head->content_length == 0 ? put_length(at, 0) : at;
    case BODY_LENGTH:
        return put_length(at, head->content_length);
    case BODY_CHUNKED:
        return put_span(at, SPAN("Transfer-Encoding: chunked\r\n"));
    case BODY_STREAM:
        return head->content_length >= 0 ? put_length(at, head->content_length)
                                         : put_span(at, SPAN("Transfer-Encoding: chunked\r\n"));
    case BODY_CLOSE:
        break;
    }
    UNREACHABLE(); /* a request body cannot end with the connection */
}

void h1_write_request(struct buf *out, const struct http_head *head)
{
    const struct http_field *host = fields_find(&head->fields, FIELD_HOST);
    char *start = buf_reserve(out, size_max(head));
    char *at =
        put_span(start, head->method_text.len ? head->method_text : http_method_text(head->method));

    *at++ = ' ';
    at = put_span(at, head->target);
    at = put_span(at, SPAN(" HTTP/1.1\r\n"));
    if (host) {
        at = put_field(at, host); /* first, as recommended by RFC 9110 7.2 */
    }
    at = put_fields(at, head, host);
    at = put_request_framing(at, head);
    at = put_connection(at, head, !head->keep_alive, false);
    finish(out, start, at);
}

static char *put_status_line(char *at, const struct http_head *head)
{
    at = put_span(at, SPAN("HTTP/1.1 "));
    at = put_number(at, (uint64_t)head->status);
    *at++ = ' ';
    at = put_span(at, head->reason.len ? head->reason : http_status_text(head->status));
    return put_span(at, SPAN("\r\n"));
}

/* How the end of this response is marked for this client (RFC 9112 6.3). */
static enum http_framing response_framing(const struct http_head *head, enum http_version client)
{
    switch (head->framing) {
    case BODY_STREAM:
        if (head->content_length >= 0) {
            return BODY_LENGTH;
        }
        return client == HTTP_1_0 ? BODY_CLOSE : BODY_CHUNKED;
    case BODY_CHUNKED:
        return client == HTTP_1_0 ? BODY_CLOSE : BODY_CHUNKED;
    case BODY_NONE:
    case BODY_LENGTH:
    case BODY_CLOSE:
        break;
    }
    return head->framing;
}

/* The Content-Length to send; -1: none. For BODY_NONE it is the one that a response to HEAD or a
 * 304 announces, or else 0, without which the client would wait for the end of the connection. */
static int64_t length_shown(const struct http_head *head, enum http_framing framing,
                            enum http_method request)
{
    switch (framing) {
    case BODY_NONE:
        return request == METHOD_HEAD || head->status == 304 ? head->content_length : 0;
    case BODY_LENGTH:
        return head->content_length;
    case BODY_CHUNKED:
    case BODY_CLOSE:
    case BODY_STREAM:
        break;
    }
    return -1;
}

static char *put_response_framing(char *at, const struct http_head *head, enum http_framing framing,
                                  enum http_method request)
{
    int64_t length = length_shown(head, framing, request);

    if (head->status == 204) {
        return at; /* not allowed here, RFC 9110 8.6 */
    }
    if (framing == BODY_CHUNKED) {
        return put_span(at, SPAN("Transfer-Encoding: chunked\r\n"));
    }
    return length >= 0 ? put_length(at, length) : at;
}

void h1_write_response(struct buf *out, const struct http_head *head, enum http_version client,
                       enum http_method request)
{
    enum http_framing framing = response_framing(head, client);
    bool interim = head->status < 200;
    bool tunnel = request == METHOD_CONNECT && head->status / 100 == 2;
    char *start = buf_reserve(out, size_max(head));
    char *at = put_status_line(start, head);

    at = put_fields(at, head, NULL);
    if (interim || tunnel) {
        at = put_connection(at, head, false, false);
        finish(out, start, at);
        return;
    }
    at = put_response_framing(at, head, framing, request);
    bool close = !head->keep_alive || framing == BODY_CLOSE;
    at = put_connection(at, head, close, client == HTTP_1_0);
    finish(out, start, at);
}

size_t h1_chunk_line(char *out, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    char digits[2 * sizeof(len)];
    size_t start = sizeof(digits);

    do {
        digits[--start] = hex[len & 15];
        len >>= 4;
    } while (len);
    char *at = put_span(out, span_of(digits + start, sizeof(digits) - start));
    at = put_span(at, SPAN("\r\n"));
    return (size_t)(at - out);
}

void h1_write_last_chunk(struct buf *out, const struct http_fields *trailers)
{
    if (trailers == NULL || trailers->count == 0) {
        buf_append(out, SPAN(H1_LAST_CHUNK));
        return;
    }
    char *start = buf_reserve(out, sizeof(H1_LAST_CHUNK) + fields_size(trailers));
    char *at = put_span(start, SPAN("0\r\n"));
    for (size_t i = 0; i < trailers->count; i++) {
        at = put_field(at, &trailers->at[i]);
    }
    finish(out, start, at);
}
