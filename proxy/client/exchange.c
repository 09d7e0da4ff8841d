#include "proxy/client/exchange_parts.h"

#include "base/err.h"
#include "base/memory.h"
#include "base/mem.h"
#include "http/hop.h"
#include "http/trailers.h"

static const unsigned legal_next[] = {
#define X(name, next) [EX_##name] = (next),
    EXCHANGE_STATES(X)
#undef X
};

enum {
    REQUEST_SPOOL_LIMIT = 256 * 1024,
    REQUEST_KEPT_MAX =
        32 * 1024, /* a request body up to this size is kept, so that it can be sent again */
    POOL_MAX = 256,
    ROW_MAX = 16, /* their response heads may be large, and h2 sees their size only afterwards */
};

typedef enum exchange_state (*step)(struct exchange *x);

static void exchange_run(struct exchange *x);

/* ---- wakes from other threads ---- */

static void post(struct exchange *x)
{
    loop_post(x->worker->loop, &x->letter);
}

void exchange_wake_flight(void *arg)
{
    struct exchange *x = arg;

    atomic_store_explicit(&x->flight_wake, true, memory_order_release);
    post(x);
}

void exchange_wake_source(void *arg)
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

/* ---- the state machine ---- */

static enum exchange_state step_wait(struct exchange *x)
{
    return x->state;
}

static const step steps[] = {
    [EX_HEAD] = step_wait,       [EX_ROUTE] = exchange_route,   [EX_LOOKUP] = exchange_lookup,
    [EX_CHECK] = exchange_check, [EX_READ] = exchange_read,     [EX_AWAIT] = exchange_await,
    [EX_DELIVER] = step_wait,    [EX_TUNNEL] = exchange_tunnel,
};

/* False: it has to wait (it returns its own state). */
static bool exchange_step(struct exchange *x)
{
    enum exchange_state next = steps[x->state](x);

    if (next == x->state) {
        return false;
    }
    CHECK(legal_next[x->state] & BIT(next));
    x->state = next;
    return true;
}

/* To be called after every event. Runs steps until one has to wait. */
static void exchange_run(struct exchange *x)
{
    while (x->state != EX_DONE && exchange_step(x)) {
    }
}

/* ---- the end ---- */

static void exchange_free(struct exchange *x)
{
    memory_give(MEMORY_REQUESTS, sizeof(*x));
    free(x);
}

static void recycle(struct exchange *x)
{
    struct worker *worker = x->worker;

    arena_fini(&x->arena);
    if (worker->exchange_pooled < POOL_MAX && !memory_is_scarce()) {
        worker->exchange_pooled++;
        list_push_front(&worker->exchange_pool, &x->link);
    } else {
        exchange_free(x);
    }
}

