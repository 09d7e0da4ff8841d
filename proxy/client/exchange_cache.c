#include "proxy/client/exchange_parts.h"

#include "proxy/client/respond.h"

enum { ATTEMPTS_MAX = 2 /* flights joined before the request goes alone */ };

/* The part of the configuration whose keys the request uses. */
static struct span zone_of(const struct exchange *x)
{
    return x->site ? SPAN("site") : SPAN("forward");
}

/* ---- LOOKUP ---- */

static void fetch_for(struct exchange *x, struct flight *flight, bool shared, bool linked)
{
    fetch_start(&(struct fetch_order){
        .worker = x->worker,
        .settings = x->settings,
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
    struct waker waker = {exchange_wake_flight, x};

    object_unref(&x->lookup.object);
    fetch_unlink(&x->fetch);
    struct flight *flight = cache_private_flight(&x->lookup.member, NULL, &x->lookup.key, waker);
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

enum exchange_state exchange_lookup(struct exchange *x)
{
    bool alone = x->alone || x->policy.has_range || x->request.method == METHOD_HEAD;
    struct cache_query query = {
        .request = &x->request,
        .policy = &x->policy,
        .uri = &x->uri,
        .zone = zone_of(x),
        .now = loop_wall(x->worker->loop),
        .alone = alone,
        .waker = {exchange_wake_flight, x},
        .arena = &x->arena,
    };

    if (!x->policy.lookup) {
        x->decision.outcome = OUTCOME_PASS;
        x->decision.reason = x->policy.reason;
        x->decision.forward = x->policy.reason == REASON_METHOD ? FORWARD_METHOD : FORWARD_BYPASS;
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
        return exchange_refuse(x, 504, REASON_ONLY_IF_CACHED, NULL);
    }
    UNREACHABLE();
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
    if (stale == NULL) {
        return x->policy.lookup ? OUTCOME_MISS : OUTCOME_PASS;
    }
    return object->updated ? OUTCOME_REVALIDATED : OUTCOME_MODIFIED;
}

/* How this request fared, told from what the flight brought. */
static void record_outcome(struct exchange *x, const struct object *object)
{
    struct decision *decision = &x->decision;
    bool leader = x->lookup.member.leader;

    decision->outcome = outcome_of(x, object);
    decision->collapsed = !leader;
    decision->age = decision->lifetime = -1;
    if (decision->outcome == OUTCOME_STALE) {
        decision->reason = REASON_STALE_IF_ERROR;
    } else if (!leader) { /* the leader's fetch has told the leader */
        decision->fwd_status = object->updated ? 304 : object->status;
    }
    if (decision->outcome == OUTCOME_STALE || object->stored_reason == REASON_STORED) {
        decision->age = policy_age(&object->freshness, loop_wall(x->worker->loop));
        decision->lifetime = object->freshness.lifetime;
    }
}

/* The flight's response is not for this request: look again, at last alone. */
static enum exchange_state look_again(struct exchange *x)
{
    lookup_fini(&x->lookup);
    x->alone = x->attempts >= ATTEMPTS_MAX;
    return EX_LOOKUP;
}

/* A follower may use what was fetched for another only as it might use a stored response: one that
 * must be validated each time was validated for somebody else (RFC 9111 4). */
static bool may_share(struct exchange *x, const struct object *object)
{
    enum reason reason;
    bool validated = object->updated || object == flight_stale(x->lookup.member.flight);

    if (!validated && policy_reuse(&x->policy, &object->freshness, loop_wall(x->worker->loop),
                                   &reason) == POLICY_VALIDATE) {
        return false;
    }
    return cache_shares(x->worker->cache, &x->lookup, object, &x->request.fields, &x->arena);
}

enum exchange_state exchange_await(struct exchange *x)
{
    struct object *object;
    struct failure failure;
    bool leader = x->lookup.member.leader;

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
        if (!leader) {
            x->attempts = ATTEMPTS_MAX;
            return look_again(x);
        }
        record_outcome(x, object);
        return deliver(x, object, x->lookup.lead);
    case FLIGHT_FAILED:
        return exchange_refuse(x, failure.status, failure.reason, NULL);
    }
    UNREACHABLE();
}

/* ---- DELIVER ---- */

/* RFC 9111 4.4: what an unsafe method changed is forgotten. */
static void invalidate(struct exchange *x, const struct object *object)
{
    struct uri also[POLICY_ALSO_MAX];

    if (!policy_invalidates(x->request.method, object->status)) {
        return;
    }
    cache_invalidate(x->worker->cache, &x->uri, zone_of(x), &x->arena);
    size_t count = policy_also_invalidates(&x->uri, &object->fields, &x->arena, also);
    for (size_t i = 0; i < count; i++) {
        cache_invalidate(x->worker->cache, &also[i], zone_of(x), &x->arena);
    }
}

/* Several parts are played by a source of their own, on top of the same reader. */
static int open_body(struct exchange *x, const struct body_parts *body, struct source **source)
{
    const struct body_part *first = &body->at[0];
    struct waker waker = {exchange_wake_source, x};

    if (body->count > 1) {
        struct parts_source *parts = arena_alloc(&x->arena, sizeof(*parts));
        *source = &parts->source;
        return parts_source_init(parts, body, x->object, &x->reader, waker);
    }
    *source = &x->reader.source;
    return object_reader_init(&x->reader, x->object, first->from, first->to, waker);
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
            .key = x->settings->cache.status_key ? x->lookup.key.text : SPAN_EMPTY,
            .origin = HTTP_1_1,
            .now = loop_wall(x->worker->loop),
            .secret = x->worker->secret,
            .serial = ++x->worker->responses,
            .evaluate = evaluate,
            .arena = &x->arena,
        },
        &response);
    if (response.body.count > 0 && open_body(x, &response.body, &body) != 0) {
        object_unref(&x->object);
        lookup_fini(&x->lookup);
        x->decision = DECISION_INIT; /* the beginning has left memory and store meanwhile */
        x->decision.reason = REASON_NOT_STORED;
        x->decision.forward = FORWARD_MISS;
        return go_alone(x);
    }
    return exchange_reply(x, &response.head, body);
}
