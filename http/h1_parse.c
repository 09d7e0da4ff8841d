#include "http/h1_parse.h"

#include "base/err.h"
#include "base/swar.h"
#include "http/chars.h"
#include "http/h1_framing.h"

const struct h1_limits h1_default_limits = {.target = 8192, .head = 32768, .fields = 128};

enum {
    EMPTY_LINES_LEN = 4, /* two empty lines before a request line */
    STATUS_BROKEN_RESPONSE = 502,
    METHOD_MAX = 64,      /* longer than any registered method */
    LINE_EXTRA_MAX = 128, /* bytes of a request line besides its target */
    KNOWN_NAME_WORDS = 4, /* in words of eight bytes: the longest name of names.h with its colon */
};

/* One head being parsed. A step that fails sets `error` and returns false. Steps that requests and
 * responses share set the status for a request; a failed response always becomes 502. */
struct parser {
    const char *at;
    const char *end; /* end of the input; the head ends at it or before */
    const struct h1_limits *limits;
    struct http_head *head;
    struct h1_error *error;
    struct h1_seen seen;
    bool is_response;
};

static bool fail(struct parser *p, int status, const char *what)
{
    *p->error = (struct h1_error){status, what};
    return false;
}

/* Skips bytes of a class. No class contains CR, and a complete head ends in one, so the end would
 * only have to be checked for first lines, which are also examined while incomplete. */
static const char *skip_class(const char *at, const char *end, uint8_t class)
{
    while (at < end && char_is(*at, class)) {
        at++;
    }
    return at;
}

/* Returns the end of the field value that starts at `at`. Looks at eight bytes at a time, and stops
 * at each control character. */
static const char *skip_value(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word = swar_load(at);
        uint64_t controls = swar_controls(word);
        if (controls == 0) {
            at += 8;
            continue;
        }
        at += swar_first(controls);
        if (*at != '\t') {
            return at;
        }
        at++;
    }
    return skip_class(at, end, CHAR_VALUE);
}

/* Returns the end of the request target that starts at `at`. */
static const char *skip_target(const char *at, const char *end)
{
    for (; end - at >= 8; at += 8) {
        uint64_t word = swar_load(at);
        uint64_t invisible = swar_invisible(word);
        if (invisible) {
            return at + swar_first(invisible);
        }
    }
    return skip_class(at, end, CHAR_VISIBLE);
}

/* The first colon within the length of known names, or NULL. */
static const char *find_colon(const char *at, const char *end)
{
    for (int i = 0; i < KNOWN_NAME_WORDS && end - at >= 8; i++, at += 8) {
        uint64_t colons = swar_is(swar_load(at), ':');
        if (colons) {
            return at + swar_first(colons);
        }
    }
    return NULL;
}

/* Returns the end of the field name that starts at `name`, and its id. A known name needs no
 * further check, as each of its letters was compared; unknown names, and names within the last
 * eight bytes of the input, are checked letter by letter. */
static const char *skip_name(const char *name, const char *end, enum http_field_id *id)
{
    const char *colon = find_colon(name, end);

    *id = colon ? http_field_id(span_from_to(name, colon)) : FIELD_OTHER;
    if (*id != FIELD_OTHER) {
        return colon;
    }
    const char *stop = skip_class(name, end, CHAR_TOKEN);
    *id = stop == colon ? FIELD_OTHER : http_field_id(span_from_to(name, stop));
    return stop;
}

static bool take_crlf(struct parser *p)
{
    if (p->end - p->at < 2 || p->at[0] != '\r' || p->at[1] != '\n') {
        return false;
    }
    p->at += 2;
    return true;
}

