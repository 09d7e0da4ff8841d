/* exchange_route - ROUTE: where a request goes, and the answers that are made here. */
#include "proxy/client/exchange_parts.h"

#include "base/check.h"
#include "base/log.h"
#include "http/h1_write.h"
#include "proxy/access/set.h"
#include "proxy/client/pac.h"
#include "proxy/client/respond.h"
#include "proxy/client/route.h"

enum { HOST_TOLD = 255 }; /* most bytes of a host name in the log */

/* ---- answers made here ---- */

/* Would an HTTP/2 client take this response for success? If it has asked to switch protocols, any
 * 2xx means that (RFC 8441 5). */
static bool would_mislead(const struct exchange *x, const struct http_head *head)
{
    return x->request.upgrade && x->request.version == HTTP_2 && head->status / 100 == 2;
}

enum exchange_state exchange_reply(struct exchange *x, const struct http_head *head,
                                   struct source *body)
{
    if (would_mislead(x, head)) {
        source_drop(body);
        return exchange_refuse(x, 501, REASON_UPGRADE, "No other protocol is spoken here.");
    }
    x->status = head->status;
    x->sent = true;
    if (x->upgrade.len && head->status != 101 && client_h1(x->client)) {
        h1_drain(client_h1(x->client)); /* bytes that follow may be of another protocol */
    }
    stream_send(x->stream, head, exchange_metered(x, body));
    return EX_DELIVER;
}

static enum exchange_state answer(struct exchange *x, int status, enum outcome outcome,
                                  enum reason reason, const char *what)
{
    struct http_head head;
    struct span body;

    x->decision.outcome = outcome;
    x->decision.reason = reason;
    x->incident = arena_printf(&x->arena, "%u-%llx", x->worker->number,
                               (unsigned long long)++x->worker->serial);
    respond_error(
        &(struct respond_error){
            .status = status,
            .reason = reason,
            .what = what,
            .decision = &x->decision,
            .name = span_str(x->settings->name),
            .incident = x->incident,
            .mirror = exchange_mirror(x),
            .host = x->host,
            .realm = span_str(x->settings->users.realm),
            .request = &x->request,
            .pages = access_set_pages(x->settings),
            .quota = {.used = x->quota.used,
                      .limit = x->meter.limits ? x->meter.limits->quota : 0,
                      .until = x->quota.until},
            .head_only = x->request.method == METHOD_HEAD,
            .now = loop_wall(x->worker->loop),
            .arena = &x->arena,
        },
        &head, &body);
    source_memory_init(&x->page, body);
    return exchange_reply(x, &head, body.len > 0 ? &x->page.source : NULL);
}

enum exchange_state exchange_refuse(struct exchange *x, int status, enum reason reason,
                                    const char *what)
{
    enum outcome outcome = reason == REASON_ONLY_IF_CACHED  ? OUTCOME_LOCAL
                           : status == 403 || status == 407 ? OUTCOME_DENIED
                                                            : OUTCOME_ERROR;

    if (outcome == OUTCOME_DENIED) {
        x->decision.forward = FORWARD_NONE; /* the origin was not asked */
    }
    return answer(x, status, outcome, reason, what);
}

/* The body of the response to TRACE (RFC 9110 9.3.8): the request without credentials. */
static struct span traced(struct exchange *x)
{
    static const enum http_field_id hidden[] = {FIELD_AUTHORIZATION, FIELD_PROXY_AUTHORIZATION,
                                                FIELD_COOKIE};
    struct buf text = BUF_INIT;
    struct http_head shown = x->request;

    fields_init(&shown.fields, &x->arena, x->request.fields.count);
    fields_append(&shown.fields, &x->request.fields);
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++) {
        fields_remove_id(&shown.fields, hidden[i]);
    }
    h1_write_request(&text, &shown);
    struct span body = arena_copy(&x->arena, buf_span(&text));
    buf_fini(&text);
    return body;
}

