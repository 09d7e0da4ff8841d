#include "proxy/origin/fetch.h"

#include "base/err.h"
#include "base/mem.h"
#include "http/hop.h"
#include "proxy/origin/target.h"
#include "proxy/origin/upstream.h"

/* The life of a fetch. Second column: where it may go from there. */
#define FETCH_STATES(X)                                                                            \
    X(CONNECT, BIT(FETCH_SEND) | BIT(FETCH_END))                   /* a connection */              \
    X(SEND, BIT(FETCH_CONNECT) | BIT(FETCH_BODY) | BIT(FETCH_END)) /* request out, head awaited */ \
    X(BODY, BIT(FETCH_END))                                        /* the response's body fills */ \
    X(END, 0)

enum fetch_state {
#define X(name, next) FETCH_##name,
    FETCH_STATES(X)
#undef X
};

static const unsigned legal_next[] = {
#define X(name, next) [FETCH_##name] = (next),
    FETCH_STATES(X)
#undef X
};

enum {
    SPOOL_LIMIT_PASS = 256 * 1024,
    SPOOL_LIMIT_STORE = 2 * 1024 * 1024,
    WORTH_FINISHING = 16 * 1024 * 1024, /* bytes left that are fetched without anybody waiting */
    PASS_MARK_SECONDS = 120,
};

struct fetch {
    struct list link; /* of the worker's fetches */
    struct worker *worker;
    struct settings *settings;
    enum fetch_state state;
    struct arena arena;
    struct http_head client; /* the client's request, for policy */
    struct http_head out;    /* the request to the origin */
    struct policy_request policy;
    struct policy_settings rules;
    struct uri uri;
    struct cache_key primary;
    const struct site *site;
    struct ip client_ip;
    bool client_https;
    bool shared;
    bool background;    /* nobody asked for it to be delivered */
    bool unconditional; /* a 304 matched nothing stored: ask again without validators */
    bool retried;
    size_t origin; /* of the site's, the one being asked */
    bool waiting;  /* the flight has not been told anything yet */
    bool body_complete;

    struct flight *flight;
    struct object *object;
    struct fetch_link *owner;
    struct decision *decision;

    struct address_check check;
    struct target_check target;
    struct upstream_job *job;
    struct stream *stream;
    struct policy_times times;

    struct spool *request_body;
    struct spool_reader body_reader;
    struct source body_source;
    struct letter letter; /* posted by wakers of either spool */
    bool resume;          /* the response's spool has room again */
    atomic_bool body_wake, response_wake;
    int busy; /* in the letter's call */
};

static const struct stream_events stream_events;

static void set_state(struct fetch *fetch, enum fetch_state next)
{
    CHECK(legal_next[fetch->state] & BIT(next));
    fetch->state = next;
}

/* ---- the end ---- */

static void fetch_free(struct fetch *fetch)
{
    arena_fini(&fetch->arena);
    free(fetch);
}

static void drop_request_body(struct fetch *fetch)
{
    spool_reader_fini(&fetch->body_reader);
    spool_unref(&fetch->request_body);
}

/* Everything is given back; the memory too, unless a letter is still on its way. */
static void finish(struct fetch *fetch)
{
    set_state(fetch, FETCH_END);
    if (fetch->owner) {
        fetch->owner->fetch = NULL;
        fetch->owner = NULL;
    }
    if (fetch->job) {
        upstream_cancel(fetch->job);
        fetch->job = NULL;
    }
    if (fetch->stream) {
        stream_close(fetch->stream, ERR_CLOSED);
        fetch->stream = NULL;
    }
    drop_request_body(fetch);
    flight_watch(fetch->flight, (struct waker){0});
    if (fetch->object) {
        spool_writer_gone(fetch->object->spool);
        object_unref(&fetch->object);
    }
    flight_unref(&fetch->flight);
    list_remove(&fetch->link);
    settings_unref(&fetch->settings);
    if (!fetch->busy && !atomic_load(&fetch->letter.pending)) {
        fetch_free(fetch);
    }
}

