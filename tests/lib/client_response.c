#include "tests/lib/client_parts.h"

#include "base/clock.h"
#include "base/mem.h"
#include "tests/lib/chunk_size.h"

enum { HEAD_MAX = 1 << 20, LINE_MAX_LEN = 8192 };

/* --- heads ----------------------------------------------------------------------------------- */

static bool is_line(struct span line)
{
    return span_find(line, '\r') == line.len && span_find(line, '\n') == line.len &&
           span_find(line, '\0') == line.len;
}

/* Name, colon, value; no white space before the colon, no folding, no bare CR, LF or NUL. */
static bool is_field_line(struct span line)
{
    size_t colon = span_find(line, ':');

    return colon > 0 && colon < line.len && is_line(line) && line.at[colon - 1] != ' ' &&
           line.at[colon - 1] != '\t' && line.at[0] != ' ' && line.at[0] != '\t';
}

/* The line before the next CRLF, which is cut off *rest too. */
static struct span next_line(struct span *rest)
{
    const char *end = memmem(rest->at, rest->len, "\r\n", 2);
    struct span line = span_from_to(rest->at, end ? end : rest->at + rest->len);

    *rest = span_skip(*rest, line.len + 2);
    return line;
}

/* "HTTP/1.1 200 OK": the status, or 0. */
static int parse_status(struct span line)
{
    uint64_t status = 0;

    if (line.len < 13 || !is_line(line) || !span_starts(line, SPAN("HTTP/1.")) ||
        (line.at[7] != '0' && line.at[7] != '1') || line.at[8] != ' ' || line.at[12] != ' ' ||
        !span_to_u64(span_of(line.at + 9, 3), 999, &status)) {
        return 0;
    }
    return (int)status;
}

static int parse_head(struct span head)
{
    int status = parse_status(next_line(&head));

    for (struct span line = next_line(&head); line.len > 0; line = next_line(&head)) {
        if (!is_field_line(line)) {
            return 0;
        }
    }
    return status;
}

static struct span head_of(const struct client_response *response)
{
    return span_of(response->head, response->head_len);
}

/* The next line of the field behind *rest; false at the end. */
static bool next_field(struct span *rest, const char *name, struct span *value)
{
    while (rest->len > 0) {
        struct span line = next_line(rest);
        struct span field = span_cut(&line, ':');
        if (span_ieq(field, span_str(name))) {
            *value = span_trim(line);
            return true;
        }
    }
    return false;
}

struct span client_field(const struct client_response *response, const char *name)
{
    struct span rest = head_of(response);
    struct span value = SPAN_EMPTY;

    return next_field(&rest, name, &value) ? value : SPAN_EMPTY;
}

unsigned client_field_count(const struct client_response *response, const char *name)
{
    struct span rest = head_of(response);
    struct span value;
    unsigned count = 0;

    while (next_field(&rest, name, &value)) {
        count++;
    }
    return count;
}

bool client_field_has(const struct client_response *response, const char *name, const char *member)
{
    struct span rest = head_of(response);
    struct span value;

    while (next_field(&rest, name, &value)) {
        while (value.len > 0) {
            if (span_ieq(span_trim(span_cut(&value, ',')), span_str(member))) {
                return true;
            }
        }
    }
    return false;
}

/* --- responses ------------------------------------------------------------------------------- */

static void append(char **text, size_t *len, struct span bytes)
{
    *text = xrealloc(*text, *len + bytes.len + 1);
    if (bytes.len > 0) {
        memcpy(*text + *len, bytes.at, bytes.len);
    }
    *len += bytes.len;
    (*text)[*len] = '\0';
}

/* One head: an interim one, then response->head stays NULL, or the last. */
static enum client_outcome read_one_head(struct client *client, uint64_t until,
                                         struct client_response *response)
{
    size_t len = 0;
    enum client_outcome outcome = client_read_to(client, SPAN("\r\n\r\n"), HEAD_MAX, until, &len);

    if (outcome != CLIENT_OK) {
        return outcome;
    }
    struct span head = span_take(buf_span(&client->in), len);
    response->status = parse_head(head);
    if (response->status / 100 == 1 && response->status != 101) {
        append(&response->interims, &response->interims_len, head);
        response->interim_count++;
    } else {
        append(&response->head, &response->head_len, head);
    }
    buf_consume(&client->in, len);
    return response->status < 100 ? CLIENT_MALFORMED : CLIENT_OK;
}

static enum client_outcome read_head(struct client *client, uint64_t until,
                                     struct client_response *response)
{
    enum client_outcome outcome = CLIENT_OK;

    while (outcome == CLIENT_OK && response->head == NULL) {
        outcome = read_one_head(client, until, response);
    }
    return outcome == CLIENT_CLOSED && response->interim_count > 0 ? CLIENT_TRUNCATED : outcome;
}

/* The end of the connection inside a message. */
static enum client_outcome inside(enum client_outcome outcome)
{
    return outcome == CLIENT_CLOSED ? CLIENT_TRUNCATED : outcome;
}