/* Begins the head of a response made here; the caller adds what is special. */
void exchange_begin_answer(struct exchange *x, struct span body, enum reason reason,
                           struct http_head *head)
{
    head_init(head, &x->arena);
    head->version = HTTP_1_1;
    head->status = 200;
    head->reason = http_status_text(head->status);
    head->framing = BODY_LENGTH;
    head->content_length = (int64_t)body.len;
    head->keep_alive = true;
    fields_add_id(&head->fields, FIELD_DATE, loop_date(x->worker->loop));
    x->decision.outcome = OUTCOME_LOCAL;
    x->decision.reason = reason;
}

enum exchange_state exchange_send_answer(struct exchange *x, struct http_head *head,
                                         struct span body)
{
    fields_add_id(
        &head->fields, FIELD_CACHE_STATUS,
        decision_cache_status(&x->decision, span_str(x->settings->name), SPAN_EMPTY, &x->arena));
    source_memory_init(&x->page, body);
    return exchange_reply(x, head, body.len > 0 ? &x->page.source : NULL);
}

/* Answers TRACE and OPTIONS with Max-Forwards 0 (RFC 9110 7.6.2), or addressed to us, as the final
 * recipient. */
static enum exchange_state answer_here(struct exchange *x)
{
    bool trace = x->request.method == METHOD_TRACE;
    struct span body = trace ? traced(x) : SPAN_EMPTY;
    struct http_head head;

    exchange_begin_answer(x, body, REASON_METHOD, &head);
    if (trace) {
        fields_add_id(&head.fields, FIELD_CONTENT_TYPE, SPAN("message/http"));
    } else {
        fields_add_id(&head.fields, FIELD_ALLOW,
                      SPAN("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, TRACE, CONNECT"));
    }
    return exchange_send_answer(x, &head, body);
}

/* Is the request refused by rules about users or hosts, so that a client that is not configured yet
 * must be able to read the setup page? */
static bool is_refused_newcomer(const struct exchange *x, const struct route *route)
{
    bool of_server =
        route->has_uri && x->request.version != HTTP_2 && span_starts(x->request.target, SPAN("/"));

    return route->reason == REASON_ACCESS && of_server && !route->mirrored.site &&
           !settings_site(x->settings, route->uri.host) &&
           access_may_use(x->settings, &x->client->ip);
}

/* The setup page that the client asks the proxy itself for, if `pac` is configured and the client
 * may use the proxy. NULL: it is no such request. */
static const struct pac_page *page_of(const struct exchange *x, const struct route *route)
{
    bool reads = x->request.method == METHOD_GET || x->request.method == METHOD_HEAD;
    bool may = route->kind == ROUTE_REFUSED && reads && x->settings->pac.for_clients;

    return may && (route->reason == REASON_NO_SITE || is_refused_newcomer(x, route))
               ? pac_page(route->uri.path)
               : NULL;
}

static enum exchange_state answer_page(struct exchange *x, const struct pac_page *page)
{
    struct pac_asker asker = {.host = fields_get(&x->request.fields, FIELD_HOST),
                              .tls = x->client->https};
    bool head_only = x->request.method == METHOD_HEAD;
    struct buf text = BUF_INIT;
    struct http_head head;

    page->write(x->settings, &asker, &text);
    struct span body = arena_copy(&x->arena, buf_span(&text));
    buf_fini(&text);
    x->decision.rule = 0;
    exchange_begin_answer(x, body, REASON_NO_SITE, &head);
    fields_add_id(&head.fields, FIELD_CONTENT_TYPE, page->type);
    fields_add_id(&head.fields, FIELD_CACHE_CONTROL, SPAN("no-store"));
    fields_add(&head.fields, SPAN("X-Content-Type-Options"), SPAN("nosniff"));
    return exchange_send_answer(x, &head, head_only ? SPAN_EMPTY : body);
}

/* ---- ROUTE ---- */

