#include "proxy/origin/fetch_parts.h"
#include "proxy/tls_set.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"
#include "http/hop.h"
#include "http/trailers.h"

static const unsigned legal_next[] = {
#define X(name, next) [FETCH_##name] = (next),
    FETCH_STATES(X)
#undef X
};

void fetch_set_state(struct fetch *fetch, enum fetch_state next)
{
    CHECK(legal_next[fetch->state] & BIT(next));
    fetch->state = next;
}

/* ---- the end ---- */

static void fetch_free(struct fetch *fetch)
{
    arena_fini(&fetch->arena);
    pool_give(loop_pool(fetch->worker->loop), fetch, sizeof(*fetch));
}

static void drop_request_body(struct fetch *fetch)
{
    spool_reader_fini(&fetch->body_reader);
    spool_unref(&fetch->request_body);
}

/* Frees everything; the fetch itself only once no letter is on its way. */
void fetch_finish(struct fetch *fetch)
{
    fetch_set_state(fetch, FETCH_END);
    fetch_end_store_wait(fetch);
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
    fetch->worker->unawaited -= fetch->unawaited;
    drop_request_body(fetch);
    fetch_mirror_fini(fetch);
    object_reader_fini(&fetch->copied);
    flight_watch(fetch->flight, (struct waker){0});
    if (fetch->object) {
        spool_writer_gone(fetch->object->spool);
        object_unref(&fetch->object);
    }
    fetch_give_back(fetch, 0);
    memory_give(MEMORY_PROMISED, fetch_promised(fetch));
    flight_unref(&fetch->flight);
    list_remove(&fetch->link);
    metric_sub(&fetch->worker->counters.fetches_open, 1);
    settings_unref(&fetch->settings);
    if (!fetch->busy && !atomic_load(&fetch->letter.pending)) {
        fetch_free(fetch);
    }
}

bool fetch_use_stale(struct fetch *fetch, enum reason why)
{
    struct object *stale = flight_stale(fetch->flight);

    if (stale == NULL || fetch->mirror.may_not ||
        cache_is_outdated(fetch->worker->cache, fetch->flight) ||
        !policy_stale_on_error(&fetch->policy, &stale->freshness, &fetch->rules,
                               loop_wall(fetch->worker->loop))) {
        return false;
    }
    fetch->waiting = false;
    flight_publish_stale(fetch->flight, why);
    cache_abandon(fetch->worker->cache, fetch->flight, 0);
    return true;
}

/* The body ends early. Its beginning is kept if a validator can show whether the rest is of the
 * same representation. */
static void break_off(struct fetch *fetch)
{
    if (fetch->object == NULL || fetch->body_complete) {
        return;
    }
    fetch_note_lost(fetch, REASON_INCOMPLETE);
    bool kept = fetch->object->stored_reason == REASON_STORED;
    if (fetch->claim.base || (kept && fetch_becomes_parts(fetch))) {
        fetch_end_piece(fetch, ERR_TRUNCATED);
    } else {
        spool_end(fetch->object->spool, ERR_TRUNCATED);
        cache_abandon(fetch->worker->cache, fetch->flight, 0);
    }
}

/* Ends the flight without a response. What is stored stays, unless the origin refuses it to
 * everybody. */
static void land_empty(struct fetch *fetch, struct failure failure)
{
    if (fetch->mirror.may_not) {
        cache_discard(fetch->worker->cache, fetch->flight, 0);
    }
    cache_fail(fetch->worker->cache, fetch->flight, failure);
}

/* Is the origin out of reach, though what is stored may not be used without asking it? */
static bool is_cut_off(const struct fetch *fetch, enum reason reason)
{
    const struct object *stale = flight_stale(fetch->flight);
    bool away = reason == REASON_CONNECT || reason == REASON_DNS || reason == REASON_ORIGIN_CLOSED;

    return away && stale && (stale->freshness.must_revalidate || stale->freshness.no_cache);
}

/* Ends without a response. A cache that is cut off answers 504 (RFC 9111 5.2.2.2). */
void fetch_fail(struct fetch *fetch, int status, enum reason reason)
{
    if (fetch->state == FETCH_BODY) {
        break_off(fetch);
    } else if (fetch->waiting && !fetch_use_stale(fetch, REASON_STALE_IF_ERROR)) {
        fetch->waiting = false;
        land_empty(fetch, (struct failure){is_cut_off(fetch, reason) ? 504 : status, reason});
    }
    fetch_finish(fetch);
}

/* Is this the error of an invalid response? */
static bool is_nonsense(int err)
{
    return err == ERR_SYNTAX || err == ERR_TOO_LARGE || err == ERR_UNSUPPORTED;
}

