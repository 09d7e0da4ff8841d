#include "proxy/admin/explain_parts.h"

#include "base/check.h"
#include "base/mem.h"
#include "proxy/access/set.h"
#include "proxy/admin/decision_json.h"
#include "proxy/admin/status_parts.h"
#include "proxy/admin/url_routes.h"
#include "proxy/client/coverage.h"
#include "proxy/client/respond.h"
#include "proxy/origin/target.h"

#include <stdlib.h>

/* ---- what the next request would be told ---- */

static void predict_outcome(struct prediction *prediction, const char *action, enum outcome outcome)
{
    prediction->action = action;
    prediction->outcomes[0] = outcome;
    prediction->outcome_count = 1;
}

static void expect_refusal(struct prediction *prediction)
{
    predict_outcome(prediction, "refuse", OUTCOME_LOCAL);
    prediction->status = 504;
}

/* Is part of the response missing, so that it cannot be completed for this request? */
static bool falls_short(struct prediction *prediction, enum coverage coverage)
{
    struct partial *parts = object_parts(prediction->found.lookup.object);

    if (coverage != COVERS_ALL && prediction->route.policy.control.only_if_cached) {
        prediction->decision = DECISION_INIT;
        prediction->decision.reason = REASON_ONLY_IF_CACHED;
        expect_refusal(prediction);
        return true;
    }
    if (coverage != COVERS_SOME || partial_joins(parts)) {
        return false;
    }
    prediction->decision = DECISION_INIT;
    prediction->decision.outcome = OUTCOME_MISS;
    prediction->decision.reason = REASON_NOT_STORED;
    prediction->decision.forward = FORWARD_URI_MISS;
    predict_outcome(prediction, "fetch", OUTCOME_MISS);
    return true;
}

static void expect_pass(struct prediction *prediction)
{
    const struct policy_request *policy = &prediction->route.policy;

    if (route_may_pass(policy)) {
        prediction->decision = route_pass(policy);
        predict_outcome(prediction, "pass", OUTCOME_PASS);
        return;
    }
    prediction->decision = DECISION_INIT;
    prediction->decision.reason = REASON_ONLY_IF_CACHED;
    expect_refusal(prediction);
}

/* The response made from the stored one, with conditions and ranges evaluated. */
static void expect_response(struct prediction *prediction, const char *action)
{
    struct object *object = prediction->found.lookup.object;
    struct response response;
    struct arena *arena = prediction->query->arena;
    struct respond_input input = {
        .request = &prediction->asked.request,
        .policy = &prediction->route.policy,
        .object = object,
        .decision = &prediction->decision,
        .name = span_str(prediction->settings->name),
        .key =
            prediction->settings->cache.status_key ? prediction->found.lookup.key.text : SPAN_EMPTY,
        .now = prediction->now,
        .evaluate = true,
        .arena = arena,
    };

    respond_object(&input, &response);
    if (response.head.status == 412) { /* that is the origin's to say */
        prediction->route.policy.reason = REASON_CONDITIONAL;
        expect_pass(prediction);
        return;
    }
    if (object_parts(object)) {
        enum coverage coverage = coverage_of(object_parts(object), &response.body);
        if (falls_short(prediction, coverage)) {
            return;
        }
        coverage_note(coverage, &prediction->decision);
        action = coverage == COVERS_SOME ? "complete" : coverage == COVERS_COMING ? "wait" : action;
        respond_object(&input, &response);
    }
    predict_outcome(prediction, action, prediction->decision.outcome);
    prediction->status = response.head.status;
}

/* The stored response will be validated. Without a validator it is replaced, unless a HEAD response
 * shows that it is unchanged (RFC 9111 4.3.5). */
static void expect_validation(struct prediction *prediction)
{
    const struct object *object = prediction->found.lookup.object;
    bool head = prediction->asked.request.method == METHOD_HEAD;

    if (object == NULL) {
        predict_outcome(prediction, "fetch", OUTCOME_MISS);
        if (prediction->found.offered > 0) {
            prediction->action = "choose";
            prediction->outcomes[prediction->outcome_count++] = OUTCOME_REVALIDATED;
        }
        return;
    }
    predict_outcome(prediction, "fetch", OUTCOME_MODIFIED);
    if (object->freshness.has_validator || head) {
        predict_outcome(prediction, "validate", OUTCOME_REVALIDATED);
        prediction->outcomes[prediction->outcome_count++] = OUTCOME_MODIFIED;
    }
    /* outcome if the origin fails */
    prediction->outcomes[prediction->outcome_count++] = OUTCOME_STALE;
}

