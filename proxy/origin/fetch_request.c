/* fetch_request - the request to the origin, head and body. */
#include "proxy/origin/fetch_parts.h"

#include "http/hop.h"
#include "http/trailers.h"
#include "http/websocket.h"

/* ---- the head ---- */

bool fetch_is_validating(const struct fetch *fetch)
{
    return !fetch->unconditional && flight_stale(fetch->flight) != NULL;
}

size_t fetch_stored_variants(const struct fetch *fetch, struct policy_stored out[POLICY_STORED_MAX])
{
    size_t count;
    struct object *const *variants = flight_variants(fetch->flight, &count);

    CHECK(count <= POLICY_STORED_MAX);
    for (size_t i = 0; i < count; i++) {
        out[i] = (struct policy_stored){&variants[i]->fields, &variants[i]->freshness, false};
    }
    return fetch->unconditional ? 0 : count;
}

/* Removes the client's conditions from a shared request; they are evaluated against the
 * response. */
static void strip_conditions(struct http_fields *fields)
{
    static const enum http_field_id conditions[] = {
        FIELD_IF_NONE_MATCH,       FIELD_IF_MODIFIED_SINCE, FIELD_IF_MATCH,
        FIELD_IF_UNMODIFIED_SINCE, FIELD_IF_RANGE,          FIELD_RANGE,
    };

    for (size_t i = 0; i < ARRAY_LEN(conditions); i++) {
        fields_remove_id(fields, conditions[i]);
    }
}

/* Replaces the client's conditions by those of stored responses, and adds the range to ask for. A
 * request for one client only keeps its own. */
static void make_conditional(struct fetch *fetch, struct http_fields *fields)
{
    struct policy_stored stored[POLICY_STORED_MAX];
    size_t count = fetch_stored_variants(fetch, stored);

    if (fetch_is_validating(fetch)) {
        policy_make_conditional(fields, &flight_stale(fetch->flight)->fields);
    } else if (count > 0) {
        policy_make_conditional_any(fields, stored, count, &fetch->arena);
    } else if (fetch->shared) {
        strip_conditions(fields);
    } else {
        return;
    }
    fetch_ask_range(fetch, fields);
}

/* Tells the origin the client's address, as configured. */
static void add_forwarded(struct fetch *fetch, struct http_fields *fields)
{
    char text[IP_TEXT_MAX];
    struct span client = arena_copy(&fetch->arena, span_str(ip_text(&fetch->client_ip, text)));

    switch (fetch->settings->forwarded) {
    case FORWARDED_OFF:
        break;
    case FORWARDED_X:
        hop_add_forwarded_for(fields, client, &fetch->arena);
        break;
    case FORWARDED_RFC7239:
        hop_add_forwarded(fields, client, uri_authority(&fetch->uri, &fetch->arena),
                          fetch->uri.https, &fetch->arena); /* responses are stored by scheme */
        break;
    }
}

/* Adds the key that a WebSocket handshake needs in HTTP/1.1, but does not have in HTTP/2 (RFC 8441
 * 5). */
static void add_websocket_key(struct fetch *fetch, struct http_fields *fields)
{
    const struct span name = SPAN("Sec-WebSocket-Key");
    struct sip_key random = sip_key_random();
    uint8_t nonce[WEBSOCKET_NONCE];

    fields_remove_names(fields, &name, 1);
    _Static_assert(sizeof(random) == sizeof(nonce), "a key is a nonce");
    memcpy(nonce, &random, sizeof(nonce));
    char *key = arena_alloc(&fetch->arena, WEBSOCKET_KEY);
    websocket_key(nonce, key);
    fetch->websocket_key = span_of(key, WEBSOCKET_KEY);
    fields_add(fields, name, fetch->websocket_key);
}

static void ask_upgrade(struct fetch *fetch, struct http_head *out)
{
    out->upgrade = true;
    fields_add_id(&out->fields, FIELD_UPGRADE, fetch->upgrade.protocol);
    if (fetch->client.version == HTTP_2 && span_ieq(fetch->upgrade.protocol, SPAN("websocket"))) {
        add_websocket_key(fetch, &out->fields);
    }
}

struct span fetch_client_connection(struct fetch *fetch)
{
    struct span value = SPAN_EMPTY;

    fields_joined(&fetch->client.fields, http_field_name(FIELD_CONNECTION), &fetch->arena, &value);
    return value;
}

/* Announces the request's trailers. */
static void name_trailers(struct fetch *fetch, struct http_head *out)
{
    struct span names;

    if (!fields_joined(&fetch->client.fields, http_field_name(FIELD_TRAILER), &fetch->arena,
                       &names)) {
        return;
    }
    names = hop_trailer_names(names, fetch_client_connection(fetch), &fetch->arena);
    if (names.len) {
        fields_add_id(&out->fields, FIELD_TRAILER, names);
    }
}

/* Announces the request's trailers, and accepts those of the response if the client does (RFC 9110
 * 6.6.2, 10.1.4). */
