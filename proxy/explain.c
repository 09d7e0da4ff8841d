#include "proxy/access/set.h"
#include "proxy/explain.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "cache/decision_text.h"
#include "http/names.h"
#include "proxy/client/coverage.h"
#include "proxy/client/respond.h"
#include "proxy/client/route.h"
#include "proxy/decision_json.h"
#include "proxy/explain_query.h"
#include "proxy/explain_stored.h"
#include "proxy/meant.h"
#include "proxy/origin/target.h"
#include "proxy/status_parts.h"

#include <stdlib.h>

/* One question and what is found out. */
struct inquest {
    const struct status_query *query;
    const struct settings *settings;
    struct explain_query asked;
    struct route route;
    int64_t now;
    struct explanation found; /* of ROUTE_CACHE */
    struct decision decision; /* predicted; before an origin is asked */
    enum outcome outcomes[3]; /* those it may end with when the origin answers */
    size_t outcome_count;
    const char *action;
    int status;                /* predicted, when the origin answers; 0: the origin's */
    struct span cache_status;  /* predicted, as far as it is known */
    struct recent_entry *last; /* the last request for the URL, or NULL */
};

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

static struct span mirror_of(const struct inquest *inquest)
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
                !recent_is(&entry, &inquest->route.uri, mirror_of(inquest))) {
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

/* ---- as JSON ---- */

static json_t *word(struct span text)
{
    return text.len ? text_json(text) : json_null();
}

static json_t *request_json(const struct inquest *inquest)
{
    const struct explain_query *asked = &inquest->asked;
    const struct route *route = &inquest->route;
    char address[IP_TEXT_MAX];
    json_t *json = json_object();

    json_object_set_new(json, "method", word(asked->request.method_text));
    json_object_set_new(json, "url",
                        route->has_uri
                            ? url_json(&route->uri, asked->request.method == METHOD_CONNECT)
                            : word(asked->request.target));
    json_object_set_new(json, "fields", json_integer((json_int_t)asked->request.fields.count));
    json_object_set_new(json, "client",
                        asked->has_client ? json_string(ip_text(&asked->client, address))
                                          : json_null());
    json_object_set_new(json, "site",
                        route->site ? json_string(route->site->hosts[0]) : json_null());
    json_object_set_new(json, "mirror", word(mirror_of(inquest)));
    return json;
}

/* Which rule of access decides; null when it is not known who asks. */
static json_t *access_json(const struct inquest *inquest)
{
    static const char *const verdicts[] = {
        [ACCESS_DENIED] = "deny", [ACCESS_ALLOWED] = "allow", [ACCESS_WHO] = "who"};
    const struct access_answer *access = &inquest->route.access;
    json_t *json = json_object();

    if (!inquest->asked.has_client) {
        json_decref(json);
        return json_null();
    }
    json_object_set_new(json, "verdict", json_string(verdicts[access->verdict]));
    json_object_set_new(json, "rule", access->number ? json_integer(access->number) : json_null());
    json_object_set_new(json, "place",
                        access->rule ? json_string(access->rule->place) : json_null());
    return json;
}

static json_t *next_json(const struct inquest *inquest)
{
    const struct decision *decision = &inquest->decision;
    json_t *json = json_object();
    json_t *outcomes = json_array();

    for (size_t i = 0; i < inquest->outcome_count; i++) {
        json_array_append_new(outcomes, word(outcome_word(inquest->outcomes[i])));
    }
    json_object_set_new(json, "action", json_string(inquest->action));
    json_object_set_new(json, "outcomes", outcomes);
    json_object_set_new(json, "reason", word(reason_word(decision->reason)));
    json_object_set_new(json, "because", word(reason_text(decision->reason)));
    json_object_set_new(json, "what",
                        inquest->route.what ? json_string(inquest->route.what) : json_null());
    json_object_set_new(json, "source", word(reason_source(decision->reason)));
    json_object_set_new(json, "rule", word(reason_rule(decision->reason)));
    json_object_set_new(json, "fwd", word(forward_word(decision->forward)));
    json_object_set_new(json, "status",
                        inquest->status ? json_integer(inquest->status) : json_null());
    json_object_set_new(json, "cache_status", word(inquest->cache_status));
    return json;
}

static json_t *mark_json(const struct inquest *inquest)
{
    const struct table_view *present = &inquest->found.present;
    json_t *json = json_object();

    if (present->pass_until <= inquest->now) {
        json_decref(json);
        return json_null();
    }
    json_object_set_new(json, "seconds", json_integer(present->pass_until - inquest->now));
    json_object_set_new(json, "reason", word(reason_word(present->pass_reason)));
    json_object_set_new(json, "because", word(reason_text(present->pass_reason)));
    return json;
}

/* What would have to change, for the request and for the response; each reason once. */
static json_t *remedies_json(const struct inquest *inquest)
{
    const struct table_view *present = &inquest->found.present;
    enum reason mark = present->pass_until > inquest->now ? present->pass_reason : REASON_NONE;
    enum reason kept = inquest->last ? inquest->last->decision.store_reason : REASON_NONE;
    enum reason own = inquest->decision.reason;
    bool known = mark != REASON_NONE || reason_remedy(kept).len > 0;
    /* Why nothing is stored says more than that nothing is. */
    enum reason reasons[] = {
        known && (own == REASON_NOT_STORED || own == REASON_PASS_MARK) ? REASON_NONE : own,
        mark,
        kept,
    };
    json_t *list = json_array();

    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        bool told = reason_remedy(reasons[i]).len == 0;
        for (size_t k = 0; k < i; k++) {
            told |= reasons[k] == reasons[i];
        }
        if (!told) {
            json_t *remedy = json_object();
            json_object_set_new(remedy, "reason", word(reason_word(reasons[i])));
            json_object_set_new(remedy, "text", word(reason_remedy(reasons[i])));
            json_array_append_new(list, remedy);
        }
    }
    return list;
}

