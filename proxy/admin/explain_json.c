/* explain_json - writes the page of /explain. */
#include "proxy/admin/explain_parts.h"

#include "base/check.h"
#include "cache/decision_text.h"
#include "proxy/admin/decision_json.h"
#include "proxy/admin/explain_stored.h"

static json_t *word(struct span text)
{
    return text.len ? text_json(text) : json_null();
}

static json_t *request_json(const struct prediction *prediction)
{
    const struct explain_query *asked = &prediction->asked;
    const struct route *route = &prediction->route;
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
    json_object_set_new(json, "mirror", word(prediction_mirror(prediction)));
    return json;
}

/* The access rule that decides; null if the client is unknown. */
static json_t *access_json(const struct prediction *prediction)
{
    static const char *const verdicts[] = {
        [ACCESS_DENIED] = "deny", [ACCESS_ALLOWED] = "allow", [ACCESS_WHO] = "who"};
    const struct access_answer *access = &prediction->route.access;
    json_t *json = json_object();

    if (!prediction->asked.has_client) {
        json_decref(json);
        return json_null();
    }
    json_object_set_new(json, "verdict", json_string(verdicts[access->verdict]));
    json_object_set_new(json, "rule", access->number ? json_integer(access->number) : json_null());
    json_object_set_new(json, "place",
                        access->rule ? json_string(access->rule->place) : json_null());
    return json;
}

static json_t *next_json(const struct prediction *prediction)
{
    const struct decision *decision = &prediction->decision;
    json_t *json = json_object();
    json_t *outcomes = json_array();

    for (size_t i = 0; i < prediction->outcome_count; i++) {
        json_array_append_new(outcomes, word(outcome_word(prediction->outcomes[i])));
    }
    json_object_set_new(json, "action", json_string(prediction->action));
    json_object_set_new(json, "outcomes", outcomes);
    json_object_set_new(json, "reason", word(reason_word(decision->reason)));
    json_object_set_new(json, "because", word(reason_text(decision->reason)));
    json_object_set_new(json, "what",
                        prediction->route.what ? json_string(prediction->route.what) : json_null());
    json_object_set_new(json, "source", word(reason_source(decision->reason)));
    json_object_set_new(json, "rule", word(reason_rule(decision->reason)));
    json_object_set_new(json, "fwd", word(forward_word(decision->forward)));
    json_object_set_new(json, "status",
                        prediction->status ? json_integer(prediction->status) : json_null());
    json_object_set_new(json, "cache_status", word(prediction->cache_status));
    return json;
}

static json_t *mark_json(const struct prediction *prediction)
{
    const struct table_view *present = &prediction->found.present;
    json_t *json = json_object();

    if (present->pass_until <= prediction->now) {
        json_decref(json);
        return json_null();
    }
    json_object_set_new(json, "seconds", json_integer(present->pass_until - prediction->now));
    json_object_set_new(json, "reason", word(reason_word(present->pass_reason)));
    json_object_set_new(json, "because", word(reason_text(present->pass_reason)));
    return json;
}

/* What would have to change in request and response; each reason once. */
static json_t *remedies_json(const struct prediction *prediction)
{
    const struct table_view *present = &prediction->found.present;
    enum reason mark = present->pass_until > prediction->now ? present->pass_reason : REASON_NONE;
    enum reason kept = prediction->last ? prediction->last->decision.store_reason : REASON_NONE;
    enum reason own = prediction->decision.reason;
    bool known = mark != REASON_NONE || reason_remedy(kept).len > 0;
    /* the reason for not storing is more informative than that nothing is stored */
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

static json_t *last_json(const struct prediction *prediction)
{
    if (prediction->last == NULL) {
        return json_null();
    }
    json_t *json = recent_json(prediction->last);
    enum reason kept = prediction->last->decision.store_reason;
    json_object_set_new(json, "not_stored_because",
                        kept == REASON_NONE || kept == REASON_STORED || kept == REASON_VALIDATED
                            ? json_null()
                            : word(reason_text(kept)));
    return json;
}

json_t *prediction_json(const struct prediction *prediction)
{
    const struct explanation *found = &prediction->found;
    const struct object *object = found->lookup.object;
    bool is_variant = object && found->spec_count > 0;
    json_t *json = json_object();

    json_object_set_new(json, "program", json_string("larder-proxy"));
    json_object_set_new(json, "now", json_integer(prediction->now));
    json_object_set_new(json, "request", request_json(prediction));
    json_object_set_new(json, "access", access_json(prediction));
    json_object_set_new(json, "next", next_json(prediction));
    json_object_set_new(json, "stored", object ? stored_json(object, is_variant) : json_null());
    json_object_set_new(json, "freshness",
                        object ? freshness_json(object, &prediction->route.rules, prediction->now)
                               : json_null());
    json_object_set_new(json, "variants", variants_json(found));
    json_object_set_new(json, "fetching",
                        found->present.fetching
                            ? json_pack("{s: I}", "waiting", (json_int_t)found->present.waiting)
                            : json_null());
    json_object_set_new(json, "pass_mark", mark_json(prediction));
    json_object_set_new(json, "last", last_json(prediction));
    json_object_set_new(json, "remedies", remedies_json(prediction));
    json_object_set_new(json, "key", word(found->lookup.key.text));
    return json;
}