static void announce_trailers(struct fetch *fetch, struct http_head *out)
{
    if (out->framing == BODY_CHUNKED) {
        name_trailers(fetch, out);
    }
    if (fetch->owner && trailers_are_wanted(&fetch->client)) {
        fields_add_id(&out->fields, FIELD_TE, SPAN("trailers"));
    }
}

static void add_proxy_fields(struct fetch *fetch, struct http_fields *fields)
{
    struct span name = span_str(fetch->settings->name);

    hop_add_via(fields, fetch->client.version, name, &fetch->arena);
    if (fetch->site) {
        hop_add_cdn_loop(fields, name, &fetch->arena);
    }
    if (fetch->site && !fetch->site->mirror && fetch->uri.https) {
        hop_say_https(fields);
    }
    add_forwarded(fetch, fields);
}

/* Removes Expect from HTTP/1.0 requests, where it means nothing, and where there is no body to wait
 * with (RFC 9110 10.1.1). */
static void drop_vain_expectation(struct http_head *out)
{
    if (!out->expect_continue &&
        fields_list_has(&out->fields, FIELD_EXPECT, SPAN("100-continue"))) {
        fields_remove_id(&out->fields, FIELD_EXPECT);
    }
}

/* The length to announce; -1: none. In HTTP/2 the head tells that no body follows it. In HTTP/1.1
 * methods that usually have one tell so by Content-Length (RFC 9110 8.6), and some servers insist
 * on it (411). */
static int64_t announced_length(const struct http_head *client)
{
    bool usual = client->method == METHOD_POST || client->method == METHOD_PUT ||
                 client->method == METHOD_PATCH;

    return client->version == HTTP_2 && client->framing == BODY_NONE && usual
               ? 0
               : client->content_length; /* also 0 */
}

void fetch_make_request(struct fetch *fetch)
{
    struct http_head *out = &fetch->out;

    head_init(out, &fetch->arena);
    out->version = HTTP_1_1;
    out->method = fetch->client.method;
    out->method_text = fetch->client.method_text;
    out->target = fetch_asked(fetch)->path;
    out->framing = fetch->request_body ? fetch->client.framing : BODY_NONE;
    out->content_length = announced_length(&fetch->client);
    out->keep_alive = true;
    out->expect_continue = fetch->client.expect_continue && out->framing != BODY_NONE;
    if (out->framing == BODY_STREAM) {
        out->framing = out->content_length >= 0 ? BODY_LENGTH : BODY_CHUNKED;
    }
    fields_add_id(&out->fields, FIELD_HOST, uri_authority(fetch_asked(fetch), &fetch->arena));
    struct http_fields rest;
    fields_init(&rest, &fetch->arena, fetch->client.fields.count);
    fields_append(&rest, &fetch->client.fields);
    hop_strip(&rest);
    fields_remove_id(&rest, FIELD_HOST);
    fields_append(&out->fields, &rest);
    drop_vain_expectation(out);
    announce_trailers(fetch, out);
    if (fetch->upgrade.protocol.len) {
        ask_upgrade(fetch, out);
    }
    make_conditional(fetch, &out->fields);
    add_proxy_fields(fetch, &out->fields);
    if (fetch_is_mirror(fetch)) {
        fetch_mirror_request(fetch);
    }
}

void fetch_forget_upgrade(struct fetch *fetch)
{
    fetch->upgrade = (struct fetch_upgrade){0};
    fetch->websocket_key = SPAN_EMPTY;
    fetch_make_request(fetch);
}

/* ---- the body: from the exchange's spool to the stream ---- */

static void wake_body(void *arg) /* any thread */
{
    struct fetch *fetch = arg;

    atomic_store(&fetch->body_wake, true);
    fetch_post(fetch);
}

static int body_peek(struct source *source, struct span *out)
{
    return spool_peek(&container_of(source, struct fetch, body_source)->body_reader, out);
}

static void body_advance(struct source *source, size_t n)
{
    struct fetch *fetch = container_of(source, struct fetch, body_source);

    spool_advance(&fetch->body_reader, n);
    fetch->moved_ms = loop_now_ms(fetch->worker->loop);
}

static int read_from_start(struct fetch *fetch, struct spool_reader *reader)
{
    struct waker waker = {wake_body, fetch};

    return spool_reader_init(reader, fetch->request_body, 0, UINT64_MAX, waker);
}

struct source *fetch_request_body(struct fetch *fetch)
{
    static const struct source_ops ops = {.peek = body_peek, .advance = body_advance};

    if (fetch->request_body == NULL) {
        return NULL;
    }
    fetch->body_source = (struct source){.ops = &ops};
    if (fetch->body_reader.spool == NULL) {
        CHECK(read_from_start(fetch, &fetch->body_reader) == 0);
    }
    return &fetch->body_source;
}

bool fetch_rewind_body(struct fetch *fetch)
{
    struct spool_reader beginning;

    if (fetch->request_body == NULL) {
        return true;
    }
    if (read_from_start(fetch, &beginning) != 0) {
        return false;
    }
    spool_reader_fini(&fetch->body_reader);
    int err = read_from_start(fetch, &fetch->body_reader);
    spool_reader_fini(&beginning);
    return err == 0;
}
