/* fetch_mirror - what is different in a fetch for a mirror: it follows redirects, and stores what
 * comes under the original URL; it gets tokens for registries; and it verifies digests named in
 * URLs. */
#include "proxy/origin/fetch_parts.h"

#include "base/err.h"
#include "base/log.h"
#include "proxy/mirror/challenge.h"
#include "proxy/mirror/digest.h"
#include "proxy/mirror/token.h"

enum { HOPS_MAX = 5 };

/* ---- where requests go ---- */

const struct uri *fetch_asked(const struct fetch *fetch)
{
    return fetch->mirror.at.host.len ? &fetch->mirror.at : &fetch->uri;
}

bool fetch_is_configured(const struct fetch *fetch)
{
    return fetch->site == NULL || fetch->mirror.at.host.len == 0 ||
           uri_same_origin(&fetch->mirror.at, &fetch->site->origins[0].uri);
}

/* The mirror's `ca` is also used for hosts it redirects to; `verify: no` is for the origin only. */
const struct site *fetch_trusts(const struct fetch *fetch)
{
    return fetch_is_configured(fetch) || fetch->site->verify ? fetch->site : NULL;
}

/* Repeats the request at this URL. Called from a handler of the stream. */
static void go_to(struct fetch *fetch, const struct uri *to)
{
    fetch->mirror.at = *to;
    if (fetch->stream) {
        stream_close(fetch->stream, ERR_CLOSED);
        fetch->stream = NULL;
    }
    fetch_set_state(fetch, FETCH_CONNECT);
    fetch_make_request(fetch);
    fetch_connect(fetch, false);
}

static bool is_let_in(const struct fetch *fetch, const struct uri *to)
{
    struct fetch_asker asker = {.settings = fetch->settings,
                                .user = fetch->user,
                                .client = &fetch->client_ip,
                                .request = &fetch->client,
                                .now = loop_wall(fetch->worker->loop)};

    return fetch->may_ask == NULL || fetch->may_ask(&asker, to);
}

/* May the redirect be followed? Only to what this client could request itself, and never from https
 * to http. Addresses are checked after resolution. */
static bool may_go_to(const struct fetch *fetch, const struct uri *to)
{
    return (to->https || !fetch_asked(fetch)->https) &&
           (uri_same_origin(to, &fetch->site->origins[0].uri) ||
            target_port_allowed(fetch->settings, to->port, false)) &&
           is_let_in(fetch, to);
}

/* ---- the request ---- */

static void remove_fields(struct http_fields *fields, const enum http_field_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fields_remove_id(fields, ids[i]);
    }
}

/* Keeps the fields by which proxies detect loops (RFC 9110 7.6.3, RFC 8586). */
static void keep_way(const struct http_fields *from, struct http_fields *to)
{
    for (size_t i = 0; i < from->count; i++) {
        if (from->at[i].id == FIELD_VIA || from->at[i].id == FIELD_CDN_LOOP) {
            fields_add_id(to, from->at[i].id, from->at[i].value);
        }
    }
}

/* A token server is told nothing except what the token is for. */
static void make_token_request(struct fetch *fetch)
{
    struct http_head *out = &fetch->out;
    struct http_fields asked = out->fields;
    struct span host = uri_authority(fetch_asked(fetch), &fetch->arena);

    head_init(out, &fetch->arena);
    out->version = HTTP_1_1;
    out->method = METHOD_GET;
    out->method_text = http_method_text(METHOD_GET);
    out->target = fetch_asked(fetch)->path;
    out->framing = BODY_NONE;
    out->content_length = -1;
    out->keep_alive = true;
    fields_add_id(&out->fields, FIELD_HOST, host);
    fields_add_id(&out->fields, FIELD_ACCEPT, SPAN("application/json"));
    fields_add_id(&out->fields, FIELD_ACCEPT_ENCODING, SPAN("identity"));
    keep_way(&asked, &out->fields);
}

/* Must the body be unencoded, because it is verified or rewritten? */
static bool wants_identity(const struct fetch *fetch)
{
    return fetch->mirror.kind == MIRROR_DIGEST || mirror_rewrites(fetch->site, fetch->mirror.kind);
}

