#include "proxy/admin/explain_parts.h"

#include "base/check.h"
#include "base/mem.h"
#include "proxy/access/set.h"
#include "proxy/client/coverage.h"
#include "proxy/client/respond.h"
#include "proxy/admin/decision_json.h"
#include "proxy/admin/meant.h"
#include "proxy/origin/target.h"
#include "proxy/admin/status_parts.h"

#include <stdlib.h>

/* ---- what the next request would be told ---- */

static void expect(struct inquest *inquest, const char *action, enum outcome outcome)
{
    inquest->action = action;
    inquest->outcomes[0] = outcome;
    inquest->outcome_count = 1;
}

static void expect_refusal(struct inquest *inquest)
{
    expect(inquest, "refuse", OUTCOME_LOCAL);
    inquest->status = 504;
}

/* Of what is known in parts something is missing, and it cannot be completed for this request. */
static bool falls_short(struct inquest *inquest, enum coverage coverage)
{
    struct partial *parts = object_parts(inquest->found.lookup.object);

    if (coverage != COVERS_ALL && inquest->route.policy.control.only_if_cached) {
        inquest->decision = DECISION_INIT;
        inquest->decision.reason = REASON_ONLY_IF_CACHED;
        expect_refusal(inquest);
        return true;
    }
    if (coverage != COVERS_SOME || partial_joins(parts)) {
        return false;
    }
    inquest->decision = DECISION_INIT;
    inquest->decision.outcome = OUTCOME_MISS;
    inquest->decision.reason = REASON_NOT_STORED;
    inquest->decision.forward = FORWARD_URI_MISS;
    expect(inquest, "fetch", OUTCOME_MISS);
    return true;
}

/* The response that would be made from the stored one: it knows conditions and ranges. */
static void expect_response(struct inquest *inquest, const char *action)
{
    struct object *object = inquest->found.lookup.object;
    struct response response;
    struct arena *arena = inquest->query->arena;
    struct respond_input input = {
        .request = &inquest->asked.request,
        .policy = &inquest->route.policy,
        .object = object,
        .decision = &inquest->decision,
        .name = span_str(inquest->settings->name),
        .key = inquest->settings->cache.status_key ? inquest->found.lookup.key.text : SPAN_EMPTY,
        .now = inquest->now,
        .evaluate = true,
        .arena = arena,
    };

    respond_object(&input, &response);
    if (object_parts(object)) {
        enum coverage coverage = coverage_of(object_parts(object), &response.body);
        if (falls_short(inquest, coverage)) {
            return;
        }
        coverage_note(coverage, &inquest->decision);
        action = coverage == COVERS_SOME ? "complete" : coverage == COVERS_COMING ? "wait" : action;
        respond_object(&input, &response);
    }
    expect(inquest, action, inquest->decision.outcome);
    inquest->status = response.head.status;
}

/* A stored response is validated; without a validator it is replaced, unless a HEAD says by its
 * fields that it is still the same (RFC 9111 4.3.5). */
static void expect_validation(struct inquest *inquest)
{
    const struct object *object = inquest->found.lookup.object;
    bool head = inquest->asked.request.method == METHOD_HEAD;

    if (object == NULL) {
        expect(inquest, "fetch", OUTCOME_MISS);
        if (inquest->found.offered > 0) {
            inquest->action = "choose";
            inquest->outcomes[inquest->outcome_count++] = OUTCOME_REVALIDATED;
        }
        return;
    }
    expect(inquest, "fetch", OUTCOME_MODIFIED);
    if (object->freshness.has_validator || head) {
        expect(inquest, "validate", OUTCOME_REVALIDATED);
        inquest->outcomes[inquest->outcome_count++] = OUTCOME_MODIFIED;
    }
    inquest->outcomes[inquest->outcome_count++] = OUTCOME_STALE; /* when the origin fails */
}

static void expect_alone(struct inquest *inquest)
{
    if (inquest->asked.request.method == METHOD_HEAD) {
        expect_validation(inquest);
    } else {
        expect(inquest, "fetch", OUTCOME_MISS);
    }
}

