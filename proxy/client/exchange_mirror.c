/* exchange_mirror - what mirrors change: the request, and answers of their own. */
#include "proxy/client/exchange_parts.h"

struct span exchange_mirror(const struct exchange *x)
{
    return x->site && x->site->mirror ? x->site->mirror->path : SPAN_EMPTY;
}

enum exchange_state exchange_answer_ping(struct exchange *x)
{
    struct span body = SPAN("{}");
    struct http_head head;

    exchange_begin_answer(x, body, REASON_NONE, &head);
    fields_add_id(&head.fields, FIELD_CONTENT_TYPE, SPAN("application/json"));
    fields_add(&head.fields, SPAN("Docker-Distribution-Api-Version"), SPAN("registry/2.0"));
    return exchange_send_answer(x, &head, x->request.method == METHOD_HEAD ? SPAN_EMPTY : body);
}

void exchange_prepare_mirror(struct exchange *x, const struct route *route)
{
    struct http_fields *fields = &x->request.fields;

    fields_remove_id(fields, FIELD_COOKIE);
    if (route->mirrored.mirror->preset == PRESET_OCI) {
        fields_remove_id(fields, FIELD_AUTHORIZATION); /* what is pulled, all may pull */
    }
    policy_read_request(&x->request, &route->rules, &x->policy);
}