static void add_token(struct fetch *fetch)
{
    struct span repository = mirror_repository(&fetch->uri, &fetch->arena);
    struct span token = fetch->mirror.token;

    if (token.len == 0 && fetch->worker->tokens) {
        token = tokens_find(fetch->worker->tokens, repository, loop_wall(fetch->worker->loop));
    }
    if (token.len) {
        fields_set_id(&fetch->out.fields, FIELD_AUTHORIZATION,
                      arena_printf(&fetch->arena, "Bearer %.*s", SPAN_ARGS(token)));
    }
}

void fetch_mirror_request(struct fetch *fetch)
{
    static const enum http_field_id ours[] = {FIELD_AUTHORIZATION, FIELD_COOKIE, FIELD_REFERER};
    static const struct span keys[] = {SPAN_INIT("Private-Token"), SPAN_INIT("Job-Token"),
                                       SPAN_INIT("Deploy-Token"),  SPAN_INIT("X-JFrog-Art-Api"),
                                       SPAN_INIT("X-Api-Key"),     SPAN_INIT("X-Auth-Token"),
                                       SPAN_INIT("npm-otp"),       SPAN_INIT("npm-session")};
    static const enum http_field_id ranges[] = {FIELD_RANGE, FIELD_IF_RANGE};
    struct http_fields *fields = &fetch->out.fields;

    if (fetch->mirror.asks_token) {
        make_token_request(fetch);
        return;
    }
    if (wants_identity(fetch)) {
        fields_set_id(fields, FIELD_ACCEPT_ENCODING, SPAN("identity"));
    }
    if (fetch->mirror.kind == MIRROR_DIGEST) {
        remove_fields(fields, ranges, ARRAY_LEN(ranges)); /* a part cannot be verified */
    }
    if (!fetch_is_configured(fetch)) {
        remove_fields(fields, ours, ARRAY_LEN(ours));
        fields_remove_names(fields, keys, ARRAY_LEN(keys));
    } else if (fetch->site->mirror->preset == PRESET_OCI) {
        fields_remove_id(fields, FIELD_AUTHORIZATION);
        add_token(fetch);
    }
}

/* ---- redirects ---- */

/* May the request be repeated elsewhere? Only if it is safe, and has no body that was sent
 * already. */
static bool may_ask_elsewhere(const struct fetch *fetch)
{
    bool safe = fetch->client.method == METHOD_GET || fetch->client.method == METHOD_HEAD;

    return safe && fetch->request_body == NULL;
}

static bool is_redirect(const struct fetch *fetch, const struct http_head *response)
{
    int status = response->status;

    return may_ask_elsewhere(fetch) &&
           (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) &&
           fields_count(&response->fields, FIELD_LOCATION) == 1;
}

/* Adds the redirect to what limits the response stored under the original URL. */
static void note_hop(struct fetch *fetch, const struct http_head *response)
{
    struct fetch_mirror *mirror = &fetch->mirror;
    struct span vary;

    policy_way_add(&mirror->way, response, fetch->times, &fetch->rules);
    fetch->rules.way = &mirror->way;
    if (fields_joined(&response->fields, http_field_name(FIELD_VARY), &fetch->arena, &vary)) {
        mirror->vary = arena_printf(&fetch->arena, "%.*s%s%.*s", SPAN_ARGS(mirror->vary),
                                    mirror->vary.len ? ", " : "", SPAN_ARGS(vary));
    }
}

static void follow(struct fetch *fetch, const struct http_head *response)
{
    struct span location = fields_get(&response->fields, FIELD_LOCATION);
    struct uri to = {0};

    location = span_take(location, span_find(location, '#'));
    bool leads = uri_resolve(fetch_asked(fetch), location, &fetch->arena, &to) == 0;
    if (fetch->mirror.hops++ == HOPS_MAX || !leads || !may_go_to(fetch, &to)) {
        struct span to_where = leads ? uri_authority(&to, &fetch->arena) : SPAN("nowhere");
        log_warn("mirror_redirect_refused", "mirror=%s host=%.*s to=%s%.*s", fetch->site->hosts[0],
                 SPAN_ARGS(fetch_asked(fetch)->host),
                 !leads     ? ""
                 : to.https ? "https://"
                            : "http://",
                 SPAN_ARGS(to_where));
        fetch_fail(fetch, 502, REASON_REDIRECT);
        return;
    }
    to.host = arena_copy(&fetch->arena, to.host);
    to.path = arena_copy(&fetch->arena, to.path);
    note_hop(fetch, response);
    go_to(fetch, &to);
}

