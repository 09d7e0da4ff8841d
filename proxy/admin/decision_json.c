#include "proxy/admin/decision_json.h"

#include "base/mem.h"
#include "proxy/client/shown.h"

static json_t *word(struct span text)
{
    return text.len ? json_stringn(text.at, text.len) : json_null();
}

static json_t *reason(enum reason reason)
{
    return reason == REASON_NONE ? json_null() : word(reason_word(reason));
}

static json_t *seconds(int64_t value)
{
    return value < 0 ? json_null() : json_integer(value);
}

json_t *decision_json(const struct decision *decision)
{
    json_t *object = json_object();
    bool dated = decision->age >= 0 && decision->lifetime >= 0;

    json_object_set_new(object, "outcome", word(outcome_word(decision->outcome)));
    json_object_set_new(object, "reason", word(reason_word(decision->reason)));
    json_object_set_new(object, "because", word(reason_text(decision->reason)));
    json_object_set_new(object, "store_reason", reason(decision->store_reason));
    json_object_set_new(object, "fwd", word(forward_word(decision->forward)));
    json_object_set_new(object, "fwd_status",
                        decision->fwd_status ? json_integer(decision->fwd_status) : json_null());
    json_object_set_new(object, "stored", json_boolean(decision->stored));
    json_object_set_new(object, "collapsed", json_boolean(decision->collapsed));
    json_object_set_new(object, "age", seconds(decision->age));
    json_object_set_new(object, "lifetime", seconds(decision->lifetime));
    json_object_set_new(object, "ttl",
                        dated ? json_integer(decision->lifetime - decision->age) : json_null());
    json_object_set_new(object, "served_from",
                        decision->served ? word(served_word(decision->served)) : json_null());
    json_object_set_new(object, "disk_wait_us", json_integer((json_int_t)decision->disk_wait_us));
    if (decision->rule) {
        json_object_set_new(object, "rule", json_integer(decision->rule));
    }
    json_object_set_new(object, "end", word(ending_word(decision->ending)));
    return object;
}

json_t *text_json(struct span text)
{
    json_t *string = json_stringn(text.at ? text.at : "", text.len);

    if (string == NULL) {
        char *copy = xmalloc(3 * text.len);
        string = json_stringn(copy, (size_t)(shown_text(copy, text) - copy));
        free(copy);
    }
    return string;
}

json_t *url_json(const struct uri *uri, bool connect)
{
    char *text = xmalloc(SHOWN_URL_MAX);
    json_t *string = json_stringn(text, (size_t)(shown_url(text, uri, connect) - text));

    free(text);
    return string;
}

json_t *recent_json(const struct recent_entry *entry)
{
    json_t *object = json_object();
    struct uri uri = recent_uri(entry);

    json_object_set_new(object, "time_ms", json_integer(entry->when_ms));
    char client[IP_TEXT_MAX];
    json_object_set_new(object, "client",
                        entry->has_client ? json_string(ip_text(&entry->client, client))
                                          : json_null());
    struct span user = recent_user(entry), mirror = recent_mirror(entry);
    json_object_set_new(object, "user", user.len ? text_json(user) : json_null());
    json_object_set_new(object, "mirror", mirror.len ? text_json(mirror) : json_null());
    json_object_set_new(object, "method", text_json(recent_method(entry)));
    json_object_set_new(object, "url", url_json(&uri, entry->method == METHOD_CONNECT));
    json_object_set_new(object, "cut", json_boolean(entry->cut));
    json_object_set_new(object, "status", json_integer(entry->status));
    json_object_set_new(object, "bytes", json_integer((json_int_t)entry->bytes));
    json_object_set_new(object, "elapsed_us", json_integer((json_int_t)entry->elapsed_us));
    json_t *decision = decision_json(&entry->decision);
    json_object_update(object, decision);
    json_decref(decision);
    return object;
}
