/* exchange_cache - LOOKUP, READ and AWAIT: lookups in the cache, and waiting for flights. */
#include "proxy/client/exchange_parts.h"

#include "base/check.h"
#include "http/validator.h"
#include "proxy/client/route.h"
#include "proxy/origin/target.h"

/* ---- LOOKUP ---- */

/* Do the access rules allow what a redirect leads to? The user cannot be asked at that point. */
static bool may_ask(const struct fetch_asker *asker, const struct uri *uri)
{
    struct access_answer answer;

    access_decide(asker->settings,
                  &(struct access_query){.client = asker->client,
                                         .user = asker->user,
                                         .request = asker->request,
                                         .uri = uri,
                                         .now = asker->now},
                  &answer);
    return answer.verdict == ACCESS_ALLOWED;
}

struct ip *exchange_peer(struct exchange *x)
{
    if (!x->has_peer) {
        x->has_peer = true;
        x->peer = (struct ip){0};
    }
    return &x->peer;
}

/* `linked`: the exchange receives the events of the fetch, and sends it the request's body. */
static struct fetch_order order_of(struct exchange *x, struct flight *flight, bool linked)
{
    return (struct fetch_order){
        .worker = x->worker,
        .settings = x->settings,
        .request = &x->request,
        .policy = &x->policy,
        .uri = &x->uri,
        .site = x->site,
        .primary = &x->lookup.primary,
        .flight = flight,
        .shared = true,
        .body = linked ? x->request_body : NULL,
        .client = x->client->ip,
        .user = x->user,
        .may_ask = may_ask,
        .upgrade = {x->upgrade, x->upgrade.len ? connect_source(x->tunnel) : NULL},
        .link = linked ? &x->fetch : NULL,
        .decision = linked ? &x->decision : NULL,
        .peer = linked ? exchange_peer(x) : NULL,
    };
}

static void start(struct exchange *x, const struct fetch_order *order)
{
    clients_seek_memory(x->worker);
    fetch_start(order);
}

static void fetch_shared(struct exchange *x, struct flight *flight)
{
    struct fetch_order order = order_of(x, flight, true);

    start(x, &order);
}

static void fetch_alone(struct exchange *x, struct flight *flight)
{
    struct fetch_order order = order_of(x, flight, true);

    order.shared = false;
    start(x, &order);
}

void exchange_fetch_piece(struct exchange *x, struct flight *flight, const struct claim *claim,
                          bool linked)
{
    struct fetch_order order = order_of(x, flight, linked);

    order.claim = claim;
    start(x, &order);
}

enum exchange_state exchange_go_alone(struct exchange *x)
{
    struct waker waker = {exchange_wake_flight, x};
    /* a HEAD may validate a stored response, too; a range request is sent to the origin as it is */
    struct object *stale = x->policy.has_range ? NULL : x->lookup.object;

    exchange_drop_fetch(x);
    struct flight *flight = cache_private_flight(&x->lookup.member, stale, &x->lookup.key, waker);
    flight_set_mark(flight, x->lookup.mark);
    object_unref(&x->lookup.object);
    x->lookup.lead = false;
    fetch_alone(x, flight);
    flight_unref(&flight);
    return EX_AWAIT;
}

static struct object *take_found(struct exchange *x)
{
    struct object *object = x->lookup.object;

    x->lookup.object = NULL;
    return object;
}

/* Starts a validation in the background. Its result is for everybody, so a HEAD becomes a GET. */
static void refresh(struct exchange *x)
{
    struct http_head request = x->request;

    if (!x->lookup.lead) {
        return;
    }
    request.method = METHOD_GET;
    request.method_text = SPAN("GET");
    struct fetch_order order = order_of(x, x->lookup.member.flight, false);
    order.request = &request;
    start(x, &order);
    flight_leave(&x->lookup.member);
}

static struct cache_query query_of(struct exchange *x)
{
    return (struct cache_query){
        .request = &x->request,
        .policy = &x->policy,
        .uri = &x->key,
        .zone = target_zone(x->site),
        .now = loop_wall(x->worker->loop),
        .alone = x->alone || route_is_alone(&x->request),
        .useless = x->useless,
        .failed = x->failed,
        .waker = {exchange_wake_flight, x},
        .arena = &x->arena,
    };
}

/* Asks the origin for this request alone, as the cache may not answer it. */
static enum exchange_state pass(struct exchange *x)
{
    if (!route_may_pass(&x->policy)) {
        return exchange_refuse(x, 504, REASON_ONLY_IF_CACHED, NULL);
    }
    x->decision = route_pass(&x->policy);
    return exchange_go_alone(x);
}

/* If-Unmodified-Since is for origins; a cache may ignore it (RFC 9110 13.1.4), and does so while it
 * holds, as the origin would send the same then. That it fails is the origin's to say (RFC 9111
 * 4.3.2). */
static bool is_for_origin(const struct exchange *x, const struct object *object)
{
    const struct http_fields *request = &x->request.fields;

    return fields_has(request, FIELD_IF_UNMODIFIED_SINCE) && object->status / 100 == 2 &&
           validator_evaluate(request, &object->fields, loop_wall(x->worker->loop)) ==
               PRECONDITION_FAILED;
}

