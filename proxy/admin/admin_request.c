#include "proxy/admin/admin_request.h"

#include "base/local_host.h"
#include "base/mem.h"
#include "http/uri.h"
#include "proxy/client/tail.h"
#include "proxy/admin/dashboard.h"
#include "proxy/admin/explain.h"
#include "proxy/admin/purge.h"
#include "proxy/admin/reload.h"
#include "proxy/server.h"
#include "proxy/admin/status.h"
#include "proxy/stream/stream.h"

/*
 * Who may read the pages. Requests from other web pages (with another Origin, or a foreign Host)
 * get no data: a page of another site can make its own name resolve to our address (DNS rebinding);
 * then the browser takes us for that site, but still sends that name in Host. So only requests to
 * an address, or to one of our own names, are answered with data.
 */

struct admin_request {
    struct server *server;
    struct stream *stream;
    struct admin_request **slot; /* where the connection keeps the pointer to this request */
    struct arena arena;
    struct buf body;
    struct source_memory source;
    struct purge_waiter purge;
    bool tells_load;
    bool head_only;
    bool changes; /* what is asked for changes something: it needs POST */
};

/* ---- pages ---- */

enum page_flag {
    PAGE_CHANGES =
        BIT(0), /* needs POST; other pages need GET, so that following a link changes nothing */
    PAGE_BY_ANY_NAME = BIT(1), /* contains nothing that a stranger may not know */
    PAGE_TELLS_LOAD = BIT(2),  /* reports the load in a field of the response head, too */
};

struct page {
    struct span path;
    struct span type;
    unsigned flags;
    int (*write)(const struct status_query *query, struct buf *out); /* returns the HTTP status */
    /* Instead of `write`, for answers that take time. */
    void (*begin)(struct admin_request *request, const struct status_query *query);
};

static void begin_purge(struct admin_request *request, const struct status_query *query);
static void begin_tail(struct admin_request *request, const struct status_query *query);

#define PLAIN SPAN_INIT("text/plain; charset=utf-8")
#define JSON SPAN_INIT("application/json")
#define PAC SPAN_INIT("application/x-ns-proxy-autoconfig")

/* clang-format off */
static const struct page pages[] = {
    {SPAN_INIT("/healthz"), PLAIN, PAGE_BY_ANY_NAME, .write = status_health},
    {SPAN_INIT("/readyz"), PLAIN, PAGE_BY_ANY_NAME | PAGE_TELLS_LOAD, .write = status_ready},
    {SPAN_INIT("/metrics"), SPAN_INIT("text/plain; version=0.0.4; charset=utf-8"), 0,
     .write = status_metrics},
    {SPAN_INIT("/status"), JSON, 0, .write = status_json},
    {SPAN_INIT("/history"), JSON, 0, .write = status_history},
    {SPAN_INIT("/replicas"), JSON, 0, .write = status_replicas},
    {SPAN_INIT("/warnings"), JSON, 0, .write = status_warnings},
    {SPAN_INIT("/top"), JSON, 0, .write = status_top},
    {SPAN_INIT("/store"), JSON, 0, .write = status_store},
    {SPAN_INIT("/store/verify"), JSON, PAGE_CHANGES, .write = status_verify},
    {SPAN_INIT("/rtt"), PLAIN, 0, .write = status_rtt},
    {SPAN_INIT("/explain"), JSON, 0, .write = explain_page},
    {SPAN_INIT("/purge"), JSON, PAGE_CHANGES, .begin = begin_purge},
    {SPAN_INIT("/config"), PLAIN, 0, .write = reload_config},
    {SPAN_INIT("/config/settings"), PLAIN, 0, .write = reload_settings},
    {SPAN_INIT("/config/diff"), JSON, 0, .write = reload_diff},
    {SPAN_INIT("/reload"), JSON, PAGE_CHANGES, .write = reload_now},
    {SPAN_INIT("/reload/state"), JSON, 0, .write = reload_state},
    {SPAN_INIT("/logs/reopen"), JSON, PAGE_CHANGES, .write = reload_logs},
    {SPAN_INIT("/tail"), SPAN_INIT("application/x-ndjson"), 0, .begin = begin_tail},
    {SPAN_INIT("/proxy.pac"), PAC, PAGE_BY_ANY_NAME, .write = status_pac},
    {SPAN_INIT("/wpad.dat"), PAC, PAGE_BY_ANY_NAME, .write = status_pac},
    {SPAN_INIT("/setup"), SPAN_INIT("text/html; charset=utf-8"), PAGE_BY_ANY_NAME,
     .write = status_setup},
    {SPAN_INIT("/"), PLAIN, 0, .write = status_index},
};

