#include "http/h2_head.h"

#include "base/check.h"

#include "http/chars.h"
#include "http/h1_framing.h"
#include "http/put.h"
#include "http/trailers.h"
#include "http/uri_parts.h"

enum {
    FIELD_OVERHEAD = 32, /* RFC 9113 6.5.2 */
    METHOD_MAX = 64,
    BOMB_FACTOR = 4,
};

enum pseudo {
    PSEUDO_METHOD = 1,
    PSEUDO_SCHEME = 2,
    PSEUDO_AUTHORITY = 4,
    PSEUDO_PATH = 8,
    PSEUDO_PROTOCOL = 16,
    PSEUDO_STATUS = 32,
    PSEUDO_OVER = 64, /* an ordinary field was read, so no pseudo field may follow */
};

static void fail(struct h2_block *block, int status, const char *what)
{
    if (block->error.status == 0) {
        bool is_response = block->kind == H2_BLOCK_RESPONSE;
        block->error = (struct h1_error){is_response ? 502 : status, what};
    }
}

void h2_block_begin(struct h2_block *block, enum h2_block_kind kind, struct arena *arena,
                    const struct h1_limits *limits)
{
    *block = (struct h2_block){.kind = kind, .limits = limits};
    head_init(&block->head, arena);
    block->head.version = HTTP_2;
    block->head.content_length = -1;
    block->head.keep_alive = true;
}

/* ---- pseudo fields (8.3) ---- */

static unsigned pseudo_of(struct span name)
{
    static const struct {
        struct span name;
        unsigned bit;
    } names[] = {
        {SPAN_INIT(":method"), PSEUDO_METHOD},       {SPAN_INIT(":scheme"), PSEUDO_SCHEME},
        {SPAN_INIT(":authority"), PSEUDO_AUTHORITY}, {SPAN_INIT(":path"), PSEUDO_PATH},
        {SPAN_INIT(":protocol"), PSEUDO_PROTOCOL},   {SPAN_INIT(":status"), PSEUDO_STATUS},
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (span_eq(name, names[i].name)) {
            return names[i].bit;
        }
    }
    return 0;
}

static void take_method(struct h2_block *block, struct span value)
{
    block->head.method_text = value;
    block->head.method = http_method_id(value);
    if (block->head.method == METHOD_OTHER && (value.len > METHOD_MAX || !http_is_token(value))) {
        fail(block, 400, "The method is not a token");
    }
}

static void take_path(struct h2_block *block, struct span value)
{
    if (value.len > block->limits->target) {
        fail(block, 414, "The request target is too long");
    } else if (value.len == 0 || !chars_are_visible(value)) {
        fail(block, 400, "The path is empty or holds a forbidden character");
    }
    block->head.target = value;
}

static void take_scheme(struct h2_block *block, struct span value)
{
    bool is_usual = span_eq(value, SPAN("https")) || span_eq(value, SPAN("http"));

    if (!is_usual && !http_is_token(value)) {
        fail(block, 400, "The scheme is empty or holds a forbidden character");
    }
    block->head.scheme = value;
}

static void take_status(struct h2_block *block, struct span value)
{
    const char *digit = value.at;

    if (value.len != 3 || !ascii_is_digit(digit[0]) || !ascii_is_digit(digit[1]) ||
        !ascii_is_digit(digit[2]) || digit[0] == '0') {
        fail(block, 502, "The status code is not three digits");
        return;
    }
    block->head.status = (digit[0] - '0') * 100 + (digit[1] - '0') * 10 + (digit[2] - '0');
    if (block->head.status == 101) {
        fail(block, 502, "HTTP/2 has no status 101"); /* RFC 9113 8.6 */
    }
}