/* ---- tokens ---- */

static void refuse_pull(struct fetch *fetch)
{
    fetch->mirror.may_not =
        true; /* the resource may have become private, so a stored response must not be served */
    fetch_fail(fetch, 403, REASON_PULL);
}

/* Asks for a token that anybody gets, as the origin does not answer without. */
static void ask_token(struct fetch *fetch, const struct http_head *response)
{
    struct span repository = mirror_repository(&fetch->uri, &fetch->arena);
    struct uri to;

    if (fetch->worker->tokens) {
        tokens_drop(fetch->worker->tokens, repository);
    }
    if (fetch->mirror.had_token || !may_ask_elsewhere(fetch) ||
        !challenge_read(&response->fields, &fetch->arena, &to) || !may_go_to(fetch, &to)) {
        refuse_pull(fetch);
        return;
    }
    fetch->mirror.asks_token = fetch->mirror.had_token = true;
    go_to(fetch, &to);
}

/* The head of the token server's response. */
static void token_comes(struct fetch *fetch, const struct http_head *response)
{
    fetch->mirror.asks_token = response->status == 200;
    if (response->status / 100 == 4) {
        refuse_pull(fetch);
    } else if (response->status != 200 || response->content_length > TOKEN_ANSWER_MAX) {
        fetch->mirror.asks_token = false;
        fetch_fail(fetch, 502, REASON_ORIGIN_BROKEN);
    }
}

void fetch_mirror_token(struct fetch *fetch, int err)
{
    struct worker *worker = fetch->worker;
    int64_t seconds = 0;
    bool good = !err && token_read(buf_span(&fetch->mirror.answer), &fetch->arena,
                                   &fetch->mirror.token, &seconds);

    fetch->mirror.asks_token = false;
    buf_fini(&fetch->mirror.answer);
    if (!good) {
        fetch_fail(fetch, err == ERR_TIMEOUT ? 504 : 502,
                   err == ERR_TIMEOUT ? REASON_ORIGIN_TIMEOUT : REASON_ORIGIN_BROKEN);
        return;
    }
    worker->tokens = worker->tokens ? worker->tokens : tokens_new();
    tokens_keep(worker->tokens, mirror_repository(&fetch->uri, &fetch->arena), fetch->mirror.token,
                loop_wall(worker->loop) + seconds);
    fetch->mirror.hops = 0;
    go_to(fetch, &(struct uri){0});
}

/* ---- responses ---- */

/* The document depends on what the client accepts, even if the origin does not say so; a 304
 * without Vary keeps that of the stored response. */
static bool lacks_vary(const struct fetch *fetch, const struct http_head *response)
{
    return fetch->mirror.kind == MIRROR_DOCUMENT &&
           (response->status != 304 || fields_has(&response->fields, FIELD_VARY)) &&
           !fields_list_has(&response->fields, FIELD_VARY, SPAN("accept"));
}

/* Is the field about the origin's host, and would a client take it for ours? */
static bool is_of_host(const struct http_field *field)
{
    return field->id == FIELD_SET_COOKIE || span_ieq(field->name, SPAN("Alt-Svc")) ||
           span_ieq(field->name, SPAN("Strict-Transport-Security"));
}

/* Adds the Vary of the redirects. A 304 without Vary keeps that of the stored response, which then
 * has to be repeated. */
static void add_vary_of_way(struct fetch *fetch, const struct http_head *response,
                            struct http_fields *out)
{
    const struct object *stale = flight_stale(fetch->flight);

    if (fetch->mirror.vary.len == 0) {
        return;
    }
    if (response->status == 304 && stale && !fields_has(&response->fields, FIELD_VARY)) {
        struct span stored;
        if (fields_joined(&stale->fields, http_field_name(FIELD_VARY), &fetch->arena, &stored)) {
            fields_add_id(out, FIELD_VARY, stored);
        }
    }
    fields_add_id(out, FIELD_VARY, fetch->mirror.vary);
}

static void amend(struct fetch *fetch, struct http_head *response)
{
    struct http_fields fields;

    fields_init(&fields, &fetch->arena, response->fields.count + 3);
    for (size_t i = 0; i < response->fields.count; i++) {
        if (!is_of_host(&response->fields.at[i])) {
            fields.at[fields.count++] = response->fields.at[i];
        }
    }
    if (lacks_vary(fetch, response)) {
        fields_add_id(&fields, FIELD_VARY, SPAN("Accept"));
    }
    add_vary_of_way(fetch, response, &fields);
    response->fields = fields;
}