/* Only for requests that route_request() forwards, so the number is not 0. */
static void count_forwards_down(struct exchange *x)
{
    uint64_t left;

    if (route_max_forwards(&x->request, &left)) {
        fields_set_id(&x->request.fields, FIELD_MAX_FORWARDS,
                      arena_printf(&x->arena, "%llu", (unsigned long long)left - 1));
    }
}

/* Logs a Host that differs from the URI: an attacker may want two parties to see different
 * requests. The URI takes precedence, and the origin gets a Host made from it. */
static void note_overruled(struct exchange *x)
{
    char text[IP_TEXT_MAX];

    metric_add(&x->worker->counters.hosts_overruled, 1);
    log_debug("host_overruled", "client=%s host=%.*s", ip_text(&x->client->ip, text),
              SPAN_ARGS(span_take(x->uri.host, HOST_TOLD)));
}

/* The number of the rule, limited to what the decision can hold. */
static uint16_t rule_that_refused(const struct route *route)
{
    unsigned number = route->access.verdict == ACCESS_ALLOWED ? 0 : route->access.number;
    return (uint16_t)(number < UINT16_MAX ? number : UINT16_MAX);
}

/* Copies what the exchange needs from the route, also of refused requests. */
static void note_route(struct exchange *x, const struct route *route)
{
    bool allowed = route->access.verdict == ACCESS_ALLOWED;

    x->uri = route->uri;
    x->key = route->key;
    x->site = route->mirrored.site; /* also for refused requests */
    x->host = route->has_uri && allowed ? route->uri.host : SPAN_EMPTY;
    x->decision.rule = rule_that_refused(route);
    if (route->overrules && route->kind != ROUTE_WHO) { /* which is routed again */
        note_overruled(x);
    }
}

/* REASON_NONE, or why the account allows no more. Refused requests count for no account. */
static enum reason open_account(struct exchange *x, const struct route *route)
{
    bool goes = route->access.verdict == ACCESS_ALLOWED && route->kind != ROUTE_REFUSED;

    return goes ? exchange_open_account(x, route->access.rule) : REASON_NONE;
}

/* Goes on with a lookup in the cache. */
static enum exchange_state look_up(struct exchange *x, const struct route *route)
{
    x->site = route->site;
    x->policy = route->policy;
    if (x->site && x->site->mirror) {
        exchange_prepare_mirror(x, route);
    }
    route_strip(route, &x->request);
    /* who the client is has been decided; an origin that names this field in Vary has not seen it,
     * and must not get passwords into the keys of what is stored */
    fields_remove_id(&x->request.fields, FIELD_PROXY_AUTHORIZATION);
    count_forwards_down(x);
    return EX_LOOKUP;
}

enum exchange_state exchange_route(struct exchange *x)
{
    struct route route;

    route_request(&(struct route_query){.request = &x->request,
                                        .settings = x->settings,
                                        .client = &x->client->ip,
                                        .user = x->user,
                                        .now = loop_wall(x->worker->loop),
                                        .https = x->client->https,
                                        .arena = &x->arena},
                  &route);
    note_route(x, &route);
    const struct pac_page *page = page_of(x, &route);
    if (page) {
        return answer_page(x, page);
    }
    enum reason limit = open_account(x, &route);
    if (limit != REASON_NONE) {
        return exchange_refuse(x, limit == REASON_QUOTA ? 403 : 503, limit, NULL);
    }
    switch (route.kind) {
    case ROUTE_WHO:
        return exchange_who(x);
    case ROUTE_REFUSED:
        return exchange_refuse(x, route.status, route.reason, route.what);
    case ROUTE_HERE:
        return answer_here(x);
    case ROUTE_PING:
        return exchange_answer_ping(x);
    case ROUTE_TUNNEL:
        return EX_TUNNEL;
    case ROUTE_UPGRADE:
        x->upgrade = route.upgrade;
        exchange_prepare_tunnel(x);
        return look_up(x, &route);
    case ROUTE_CACHE:
        return look_up(x, &route);
    }
    UNREACHABLE();
}
