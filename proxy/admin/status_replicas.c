/* status_replicas - /replicas: what larder-dns says, if its address is configured. */
#include "base/clock.h"
#include "proxy/admin/dnsstatus.h"
#include "proxy/admin/status_parts.h"

static void set_answer(json_t *root, const struct dnsstatus_answer *answer)
{
    json_error_t error;
    json_t *said = json_loadb(answer->text.at ? answer->text.at : "", answer->text.len, 0, &error);

    json_object_set_new(root, "error",
                        answer->error                      ? json_string(answer->error)
                        : answer->text.len && said == NULL ? json_string("it is no JSON")
                                                           : json_null());
    if (said) {
        json_object_set_new(root, "age_seconds", json_integer(clock_wall() - answer->when));
        json_object_set(root, "queries", json_object_get(said, "queries"));
        json_object_set(root, "replicas", json_object_get(said, "replicas"));
        json_decref(said);
    }
}

int status_replicas(const struct status_query *query, struct buf *out)
{
    const struct endpoint *at = &server_settings(query->server)->admin_dns;
    json_t *root = json_object();

    json_object_set_new(root, "configured", json_boolean(at->len > 0));
    if (at->len > 0) {
        struct dnsstatus_answer answer = dnsstatus_ask(server_dnsstatus(query->server), at);
        json_object_set_new(root, "from", json_string(at->text));
        set_answer(root, &answer);
    }
    status_write_json(root, out);
    return 200;
}