/* Delivers an object, which is taken over, unless the origin has to be asked after all. */
static enum exchange_state deliver(struct exchange *x, struct object *object, bool evaluate)
{
    if (!evaluate || !is_for_origin(x, object)) {
        return exchange_deliver(x, object, evaluate);
    }
    object_unref(&object);
    lookup_fini(&x->lookup);
    exchange_drop_fetch(x);
    x->policy.lookup = false;
    x->policy.reason = REASON_CONDITIONAL;
    return pass(x);
}

static enum exchange_state act(struct exchange *x, enum cache_result result)
{
    switch (result) {
    case CACHE_FRESH:
        return deliver(x, take_found(x), true);
    case CACHE_STALE:
        refresh(x);
        return deliver(x, take_found(x), true);
    case CACHE_LEAD:
        fetch_shared(x, x->lookup.member.flight);
        return EX_AWAIT;
    case CACHE_FOLLOW:
        return EX_AWAIT;
    case CACHE_ALONE:
        return exchange_go_alone(x);
    case CACHE_REFUSED:
        return exchange_refuse(x, 504, REASON_ONLY_IF_CACHED, NULL);
    case CACHE_COLD:
        disk_wait_begin(&x->waited);
        return EX_READ;
    }
    UNREACHABLE();
}

void exchange_name(struct exchange *x)
{
    struct cache_query query = query_of(x);

    cache_name(x->worker->cache, &query, &x->lookup);
}

enum exchange_state exchange_lookup(struct exchange *x)
{
    struct cache_query query = query_of(x);
    bool is_named = exchange_leave_row(x);

    if (!x->policy.lookup) {
        return pass(x);
    }
    return act(x, is_named ? cache_lookup_on(x->worker->cache, &query, &x->lookup, &x->decision)
                           : cache_lookup(x->worker->cache, &query, &x->lookup, &x->decision));
}

/* ---- READ ---- */

enum exchange_state exchange_read(struct exchange *x)
{
    struct cache_query query = query_of(x);

    if (!lookup_is_ready(&x->lookup)) {
        return EX_READ;
    }
    enum cache_result result = cache_lookup_on(x->worker->cache, &query, &x->lookup, &x->decision);
    if (result != CACHE_COLD) {
        disk_wait_end(&x->waited);
    }
    return act(x, result);
}

/* ---- AWAIT ---- */

static enum outcome outcome_of(const struct exchange *x, const struct object *object)
{
    const struct object *stale = flight_stale(x->lookup.member.flight);

    if (object == stale) {
        return OUTCOME_STALE;
    }
    if (!x->lookup.member.leader) {
        return OUTCOME_COLLAPSED;
    }
    if (object->updated) {
        return OUTCOME_REVALIDATED;
    }
    if (stale == NULL) {
        return x->policy.lookup ? OUTCOME_MISS : OUTCOME_PASS;
    }
    return OUTCOME_MODIFIED;
}

/* A stale response given without asking an origin counts as a hit: nothing was forwarded, and
 * nobody waited. */
static void record_stale(struct decision *decision, enum reason why)
{
    decision->reason = why;
    if (why == REASON_ORIGIN_SILENT) {
        decision->forward = FORWARD_NONE;
        decision->collapsed = false;
    }
}

/* Sets the outcome of this request from what the flight has brought. */
static void record_outcome(struct exchange *x, const struct object *object)
{
    struct decision *decision = &x->decision;
    bool leader = x->lookup.member.leader;

    decision->outcome = outcome_of(x, object);
    decision->collapsed = !leader;
    decision->age = decision->lifetime = -1;
    if (decision->outcome == OUTCOME_STALE) {
        record_stale(decision, flight_why_stale(x->lookup.member.flight));
    } else if (!leader) { /* the leader's status was set by its fetch */
        decision->fwd_status = object->updated ? 304 : object->status;
    }
    if (decision->outcome == OUTCOME_STALE || object->stored_reason == REASON_STORED) {
        decision->age = policy_age(&object->freshness, loop_wall(x->worker->loop));
        decision->lifetime = object->freshness.lifetime;
    }
}

/* The flight's response is not for this request: looks up again. The last attempt fetches for this
 * request alone. */
static enum exchange_state look_again(struct exchange *x)
{
    lookup_fini(&x->lookup);
    exchange_drop_fetch(x);
    x->attempts++;
    x->alone = x->attempts >= ATTEMPTS_MAX;
    return EX_LOOKUP;
}

/* May the response be used, with regard to its age and to the request that it was validated for? */
static bool may_reuse(const struct exchange *x, const struct object *object)
{
    int64_t now = loop_wall(x->worker->loop);
    enum reason reason;

    if (object ==
        flight_stale(x->lookup.member.flight)) { /* it is served because the origin failed */
        struct policy_settings rules = target_rules(x->settings, x->site, x->uri.path);
        return policy_stale_on_error(&x->policy, &object->freshness, &rules, now);
    }
    enum policy_verdict verdict =
        object->updated ? policy_reuse_confirmed(&x->policy, &object->freshness, now, &reason)
                        : policy_reuse(&x->policy, &object->freshness, now, &reason);
    return verdict != POLICY_VALIDATE;
}