/* The stored response may stand in for the failed origin (RFC 9111 4.2.4). */
static bool use_stale(struct fetch *fetch)
{
    struct object *stale = flight_stale(fetch->flight);

    if (stale == NULL || cache_is_outdated(fetch->worker->cache, fetch->flight) ||
        !policy_stale_on_error(&fetch->policy, &stale->freshness, &fetch->rules,
                               loop_wall(fetch->worker->loop))) {
        return false;
    }
    fetch->waiting = false;
    flight_publish(fetch->flight, stale);
    cache_abandon(fetch->worker->cache, fetch->flight, 0);
    return true;
}

/* Ends without a response. */
static void fail(struct fetch *fetch, int status, enum reason reason)
{
    if (fetch->state == FETCH_BODY) {
        if (fetch->object && !fetch->body_complete) {
            spool_end(fetch->object->spool, ERR_TRUNCATED);
            cache_abandon(fetch->worker->cache, fetch->flight, 0);
        }
    } else if (fetch->waiting && !use_stale(fetch)) {
        fetch->waiting = false;
        cache_abandon(fetch->worker->cache, fetch->flight, 0);
        flight_fail(fetch->flight, (struct failure){status, reason});
    }
    finish(fetch);
}

static void fail_err(struct fetch *fetch, int err)
{
    fail(fetch, err == ERR_TIMEOUT ? 504 : 502,
         err == ERR_TIMEOUT ? REASON_ORIGIN_TIMEOUT : REASON_ORIGIN_BROKEN);
}

void fetch_abort_all(struct worker *worker)
{
    list_each_safe(link, &worker->fetches)
    {
        fail(list_entry(link, struct fetch, link), 503, REASON_OVERLOAD);
    }
}

/* ---- the request to the origin ---- */

static bool is_validating(const struct fetch *fetch)
{
    return fetch->shared && !fetch->unconditional && flight_stale(fetch->flight) != NULL;
}

/* A shared fetch asks for the whole response: the client's own conditions are evaluated against
 * what comes back. */
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

/* Tells the origin who the client is, in the way the configuration chose. */
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
                          fetch->client_https, &fetch->arena);
        break;
    }
}

static void add_proxy_fields(struct fetch *fetch, struct http_fields *fields)
{
    struct span name = span_str(fetch->settings->name);

    hop_add_via(fields, fetch->client.version, name, &fetch->arena);
    if (fetch->site) {
        hop_add_cdn_loop(fields, name, &fetch->arena);
    }
    add_forwarded(fetch, fields);
}

static void make_request(struct fetch *fetch)
{
    struct http_head *out = &fetch->out;

    head_init(out, &fetch->arena);
    out->version = HTTP_1_1;
    out->method = fetch->client.method;
    out->method_text = fetch->client.method_text;
    out->target = fetch->uri.path;
    out->framing = fetch->request_body ? fetch->client.framing : BODY_NONE;
    out->content_length = fetch->client.content_length; /* 0 is said, too (RFC 9110 8.6) */
    out->keep_alive = true;
    out->expect_continue = fetch->client.expect_continue;
    if (out->framing == BODY_STREAM) {
        out->framing = out->content_length >= 0 ? BODY_LENGTH : BODY_CHUNKED;
    }
    fields_add_id(&out->fields, FIELD_HOST, uri_authority(&fetch->uri, &fetch->arena));
    struct http_fields rest;
    fields_init(&rest, &fetch->arena, fetch->client.fields.count);
    fields_append(&rest, &fetch->client.fields);
    hop_strip(&rest);
    fields_remove_id(&rest, FIELD_HOST);
    fields_append(&out->fields, &rest);
    if (is_validating(fetch)) {
        policy_make_conditional(&out->fields, &flight_stale(fetch->flight)->fields);
    } else if (fetch->shared) {
        strip_conditions(&out->fields);
    }
    add_proxy_fields(fetch, &out->fields);
}

/* ---- request body: from the exchange's spool to the stream ---- */

static void post(struct fetch *fetch)
{
    loop_post(fetch->worker->loop, &fetch->letter);
}

static void wake_interest(void *arg) /* any thread, the flight's lock held */
{
    post(arg);
}