static void take_pseudo(struct h2_block *block, struct span name, struct span value)
{
    unsigned bit = pseudo_of(name);
    unsigned allowed =
        block->kind == H2_BLOCK_REQUEST
            ? PSEUDO_METHOD | PSEUDO_SCHEME | PSEUDO_AUTHORITY | PSEUDO_PATH | PSEUDO_PROTOCOL
        : block->kind == H2_BLOCK_RESPONSE ? PSEUDO_STATUS
                                           : 0;

    if (!(bit & allowed) || block->pseudo & (bit | PSEUDO_OVER)) {
        fail(block, 400, "A pseudo field is unknown, in the wrong place or repeated");
        return;
    }
    block->pseudo |= bit;
    switch (bit) {
    case PSEUDO_METHOD:
        take_method(block, value);
        break;
    case PSEUDO_SCHEME:
        take_scheme(block, value);
        break;
    case PSEUDO_AUTHORITY:
        block->head.authority = value;
        break;
    case PSEUDO_PATH:
        take_path(block, value);
        break;
    case PSEUDO_PROTOCOL:
        block->protocol = value;
        break;
    case PSEUDO_STATUS:
        take_status(block, value);
        break;
    default:
        break;
    }
}

/* ---- ordinary fields (8.2) ---- */

/* A known name is valid, as each of its letters was compared. */
static bool name_is_valid(struct span name, enum http_field_id id)
{
    if (id != FIELD_OTHER) {
        return span_eq(name, http_field_name_small(id));
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!char_is(name.at[i], CHAR_TOKEN) || (name.at[i] >= 'A' && name.at[i] <= 'Z')) {
            return false;
        }
    }
    return name.len > 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool value_is_valid(struct span value)
{
    return value.len == 0 ||
           (chars_are_value(value) && !is_blank(value.at[0]) && !is_blank(value.at[value.len - 1]));
}

/* RFC 9113 8.2.2 */
static bool belongs_to_connection(enum http_field_id id)
{
    switch (id) {
    case FIELD_CONNECTION:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_UPGRADE:
        return true;
    default:
        return false;
    }
}

/* Adds the field. A known name is static, so only the name of an unknown one is copied. */
static void keep_field(struct h2_block *block, struct http_field field)
{
    struct http_fields *fields = &block->head.fields;
    bool is_known = field.id != FIELD_OTHER;

    field.name = is_known ? http_field_name_small(field.id) : arena_copy(fields->arena, field.name);
    fields_add_field(fields, field);
}

/* Where Content-Length does not frame the message it stays a field, as in HTTP/1: a response to
 * HEAD tells what GET would bring. */
static void take_length(struct h2_block *block, struct http_field field)
{
    uint64_t length;

    if (block->lengths++ > 0 || field.value.len > LENGTH_DIGITS_MAX ||
        !span_to_u64(field.value, INT64_MAX, &length)) {
        fail(block, 400, "Content-Length is given twice or is not a number");
        return;
    }
    block->head.content_length = (int64_t)length;
    keep_field(block, field);
}

static void take_field(struct h2_block *block, struct span name, struct span value)
{
    struct http_field field = {name, value, http_field_id(name)};

    block->pseudo |= PSEUDO_OVER;
    if (!name_is_valid(name, field.id)) {
        fail(block, 400, "A field name is not a token in lower case");
    } else if (belongs_to_connection(field.id)) {
        fail(block, 400, "A field of an HTTP/1 connection");
    } else if (field.id == FIELD_TE && !span_ieq(value, SPAN("trailers"))) {
        fail(block, 400, "TE contains something other than trailers");
    } else if (name.len > HEAD_NAME_MAX) {
        fail(block, 431, "A field name is too long");
    } else if (block->head.fields.count == block->limits->fields) {
        fail(block, 431, "There are too many fields");
    } else if (block->kind == H2_BLOCK_TRAILERS && field.id == FIELD_CONTENT_LENGTH) {
        fail(block, 400, "A length comes after its body");
    } else if (block->kind == H2_BLOCK_TRAILERS) {
        if (trailer_may_pass(&field)) {
            keep_field(block, field);
        }
    } else if (field.id == FIELD_CONTENT_LENGTH) {
        take_length(block, field);
    } else {
        keep_field(block, field);
        block->head.expect_continue |=
            field.id == FIELD_EXPECT && list_has(list_members_of(value), SPAN("100-continue"));
    }
}

void h2_block_add(struct h2_block *block, struct span name, struct span value)
{
    block->size += name.len + value.len + FIELD_OVERHEAD;
    if (block->size > block->limits->head) {
        fail(block, 431, "The head is too long");
    } else if (!value_is_valid(value)) {
        fail(block, 400, "A field value holds a forbidden character or has blanks at its ends");
    }
    if (block->error.status) {
        return;
    }
    value = arena_copy(block->head.fields.arena, value);
    if (span_starts(name, SPAN(":"))) {
        take_pseudo(block, name, value);
    } else {
        take_field(block, name, value);
    }
}