static void expect_pass(struct inquest *inquest)
{
    const struct policy_request *policy = &inquest->route.policy;

    if (route_may_pass(policy)) {
        inquest->decision = route_pass(policy);
        expect(inquest, "pass", OUTCOME_PASS);
        return;
    }
    inquest->decision = DECISION_INIT;
    inquest->decision.reason = REASON_ONLY_IF_CACHED;
    expect_refusal(inquest);
}

static void ask_cache(struct inquest *inquest)
{
    struct route *route = &inquest->route;

    cache_explain(server_cache(inquest->query->server),
                  &(struct cache_query){
                      .request = &inquest->asked.request,
                      .policy = &route->policy,
                      .uri = &route->key,
                      .zone = target_zone(route->site),
                      .now = inquest->now,
                      .alone = route_is_alone(&inquest->asked.request),
                      .arena = inquest->query->arena,
                  },
                  &inquest->found);
    if (!route->policy.lookup) {
        expect_pass(inquest);
        return;
    }
    inquest->decision = inquest->found.decision;
    switch (inquest->found.result) {
    case CACHE_FRESH:
        expect_response(inquest, "answer");
        break;
    case CACHE_STALE:
        expect_response(inquest, "answer-and-validate");
        break;
    case CACHE_LEAD:
        expect_validation(inquest);
        break;
    case CACHE_FOLLOW:
        expect(inquest, "wait", OUTCOME_COLLAPSED);
        break;
    case CACHE_ALONE:
        expect_alone(inquest);
        break;
    case CACHE_REFUSED:
        expect_refusal(inquest);
        break;
    case CACHE_COLD: /* it has waited for the disk */
        UNREACHABLE();
    }
}

static void predict(struct inquest *inquest)
{
    struct decision *decision = &inquest->decision;
    const struct route *route = &inquest->route;

    *decision = DECISION_INIT;
    switch (route->kind) {
    case ROUTE_WHO:
    case ROUTE_REFUSED:
        decision->outcome =
            route->status == 403 || route->status == 407 ? OUTCOME_DENIED : OUTCOME_ERROR;
        decision->reason = route->reason;
        expect(inquest, "refuse", decision->outcome);
        inquest->status = route->status;
        return;
    case ROUTE_HERE:
        decision->outcome = OUTCOME_LOCAL;
        decision->reason = REASON_METHOD;
        expect(inquest, "answer-here", OUTCOME_LOCAL);
        inquest->status = 200;
        return;
    case ROUTE_PING:
        decision->outcome = OUTCOME_LOCAL;
        decision->reason = REASON_NONE;
        expect(inquest, "answer-here", OUTCOME_LOCAL);
        inquest->status = 200;
        return;
    case ROUTE_TUNNEL:
        decision->outcome = OUTCOME_TUNNEL;
        decision->reason = REASON_METHOD;
        decision->forward = FORWARD_METHOD;
        expect(inquest, "tunnel", OUTCOME_TUNNEL);
        return;
    case ROUTE_UPGRADE:
        *decision = route_pass(&route->policy);
        decision->outcome = OUTCOME_TUNNEL;
        expect(inquest, "upgrade", OUTCOME_TUNNEL);
        inquest->outcomes[inquest->outcome_count++] = OUTCOME_PASS; /* when the origin declines */
        return;
    case ROUTE_CACHE:
        ask_cache(inquest);
        return;
    }
    UNREACHABLE();
}

/* What is asked for by an address, and not by a name, is known to be no target before anybody
 * connects. What is stored is answered all the same. */
static bool is_no_target(struct inquest *inquest, struct target_check *check)
{
    const struct uri *uri = &inquest->route.uri;
    struct ip ip;
    bool asks = inquest->decision.forward != FORWARD_NONE && inquest->route.site == NULL &&
                inquest->found.lookup.object == NULL;

    *check = (struct target_check){.settings = inquest->settings,
                                   .own = server_own(inquest->query->server)};
    return asks && ip_parse(uri->host, &ip) == 0 && !target_allowed(check, &ip, uri->port);
}

static void predict_target(struct inquest *inquest)
{
    struct target_check check;

    if (is_no_target(inquest, &check)) {
        inquest->decision = DECISION_INIT;
        inquest->decision.outcome = OUTCOME_DENIED;
        inquest->decision.reason = check.why ? check.why : REASON_TARGET_ADDRESS;
        expect(inquest, "refuse", OUTCOME_DENIED);
        inquest->status = 403;
    }
}