static void fail_err(struct fetch *fetch, int err)
{
    if (err == ERR_TIMEOUT) {
        fetch_fail(fetch, 504, REASON_ORIGIN_TIMEOUT);
    } else if (is_nonsense(err)) {
        fetch_fail(fetch, 502, REASON_ORIGIN_BROKEN);
    } else {
        fetch_fail(fetch, 502, REASON_ORIGIN_CLOSED);
    }
}

void fetch_abort_all(struct worker *worker)
{
    list_each_safe(link, &worker->fetches)
    {
        fetch_fail(list_entry(link, struct fetch, link), 503, REASON_OVERLOAD);
    }
}

bool fetch_abort_unawaited(struct worker *worker)
{
    bool awaited = false;

    list_each_safe(link, &worker->fetches)
    {
        struct fetch *fetch = list_entry(link, struct fetch, link);
        if (fetch_is_awaited(fetch)) {
            awaited = true;
        } else {
            fetch_fail(fetch, 503, REASON_OVERLOAD);
        }
    }
    return awaited;
}

void fetch_post(struct fetch *fetch)
{
    loop_post(fetch->worker->loop, &fetch->letter);
}

static void wake_interest(void *arg) /* any thread, with the flight's lock held */
{
    fetch_post(arg);
}

/* ---- the stream's events ---- */

static void on_head(void *owner, const struct http_head *head)
{
    struct fetch *fetch = owner;

    fetch->moved_ms = loop_now_ms(fetch->worker->loop);
    fetch_heard(fetch);
    if (head->status == 101) {
        fetch_switch(fetch, head);
    } else if (head->status >= 200) {
        fetch_response(fetch, head);
    } else if (fetch->owner && fetch->owner->on_interim) {
        fetch->owner->on_interim(fetch->owner, head);
    }
}

static enum stream_flow on_data(void *owner, struct span bytes)
{
    struct fetch *fetch = owner;

    fetch->moved_ms = loop_now_ms(fetch->worker->loop);
    metric_add(&fetch->worker->counters.origin_received_bytes, bytes.len);
    if (fetch->mirror.asks_token || fetch->mirror.digest) {
        return fetch_mirror_data(fetch, bytes);
    }
    if (fetch->object == NULL || fetch->copying) {
        return STREAM_MORE; /* a 304 has no body, so these bytes are not stored */
    }
    if (fetch->claim.base) {
        return fetch_piece_data(fetch, bytes);
    }
    if (spool_append(fetch->object->spool, bytes) == SPOOL_MORE) {
        return STREAM_MORE;
    }
    fetch_post(fetch); /* storing may have been given up: check whether there are readers */
    return STREAM_PAUSE;
}

/* Trailers belong to the whole response, so those of a piece are dropped, which is combined with
 * others. */
static void on_trailers(void *owner, const struct http_fields *trailers)
{
    struct fetch *fetch = owner;

    if (fetch->owner && fetch->object && !fetch->copying && !fetch->claim.base) {
        fetch->owner->on_trailers(fetch->owner, trailers);
    }
}

static const struct http_fields *trailers_out(void *owner)
{
    struct fetch *fetch = owner;

    return &fetch->trailers;
}

static void on_end(void *owner)
{
    struct fetch *fetch = owner;

    if (fetch->mirror.asks_token || (fetch->mirror.digest && !fetch_mirror_ends(fetch))) {
        return;
    }
    if (!fetch->copying) {
        fetch_complete(fetch);
    }
}

/* May the request be repeated? An idle connection may have been dead when the request was sent; one
 * that is silent was not. A request that may have been processed is repeated only if it is
 * idempotent (RFC 9110 9.2.2). */
static bool may_repeat(struct fetch *fetch, int err)
{
    if (err == 0 || err == ERR_TIMEOUT || fetch->state != FETCH_SEND || fetch->retried ||
        fetch->upgrade.protocol.len) {
        return false;
    }
    bool harmless = http_method_is_idempotent(fetch->client.method)
                        ? upstream_may_retry(fetch->stream)
                        : upstream_refused(fetch->stream);
    return harmless && fetch_rewind_body(fetch);
}

/* The connection failed or timed out before anything was received: an idempotent request is
 * repeated at the site's next origin, or else once at another address of this one. */
static bool may_ask_another(struct fetch *fetch, int err)
{
    bool silent = err == ERR_TIMEOUT;

    if (err == 0 || is_nonsense(err) || fetch->state != FETCH_SEND || fetch->upgrade.protocol.len ||
        !upstream_untouched(fetch->stream)) {
        return false;
    }
    if (silent && upstream_is_silent(fetch->worker->upstreams, fetch->stream)) {
        fetch_heard_nothing(fetch);
    }
    /* an idle connection may be closed at any time, so this is no fault of the origin */
    bool was_idle = !silent && upstream_may_retry(fetch->stream);
    bool other = !was_idle && upstream_shun(fetch->worker->upstreams, fetch->stream);
    if (!http_method_is_idempotent(fetch->client.method) || !fetch_rewind_body(fetch)) {
        return false;
    }
    if (fetch_next_origin(fetch, silent)) {
        return true;
    }
    other &= !fetch->retried;
    fetch->retried |= other;
    return other;
}