static json_t *last_json(const struct inquest *inquest)
{
    if (inquest->last == NULL) {
        return json_null();
    }
    json_t *json = recent_json(inquest->last);
    enum reason kept = inquest->last->decision.store_reason;
    json_object_set_new(json, "not_stored_because",
                        kept == REASON_NONE || kept == REASON_STORED || kept == REASON_VALIDATED
                            ? json_null()
                            : word(reason_text(kept)));
    return json;
}

static json_t *answer_json(const struct inquest *inquest)
{
    const struct explanation *found = &inquest->found;
    const struct object *object = found->lookup.object;
    bool is_variant = object && found->spec_count > 0;
    json_t *json = json_object();

    json_object_set_new(json, "program", json_string("larder-proxy"));
    json_object_set_new(json, "now", json_integer(inquest->now));
    json_object_set_new(json, "request", request_json(inquest));
    json_object_set_new(json, "access", access_json(inquest));
    json_object_set_new(json, "next", next_json(inquest));
    json_object_set_new(json, "stored", object ? stored_json(object, is_variant) : json_null());
    json_object_set_new(json, "freshness",
                        object ? freshness_json(object, &inquest->route.rules, inquest->now)
                               : json_null());
    json_object_set_new(json, "variants", variants_json(found));
    json_object_set_new(json, "fetching",
                        found->present.fetching
                            ? json_pack("{s: I}", "waiting", (json_int_t)found->present.waiting)
                            : json_null());
    json_object_set_new(json, "pass_mark", mark_json(inquest));
    json_object_set_new(json, "last", last_json(inquest));
    json_object_set_new(json, "remedies", remedies_json(inquest));
    json_object_set_new(json, "key", word(found->lookup.key.text));
    return json;
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
    status_write_json(answer_json(&inquest), out);
    forget(&inquest);
    return 200;
}
