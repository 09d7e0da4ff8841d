#include "proxy/client/exchange_parts.h"

#include "http/h1_write.h"
#include "http/hop.h"
#include "proxy/client/access.h"
#include "proxy/client/respond.h"
#include "proxy/origin/target.h"

/* ---- answers made here ---- */

enum exchange_state exchange_reply(struct exchange *x, const struct http_head *head,
                                   struct source *body)
{
    x->status = head->status;
    x->sent = true;
    stream_send(x->stream, head, body);
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
            .host = x->host,
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
    enum outcome outcome = reason == REASON_ONLY_IF_CACHED ? OUTCOME_LOCAL
                           : status == 403                 ? OUTCOME_DENIED
                                                           : OUTCOME_ERROR;

    if (outcome == OUTCOME_DENIED) {
        x->decision.forward = FORWARD_NONE; /* meant to, but not let */
    }
    return answer(x, status, outcome, reason, what);
}

/* What a TRACE shows of its request (RFC 9110 9.3.8): everything but credentials. */
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

/* TRACE and OPTIONS that may go no further (RFC 9110 7.6.2): we are the final recipient. */
static enum exchange_state answer_here(struct exchange *x)
{
    bool trace = x->request.method == METHOD_TRACE;
    struct span body = trace ? traced(x) : SPAN_EMPTY;
    struct http_head head;

    head_init(&head, &x->arena);
    head.version = HTTP_1_1;
    head.status = 200;
    head.reason = http_status_text(head.status);
    head.framing = BODY_LENGTH;
    head.content_length = (int64_t)body.len;
    head.keep_alive = true;
    fields_add_id(&head.fields, FIELD_DATE, loop_date(x->worker->loop));
    if (trace) {
        fields_add_id(&head.fields, FIELD_CONTENT_TYPE, SPAN("message/http"));
    } else {
        fields_add_id(&head.fields, FIELD_ALLOW,
                      SPAN("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, TRACE, CONNECT"));
    }
    x->decision.outcome = OUTCOME_LOCAL;
    x->decision.reason = REASON_METHOD;
    fields_add_id(
        &head.fields, FIELD_CACHE_STATUS,
        decision_cache_status(&x->decision, span_str(x->settings->name), SPAN_EMPTY, &x->arena));
    source_memory_init(&x->page, body);
    return exchange_reply(x, &head, body.len > 0 ? &x->page.source : NULL);
}

/* ---- ROUTE ---- */

/* Counts Max-Forwards down; true when the request ends here. */
static bool ends_here(struct exchange *x)
{
    uint64_t left;

    if (x->request.method != METHOD_TRACE && x->request.method != METHOD_OPTIONS) {
        return false;
    }
    struct span value = fields_get(&x->request.fields, FIELD_MAX_FORWARDS);
    if (!span_to_u64(value, UINT32_MAX, &left)) {
        return false;
    }
    if (left > 0) {
        fields_set_id(&x->request.fields, FIELD_MAX_FORWARDS,
                      arena_printf(&x->arena, "%llu", (unsigned long long)left - 1));
    }
    return left == 0;
}

static enum exchange_state route_connect(struct exchange *x)
{
    if (!target_port_allowed(x->settings, x->uri.port, true)) {
        return exchange_refuse(x, 403, REASON_TARGET_PORT, NULL);
    }
    return EX_TUNNEL;
}

static enum exchange_state route_site(struct exchange *x, enum uri_form form)
{
    x->site = settings_site(x->settings, x->uri.host);
    if (x->site == NULL && form == URI_ORIGIN) {
        return exchange_refuse(x, 400, REASON_NO_SITE,
                               "This is a proxy: ask for a full URL (\"GET http://host/path\"), or "
                               "configure a site for this host.");
    }
    if (x->site == NULL && x->uri.https) {
        return exchange_refuse(
            x, 501, REASON_BAD_REQUEST,
            "Fetching https:// URLs for a client is not available: use CONNECT.");
    }
    if (x->site == NULL && !target_port_allowed(x->settings, x->uri.port, false)) {
        return exchange_refuse(x, 403, REASON_TARGET_PORT, NULL);
    }
    x->rules = target_policy(x->settings, x->site);
    policy_read_request(&x->request, &x->rules, &x->policy);
    return EX_LOOKUP;
}

enum exchange_state exchange_route(struct exchange *x)
{
    enum uri_form form;
    const char *what = NULL;

    /* Read first: the log is to say what a client that is not let in wanted. */
    int err = uri_of_request(&x->request, x->client->https, &x->arena, &x->uri, &form, &what);

    if (!access_client(x->settings, &x->client->ip)) {
        return exchange_refuse(x, 403, REASON_ACCESS, NULL);
    }
    if (err) {
        return exchange_refuse(x, 400, REASON_BAD_REQUEST, what);
    }
    x->host = x->uri.host;
    if (hop_is_loop(&x->request.fields, span_str(x->settings->name))) {
        return exchange_refuse(x, 508, REASON_LOOP, NULL);
    }
    if (ends_here(x)) {
        return answer_here(x);
    }
    return x->request.method == METHOD_CONNECT ? route_connect(x) : route_site(x, form);
}