/* clang-format on */

static const struct page *find_page(struct span path)
{
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        if (span_eq(pages[i].path, path)) {
            return &pages[i];
        }
    }
    return NULL;
}

static void begin_head(struct admin_request *request, struct http_head *head)
{
    head_init(head, &request->arena);
    head->version = HTTP_1_1;
    head->keep_alive = true;
    fields_add_id(&head->fields, FIELD_DATE, loop_date(server_loop(request->server)));
    fields_add(&head->fields, SPAN("X-Content-Type-Options"), SPAN("nosniff"));
}

/* Begins the head of an answer that must not be cached. */
static void begin_answer(struct admin_request *request, int status, struct span type,
                         struct http_head *head)
{
    begin_head(request, head);
    head->status = status;
    head->reason = http_status_text(status);
    fields_add_id(&head->fields, FIELD_CONTENT_TYPE, type);
    fields_add_id(&head->fields, FIELD_CACHE_CONTROL, SPAN("no-store"));
}

static void send_answer(struct admin_request *request, struct http_head *head, struct span body)
{
    head->reason = http_status_text(head->status);
    source_memory_init(&request->source, body);
    stream_send(request->stream, head, body.len > 0 ? &request->source.source : NULL);
}

static void reply(struct admin_request *request, int status, struct span type)
{
    struct http_head head;

    begin_answer(request, status, type, &head);
    head.framing = BODY_LENGTH;
    head.content_length = (int64_t)buf_len(&request->body);
    if (status == 405) { /* RFC 9110 15.5.6 */
        fields_add_id(&head.fields, FIELD_ALLOW,
                      request->changes ? SPAN("POST") : SPAN("GET, HEAD"));
    }
    if (request->tells_load) {
        fields_add(&head.fields, SPAN("Larder-Load"),
                   status_load(request->server, &request->arena));
    }
    send_answer(request, &head, buf_span(&request->body));
}

static void reply_asset(struct admin_request *request, const struct dashboard_asset *asset,
                        const struct http_head *asked)
{
    struct http_head head;

    begin_head(request, &head);
    struct span body = dashboard_answer(asset, &asked->fields, &head);
    send_answer(request, &head, body);
}

static void refuse(struct admin_request *request, int status, const char *what)
{
    buf_printf(&request->body, "%s\n", what);
    reply(request, status, SPAN("text/plain; charset=utf-8"));
}

static void refuse_tail(struct admin_request *request, int status, const char *what)
{
    buf_printf(&request->body, "{\"error\": \"%s\"}\n", what);
    reply(request, status, SPAN("application/json"));
}

/* Answers with a body that ends only when the client leaves. */
static void begin_tail(struct admin_request *request, const struct status_query *query)
{
    struct tail_filter filter;
    struct http_head head;
    const char *what;

    if (tail_filter_parse(query->query, query->arena, &filter, &what) != 0) {
        refuse_tail(request, 400, what);
        return;
    }
    struct source *source = tail_watch(server_loop(query->server), &filter);
    if (source == NULL) {
        refuse_tail(request, 503, "too many clients are already watching");
        return;
    }
    begin_answer(request, 200, SPAN("application/x-ndjson"), &head);
    head.framing = BODY_CHUNKED;
    if (request->head_only) {
        source_drop(source);
        source = NULL;
    }
    stream_send(request->stream, &head, source);
}

static void on_purged(struct purge_waiter *waiter, int status)
{
    reply(container_of(waiter, struct admin_request, purge), status, SPAN("application/json"));
}

/* Answers once the purge is durable. */
static void begin_purge(struct admin_request *request, const struct status_query *query)
{
    request->purge = (struct purge_waiter){.answer = on_purged, .out = &request->body};
    int status = purge_begin(query, &request->purge);
    if (status) {
        on_purged(&request->purge, status);
    }
}

/* Is the host of a request an address, localhost, this machine's name, or the proxy's? */
static bool is_our_name(struct server *server, struct span host, struct arena *arena)
{
    struct uri uri;

    if (host.len == 0) {
        return true; /* browsers never omit it */
    }
    if (uri_parse_authority(host, 80, arena, &uri) != 0) {
        return false;
    }
    return local_host_is(uri.host) || span_ieq(uri.host, span_str(server_settings(server)->name));
}

/* Is the page that makes the request, if Origin names one, one of ours: with the same host and port
 * as the request? */