/* As far as it can be known before the origin has answered. */
static void predict_cache_status(struct inquest *inquest)
{
    struct decision told = inquest->decision;
    bool known = inquest->settings->cache.status_key && inquest->route.kind == ROUTE_CACHE;

    if (told.forward != FORWARD_NONE) {
        told.age = told.lifetime = -1; /* those of what comes */
    }
    inquest->cache_status = decision_cache_status(
        &told, span_str(inquest->settings->name),
        known ? inquest->found.lookup.key.text : SPAN_EMPTY, inquest->query->arena);
}

/* ---- the last request ---- */

struct span inquest_mirror(const struct inquest *inquest)
{
    const struct mirror *mirror = inquest->route.mirrored.mirror;
    return mirror ? mirror->path : SPAN_EMPTY;
}

static void find_last(struct inquest *inquest)
{
    struct server *server = inquest->query->server;
    struct recent_entry entry;

    for (size_t i = 0; inquest->route.has_uri && i < server_worker_count(server); i++) {
        struct recent *ring = &server_worker(server, i)->recent;
        for (size_t ago = 0; ago < RECENT_COUNT; ago++) {
            if (!recent_read(ring, ago, &entry) ||
                !recent_is(&entry, &inquest->route.uri, inquest_mirror(inquest))) {
                continue;
            }
            if (inquest->last == NULL) {
                inquest->last = xmalloc(sizeof(*inquest->last));
                *inquest->last = entry;
            } else if (entry.when_ms > inquest->last->when_ms) {
                *inquest->last = entry;
            }
            break;
        }
    }
}

static const struct user *user_asked_for(const struct inquest *inquest)
{
    const struct users *users = access_set_users(inquest->settings);
    return users && inquest->asked.user.len ? users_find(users, inquest->asked.user) : NULL;
}

/* ---- what is meant ---- */

/* Of one of the places that may be meant. */
static void inquire(struct inquest *inquest)
{
    route_strip(&inquest->route, &inquest->asked.request);
    predict(inquest);
    predict_target(inquest);
    predict_cache_status(inquest);
    find_last(inquest);
}

static void forget(struct inquest *inquest)
{
    explanation_fini(&inquest->found);
    free(inquest->last);
    inquest->found = (struct explanation){0};
    inquest->last = NULL;
    inquest->status = 0;
}

/* How much is known there: something is stored or under way, it was asked for, nothing. */
static int knowledge(const struct inquest *inquest)
{
    const struct explanation *found = &inquest->found;
    bool cached = found->lookup.object || found->variant_count || found->present.fetching ||
                  found->present.pass_until > inquest->now;

    return cached ? 2 : inquest->last ? 1 : 0;
}

/* The first of those of which most is known. False: there is no such place. */
static bool choose(struct inquest *inquest, const struct route_query *query)
{
    struct meant meant;
    struct route best;
    int most = -1;

    meant_begin(&meant, query, inquest->asked.mirror);
    while (most < 2 && meant_next(&meant, &inquest->route)) {
        inquire(inquest);
        if (knowledge(inquest) > most) {
            most = knowledge(inquest);
            best = inquest->route;
        }
        forget(inquest);
    }
    if (most < 0) {
        return false;
    }
    inquest->route = best;
    inquire(inquest);
    return true;
}

int explain_page(const struct status_query *query, struct buf *out)
{
    struct inquest inquest = {.query = query, .settings = server_settings(query->server)};
    struct span what;

    if (explain_query_parse(query->query, query->arena, &inquest.asked, &what) != 0) {
        status_write_json(json_pack("{s: o}", "error", text_json(what)), out);
        return 400;
    }
    inquest.now = loop_wall(server_loop(query->server));
    struct route_query asked = {.request = &inquest.asked.request,
                                .settings = inquest.settings,
                                .client = inquest.asked.has_client ? &inquest.asked.client : NULL,
                                .user = user_asked_for(&inquest),
                                .now = inquest.now,
                                .arena = query->arena};
    if (!choose(&inquest, &asked)) {
        status_write_json(json_pack("{s: s}", "error", MEANT_NOTHING), out);
        return 400;
    }
    status_write_json(inquest_json(&inquest), out);
    forget(&inquest);
    return 200;
}