static void on_close(void *owner, int err)
{
    struct fetch *fetch = owner;
    bool same = may_repeat(fetch, err);
    bool again = same || may_ask_another(fetch, err);

    fetch->stream = NULL;
    if (fetch->mirror.asks_token && !again) {
        fetch_mirror_token(fetch, err);
    } else if (again) {
        fetch->retried |= same;
        metric_add(&fetch->worker->counters.origin_retries, 1);
        fetch_set_state(fetch, FETCH_CONNECT);
        fetch_connect(fetch, same);
    } else if (fetch->body_complete) {
        fetch_finish(fetch);
    } else if (!fetch->copying) {
        fail_err(fetch, err ? err : ERR_TRUNCATED);
    }
}

const struct stream_events fetch_stream_events = {
    .on_head = on_head,
    .on_data = on_data,
    .on_trailers = on_trailers,
    .trailers = trailers_out,
    .on_end = on_end,
    .on_close = on_close,
};

/* ---- letters ---- */

/* There is room for more of the body: resumes the stream. */
static void resume(struct fetch *fetch)
{
    if (fetch->copying) {
        fetch_copy_on(fetch);
    } else if (fetch->stream) {
        stream_resume(fetch->stream);
    }
}

static void on_letter(struct letter *letter)
{
    struct fetch *fetch = container_of(letter, struct fetch, letter);

    fetch->busy++;
    if (atomic_exchange(&fetch->body_wake, false) && fetch->stream && fetch->body_source.wake) {
        fetch->body_source.wake(fetch->body_source.wake_arg);
    }
    if (atomic_exchange(&fetch->response_wake, false)) {
        resume(fetch);
    }
    if (fetch->state == FETCH_BODY && fetch->cut) {
        fetch_stop(fetch);
    } else if (fetch->state != FETCH_END) {
        fetch_check_interest(fetch);
    }
    fetch->busy--;
    if (fetch->state == FETCH_END && !atomic_load(&fetch->letter.pending)) {
        fetch_free(fetch);
    }
}

void fetch_trailers(struct fetch *fetch, const struct http_fields *trailers)
{
    if (fetch->request_body) {
        fetch->trailers.arena = &fetch->arena;
        trailers_copy(&fetch->trailers, trailers);
        hop_strip_trailers(&fetch->trailers, fetch_client_connection(fetch));
    }
}

void fetch_unlink(struct fetch_link *link)
{
    struct fetch *fetch = link->fetch;

    if (fetch == NULL) {
        return;
    }
    if (link->waited) {
        disk_wait_end(link->waited);
    }
    link->fetch = NULL;
    fetch->owner = NULL;
    fetch->decision = NULL;
    fetch->peer = NULL;
    fetch_check_interest(fetch);
}

/* ---- the beginning ---- */

static struct fetch *fetch_new(const struct fetch_order *order)
{
    struct fetch *fetch = pool_take(loop_pool(order->worker->loop), sizeof(*fetch));

    memset(fetch, 0, offsetof(struct fetch, first));
    arena_init(&fetch->arena, fetch->first, sizeof(fetch->first));
    arena_count(&fetch->arena, MEMORY_REQUESTS);
    fetch->worker = order->worker;
    fetch->settings = settings_ref(order->settings);
    fetch->state = FETCH_CONNECT;
    fetch->waiting = true;
    fetch->policy = *order->policy;
    fetch->site = order->site;
    if (fetch_is_mirror(fetch)) {
        fetch->mirror.kind = mirror_class(order->site, order->uri->path)->kind;
    }
    fetch->rules = target_rules(fetch->settings, order->site, order->uri->path);
    fetch->client_ip = order->client;
    fetch->user = order->user;
    fetch->may_ask = order->may_ask;
    fetch->shared = order->shared;
    fetch->background = order->link == NULL && order->claim == NULL;
    fetch->flight = flight_ref(order->flight);
    fetch->claim = order->claim ? *order->claim : (struct claim){0};
    fetch->owner = order->link;
    fetch->decision = order->decision;
    fetch->peer = order->peer;
    fetch->upgrade = order->upgrade;
    fetch->letter.call = on_letter;
    fetch_init_store_wait(fetch);
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
    metric_add(&order->worker->counters.fetches_open, 1);
    flight_watch(fetch->flight, (struct waker){wake_interest, fetch});
    if (!memory_begin(SPOOL_LEAST)) {
        fetch_fail(fetch, 503, REASON_MEMORY);
        return;
    }
    fetch->promised = SPOOL_LEAST;
    fetch_make_request(fetch);
    fetch_connect_in_time(fetch);
}