/* "HTTP/1.x": later minor versions are compatible with 1.1 (RFC 9110 2.5). */
static bool take_version(struct parser *p)
{
    const char *v = p->at;

    if (p->end - v < 8 || memcmp(v, "HTTP/", 5) != 0 || !ascii_is_digit(v[5]) || v[6] != '.' ||
        !ascii_is_digit(v[7])) {
        return fail(p, 400, "The version is not of the form HTTP/1.1");
    }
    if (v[5] != '1') {
        return fail(p, 505, "Only versions 1.0 and 1.1 of HTTP are understood here");
    }
    p->head->version = v[7] == '0' ? HTTP_1_0 : HTTP_1_1;
    p->at += 8;
    return true;
}

static bool take_request_line(struct parser *p)
{
    const char *method = p->at;
    const char *space = skip_class(method, p->end, CHAR_TOKEN);

    if (space - method > METHOD_MAX) {
        return fail(p, 501, "The method is too long");
    }
    if (space == method || space == p->end || *space != ' ') {
        return fail(p, 400, "The request line does not start with a method and one space");
    }
    const char *target = space + 1;
    const char *behind = skip_target(target, p->end);
    if ((size_t)(behind - target) > p->limits->target) {
        return fail(p, 414, "The request target is too long");
    }
    if (behind == target || behind == p->end || *behind != ' ') {
        return fail(p, 400, "The request target is missing or holds a forbidden character");
    }
    p->head->method_text = span_from_to(method, space);
    p->head->method = http_method_id(p->head->method_text);
    p->head->target = span_from_to(target, behind);
    p->at = behind + 1;
    if (!take_version(p)) {
        return false;
    }
    return take_crlf(p) || fail(p, 400, "The request line does not end with CR LF");
}

static bool take_status(struct parser *p)
{
    const char *s = p->at;

    if (p->end - s < 4 || s[0] != ' ' || !ascii_is_digit(s[1]) || !ascii_is_digit(s[2]) ||
        !ascii_is_digit(s[3]) || s[1] == '0') {
        return fail(p, 400, "The status code is not three digits");
    }
    p->head->status = (s[1] - '0') * 100 + (s[2] - '0') * 10 + (s[3] - '0');
    p->at += 4;
    return true;
}

/* The reason phrase may be empty, and even the space before it may be missing. */
static bool take_status_line(struct parser *p)
{
    if (!take_version(p) || !take_status(p)) {
        return false;
    }
    if (p->at < p->end && *p->at == ' ') {
        const char *reason = ++p->at;
        p->at = skip_value(reason, p->end);
        p->head->reason = span_from_to(reason, p->at);
        if (p->head->reason.len > HEAD_NAME_MAX) {
            return fail(p, 431, "The reason phrase is too long");
        }
    }
    return take_crlf(p) || fail(p, 400, "The status line does not end as it should");
}

static void see_connection(struct h1_seen *seen, struct span value)
{
    struct list_members it = list_members_of(value);
    struct span member;

    if (span_eq(value, SPAN("keep-alive"))) { /* the usual value */
        seen->keep_alive = true;
        return;
    }
    while (list_next(&it, &member)) {
        seen->close |= span_ieq(member, SPAN("close"));
        seen->keep_alive |= span_ieq(member, SPAN("keep-alive"));
        seen->upgrade_named |= span_ieq(member, SPAN("upgrade"));
    }
}

/* Notes the few fields that decide how the message is framed. */
static void see(struct h1_seen *seen, enum http_field_id id, struct span value)
{
    switch (id) {
    case FIELD_HOST:
        seen->host = value;
        seen->hosts++;
        break;
    case FIELD_CONTENT_LENGTH:
        seen->length = value;
        seen->lengths++;
        break;
    case FIELD_TRANSFER_ENCODING:
        seen->coding = value;
        seen->codings++;
        break;
    case FIELD_CONNECTION:
        see_connection(seen, value);
        break;
    case FIELD_UPGRADE:
        seen->upgrade_field = true;
        break;
    case FIELD_EXPECT:
        seen->expect_continue |= list_has(list_members_of(value), SPAN("100-continue"));
        break;
    default:
        break;
    }
}