bool h2_block_is_bomb(const struct h2_block *block)
{
    return block->size > BOMB_FACTOR * block->limits->head;
}

/* ---- the whole block ---- */

/* Does Host name the same as :authority? Both are normalized, and the default port is that of the
 * scheme; CONNECT has neither. */
static bool is_authority(struct http_head *head, struct span host)
{
    bool https = span_ieq(head->scheme, SPAN("https"));
    uint16_t port = head->scheme.len ? uri_default_port(https) : 0;
    struct arena *arena = head->fields.arena;
    struct uri asked, said;

    if (span_ieq(host, head->authority)) {
        return true; /* as nearly all clients send it */
    }
    return uri_parse_authority(head->authority, port, arena, &asked) == 0 &&
           uri_parse_authority(host, port, arena, &said) == 0 && asked.port == said.port &&
           span_eq(asked.host, said.host);
}

static bool is_known(const struct h2_authority *known, struct span text, bool https)
{
    return known && known->is_https == https &&
           span_eq(span_of(known->text, known->text_len), text);
}

static void learn(struct h2_authority *known, struct span text, const struct uri *uri)
{
    if (known == NULL || text.len > sizeof(known->text) || uri->host.len > sizeof(known->host)) {
        return;
    }
    put_span(known->text, text);
    put_span(known->host, uri->host);
    known->text_len = (uint8_t)text.len;
    known->host_len = (uint8_t)uri->host.len;
    known->port = uri->port;
    known->is_ipv6 = uri->is_ipv6;
    known->is_https = uri->https;
}

/* A CONNECT has no scheme, and is refused elsewhere if it has no port. False: it is malformed. */
static bool parse_authority(struct h2_block *block)
{
    struct http_head *head = &block->head;
    struct h2_authority *known = block->known;
    bool https = span_ieq(head->scheme, SPAN("https"));
    struct uri uri;

    if (head->scheme.len == 0) {
        return uri_host_field_is_valid(head->authority);
    }
    if (is_known(known, head->authority, https)) {
        head->place = (struct http_authority){span_of(known->host, known->host_len), known->port,
                                              known->is_ipv6};
        return true;
    }
    if (uri_parse_authority(head->authority, uri_default_port(https), head->fields.arena, &uri)) {
        return false;
    }
    head->place = (struct http_authority){uri.host, uri.port, uri.is_ipv6};
    learn(known, head->authority, &uri);
    return true;
}

/* :authority and Host may both be present if they name the same (RFC 9113 8.3.1). Only :authority
 * is kept. */
static void settle_host(struct h2_block *block)
{
    struct http_head *head = &block->head;
    const struct http_field *host = fields_find(&head->fields, FIELD_HOST);

    if (fields_count(&head->fields, FIELD_HOST) > 1) {
        fail(block, 400, "Host is given twice");
    } else if (host && head->authority.len && !is_authority(head, host->value)) {
        fail(block, 400, "Host and :authority differ");
    } else if (host && head->authority.len == 0) {
        head->authority = host->value;
    }
    if (head->authority.len && !parse_authority(block)) {
        fail(block, 400, ":authority or Host is not a valid name or address");
    }
    fields_remove_id(&head->fields, FIELD_HOST);
    if (head->authority.len) {
        fields_add_id(&head->fields, FIELD_HOST, head->authority);
    }
}

/* Joins the pieces ("crumbs") of Cookie into one field, as other recipients expect (RFC 9113
 * 8.2.3). */
static void join_cookies(struct http_fields *fields)
{
    struct span joined = SPAN_EMPTY;
    size_t count = 0, len = 0;
    bool is_first = true;

    for (size_t i = 0; i < fields->count; i++) {
        if (fields->at[i].id == FIELD_COOKIE) {
            count++;
            len += fields->at[i].value.len + 2;
        }
    }
    if (count < 2) {
        return;
    }
    char *at = arena_alloc(fields->arena, len);
    joined.at = at;
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->at[i].id == FIELD_COOKIE) {
            at = put_span(at, is_first ? SPAN_EMPTY : SPAN("; "));
            at = put_span(at, fields->at[i].value);
            is_first = false;
        }
    }
    joined.len = (size_t)(at - joined.at);
    if (joined.at[joined.len - 1] ==
        ' ') { /* values do not end with a blank, so this one means that the last crumb was empty */
        joined.len--;
    }
    fields_set_id(fields, FIELD_COOKIE, joined);
}

