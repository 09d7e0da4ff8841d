#include "proxy/client/exchange.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "http/h1_write.h"
#include "http/hop.h"
#include "proxy/client/access.h"
#include "proxy/client/accesslog.h"
#include "proxy/client/connect.h"
#include "proxy/client/respond.h"
#include "proxy/origin/fetch.h"
#include "proxy/origin/target.h"

/* The life of one request, in order. Second column: where it may go from there. */
/* clang-format off */
#define EXCHANGE_STATES(X)                                                                         \
    X(HEAD,    BIT(EX_ROUTE) | BIT(EX_DONE))                      /* the request's head comes   */ \
    X(ROUTE,   BIT(EX_LOOKUP) | BIT(EX_TUNNEL) | BIT(EX_DELIVER)) /* who, where to, may they    */ \
    X(LOOKUP,  BIT(EX_AWAIT) | BIT(EX_DELIVER))                   /* ask the cache              */ \
    X(AWAIT,   BIT(EX_LOOKUP) | BIT(EX_DELIVER) | BIT(EX_DONE))   /* a flight brings the head   */ \
    X(DELIVER, BIT(EX_DONE))                                      /* the client pulls the body  */ \
    X(TUNNEL,  BIT(EX_DELIVER) | BIT(EX_DONE))                    /* CONNECT: bytes both ways   */ \
    X(DONE,    0)
/* clang-format on */

enum exchange_state {
#define X(name, next) EX_##name,
    EXCHANGE_STATES(X)
#undef X
};

static const unsigned legal_next[] = {
#define X(name, next) [EX_##name] = (next),
    EXCHANGE_STATES(X)
#undef X
};

enum {
    ARENA_FIRST = 6144,
    REQUEST_SPOOL_LIMIT = 256 * 1024,
    ATTEMPTS_MAX = 2, /* flights joined before the request goes alone */
    POOL_MAX = 256,
};

struct exchange {
    struct list link;
    struct worker *worker;
    struct client *client;
    struct settings *settings;
    struct stream *stream; /* NULL once closed */
    enum exchange_state state;
    struct arena arena;

    struct http_head request;
    struct uri uri;
    struct span host;
    const struct site *site;
    struct policy_request policy;
    struct policy_settings rules;
    struct decision decision;
    struct span incident;

    struct lookup lookup;
    int attempts;
    bool alone;
    struct fetch_link fetch;
    struct spool *request_body; /* while the client sends one */
    bool request_ended;

    struct object *object; /* what is delivered; counted */
    struct object_reader reader;
    struct source_memory page;
    struct connect_tunnel *tunnel;
    int status; /* sent to the client */
    bool sent;  /* stream_send() was called */

    uint64_t started_us;

    struct letter letter;
    atomic_bool flight_wake, source_wake, body_wake;
    int busy;
    _Alignas(16) char first[ARENA_FIRST];
};

typedef enum exchange_state (*step)(struct exchange *x);

static void exchange_run(struct exchange *x);
static const struct stream_events exchange_events;

/* ---- being told things from other threads ---- */

static void post(struct exchange *x)
{
    loop_post(x->worker->loop, &x->letter);
}

static void wake_flight(void *arg)
{
    struct exchange *x = arg;

    atomic_store_explicit(&x->flight_wake, true, memory_order_release);
    post(x);
}

static void wake_source(void *arg)
{
    struct exchange *x = arg;

    atomic_store_explicit(&x->source_wake, true, memory_order_release);
    post(x);
}

static void wake_body(void *arg)
{
    struct exchange *x = arg;

    atomic_store_explicit(&x->body_wake, true, memory_order_release);
    post(x);
}

/* ---- answers made here ---- */

static enum exchange_state reply(struct exchange *x, const struct http_head *head,
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
            .name = span_str(x->settings->name),
            .incident = x->incident,
            .host = x->host,
            .head_only = x->request.method == METHOD_HEAD,
            .now = loop_wall(x->worker->loop),
            .arena = &x->arena,
        },
        &head, &body);
    source_memory_init(&x->page, body);
    return reply(x, &head, body.len > 0 ? &x->page.source : NULL);
}