static void wake_body(void *arg) /* any thread */
{
    struct fetch *fetch = arg;

    atomic_store(&fetch->body_wake, true);
    post(fetch);
}

static int body_peek(struct source *source, struct span *out)
{
    return spool_peek(&container_of(source, struct fetch, body_source)->body_reader, out);
}

static void body_advance(struct source *source, size_t n)
{
    spool_advance(&container_of(source, struct fetch, body_source)->body_reader, n);
}

static struct source *open_request_body(struct fetch *fetch)
{
    static const struct source_ops ops = {.peek = body_peek, .advance = body_advance};
    struct waker waker = {wake_body, fetch};

    if (fetch->request_body == NULL) {
        return NULL;
    }
    fetch->body_source = (struct source){.ops = &ops};
    CHECK(spool_reader_init(&fetch->body_reader, fetch->request_body, 0, UINT64_MAX, waker) == 0);
    return &fetch->body_source;
}

/* ---- connecting ---- */

static void connect_origin(struct fetch *fetch, bool fresh);

static void on_connected(void *arg, const struct upstream_result *result)
{
    struct fetch *fetch = arg;

    fetch->job = NULL;
    if (result->err && fetch->site && fetch->origin + 1 < fetch->site->origin_count) {
        fetch->origin++;
        connect_origin(fetch, false);
    } else if (result->err == ERR_REFUSED) {
        fail(fetch, 403, REASON_TARGET_ADDRESS);
    } else if (result->err == ERR_TIMEOUT) {
        fail(fetch, 504, result->resolved ? REASON_CONNECT : REASON_DNS);
    } else if (result->err) {
        fail(fetch, 502, result->resolved ? REASON_CONNECT : REASON_DNS);
    } else {
        fetch->stream = result->stream;
        set_state(fetch, FETCH_SEND);
        stream_bind(fetch->stream, &stream_events, fetch);
        fetch->times.request = loop_wall(fetch->worker->loop);
        metric_add(&fetch->worker->counters.origin_fetches, 1);
        stream_send(fetch->stream, &fetch->out, open_request_body(fetch));
    }
}

static void connect_origin(struct fetch *fetch, bool fresh)
{
    const struct uri *to = fetch->site ? &fetch->site->origins[fetch->origin].uri : &fetch->uri;
    struct upstream_target target = {.host = to->host, .port = to->port, .fresh = fresh};

    fetch->target = (struct target_check){
        .settings = fetch->settings,
        .configured = fetch->site != NULL,
        .own = fetch->worker->own,
        .own_count = fetch->worker->own_count,
    };
    fetch->check = (struct address_check){target_allowed, &fetch->target};
    fetch->job = upstream_get(fetch->worker->upstreams, &target, fetch->check, on_connected, fetch);
}

/* ---- the response ---- */

static void note(struct fetch *fetch, int status, enum reason store_reason)
{
    if (fetch->decision && fetch->owner) {
        fetch->decision->fwd_status = status;
        fetch->decision->store_reason = store_reason;
        fetch->decision->stored = store_reason == REASON_STORED;
    }
}

/* The response with a Date: the time of receipt when it came without one (RFC 9110 6.6.1). */
static void add_date(struct fetch *fetch, const struct http_head *response, struct http_head *dated)
{
    *dated = *response;
    if (fields_has(&response->fields, FIELD_DATE)) {
        return;
    }
    fields_init(&dated->fields, &fetch->arena, response->fields.count + 1);
    fields_append(&dated->fields, &response->fields);
    fields_add_id(&dated->fields, FIELD_DATE, loop_date(fetch->worker->loop));
}

/* Why a response may not be kept lies in the request that caused it, not in the response. */
static bool is_about_request(enum reason why)
{
    return why == REASON_AUTHORIZATION || why == REASON_REQUEST_NO_STORE || why == REASON_METHOD;
}

/* A 304 after which the stored response may not be kept: only who asked gets it. */
static void confirmed_for_one(struct fetch *fetch, struct object *object, enum reason why)
{
    int64_t mark = loop_wall(fetch->worker->loop) + PASS_MARK_SECONDS;

    flight_publish_solo(fetch->flight, object);
    if (is_about_request(why)) {
        cache_abandon(fetch->worker->cache, fetch->flight, 0);
    } else {
        cache_discard(fetch->worker->cache, fetch->flight, mark);
    }
}