static void expect_alone(struct prediction *prediction)
{
    if (prediction->asked.request.method == METHOD_HEAD) {
        expect_validation(prediction);
    } else {
        predict_outcome(prediction, "fetch", OUTCOME_MISS);
    }
}

static void ask_cache(struct prediction *prediction)
{
    struct route *route = &prediction->route;

    cache_explain(server_cache(prediction->query->server),
                  &(struct cache_query){
                      .request = &prediction->asked.request,
                      .policy = &route->policy,
                      .uri = &route->key,
                      .zone = target_zone(route->site),
                      .now = prediction->now,
                      .alone = route_is_alone(&prediction->asked.request),
                      .arena = prediction->query->arena,
                  },
                  &prediction->found);
    if (!route->policy.lookup) {
        expect_pass(prediction);
        return;
    }
    prediction->decision = prediction->found.decision;
    switch (prediction->found.result) {
    case CACHE_FRESH:
        expect_response(prediction, "answer");
        break;
    case CACHE_STALE:
        expect_response(prediction, "answer-and-validate");
        break;
    case CACHE_LEAD:
        expect_validation(prediction);
        break;
    case CACHE_FOLLOW:
        predict_outcome(prediction, "wait", OUTCOME_COLLAPSED);
        break;
    case CACHE_ALONE:
        expect_alone(prediction);
        break;
    case CACHE_REFUSED:
        expect_refusal(prediction);
        break;
    case CACHE_COLD: /* impossible, as explanations wait for the disk */
        UNREACHABLE();
    }
}

static void predict_answer_here(struct prediction *prediction, enum reason reason)
{
    prediction->decision.outcome = OUTCOME_LOCAL;
    prediction->decision.reason = reason;
    predict_outcome(prediction, "answer-here", OUTCOME_LOCAL);
    prediction->status = 200;
}

static void predict(struct prediction *prediction)
{
    struct decision *decision = &prediction->decision;
    const struct route *route = &prediction->route;

    *decision = DECISION_INIT;
    switch (route->kind) {
    case ROUTE_WHO:
    case ROUTE_REFUSED:
        decision->outcome =
            route->status == 403 || route->status == 407 ? OUTCOME_DENIED : OUTCOME_ERROR;
        decision->reason = route->reason;
        predict_outcome(prediction, "refuse", decision->outcome);
        prediction->status = route->status;
        return;
    case ROUTE_HERE:
        predict_answer_here(prediction, REASON_METHOD);
        return;
    case ROUTE_PING:
        predict_answer_here(prediction, REASON_NONE);
        return;
    case ROUTE_TUNNEL:
        decision->outcome = OUTCOME_TUNNEL;
        decision->reason = REASON_METHOD;
        decision->forward = FORWARD_METHOD;
        predict_outcome(prediction, "tunnel", OUTCOME_TUNNEL);
        return;
    case ROUTE_UPGRADE:
        *decision = route_pass(&route->policy);
        decision->outcome = OUTCOME_TUNNEL;
        predict_outcome(prediction, "upgrade", OUTCOME_TUNNEL);
        prediction->outcomes[prediction->outcome_count++] =
            OUTCOME_PASS; /* outcome if the origin declines */
        return;
    case ROUTE_CACHE:
        ask_cache(prediction);
        return;
    }
    UNREACHABLE();
}

/* Is the target an address that may not be connected to? Known without resolving only if the URL
 * has an address. Stored responses are served all the same. */
static bool is_no_target(struct prediction *prediction, struct target_check *check)
{
    const struct uri *uri = &prediction->route.uri;
    struct ip ip;
    bool asks = prediction->decision.forward != FORWARD_NONE && prediction->route.site == NULL &&
                prediction->found.lookup.object == NULL;

    *check = (struct target_check){.settings = prediction->settings,
                                   .own_addrs = server_own_addrs(prediction->query->server)};
    return asks && ip_parse(uri->host, &ip) == 0 && !target_allowed(check, &ip, uri->port);
}

static void predict_target(struct prediction *prediction)
{
    struct target_check check;

    if (is_no_target(prediction, &check)) {
        prediction->decision = DECISION_INIT;
        prediction->decision.outcome = OUTCOME_DENIED;
        prediction->decision.reason = check.why ? check.why : REASON_TARGET_ADDRESS;
        predict_outcome(prediction, "refuse", OUTCOME_DENIED);
        prediction->status = 403;
    }
}