/* A follower may use a response fetched for another request only where it could use a stored one. A
 * response that must be validated each time was validated for somebody else (RFC 9111 4), and
 * staleness was allowed to somebody else (4.2.4). */
static bool may_share(struct exchange *x, const struct object *object)
{
    return may_reuse(x, object) &&
           cache_shares(x->worker->cache, &x->lookup, object, &x->request.fields, &x->arena);
}

/* Is the response a part (206), or a 416, of another representation than the one that the client
 * has a part of? The leader's If-Range was not sent to the origin, so that the response could be
 * shared, and is evaluated here. A request that fetches alone has sent it: then the origin has
 * evaluated it, and asking again would not help. */
static bool is_other_part(struct exchange *x, const struct object *object)
{
    return x->lookup.lead && (object->status == 206 || object->status == 416) &&
           !validator_if_range_holds(&x->request.fields, &object->fields,
                                     loop_wall(x->worker->loop));
}

/* Do they have the same bytes, maybe with different heads (RFC 9111 3.4)? */
static bool is_same(const struct object *object, const struct object *other)
{
    return object == other || (object_parts(object) && object_parts(object) == object_parts(other));
}

/* Continues with `object`, which is taken over: it has the same body. If its head is new, another
 * part may have to be sent. */
static void take_renewed(struct exchange *x, struct object *object)
{
    if (object != x->object) {
        exchange_close_body(x);
        x->decision.age = policy_age(&object->freshness, loop_wall(x->worker->loop));
        x->decision.lifetime = object->freshness.lifetime;
    }
    object_unref(&x->object);
    x->object = object;
    x->confirmed = true;
}

/* The object is present, but bytes of it are missing: waits for a fetch that brings them. */
static enum exchange_state await_bytes(struct exchange *x)
{
    struct object *object;
    struct failure failure;

    if (x->lookup.member.flight == NULL || !x->lookup.member.leader) {
        return exchange_send(x);
    }
    switch (flight_look(&x->lookup.member, &object, &failure)) {
    case FLIGHT_WAITING:
        return EX_AWAIT;
    case FLIGHT_SHARED:
    case FLIGHT_SOLO:
        if (exchange_is_alone(
                x)) { /* present bytes stay, the others come from the private response */
            object_unref(&object);
            x->confirmed = true;
            return exchange_send(x);
        }
        if (is_same(object, x->object)) {
            take_renewed(x, object);
            return exchange_send(x);
        }
        exchange_close_body(x); /* another representation has replaced the object */
        object_unref(&x->object);
        x->decision.outcome = OUTCOME_MODIFIED;
        x->decision.age = x->decision.lifetime = -1;
        return deliver(x, object, x->policy.lookup);
    case FLIGHT_FAILED:
        return exchange_refuse(x, failure.status, failure.reason, NULL);
    }
    UNREACHABLE();
}

/* A request whose key is not that of its own URL may have followed the fetch of another URL, whose
 * failure says nothing about this one. */
static bool is_of_another_url(const struct exchange *x)
{
    return !x->lookup.member.leader && !span_eq(x->key.path, x->uri.path);
}

/* May a new lookup succeed although the leader's request has failed? The origin was reached, and
 * this request has other fields. */
static bool may_fare_better(const struct exchange *x, enum reason why)
{
    bool is_of_request =
        why == REASON_ORIGIN_TIMEOUT || why == REASON_ORIGIN_CLOSED || why == REASON_ORIGIN_BROKEN;

    return is_of_request && !x->lookup.member.leader && x->attempts + 1 < ATTEMPTS_MAX;
}

/* One of those who have waited for the failed flight leads another one for all of them. If that
 * fails, too, the origin is to blame. */
static enum exchange_state look_after_failure(struct exchange *x)
{
    x->failed = flight_ref(x->lookup.member.flight);
    return look_again(x);
}

enum exchange_state exchange_await(struct exchange *x)
{
    struct object *object;
    struct failure failure;
    bool leader = x->lookup.member.leader;

    if (x->object) {
        return await_bytes(x);
    }
    switch (flight_look(&x->lookup.member, &object, &failure)) {
    case FLIGHT_WAITING:
        return EX_AWAIT;
    case FLIGHT_SHARED:
        if (!leader && !may_share(x, object)) {
            object_unref(&object);
            return look_again(x);
        }
        record_outcome(x, object);
        return deliver(x, object, x->policy.lookup);
    case FLIGHT_SOLO:
        if (!leader || is_other_part(x, object)) {
            object_unref(&object);
            x->attempts = ATTEMPTS_MAX;
            return look_again(x);
        }
        record_outcome(x, object);
        return deliver(x, object, x->lookup.lead || flight_stale(x->lookup.member.flight));
    case FLIGHT_FAILED:
        if (is_of_another_url(x)) {
            return look_again(x);
        }
        if (may_fare_better(x, failure.reason)) {
            return look_after_failure(x);
        }
        return exchange_refuse(x, failure.status, failure.reason, NULL);
    }
    UNREACHABLE();
}