/* The origin confirmed what is stored. */
static void confirmed(struct fetch *fetch, const struct http_head *response)
{
    struct object *stale = flight_stale(fetch->flight);
    struct http_head merged = *response;
    struct freshness freshness;

    policy_merge_304(&stale->fields, &response->fields, &fetch->arena, &merged.fields);
    merged.status = stale->status;
    policy_freshness(&merged, fetch->times, &fetch->rules, &freshness);
    enum reason why = policy_may_store(&fetch->client, &merged, &freshness, &fetch->rules);
    struct object *object = object_updated(stale, &merged.fields, &freshness);
    note(fetch, 304, why == REASON_STORED ? REASON_VALIDATED : why);
    fetch->waiting = false;
    if (why == REASON_STORED) {
        flight_publish(fetch->flight, object);
        cache_update(fetch->worker->cache, fetch->flight, object);
    } else {
        confirmed_for_one(fetch, object, why);
    }
    object_unref(&object);
}

static void wake_writer(void *arg) /* any thread, the spool's lock held */
{
    struct fetch *fetch = arg;

    atomic_store(&fetch->response_wake, true);
    post(fetch);
}

static enum reason may_store(struct fetch *fetch, const struct http_head *response,
                             const struct freshness *freshness)
{
    if (fetch->shared) {
        return policy_may_store(&fetch->client, response, freshness, &fetch->rules);
    }
    if (!fetch->policy.lookup) {
        return fetch->policy.reason;
    }
    if (policy_may_store(&fetch->client, response, freshness, &fetch->rules) == REASON_STORED) {
        cache_unmark(fetch->worker->cache, flight_key(fetch->flight)); /* the next may share */
    }
    if (fetch->policy.has_range) {
        return REASON_RANGE;
    }
    return fetch->client.method == METHOD_HEAD ? REASON_METHOD : REASON_PASS_MARK;
}

/* Until when other requests for the URL do not wait for each other: only if it is the response, and
 * not this request or a trouble it met (an error status), that forbids sharing. */
static int64_t mark_until(const struct fetch *fetch, enum reason why, int status)
{
    static const enum reason lasting[] = {
        REASON_RESPONSE_NO_STORE, REASON_PRIVATE,         REASON_NO_LIFETIME, REASON_STATUS,
        REASON_PARTIAL,           REASON_MUST_UNDERSTAND, REASON_VARY_STAR,   REASON_SET_COOKIE,
        REASON_TOO_LARGE,
    };

    for (size_t i = 0; i < ARRAY_LEN(lasting); i++) {
        if (why == lasting[i] && fetch->shared && status < 400) {
            return loop_wall(fetch->worker->loop) + PASS_MARK_SECONDS;
        }
    }
    return 0;
}

/* A body follows, maybe: the object appears in the flight, its spool fills. */
static void admitted(struct fetch *fetch, const struct http_head *response)
{
    struct freshness freshness;
    struct http_fields kept;

    policy_freshness(response, fetch->times, &fetch->rules, &freshness);
    fields_init(&kept, &fetch->arena, response->fields.count);
    policy_stored_fields(response, &kept);
    enum reason why = may_store(fetch, response, &freshness);
    bool share = why == REASON_STORED;
    fetch->object = cache_admit(fetch->worker->cache,
                                &(struct admission){
                                    .primary = &fetch->primary,
                                    .request = &fetch->client,
                                    .response = response,
                                    .fields = &kept,
                                    .freshness = &freshness,
                                    .store = share,
                                    .spool_limit = share ? SPOOL_LIMIT_STORE : SPOOL_LIMIT_PASS,
                                    .writer = {wake_writer, fetch},
                                    .arena = &fetch->arena,
                                },
                                &why);
    note(fetch, response->status, why);
    fetch->waiting = false;
    if (why == REASON_STORED) {
        flight_publish(fetch->flight, fetch->object);
    } else {
        flight_publish_solo(fetch->flight, fetch->object);
        cache_abandon(fetch->worker->cache, fetch->flight,
                      mark_until(fetch, why, response->status));
    }
    if (flight_members(fetch->flight) == 0) {
        post(fetch); /* everybody left before the head came: see whether to go on */
    }
}