static bool is_encoded(const struct http_head *response)
{
    struct list_members codings = list_members(&response->fields, FIELD_CONTENT_ENCODING);
    struct span coding;

    while (list_next(&codings, &coding)) {
        if (!span_ieq(coding, SPAN("identity"))) {
            return true;
        }
    }
    return false;
}

/* Begins to verify a body, of which nothing was forwarded so far. */
static bool begin_digest(struct fetch *fetch, const struct http_head *response)
{
    bool empty = response->content_length == 0 || response->framing == BODY_NONE;
    struct span last;

    fetch->mirror.digest = digest_new(mirror_digest(fetch->uri.path));
    if (!empty) {
        return true;
    }
    bool right = digest_ends(fetch->mirror.digest, &last);
    digest_free(&fetch->mirror.digest);
    if (!right) {
        fetch_fail(fetch, 502, REASON_DIGEST);
    }
    return right;
}

/* Only a 200 is the complete resource that a digest names. */
static bool is_refused(const struct fetch *fetch, const struct http_head *response)
{
    bool success = response->status / 100 == 2 && fetch->client.method == METHOD_GET;

    return success && ((wants_identity(fetch) && is_encoded(response)) ||
                       (response->status != 200 && fetch->mirror.kind == MIRROR_DIGEST));
}

bool fetch_mirror_response(struct fetch *fetch, struct http_head *response)
{
    bool oci = fetch->site->mirror->preset == PRESET_OCI;

    if (fetch->mirror.asks_token) {
        token_comes(fetch, response);
        return true;
    }
    if (is_redirect(fetch, response)) {
        follow(fetch, response);
        return true;
    }
    if (oci && response->status == 401) {
        ask_token(fetch, response);
        return true;
    }
    if (is_refused(fetch, response)) {
        fetch_fail(fetch, 502, REASON_ORIGIN_BROKEN);
        return true;
    }
    amend(fetch, response);
    return fetch->mirror.kind == MIRROR_DIGEST && response->status == 200 &&
           fetch->client.method == METHOD_GET && !begin_digest(fetch, response);
}

/* The fetch may have ended when this returns, if the response is too long. */
static void take_token(struct fetch *fetch, struct span bytes)
{
    if (bytes.len > TOKEN_ANSWER_MAX - buf_len(&fetch->mirror.answer)) {
        fetch_fail(fetch, 502, REASON_ORIGIN_BROKEN);
    } else {
        buf_append(&fetch->mirror.answer, bytes);
    }
}

enum stream_flow fetch_mirror_data(struct fetch *fetch, struct span bytes)
{
    struct span parts[2];
    enum spool_flow flow = SPOOL_MORE;

    if (fetch->mirror.asks_token) {
        take_token(fetch, bytes);
        return STREAM_MORE;
    }
    digest_take(fetch->mirror.digest, bytes, parts);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        flow = parts[i].len ? spool_append(fetch->object->spool, parts[i]) : flow;
    }
    if (flow == SPOOL_MORE) {
        return STREAM_MORE;
    }
    fetch_post(fetch); /* checks the interest, as for any body */
    return STREAM_PAUSE;
}

bool fetch_mirror_ends(struct fetch *fetch)
{
    struct span last;

    if (digest_ends(fetch->mirror.digest, &last)) {
        if (last.len) {
            spool_append(fetch->object->spool, last);
        }
        return true;
    }
    log_warn("mirror_digest_wrong", "mirror=%s host=%.*s path=%.*s", fetch->site->hosts[0],
             SPAN_ARGS(fetch_asked(fetch)->host), SPAN_ARGS(fetch->uri.path));
    fetch_note_lost(fetch, REASON_DIGEST);
    fetch->body_complete = true;
    spool_writer_gone(fetch->object->spool);
    spool_end(fetch->object->spool, ERR_TRUNCATED);
    cache_abandon(fetch->worker->cache, fetch->flight, 0);
    return false;
}

void fetch_mirror_fini(struct fetch *fetch)
{
    digest_free(&fetch->mirror.digest);
    buf_fini(&fetch->mirror.answer);
}