static void finish(struct exchange *x)
{
    x->state = EX_DONE;
    exchange_leave_row(x);
    timeout_clear(&x->hole_pause);
    auth_forget(&x->who);
    meter_fini(&x->meter);
    lookup_fini(&x->lookup);
    flight_unref(&x->failed);
    object_reader_fini(&x->reader);
    object_unref(&x->object);
    object_unref(&x->useless);
    piece_unref(&x->asked);
    fetch_unlink(&x->fetch);   /* last, as it checks whether others wait for the fetch */
    connect_close(&x->tunnel); /* except for the tunnel, whose source the fetch may use */
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

void exchange_give_up(struct exchange *x)
{
    if (x->state != EX_HEAD) {
        x->decision.ending = ENDING_STOPPED;
        exchange_record(x);
    }
    stream_close(x->stream, ERR_CLOSED);
    x->stream = NULL;
    finish(x);
}

/* More of the body has arrived, or it has reached a hole. */
static void wake_source(struct exchange *x)
{
    if (x->state == EX_AWAIT) {
        exchange_run(x);
    } else if (!exchange_fill(x)) {
        exchange_give_up(x);
    } else if (x->reader.source.wake) {
        x->reader.source.wake(x->reader.source.wake_arg);
    }
}

static void on_letter(struct letter *letter)
{
    struct exchange *x = container_of(letter, struct exchange, letter);

    x->busy++;
    if (x->state == EX_CHECK && atomic_load(&x->who_wake)) {
        exchange_run(x);
    }
    if (x->state != EX_DONE && atomic_exchange(&x->flight_wake, false)) {
        exchange_run(x);
    }
    if (x->state != EX_DONE && atomic_exchange(&x->body_wake, false)) {
        stream_resume(x->stream);
    }
    if (x->state != EX_DONE && atomic_exchange(&x->source_wake, false)) {
        wake_source(x);
    }
    x->busy--;
    if (x->state == EX_DONE && !atomic_load(&x->letter.pending)) {
        recycle(x);
    }
}

/* ---- the request's body ---- */

static void open_request_body(struct exchange *x)
{
    x->request_body = spool_new(&(struct spool_options){
        .expected = x->request.content_length,
        .limit = REQUEST_SPOOL_LIMIT,
        .length_untrusted = true,
        .writer = {wake_body, x},
    });
    spool_keep(x->request_body, REQUEST_KEPT_MAX);
}

/* ---- requests that arrive together ---- */

/* A lookup follows pointers to memory that is mostly not in the processor's cache. The requests of
 * one read do their lookups one after the other, so what the next ones need is prefetched
 * meanwhile. A request with a body does not wait, as the body may arrive any time. */
static bool may_join_row(const struct exchange *x)
{
    return client_h2(x->client) && x->policy.lookup && x->request_body == NULL;
}

static void join_row(struct exchange *x)
{
    struct worker *worker = x->worker;

    exchange_name(x);
    list_push_back(&worker->row, &x->row);
    if (++worker->row_length == ROW_MAX) {
        exchanges_look_up(worker);
    }
}

bool exchange_leave_row(struct exchange *x)
{
    if (list_empty(&x->row)) {
        return false;
    }
    list_remove(&x->row);
    x->worker->row_length--;
    return true;
}

static void expect_behind(struct exchange *x)
{
    struct worker *worker = x->worker;
    struct list *next = x->row.next;

    if (next == &worker->row) {
        return;
    }
    cache_prefetch_next(worker->cache, &list_entry(next, struct exchange, row)->lookup);
    if (next->next != &worker->row) {
        cache_prefetch_soon(worker->cache, &list_entry(next->next, struct exchange, row)->lookup);
    }
}

void exchanges_look_up(struct worker *worker)
{
    while (!list_empty(&worker->row)) {
        struct exchange *x = list_entry(worker->row.next, struct exchange, row);
        expect_behind(x);
        exchange_run(x); /* removes the exchange from the row */
    }
}

/* ---- events of the client's stream ---- */

static void on_head(void *owner, const struct http_head *head)
{
    struct exchange *x = owner;

    head_copy(&x->request, head, &x->arena);
    hop_strip_listed(&x->request.fields);
    if (head->framing != BODY_NONE) {
        open_request_body(x);
    }
    x->state = EX_ROUTE;
    exchange_step(x);
    if (x->state == EX_LOOKUP && may_join_row(x)) {
        join_row(x);
    } else {
        exchange_run(x);
    }
}

static enum stream_flow on_data(void *owner, struct span bytes)
{
    struct exchange *x = owner;

    if (x->request_cut && x->sent) {
        return STREAM_MORE; /* nobody gets it, and it does not count */
    }
    bool may_go = exchange_count_received(x, bytes.len);
    if (!may_go && (x->tunnel || !x->sent)) {
        if (x->tunnel) {
            connect_write_end(x->tunnel);
        }
        x->request_cut = true;
        return STREAM_PAUSE; /* until the exchange ends */
    }
    if (x->tunnel) {
        return connect_write(x->tunnel, bytes);
    }
    if (x->request_body == NULL || (x->fetch.fetch == NULL && x->state != EX_CHECK)) {
        return STREAM_MORE; /* the response is being sent already, so the body is not needed */
    }
    return spool_append(x->request_body, bytes) == SPOOL_MORE ? STREAM_MORE : STREAM_PAUSE;
}

static enum stream_flow tunnel_sink(void *owner, struct stream **sink)
{
    struct exchange *x = owner;

    *sink = NULL;
    return x->tunnel && x->meter.account == NULL ? connect_sink(x->tunnel, sink) : STREAM_MORE;
}

static void on_end(void *owner)
{
    struct exchange *x = owner;

    if (x->tunnel) {
        connect_write_end(x->tunnel);
    } else if (x->request_body && !x->request_cut) {
        x->request_ended = true;
        spool_end(x->request_body, 0);
    }
}

/* Who ended the exchange: a body that broke off has an ending of its own; all other errors are the
 * client's. */
static enum ending ending_of(const struct exchange *x, int err)
{
    if (err == 0) {
        return ENDING_COMPLETE;
    }
    return x->sent && err == ERR_TRUNCATED ? ENDING_BODY : ENDING_CLIENT;
}

static void on_close(void *owner, int err)
{
    struct exchange *x = owner;

    x->decision.ending = ending_of(x, err);
    if (err && !x->sent && x->decision.reason == REASON_NONE) {
        x->decision.reason = REASON_CLIENT_GONE;
    }
    if (x->state != EX_HEAD) {
        exchange_record(x);
    }
    x->stream = NULL;
    finish(x);
}

/* ---- trailers ---- */

static void on_request_trailers(void *owner, const struct http_fields *trailers)
{
    struct exchange *x = owner;

    if (x->fetch.fetch && x->request_body) {
        fetch_trailers(x->fetch.fetch, trailers);
    }
}

static const struct http_fields *response_trailers(void *owner)
{
    const struct exchange *x = owner;

    return x->is_whole ? &x->trailers : NULL;
}

static void on_response(struct fetch_link *link, const struct http_head *head)
{
    struct exchange *x = container_of(link, struct exchange, fetch);
    struct span names = SPAN_EMPTY, hop = SPAN_EMPTY;

    x->trailers.count = 0;
    x->trailer_names = x->trailer_hop = SPAN_EMPTY;
    if (head->framing == BODY_LENGTH || head->framing == BODY_NONE) {
        return; /* such a response has no trailers */
    }
    fields_joined(&head->fields, http_field_name(FIELD_CONNECTION), &x->arena, &hop);
    fields_joined(&head->fields, http_field_name(FIELD_TRAILER), &x->arena, &names);
    x->trailer_hop = arena_copy(&x->arena, hop);
    x->trailer_names = hop_trailer_names(names, hop, &x->arena);
}

static void on_response_trailers(struct fetch_link *link, const struct http_fields *trailers)
{
    struct exchange *x = container_of(link, struct exchange, fetch);

    x->trailers.arena = &x->arena;
    trailers_copy(&x->trailers, trailers);
    hop_strip_trailers(&x->trailers, x->trailer_hop);
}

static const struct stream_events exchange_events = {
    .on_head = on_head,
    .on_data = on_data,
    .sink = tunnel_sink,
    .on_trailers = on_request_trailers,
    .trailers = response_trailers,
    .on_end = on_end,
    .on_close = on_close,
};

/* Forwards an interim response: without hop-by-hop fields, with Via, like a final one. */
static void send_interim(struct exchange *x, const struct http_head *from_origin)
{
    struct http_head head = *from_origin;
    _Alignas(16) char first[2048];
    struct arena arena;

    arena_init(&arena, first, sizeof(first));
    fields_init(&head.fields, &arena, from_origin->fields.count);
    fields_append(&head.fields, &from_origin->fields);
    hop_strip(&head.fields);
    hop_add_via(&head.fields, from_origin->version, span_str(x->settings->name), &arena);
    head.upgrade = false;
    stream_send_interim(x->stream, &head);
    arena_fini(&arena);
}

static void on_interim(struct fetch_link *link, const struct http_head *head)
{
    struct exchange *x = container_of(link, struct exchange, fetch);

    if (x->request.version >= HTTP_1_1 && !x->sent) {
        send_interim(x, head);
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
        memory_take(MEMORY_REQUESTS, sizeof(*x));
    }
    memset(x, 0, offsetof(struct exchange, first));
    list_init(&x->link);
    list_init(&x->row);
    arena_init(&x->arena, x->first, sizeof(x->first));
    arena_count(&x->arena, MEMORY_REQUESTS);
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
    exchange_init_pause(x);
    x->fetch.waited = &x->waited;
    x->fetch.on_interim = on_interim;
    x->fetch.on_upgrade = exchange_on_upgrade;
    x->fetch.on_response = on_response;
    x->fetch.on_trailers = on_response_trailers;
    x->started_us = loop_now_us(worker->loop);
    list_push_back(&worker->exchanges, &x->link);
    stream_bind(stream, &exchange_events, x);
}

void exchange_abort_all(struct worker *worker)
{
    list_each_safe(link, &worker->exchanges)
    {
        exchange_give_up(list_entry(link, struct exchange, link));
    }
}

bool exchanges_are_tunnels(const struct worker *worker)
{
    size_t count = 0;

    list_each(link, &worker->exchanges)
    {
        const struct exchange *x = list_entry(link, struct exchange, link);
        if (x->state != EX_TUNNEL || client_h1(x->client) == NULL) {
            return false;
        }
        count++;
    }
    return count == worker->client_count;
}

void exchange_pool_clear(struct worker *worker)
{
    for (struct list *link; (link = list_pop_front(&worker->exchange_pool));) {
        exchange_free(list_entry(link, struct exchange, link));
    }
    worker->exchange_pooled = 0;
}