/* Asks again, without validators: the 304 matched nothing that is stored (RFC 9111 4.3.4). */
static void ask_again(struct fetch *fetch)
{
    fetch->unconditional = true;
    stream_close(fetch->stream, ERR_CLOSED);
    fetch->stream = NULL;
    set_state(fetch, FETCH_CONNECT);
    make_request(fetch);
    connect_origin(fetch, false);
}

/* A 304 to a request without a condition has no meaning: the client may have nothing it could mean
 * (RFC 9110 15.4.5). */
static bool is_unasked_304(const struct fetch *fetch, int status)
{
    return status == 304 && !fields_has(&fetch->out.fields, FIELD_IF_NONE_MATCH) &&
           !fields_has(&fetch->out.fields, FIELD_IF_MODIFIED_SINCE);
}

static void on_final_head(struct fetch *fetch, const struct http_head *head)
{
    bool validating = is_validating(fetch);
    struct http_head response;

    fetch->times.response = loop_wall(fetch->worker->loop);
    add_date(fetch, head, &response);
    if (is_unasked_304(fetch, response.status)) {
        fail(fetch, 502, REASON_ORIGIN_BROKEN);
        return;
    }
    if (validating && response.status == 304) {
        if (!policy_304_selects(&flight_stale(fetch->flight)->fields, &response.fields)) {
            ask_again(fetch);
            return;
        }
        set_state(fetch, FETCH_BODY);
        confirmed(fetch, &response);
        return;
    }
    if (validating && response.status >= 500 && use_stale(fetch)) {
        note(fetch, response.status, REASON_STALE_IF_ERROR);
        finish(fetch);
        return;
    }
    set_state(fetch, FETCH_BODY);
    admitted(fetch, &response);
}

static void on_head(void *owner, const struct http_head *head)
{
    struct fetch *fetch = owner;

    if (head->status >= 200 || head->status == 101) {
        on_final_head(fetch, head);
    } else if (fetch->owner && fetch->owner->on_interim) {
        fetch->owner->on_interim(fetch->owner, head);
    }
}

static enum stream_flow on_data(void *owner, struct span bytes)
{
    struct fetch *fetch = owner;

    metric_add(&fetch->worker->counters.origin_received_bytes, bytes.len);
    if (fetch->object == NULL) {
        return STREAM_MORE; /* a 304 has no body */
    }
    if (spool_append(fetch->object->spool, bytes) == SPOOL_MORE) {
        return STREAM_MORE;
    }
    post(fetch); /* the spool may have given up storing it: does anybody read it? */
    return STREAM_PAUSE;
}

/* The object is whole: kept, or just ended. */
static void complete(struct fetch *fetch)
{
    fetch->body_complete = true;
    if (fetch->object == NULL) {
        return;
    }
    spool_writer_gone(fetch->object->spool);
    if (fetch->object->stored_reason == REASON_STORED) {
        cache_commit(fetch->worker->cache, fetch->flight, fetch->object);
        return;
    }
    spool_end(fetch->object->spool, 0);
    cache_abandon(fetch->worker->cache, fetch->flight, 0);
}

static void on_end(void *owner)
{
    struct fetch *fetch = owner;

    complete(fetch);
}

static bool may_repeat(const struct fetch *fetch)
{
    return fetch->state == FETCH_SEND && !fetch->retried &&
           http_method_is_idempotent(fetch->client.method) && fetch->request_body == NULL;
}

static void on_close(void *owner, int err)
{
    struct fetch *fetch = owner;
    bool untouched = err != 0 && may_repeat(fetch) && upstream_may_retry(fetch->stream);

    fetch->stream = NULL;
    if (untouched) {
        fetch->retried = true;
        metric_add(&fetch->worker->counters.origin_retries, 1);
        set_state(fetch, FETCH_CONNECT);
        connect_origin(fetch, true);
    } else if (fetch->body_complete) {
        finish(fetch);
    } else {
        fail_err(fetch, err ? err : ERR_TRUNCATED);
    }
}