static enum exchange_state refuse(struct exchange *x, int status, enum reason reason,
                                  const char *what)
{
    enum outcome outcome = status == 403 ? OUTCOME_DENIED : OUTCOME_ERROR;

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
    source_memory_init(&x->page, body);
    return reply(x, &head, body.len > 0 ? &x->page.source : NULL);
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
        return refuse(x, 403, REASON_TARGET_PORT, NULL);
    }
    return EX_TUNNEL;
}

static enum exchange_state route_site(struct exchange *x, enum uri_form form)
{
    x->site = settings_site(x->settings, x->uri.host);
    if (x->site == NULL && form == URI_ORIGIN) {
        return refuse(x, 400, REASON_NO_SITE,
                      "This is a proxy: ask for a full URL (\"GET http://host/path\"), or "
                      "configure a site for this host.");
    }
    if (x->site == NULL && x->uri.https) {
        return refuse(x, 501, REASON_BAD_REQUEST,
                      "Fetching https:// URLs for a client is not available: use CONNECT.");
    }
    if (x->site == NULL && !target_port_allowed(x->settings, x->uri.port, false)) {
        return refuse(x, 403, REASON_TARGET_PORT, NULL);
    }
    x->rules = target_policy(x->settings, x->site);
    policy_read_request(&x->request, &x->rules, &x->policy);
    return EX_LOOKUP;
}

static enum exchange_state step_route(struct exchange *x)
{
    enum uri_form form;
    const char *what = NULL;

    if (!access_client(x->settings, &x->client->ip)) {
        return refuse(x, 403, REASON_ACCESS, NULL);
    }
    if (uri_of_request(&x->request, x->client->https, &x->arena, &x->uri, &form, &what) != 0) {
        return refuse(x, 400, REASON_BAD_REQUEST, what);
    }
    x->host = x->uri.host;
    if (hop_is_loop(&x->request.fields, span_str(x->settings->name))) {
        return refuse(x, 508, REASON_LOOP, NULL);
    }
    if (ends_here(x)) {
        return answer_here(x);
    }
    return x->request.method == METHOD_CONNECT ? route_connect(x) : route_site(x, form);
}

/* ---- LOOKUP ---- */

static void fetch_for(struct exchange *x, struct flight *flight, bool shared, bool linked)
{
    fetch_start(&(struct fetch_order){
        .worker = x->worker,
        .request = &x->request,
        .policy = &x->policy,
        .uri = &x->uri,
        .site = x->site,
        .primary = &x->lookup.primary,
        .flight = flight,
        .shared = shared,
        .body = linked ? x->request_body : NULL,
        .client = x->client->ip,
        .client_https = x->client->https,
        .link = linked ? &x->fetch : NULL,
        .decision = linked ? &x->decision : NULL,
    });
}

static enum exchange_state go_alone(struct exchange *x)
{
    struct waker waker = {wake_flight, x};
    struct object *found = x->lookup.object;

    x->lookup.object = NULL;
    object_unref(&found);
    struct flight *flight =
        cache_private_flight(&x->lookup.member, NULL, &x->lookup.primary, waker);
    fetch_for(x, flight, false, true);
    flight_unref(&flight);
    return EX_AWAIT;
}

static enum exchange_state deliver(struct exchange *x, struct object *object, bool evaluate);

static struct object *take_found(struct exchange *x)
{
    struct object *object = x->lookup.object;

    x->lookup.object = NULL;
    return object;
}

/* Leads a validation nobody waits for. */
static void refresh(struct exchange *x)
{
    if (x->lookup.lead) {
        fetch_for(x, x->lookup.member.flight, true, false);
        flight_leave(&x->lookup.member);
    }
}

static enum exchange_state step_lookup(struct exchange *x)
{
    bool alone = x->alone || x->policy.has_range || x->request.method == METHOD_HEAD;
    struct cache_query query = {
        .request = &x->request,
        .policy = &x->policy,
        .uri = &x->uri,
        .zone = x->site ? SPAN("site") : SPAN("forward"),
        .now = loop_wall(x->worker->loop),
        .alone = alone,
        .waker = {wake_flight, x},
        .arena = &x->arena,
    };