/* Predicts Cache-Status, as far as possible before the origin answers. */
static void predict_cache_status(struct prediction *prediction)
{
    struct decision told = prediction->decision;
    bool known = prediction->settings->cache.status_key && prediction->route.kind == ROUTE_CACHE;

    if (told.forward != FORWARD_NONE) {
        told.age = told.lifetime = -1; /* unknown before the origin answers */
    }
    prediction->cache_status = decision_cache_status(
        &told, span_str(prediction->settings->name),
        known ? prediction->found.lookup.key.text : SPAN_EMPTY, prediction->query->arena);
}

/* ---- the last request ---- */

struct span prediction_mirror(const struct prediction *prediction)
{
    const struct mirror *mirror = prediction->route.mirrored.mirror;
    return mirror ? mirror->path : SPAN_EMPTY;
}

static void find_last(struct prediction *prediction)
{
    struct server *server = prediction->query->server;
    struct recent_entry entry;

    for (size_t i = 0; prediction->route.has_uri && i < server_worker_count(server); i++) {
        struct recent *ring = &server_worker(server, i)->recent;
        for (size_t ago = 0; ago < RECENT_COUNT; ago++) {
            if (!recent_read(ring, ago, &entry) ||
                !recent_is(&entry, &prediction->route.uri, prediction_mirror(prediction))) {
                continue;
            }
            if (prediction->last == NULL) {
                prediction->last = xmalloc(sizeof(*prediction->last));
                *prediction->last = entry;
            } else if (entry.when_ms > prediction->last->when_ms) {
                *prediction->last = entry;
            }
            break;
        }
    }
}

static const struct user *user_asked_for(const struct prediction *prediction)
{
    const struct users *users = access_set_users(prediction->settings);
    return users && prediction->asked.user.len ? users_find(users, prediction->asked.user) : NULL;
}

/* ---- where the URL leads ---- */

/* Examines one of the places that the URL may mean. */
static void inquire(struct prediction *prediction)
{
    route_strip(&prediction->route, &prediction->asked.request);
    predict(prediction);
    predict_target(prediction);
    predict_cache_status(prediction);
    find_last(prediction);
}

static void forget(struct prediction *prediction)
{
    explanation_fini(&prediction->found);
    free(prediction->last);
    prediction->found = (struct explanation){0};
    prediction->last = NULL;
    prediction->status = 0;
}

/* How much is known about a place: 2, something is stored or being fetched; 1, it was requested; 0,
 * nothing. */
static int knowledge(const struct prediction *prediction)
{
    const struct explanation *found = &prediction->found;
    bool cached = found->lookup.object || found->variant_count || found->present.fetching ||
                  found->present.pass_until > prediction->now;

    return cached ? 2 : prediction->last ? 1 : 0;
}

/* Chooses the place about which most is known, the first of equals. False: there is none. */
static bool choose(struct prediction *prediction, const struct route_query *query)
{
    struct url_routes routes;
    struct route best;
    int most = -1;

    url_routes_begin(&routes, query, prediction->asked.mirror);
    while (most < 2 && url_routes_next(&routes, &prediction->route)) {
        inquire(prediction);
        if (knowledge(prediction) > most) {
            most = knowledge(prediction);
            best = prediction->route;
        }
        forget(prediction);
    }
    if (most < 0) {
        return false;
    }
    prediction->route = best;
    inquire(prediction);
    return true;
}

int explain_page(const struct status_query *query, struct buf *out)
{
    struct prediction prediction = {.query = query, .settings = server_settings(query->server)};
    struct span what;

    if (explain_query_parse(query->query, query->arena, &prediction.asked, &what) != 0) {
        status_write_json(json_pack("{s: o}", "error", text_json(what)), out);
        return 400;
    }
    prediction.now = loop_wall(server_loop(query->server));
    struct route_query asked = {.request = &prediction.asked.request,
                                .settings = prediction.settings,
                                .client =
                                    prediction.asked.has_client ? &prediction.asked.client : NULL,
                                .user = user_asked_for(&prediction),
                                .now = prediction.now,
                                .arena = query->arena};
    if (!choose(&prediction, &asked)) {
        status_write_json(json_pack("{s: s}", "error", URL_ROUTES_NONE), out);
        return 400;
    }
    status_write_json(prediction_json(&prediction), out);
    forget(&prediction);
    return 200;
}