/* An extended CONNECT is a GET with Upgrade in HTTP/1.1 (RFC 8441 4), and is treated as such from
 * here on. */
static void end_extended_connect(struct h2_block *block)
{
    struct http_head *head = &block->head;
    struct span version = block->protocol;
    struct span name = span_cut(&version, '/');

    if (!http_is_token(name) || (name.len < block->protocol.len && !http_is_token(version))) {
        fail(block, 400, ":protocol is not a protocol");
    } else if (head->content_length > 0) {
        fail(block, 400, "CONNECT has no body");
    }
    head->method = METHOD_GET;
    head->method_text = http_method_text(METHOD_GET);
    head->upgrade = true;
    head->framing = BODY_NONE;
    fields_add_id(&head->fields, FIELD_UPGRADE, block->protocol);
}

static void end_request(struct h2_block *block, bool is_last)
{
    const unsigned usual = PSEUDO_METHOD | PSEUDO_SCHEME | PSEUDO_PATH;
    struct http_head *head = &block->head;
    unsigned pseudo = block->pseudo & ~(unsigned)PSEUDO_OVER;

    if (head->method == METHOD_CONNECT && !(pseudo & PSEUDO_PROTOCOL)) {
        if (pseudo != (PSEUDO_METHOD | PSEUDO_AUTHORITY)) {
            fail(block, 400, "CONNECT has :method and :authority alone"); /* RFC 9113 8.5 */
        }
        if (head->content_length > 0) {
            fail(block, 400, "CONNECT has no body");
        }
        head->target = head->authority;
    } else if ((pseudo & usual) != usual || head->scheme.len == 0) {
        fail(block, 400, ":method, :scheme or :path is missing");
    } else if (pseudo & PSEUDO_PROTOCOL && head->method != METHOD_CONNECT) {
        fail(block, 400, ":protocol is for CONNECT"); /* RFC 8441 4 */
    }
    settle_host(block);
    join_cookies(&head->fields);
    if (is_last && head->content_length > 0) {
        /* RFC 9113 8.1.1 */
        fail(block, 400, "Content-Length announces a body that does not follow");
    }
    if (head->method == METHOD_TRACE && !is_last) {
        fail(block, 400, "TRACE has no body"); /* RFC 9110 9.3.8 */
    }
    bool is_bodiless = is_last || head->method == METHOD_CONNECT;
    head->framing = is_bodiless ? BODY_NONE : BODY_STREAM;
    if (pseudo & PSEUDO_PROTOCOL) {
        end_extended_connect(block);
    }
}

static void end_response(struct h2_block *block, bool is_last)
{
    if (!(block->pseudo & PSEUDO_STATUS)) {
        fail(block, 502, "There is no :status");
    }
    block->head.framing = is_last ? BODY_NONE : BODY_STREAM;
}

/* 8.1 */
static void end_trailers(struct h2_block *block, bool is_last)
{
    if (!is_last) {
        fail(block, 400, "Trailers do not end their message");
    }
}

bool h2_block_end(struct h2_block *block, bool is_last)
{
    if (block->error.status == 0 && block->kind == H2_BLOCK_REQUEST) {
        end_request(block, is_last);
    } else if (block->error.status == 0 && block->kind == H2_BLOCK_RESPONSE) {
        end_response(block, is_last);
    } else if (block->error.status == 0) {
        end_trailers(block, is_last);
    }
    return block->error.status == 0;
}

bool h2_sends_field(const struct http_field *field, bool in_request)
{
    switch (field->id) {
    case FIELD_CONTENT_LENGTH:
    case FIELD_HOST:
    case FIELD_HTTP2_SETTINGS:
        return false;
    case FIELD_TE:
        return in_request && span_ieq(field->value, SPAN("trailers")); /* RFC 9113 8.2.2 */
    default:
        return !belongs_to_connection(field->id);
    }
}