    if (!x->policy.lookup) {
        x->decision.outcome = OUTCOME_PASS;
        x->decision.reason = x->policy.reason;
        return go_alone(x);
    }
    switch (cache_lookup(x->worker->cache, &query, &x->lookup, &x->decision)) {
    case CACHE_FRESH:
        return deliver(x, take_found(x), true);
    case CACHE_STALE:
        refresh(x);
        return deliver(x, take_found(x), true);
    case CACHE_LEAD:
        fetch_for(x, x->lookup.member.flight, true, true);
        return EX_AWAIT;
    case CACHE_FOLLOW:
        x->attempts++;
        return EX_AWAIT;
    case CACHE_ALONE:
        return go_alone(x);
    case CACHE_REFUSED:
        return refuse(x, 504, REASON_ONLY_IF_CACHED, NULL);
    }
    UNREACHABLE();
}

/* ---- AWAIT ---- */

/* How this request fared, told from what the flight brought. */
static void record_outcome(struct exchange *x, const struct object *object)
{
    const struct object *stale = flight_stale(x->lookup.member.flight);

    if (!x->lookup.member.leader) {
        x->decision.collapsed = true;
        x->decision.outcome = OUTCOME_COLLAPSED;
    } else if (stale == NULL) {
        x->decision.outcome = x->policy.lookup ? OUTCOME_MISS : OUTCOME_PASS;
    } else if (object == stale) {
        x->decision.outcome = OUTCOME_STALE;
        x->decision.reason = REASON_STALE_IF_ERROR;
    } else {
        x->decision.outcome = object->updated ? OUTCOME_REVALIDATED : OUTCOME_MODIFIED;
    }
}

/* The flight's response is not for this request: look again, at last alone. */
static enum exchange_state look_again(struct exchange *x)
{
    lookup_fini(&x->lookup);
    x->alone = x->attempts >= ATTEMPTS_MAX;
    return EX_LOOKUP;
}

static enum exchange_state step_await(struct exchange *x)
{
    struct object *object;
    struct failure failure;
    bool leader = x->lookup.member.leader;

    switch (flight_look(&x->lookup.member, &object, &failure)) {
    case FLIGHT_WAITING:
        return EX_AWAIT;
    case FLIGHT_SHARED:
        if (!leader &&
            !cache_shares(x->worker->cache, &x->lookup, object, &x->request.fields, &x->arena)) {
            object_unref(&object);
            return look_again(x);
        }
        record_outcome(x, object);
        return deliver(x, object, x->policy.lookup);
    case FLIGHT_SOLO:
        if (!leader) {
            x->attempts = ATTEMPTS_MAX;
            return look_again(x);
        }
        record_outcome(x, object);
        return deliver(x, object, x->lookup.lead);
    case FLIGHT_FAILED:
        return refuse(x, failure.status, failure.reason, NULL);
    }
    UNREACHABLE();
}

/* ---- DELIVER ---- */

/* RFC 9111 4.4: what an unsafe method changed is forgotten. */
static void invalidate(struct exchange *x, const struct object *object)
{
    static const enum http_field_id places[] = {FIELD_LOCATION, FIELD_CONTENT_LOCATION};
    struct span zone = x->site ? SPAN("site") : SPAN("forward");
    struct uri other;

    if (!policy_invalidates(x->request.method, object->status)) {
        return;
    }
    cache_invalidate(x->worker->cache, &x->uri, zone, &x->arena);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct span reference = fields_get(&object->fields, places[i]);
        if (reference.len > 0 && uri_resolve(&x->uri, reference, &x->arena, &other) == 0 &&
            uri_same_origin(&x->uri, &other)) {
            cache_invalidate(x->worker->cache, &other, zone, &x->arena);
        }
    }
}

static enum exchange_state deliver(struct exchange *x, struct object *object, bool evaluate)
{
    struct response response;
    struct source *body = NULL;

    x->object = object;
    invalidate(x, object);
    respond_object(
        &(struct respond_input){
            .request = &x->request,
            .policy = &x->policy,
            .object = object,
            .decision = &x->decision,
            .name = span_str(x->settings->name),
            .origin = HTTP_1_1,
            .now = loop_wall(x->worker->loop),
            .evaluate = evaluate,
            .arena = &x->arena,
        },
        &response);
    if (response.has_body) {
        struct waker waker = {wake_source, x};
        if (object_reader_init(&x->reader, object, response.from, response.to, waker) != 0) {
            object_unref(&x->object);
            lookup_fini(&x->lookup);
            return go_alone(x); /* the beginning has left memory and store meanwhile */
        }
        body = &x->reader.source;
    }
    return reply(x, &response.head, body);
}

/* ---- TUNNEL ---- */