static bool is_from_us(const struct http_head *head, struct span host)
{
    struct span origin = fields_get(&head->fields, FIELD_ORIGIN);

    return !fields_has(&head->fields, FIELD_ORIGIN) ||
           (host.len > 0 && span_starts(origin, SPAN("http://")) &&
            span_ieq(span_skip(origin, strlen("http://")), host));
}

/* The file of the dashboard at this path, or NULL. At "/" only browsers get the page. */
static const struct dashboard_asset *find_asset(const struct http_head *head, struct span path)
{
    return span_eq(path, SPAN("/")) ? dashboard_page(&head->fields) : dashboard_find(path);
}

/* What a request asks for: a page, a file of the dashboard, or neither. */
struct wanted {
    const struct page *page;
    const struct dashboard_asset *asset;
    struct span host; /* as in the request */
};

static bool has_flag(const struct page *page, enum page_flag flag)
{
    return page && (page->flags & flag);
}

/* Answers requests that are not allowed. False: it is allowed. */
static bool refuses(struct admin_request *request, const struct http_head *head,
                    const struct wanted *wanted)
{
    struct server *server = request->server;
    bool reads = head->method == METHOD_GET || head->method == METHOD_HEAD;

    if (!reads && !(head->method == METHOD_POST && request->changes)) {
        refuse(request, 405, "Only GET and HEAD are answered here.");
    } else if (!is_from_us(head, wanted->host)) {
        refuse(request, 403, "Other web pages may not read the administrative interface.");
    } else if (wanted->page == NULL && wanted->asset == NULL) {
        refuse(request, 404,
               "Nothing here. Try / in a browser, /status, /history, /top, /store, /explain, "
               "/metrics, /rtt, /healthz, /readyz, /config, /tail, /proxy.pac, /setup");
    } else if (reads && request->changes) {
        refuse(request, 405, "This changes something: only POST is answered here.");
    } else if (!has_flag(wanted->page, PAGE_BY_ANY_NAME) &&
               !is_our_name(server, wanted->host, &request->arena)) {
        refuse(request, 403,
               "Ask by address, by localhost, or by this machine's name (or set `name` to the "
               "name you use): web pages can make any other name point here.");
    } else {
        return false;
    }
    return true;
}

static void reply_page(struct admin_request *request, const struct page *page,
                       const struct status_query *query)
{
    if (page->begin) {
        page->begin(request, query);
        return;
    }
    request->tells_load = has_flag(page, PAGE_TELLS_LOAD);
    int status = page->write(query, &request->body);
    reply(request, status, page->type);
}

static void on_head(void *owner, const struct http_head *head)
{
    struct admin_request *request = owner;
    size_t path_len = span_find(head->target, '?');
    struct span path = span_take(head->target, path_len);
    struct wanted wanted = {
        .page = find_page(path),
        .asset = find_asset(head, path),
        .host = arena_copy(&request->arena, fields_get(&head->fields, FIELD_HOST)),
    };

    request->head_only = head->method == METHOD_HEAD;
    request->changes = has_flag(wanted.page, PAGE_CHANGES);
    if (refuses(request, head, &wanted)) {
        return;
    }
    if (wanted.asset) {
        reply_asset(request, wanted.asset, head);
        return;
    }
    reply_page(request, wanted.page,
               &(struct status_query){
                   .server = request->server,
                   .host = wanted.host,
                   .query = span_skip(head->target, path_len + 1),
                   .arena = &request->arena,
               });
}

static enum stream_flow on_data(void *owner, struct span bytes)
{
    return STREAM_MORE;
}

static void on_end(void *owner)
{
}

static void on_close(void *owner, int err)
{
    struct admin_request *request = owner;

    *request->slot = NULL;
    purge_leave(&request->purge);
    buf_fini(&request->body);
    arena_fini(&request->arena);
    free(request);
}

static const struct stream_events request_events = {
    .on_head = on_head,
    .on_data = on_data,
    .on_end = on_end,
    .on_close = on_close,
};

void admin_request_begin(struct server *server, struct stream *stream, struct admin_request **slot)
{
    struct admin_request *request = xcalloc(1, sizeof(*request));

    request->server = server;
    request->stream = stream;
    request->slot = slot;
    arena_init(&request->arena, NULL, 0);
    *slot = request;
    stream_bind(stream, &request_events, request);
}

void admin_request_drop(struct admin_request **slot)
{
    if (*slot) {
        on_close(*slot, 0);
    }
}