static const struct stream_events stream_events = {
    .on_head = on_head,
    .on_data = on_data,
    .on_end = on_end,
    .on_close = on_close,
};

/* ---- is it worth going on? ---- */

/* The rest of a response that will be kept is fetched though nobody waits, if it is not much. */
static bool worth_finishing(struct fetch *fetch)
{
    const struct object *object = fetch->object;

    if (object->stored_reason != REASON_STORED || !spool_is_wanted(object->spool)) {
        return false;
    }
    if (object->body_len < 0) {
        return fetch->background || spool_length(object->spool) <= WORTH_FINISHING;
    }
    uint64_t left = (uint64_t)object->body_len - spool_length(object->spool);
    return fetch->background || left <= WORTH_FINISHING;
}

/* Called when a reader or a member has left, when the head has come, and when storing failed. */
static void check_interest(struct fetch *fetch)
{
    if (fetch->state == FETCH_BODY) {
        if (fetch->object && !fetch->body_complete && spool_readers(fetch->object->spool) == 0 &&
            flight_members(fetch->flight) == 0 && !worth_finishing(fetch)) {
            fail(fetch, 502, REASON_CLIENT_GONE);
        }
    } else if (flight_members(fetch->flight) == 0 && fetch->waiting && fetch->owner == NULL &&
               !fetch->shared) {
        fail(fetch, 502, REASON_CLIENT_GONE);
    }
}

static void on_letter(struct letter *letter)
{
    struct fetch *fetch = container_of(letter, struct fetch, letter);

    fetch->busy++;
    if (atomic_exchange(&fetch->body_wake, false) && fetch->stream && fetch->body_source.wake) {
        fetch->body_source.wake(fetch->body_source.wake_arg);
    }
    if (atomic_exchange(&fetch->response_wake, false) && fetch->stream) {
        stream_resume(fetch->stream);
    }
    if (fetch->state != FETCH_END) {
        check_interest(fetch);
    }
    fetch->busy--;
    if (fetch->state == FETCH_END && !atomic_load(&fetch->letter.pending)) {
        fetch_free(fetch);
    }
}

void fetch_unlink(struct fetch_link *link)
{
    struct fetch *fetch = link->fetch;

    if (fetch == NULL) {
        return;
    }
    link->fetch = NULL;
    fetch->owner = NULL;
    fetch->decision = NULL;
    check_interest(fetch);
}

/* ---- the beginning ---- */

static struct fetch *fetch_new(const struct fetch_order *order)
{
    struct fetch *fetch = xcalloc(1, sizeof(*fetch));

    arena_init(&fetch->arena, NULL, 0);
    fetch->worker = order->worker;
    fetch->settings = settings_ref(order->settings);
    fetch->state = FETCH_CONNECT;
    fetch->waiting = true;
    fetch->policy = *order->policy;
    fetch->rules = target_policy(fetch->settings, order->site);
    fetch->site = order->site;
    fetch->client_ip = order->client;
    fetch->client_https = order->client_https;
    fetch->shared = order->shared;
    fetch->background = order->link == NULL;
    fetch->flight = flight_ref(order->flight);
    fetch->owner = order->link;
    fetch->decision = order->decision;
    fetch->letter.call = on_letter;
    fetch->request_body = order->body ? spool_ref(order->body) : NULL;
    return fetch;
}

void fetch_start(const struct fetch_order *order)
{
    struct fetch *fetch = fetch_new(order);

    head_copy(&fetch->client, order->request, &fetch->arena);
    fetch->uri = *order->uri;
    fetch->uri.host = arena_copy(&fetch->arena, order->uri->host);
    fetch->uri.path = arena_copy(&fetch->arena, order->uri->path);
    fetch->primary = *order->primary;
    fetch->primary.text = arena_copy(&fetch->arena, order->primary->text);
    if (order->link) {
        order->link->fetch = fetch;
    }
    list_push_back(&order->worker->fetches, &fetch->link);
    flight_watch(fetch->flight, (struct waker){wake_interest, fetch});
    make_request(fetch);
    connect_origin(fetch, false);
}