static void on_tunnel_failed(void *arg, int status, enum reason reason)
{
    struct exchange *x = arg;

    x->tunnel = NULL;
    refuse(x, status, reason, NULL);
    x->state = EX_DELIVER;
}

static void on_tunnel_open(void *arg, struct source *from_origin)
{
    struct exchange *x = arg;
    struct http_head head;

    head_init(&head, &x->arena);
    head.version = HTTP_1_1;
    head.status = 200;
    head.reason = SPAN("Connection established");
    head.framing = BODY_NONE;
    head.content_length = -1;
    head.keep_alive = true;
    reply(x, &head, from_origin);
}

static enum exchange_state step_tunnel(struct exchange *x)
{
    if (x->tunnel || x->sent) {
        return EX_TUNNEL;
    }
    x->decision.outcome = OUTCOME_TUNNEL;
    x->decision.reason = REASON_METHOD;
    x->tunnel = connect_open(&(struct connect_order){
        .worker = x->worker,
        .settings = x->settings,
        .uri = &x->uri,
        .client = x->stream,
        .on_open = on_tunnel_open,
        .on_failed = on_tunnel_failed,
        .arg = x,
    });
    return EX_TUNNEL;
}

/* ---- the machine ---- */

static enum exchange_state step_wait(struct exchange *x)
{
    return x->state;
}

static const step steps[] = {
    [EX_HEAD] = step_wait,   [EX_ROUTE] = step_route,  [EX_LOOKUP] = step_lookup,
    [EX_AWAIT] = step_await, [EX_DELIVER] = step_wait, [EX_TUNNEL] = step_tunnel,
};

/* Every event ends here. Runs steps until one has to wait (returns its own state). */
static void exchange_run(struct exchange *x)
{
    while (x->state != EX_DONE) {
        enum exchange_state next = steps[x->state](x);
        if (next == x->state) {
            return;
        }
        CHECK(legal_next[x->state] & BIT(next));
        x->state = next;
    }
}

/* ---- the end ---- */

static void count(struct exchange *x, uint64_t elapsed_us, uint64_t sent)
{
    counters_exchange(&x->worker->counters, &(struct exchange_count){
                                                .decision = &x->decision,
                                                .status = x->status,
                                                .elapsed_us = elapsed_us,
                                                .sent = sent,
                                                .received = x->stream->received,
                                            });
}

static void write_log(struct exchange *x, uint64_t elapsed_us, uint64_t sent)
{
    accesslog_write(x->worker->log, &(struct accesslog_entry){
                                        .when_ms = loop_wall_ms(x->worker->loop),
                                        .elapsed_us = elapsed_us,
                                        .client = &x->client->ip,
                                        .decision = &x->decision,
                                        .status = x->status,
                                        .bytes = sent,
                                        .request = &x->request,
                                        .uri = &x->uri,
                                        .incident = x->incident,
                                        .content_type = x->object ? fields_get(&x->object->fields,
                                                                               FIELD_CONTENT_TYPE)
                                                                  : SPAN_EMPTY,
                                    });
}

static void record(struct exchange *x)
{
    uint64_t elapsed_us = clock_mono_us() - x->started_us;

    count(x, elapsed_us, x->stream->sent);
    write_log(x, elapsed_us, x->stream->sent);
}

static void recycle(struct exchange *x)
{
    struct worker *worker = x->worker;

    arena_fini(&x->arena);
    if (worker->exchange_pooled < POOL_MAX) {
        worker->exchange_pooled++;
        list_push_front(&worker->exchange_pool, &x->link);
    } else {
        free(x);
    }
}

static void finish(struct exchange *x)
{
    x->state = EX_DONE;
    connect_close(&x->tunnel);
    fetch_unlink(&x->fetch);
    lookup_fini(&x->lookup);
    object_reader_fini(&x->reader);
    object_unref(&x->object);
    if (x->request_body) {
        spool_writer_gone(x->request_body);
        if (!x->request_ended) {
            spool_end(x->request_body, ERR_TRUNCATED);
        }
        spool_unref(&x->request_body);
    }
    settings_unref(&x->settings);
    list_remove(&x->link);
    if (!x->busy && !atomic_load(&x->letter.pending)) {
        recycle(x);
    }
}