/* The same as fields_add() for a field whose id is known already. */
static void add_field(struct http_fields *fields, struct http_field field)
{
    if (fields->count < fields->cap) {
        fields->at[fields->count++] = field;
    } else {
        fields_add(fields, field.name, field.value);
    }
}

/* Finds the colon behind white space after a name. A proxy removes such white space from a response
 * (RFC 9112 5.1), but not from fields that frame the message: other recipients may have understood
 * those differently. NULL: the line cannot be repaired. */
static const char *late_colon(const struct parser *p, struct span name)
{
    const char *at = name.at + name.len;
    enum http_field_id id = http_field_id(name);

    if (!p->is_response || id == FIELD_CONTENT_LENGTH || id == FIELD_TRANSFER_ENCODING ||
        id == FIELD_CONNECTION) {
        return NULL;
    }
    while (*at == ' ' || *at == '\t') {
        at++;
    }
    return *at == ':' ? at : NULL;
}

/* Parses one field line. Errors are syntax errors of the sender: 400, or 502. */
static bool take_field(struct parser *p)
{
    const char *name = p->at;
    enum http_field_id id;
    const char *end = skip_name(name, p->end, &id);

    if (end == name) {
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): p->at is never NULL */
        bool folded = *name == ' ' || *name == '\t';
        return fail(p, 400,
                    folded ? "A field continues on a second line" : "A field has no valid name");
    }
    const char *colon = *end == ':' ? end : late_colon(p, span_from_to(name, end));
    if (colon == NULL) {
        return fail(p, 400, "A field name is not followed by a colon at once");
    }
    if (end - name > HEAD_NAME_MAX) {
        return fail(p, 431, "A field name is too long");
    }
    const char *value = colon + 1;
    while (*value == ' ' || *value == '\t') {
        value++;
    }
    p->at = skip_value(value, p->end);
    const char *behind = p->at;
    if (!take_crlf(p)) {
        return fail(p, 400, "A field value holds a control character");
    }
    while (behind > value && (behind[-1] == ' ' || behind[-1] == '\t')) {
        behind--;
    }
    struct span text = span_from_to(value, behind);
    add_field(&p->head->fields, (struct http_field){span_from_to(name, end), text, id});
    see(&p->seen, id, text);
    return true;
}

/* Parses up to and including the empty line, which is known to be there. */
static bool take_fields(struct parser *p)
{
    while (!take_crlf(p)) {
        if (p->head->fields.count == p->limits->fields) {
            return fail(p, 431, "There are too many fields");
        }
        if (!take_field(p)) {
            return false;
        }
    }
    return true;
}

/*
 * Finds the end of the head by looking at new bytes only; ERR_MORE: it is incomplete. Line ends are
 * checked on the way, so a head with a bare LF is refused at once.
 */
static int find_end(struct parser *p, const char *from)
{
    const char *lf;

    while (from < p->end && (lf = memchr(from, '\n', (size_t)(p->end - from))) != NULL) {
        if (lf == p->at || lf[-1] != '\r') {
            fail(p, 400, "A line ends with LF alone");
            return ERR_SYNTAX;
        }
        if (lf - p->at >= 3 && lf[-2] == '\n') {
            return 0;
        }
        from = lf + 1;
    }
    return ERR_MORE;
}

/* Most inputs are one whole head with nothing behind it, which needs no search. */
static int await_end(struct parser *p, const char *from)
{
    return span_ends(span_from_to(p->at, p->end), SPAN("\r\n\r\n")) ? 0 : find_end(p, from);
}

/* A client may send an empty line before its request (RFC 9112 2.2). */
static size_t empty_lines(struct span bytes)
{
    size_t len = 0;

    while (len < EMPTY_LINES_LEN && span_starts(span_skip(bytes, len), SPAN("\r\n"))) {
        len += 2;
    }
    return len;
}

/* Can the incomplete request, which was examined up to `from`, still become a valid one? A TLS
 * handshake, HTTP/0.9 or an endless line is refused at once instead of waiting for more. */