static enum client_outcome read_length(struct client *client, uint64_t len, uint64_t until,
                                       struct client_response *response)
{
    while (len > 0) {
        if (buf_len(&client->in) == 0) {
            enum client_outcome outcome = client_read_more(client, until);
            if (outcome != CLIENT_OK) {
                return inside(outcome);
            }
        }
        struct span have = span_take(buf_span(&client->in), len);
        append(&response->body, &response->body_len, have);
        len -= have.len;
        buf_consume(&client->in, have.len);
    }
    return CLIENT_OK;
}

static enum client_outcome read_until_close(struct client *client, uint64_t until,
                                            struct client_response *response)
{
    enum client_outcome outcome = CLIENT_OK;

    response->until_close = true;
    while (outcome == CLIENT_OK) {
        struct span have = buf_span(&client->in);
        append(&response->body, &response->body_len, have);
        buf_consume(&client->in, have.len);
        outcome = client_read_more(client, until);
    }
    return outcome == CLIENT_CLOSED ? CLIENT_OK : outcome;
}

/* A line without its end, in *line (spans into the buffer; gone with the next read). */
static enum client_outcome read_line(struct client *client, uint64_t until, char *line, size_t *len)
{
    enum client_outcome outcome =
        client_read_to(client, SPAN("\r\n"), LINE_MAX_LEN - 2, until, len);

    if (outcome != CLIENT_OK) {
        return inside(outcome);
    }
    if (*len > LINE_MAX_LEN) {
        return CLIENT_MALFORMED;
    }
    memcpy(line, buf_span(&client->in).at, *len);
    buf_consume(&client->in, *len);
    *len -= 2;
    return CLIENT_OK;
}

static enum client_outcome read_trailers(struct client *client, uint64_t until,
                                         struct client_response *response)
{
    char line[LINE_MAX_LEN];
    size_t len = 1;
    size_t trailers_len = 0;

    for (;;) {
        enum client_outcome outcome = read_line(client, until, line, &len);
        if (outcome != CLIENT_OK || len == 0) {
            return outcome;
        }
        if (!is_field_line(span_of(line, len))) {
            return CLIENT_MALFORMED;
        }
        append(&response->trailers, &trailers_len, span_of(line, len));
        append(&response->trailers, &trailers_len, SPAN("\r\n"));
    }
}

static enum client_outcome read_chunk(struct client *client, uint64_t until,
                                      struct client_response *response, uint64_t *size)
{
    char line[LINE_MAX_LEN];
    size_t len = 0;
    enum client_outcome outcome = read_line(client, until, line, &len);

    if (outcome == CLIENT_OK && !chunk_size_read(span_of(line, len), size)) {
        outcome = CLIENT_MALFORMED; /* a proxy has no business sending extensions */
    }
    if (outcome == CLIENT_OK) {
        outcome = read_length(client, *size, until, response);
    }
    if (outcome == CLIENT_OK && *size > 0) {
        outcome = read_line(client, until, line, &len);
        outcome = outcome == CLIENT_OK && len > 0 ? CLIENT_MALFORMED : outcome;
    }
    return outcome;
}

static enum client_outcome read_chunked(struct client *client, uint64_t until,
                                        struct client_response *response)
{
    enum client_outcome outcome = CLIENT_OK;
    uint64_t size = 1;

    response->chunked = true;
    while (outcome == CLIENT_OK && size > 0) {
        outcome = read_chunk(client, until, response, &size);
    }
    return outcome == CLIENT_OK ? read_trailers(client, until, response) : outcome;
}

static bool has_body(const struct client_response *response, const char *method)
{
    bool tunnel = strcmp(method, "CONNECT") == 0 && response->status / 100 == 2;

    return strcmp(method, "HEAD") != 0 && !tunnel && response->status / 100 != 1 &&
           response->status != 204 && response->status != 304;
}

static enum client_outcome read_body(struct client *client, uint64_t until,
                                     struct client_response *response)
{
    struct span coding = client_field(response, "Transfer-Encoding");
    struct span length = client_field(response, "Content-Length");
    uint64_t len = 0;

    if (coding.at) {
        bool clear = span_ieq(coding, SPAN("chunked")) && length.at == NULL &&
                     client_field_count(response, "Transfer-Encoding") == 1;
        return clear ? read_chunked(client, until, response) : CLIENT_MALFORMED;
    }
    if (length.at == NULL) {
        return read_until_close(client, until, response);
    }
    if (client_field_count(response, "Content-Length") != 1 ||
        !span_to_u64(length, UINT64_MAX, &len)) {
        return CLIENT_MALFORMED;
    }
    return read_length(client, len, until, response);
}

enum client_outcome client_read(struct client *client, const char *method, unsigned ms,
                                struct client_response *response)
{
    uint64_t until = clock_mono_ms() + ms;

    *response = (struct client_response){0};
    append(&response->body, &response->body_len, SPAN_EMPTY);
    enum client_outcome outcome = read_head(client, until, response);
    if (outcome == CLIENT_OK && has_body(response, method)) {
        outcome = read_body(client, until, response);
    }
    return outcome;
}

void client_response_fini(struct client_response *response)
{
    free(response->head);
    free(response->interims);
    free(response->body);
    free(response->trailers);
    *response = (struct client_response){0};
}
