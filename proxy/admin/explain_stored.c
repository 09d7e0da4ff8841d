#include "proxy/admin/explain_stored.h"

#include "base/check.h"
#include "proxy/client/shown.h"
#include "proxy/admin/decision_json.h"

static json_t *number(int64_t value)
{
    return value < 0 ? json_null() : json_integer(value);
}

static json_t *field(const struct http_fields *fields, enum http_field_id id)
{
    return fields_has(fields, id) ? text_json(fields_get(fields, id)) : json_null();
}

/* ---- one response ---- */

static const char *place_of(const struct object *object)
{
    if (object_parts(object)) {
        return "parts";
    }
    const struct object *body = object->body_of ? object->body_of : object;
    if (body->from_store) {
        return "store";
    }
    return body->spool == NULL || spool_is_complete(body->spool) ? "memory" : "arriving";
}

/* Present ranges as [first, last], both inclusive. */
static json_t *parts_json(struct partial *parts)
{
    enum { SHOWN = 64 };
    struct piece_range ranges[SHOWN];
    size_t count = partial_ranges(parts, ranges, SHOWN);
    json_t *object = json_object();
    json_t *list = json_array();
    uint64_t present = 0;

    for (size_t i = 0; i < count; i++) {
        present += ranges[i].to - ranges[i].from;
        json_array_append_new(
            list, json_pack("[I, I]", (json_int_t)ranges[i].from, (json_int_t)ranges[i].to - 1));
    }
    json_object_set_new(object, "length", json_integer((json_int_t)partial_length(parts)));
    json_object_set_new(object, "present", json_integer((json_int_t)present));
    json_object_set_new(object, "ranges", list);
    json_object_set_new(object, "more", json_boolean(count == SHOWN));
    json_object_set_new(object, "joins", json_boolean(partial_joins(parts)));
    return object;
}

/* Values that look like secrets of other clients are not shown. */
static json_t *selecting(struct span name, struct span value)
{
    return shown_is_secret(name) && value.len ? json_string("\xe2\x80\xa6") : text_json(value);
}

/* {"accept-encoding": "gzip", "x": null}; null: absent. */
static json_t *selection_json(const struct object *object)
{
    struct selection selection = explanation_selection(object);
    json_t *selected = json_object();
    struct span name, value;
    bool absent;

    while (selection_next(&selection, &name, &value, &absent)) {
        json_object_setn_new(selected, name.at, name.len,
                             absent ? json_null() : selecting(name, value));
    }
    return selected;
}

json_t *stored_json(const struct object *object, bool is_variant)
{
    const struct http_fields *fields = &object->fields;
    struct partial *parts = object_parts(object);
    json_t *json = json_object();

    json_object_set_new(json, "status", json_integer(object->status));
    json_object_set_new(json, "bytes", number(object->body_len));
    json_object_set_new(json, "where", json_string(place_of(object)));
    json_object_set_new(json, "received", json_integer(object->freshness.response_time));
    json_object_set_new(json, "content_type", field(fields, FIELD_CONTENT_TYPE));
    json_object_set_new(json, "content_encoding", field(fields, FIELD_CONTENT_ENCODING));
    json_object_set_new(json, "cache_control", field(fields, FIELD_CACHE_CONTROL));
    json_object_set_new(json, "etag", field(fields, FIELD_ETAG));
    json_object_set_new(json, "last_modified", field(fields, FIELD_LAST_MODIFIED));
    json_object_set_new(json, "vary", field(fields, FIELD_VARY));
    json_object_set_new(json, "selected_by", is_variant ? selection_json(object) : json_null());
    json_object_set_new(json, "parts", parts ? parts_json(parts) : json_null());
    return json;
}

json_t *variants_json(const struct explanation *explanation)
{
    json_t *json = json_object();
    json_t *specs = json_array();
    json_t *list = json_array();

    for (size_t i = 0; i < explanation->spec_count; i++) {
        json_array_append_new(specs, text_json(explanation->specs[i]));
    }
    for (size_t i = 0; i < explanation->variant_count; i++) {
        json_array_append_new(list, stored_json(explanation->variants[i], true));
    }
    json_object_set_new(json, "vary", specs);
    json_object_set_new(json, "known", list);
    json_object_set_new(json, "more",
                        json_boolean(explanation->variant_count == EXPLAIN_VARIANTS_MAX));
    if (explanation->spec_count == 0) {
        json_decref(json);
        return json_null();
    }
    return json;
}

/* ---- freshness ---- */

static const char *source_word(enum lifetime_source source)
{
    switch (source) {
    case LIFETIME_NONE:
        return "none";
    case LIFETIME_TARGETED:
        return "targeted";
    case LIFETIME_S_MAXAGE:
        return "s-maxage";
    case LIFETIME_MAX_AGE:
        return "max-age";
    case LIFETIME_EXPIRES:
        return "expires";
    case LIFETIME_HEURISTIC:
        return "heuristic";
    case LIFETIME_KNOWN:
        return "mirror";
    }
    UNREACHABLE();
}

static json_t *age_json(const struct policy_account *account)
{
    json_t *json = json_object();

    json_object_set_new(json, "field", json_integer(account->age_field));
    json_object_set_new(json, "transit", json_integer(account->transit));
    json_object_set_new(json, "transit_by_date", json_boolean(account->transit_dated));
    json_object_set_new(json, "resident", json_integer(account->resident));
    json_object_set_new(json, "current", json_integer(account->age));
    return json;
}

static json_t *lifetime_json(const struct policy_account *account)
{
    json_t *json = json_object();

    json_object_set_new(json, "seconds", json_integer(account->lifetime));
    json_object_set_new(json, "source", json_string(source_word(account->source)));
    json_object_set_new(json, "field",
                        account->field.len ? text_json(account->field) : json_null());
    json_object_set_new(json, "directive",
                        account->directive.len ? text_json(account->directive) : json_null());
    json_object_set_new(json, "date", number(account->date));
    json_object_set_new(json, "expires", number(account->expires));
    json_object_set_new(json, "last_modified", number(account->last_modified));
    json_object_set_new(json, "percent",
                        account->percent ? json_integer(account->percent) : json_null());
    json_object_set_new(json, "longest", json_boolean(account->capped));
    return json;
}

json_t *freshness_json(const struct object *object, const struct policy_settings *settings,
                       int64_t now)
{
    const struct freshness *freshness = &object->freshness;
    struct http_head head = {.status = object->status, .fields = object->fields};
    struct policy_account account;
    json_t *json = json_object();

    policy_explain(&head, freshness, settings, now, &account);
    json_object_set_new(json, "age", age_json(&account));
    json_object_set_new(json, "lifetime", lifetime_json(&account));
    json_object_set_new(json, "remaining", json_integer(account.remaining));
    json_object_set_new(json, "no_cache", json_boolean(freshness->no_cache || freshness->checked));
    json_object_set_new(json, "must_revalidate", json_boolean(freshness->must_revalidate));
    json_object_set_new(json, "immutable", json_boolean(freshness->immutable));
    json_object_set_new(json, "stale_while_revalidate", number(freshness->stale_while_revalidate));
    json_object_set_new(json, "stale_if_error", number(freshness->stale_if_error));
    return json;
}