static bool is_request_so_far(struct parser *p, const char *from)
{
    struct span rest = span_from_to(p->at, p->end);
    size_t line = span_find(rest, '\n');

    if (line < rest.len) {
        return p->at + line < from || take_request_line(p);
    }
    const char *method = skip_class(p->at, p->end, CHAR_TOKEN);
    bool half_empty_line = span_eq(rest, SPAN("\r"));
    if (method < p->end && !half_empty_line && (method == p->at || *method != ' ')) {
        return fail(p, 400, "The request line does not start with a method and one space");
    }
    if (method - p->at > METHOD_MAX) {
        return fail(p, 501, "The method is too long");
    }
    return rest.len <= p->limits->target + LINE_EXTRA_MAX ||
           fail(p, 414, "The request target is too long");
}

static bool is_response_so_far(struct parser *p)
{
    struct span rest = span_from_to(p->at, p->end);
    struct span start = SPAN("HTTP/1.");
    size_t len = rest.len < start.len ? rest.len : start.len;

    return span_eq(span_take(rest, len), span_take(start, len)) ||
           fail(p, 400, "This is not an HTTP/1 response");
}

static bool is_within_limit(struct parser *p, const char *start)
{
    return (size_t)(p->at - start) <= p->limits->head || fail(p, 431, "The head is too long");
}

/* The head is incomplete: checks whether it may go on, and notes how far it was examined. */
static int more(struct parser *p, struct h1_scan *scan, struct span bytes)
{
    p->at = p->end;
    scan->scanned = bytes.len;
    return is_within_limit(p, bytes.at) ? ERR_MORE : ERR_SYNTAX;
}

static bool parse_request(struct parser *p)
{
    if (!take_request_line(p) || !take_fields(p)) {
        return false;
    }
    return h1_frame_request(&p->seen, p->head, p->error);
}

static bool parse_response(struct parser *p, enum http_method request)
{
    if (!take_status_line(p) || !take_fields(p)) {
        return false;
    }
    return h1_frame_response(&p->seen, request, p->head, p->error);
}

int h1_parse_request(struct h1_scan *scan, struct span bytes, const struct h1_limits *limits,
                     struct arena *arena, struct http_head *head, size_t *used,
                     struct h1_error *error)
{
    size_t skipped = empty_lines(bytes);
    const char *from = bytes.at + (scan->scanned > skipped ? scan->scanned : skipped);
    struct parser p = {.at = bytes.at + skipped,
                       .end = bytes.at + bytes.len,
                       .limits = limits,
                       .head = head,
                       .error = error};

    int err = await_end(&p, from);
    if (err == ERR_MORE) {
        return is_request_so_far(&p, from) ? more(&p, scan, bytes) : ERR_SYNTAX;
    }
    head_init(head, arena);
    if (err || !parse_request(&p) || !is_within_limit(&p, bytes.at)) {
        return ERR_SYNTAX;
    }
    *used = (size_t)(p.at - bytes.at);
    return 0;
}

/* NOLINTNEXTLINE(readability-function-size): eight parameters, each a plain one */
int h1_parse_response(struct h1_scan *scan, struct span bytes, const struct h1_limits *limits,
                      enum http_method request, struct arena *arena, struct http_head *head,
                      size_t *used, struct h1_error *error)
{
    const char *from = bytes.at + scan->scanned;
    struct parser p = {.at = bytes.at,
                       .end = bytes.at + bytes.len,
                       .limits = limits,
                       .head = head,
                       .error = error,
                       .is_response = true};

    int err = await_end(&p, from);
    if (err == ERR_MORE) {
        err = is_response_so_far(&p) ? more(&p, scan, bytes) : ERR_SYNTAX;
    } else if (!err) {
        head_init(head, arena);
        err = parse_response(&p, request) && is_within_limit(&p, bytes.at) ? 0 : ERR_SYNTAX;
    }
    *used = (size_t)(p.at - bytes.at);
    error->status = STATUS_BROKEN_RESPONSE;
    return err;
}