static void on_letter(struct letter *letter)
{
    struct exchange *x = container_of(letter, struct exchange, letter);

    x->busy++;
    if (x->state != EX_DONE && atomic_exchange(&x->flight_wake, false)) {
        exchange_run(x);
    }
    if (x->state != EX_DONE && atomic_exchange(&x->body_wake, false)) {
        stream_resume(x->stream);
    }
    if (x->state != EX_DONE && atomic_exchange(&x->source_wake, false) && x->reader.source.wake) {
        x->reader.source.wake(x->reader.source.wake_arg);
    }
    x->busy--;
    if (x->state == EX_DONE && !atomic_load(&x->letter.pending)) {
        recycle(x);
    }
}

/* ---- the client's stream ---- */

static void open_request_body(struct exchange *x)
{
    x->request_body = spool_new(&(struct spool_options){
        .budget = cache_budget(x->worker->cache),
        .expected = x->request.content_length,
        .limit = REQUEST_SPOOL_LIMIT,
        .writer = {wake_body, x},
    });
}

static void on_head(void *owner, const struct http_head *head)
{
    struct exchange *x = owner;

    head_copy(&x->request, head, &x->arena);
    if (head->framing != BODY_NONE) {
        open_request_body(x);
    }
    x->state = EX_ROUTE;
    exchange_run(x);
}

static enum stream_flow on_data(void *owner, struct span bytes)
{
    struct exchange *x = owner;

    if (x->tunnel) {
        return connect_write(x->tunnel, bytes);
    }
    if (x->request_body == NULL || x->fetch.fetch == NULL) {
        return STREAM_MORE; /* nobody wants it: the answer is on its way already */
    }
    return spool_append(x->request_body, bytes) == SPOOL_MORE ? STREAM_MORE : STREAM_PAUSE;
}

static void on_end(void *owner)
{
    struct exchange *x = owner;

    if (x->tunnel) {
        connect_write_end(x->tunnel);
    } else if (x->request_body) {
        x->request_ended = true;
        spool_end(x->request_body, 0);
    }
}

static void on_close(void *owner, int err)
{
    struct exchange *x = owner;

    if (err && !x->sent && x->decision.reason == REASON_NONE) {
        x->decision.reason = REASON_CLIENT_GONE;
    }
    if (x->state != EX_HEAD) {
        record(x);
    }
    x->stream = NULL;
    finish(x);
}

static const struct stream_events exchange_events = {
    .on_head = on_head,
    .on_data = on_data,
    .on_end = on_end,
    .on_close = on_close,
};

static void on_interim(struct fetch_link *link, const struct http_head *head)
{
    struct exchange *x = container_of(link, struct exchange, fetch);

    if (x->request.version >= HTTP_1_1 && !x->sent) {
        stream_send_interim(x->stream, head);
    }
}

/* ---- the beginning ---- */

static struct exchange *exchange_take(struct worker *worker)
{
    struct list *link = list_pop_front(&worker->exchange_pool);
    struct exchange *x;

    if (link) {
        worker->exchange_pooled--;
        x = list_entry(link, struct exchange, link);
    } else {
        x = xmalloc(sizeof(*x));
    }
    memset(x, 0, offsetof(struct exchange, first));
    list_init(&x->link);
    arena_init(&x->arena, x->first, sizeof(x->first));
    return x;
}

void exchange_begin(struct client *client, struct stream *stream)
{
    struct worker *worker = client->worker;
    struct exchange *x = exchange_take(worker);

    x->worker = worker;
    x->client = client;
    x->settings = settings_ref(worker->settings);
    x->stream = stream;
    x->decision = DECISION_INIT;
    x->letter.call = on_letter;
    x->fetch.on_interim = on_interim;
    x->started_us = clock_mono_us();
    list_push_back(&worker->exchanges, &x->link);
    stream_bind(stream, &exchange_events, x);
}

void exchange_abort_all(struct worker *worker)
{
    list_each_safe(link, &worker->exchanges)
    {
        struct exchange *x = list_entry(link, struct exchange, link);
        if (x->state != EX_HEAD) {
            record(x);
        }
        stream_close(x->stream, ERR_CLOSED);
        x->stream = NULL;
        finish(x);
    }
}

void exchange_pool_clear(struct worker *worker)
{
    for (struct list *link; (link = list_pop_front(&worker->exchange_pool));) {
        free(list_entry(link, struct exchange, link));
    }
    worker->exchange_pooled = 0;
}
