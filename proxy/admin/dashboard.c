#include "proxy/admin/dashboard.h"

#include "http/names.h"
#include "http/validator.h"

const struct dashboard_asset *dashboard_find(struct span path)
{
    for (const struct dashboard_asset *asset = dashboard_assets; asset->path.len; asset++) {
        if (span_eq(asset->path, path)) {
            return asset;
        }
    }
    return NULL;
}

/* Does a list such as Accept contain this word, with a weight above 0? */
static bool accepts(const struct http_fields *request, enum http_field_id id, struct span wanted)
{
    struct list_members it = list_members(request, id);
    struct span member;

    while (list_next(&it, &member)) {
        struct span weight = member;
        struct span name = span_trim(span_cut(&weight, ';'));
        weight = span_trim(weight);
        if (span_ieq(name, wanted)) {
            return !span_eq(weight, SPAN("q=0")) && !span_starts(weight, SPAN("q=0.0"));
        }
    }
    return false;
}

const struct dashboard_asset *dashboard_page(const struct http_fields *request)
{
    return accepts(request, FIELD_ACCEPT, SPAN("text/html"))
               ? dashboard_find(SPAN("/dashboard/index.html"))
               : NULL;
}

struct span dashboard_answer(const struct dashboard_asset *asset, const struct http_fields *request,
                             struct http_head *head)
{
    bool known = etag_list_matches(request, FIELD_IF_NONE_MATCH, asset->etag, true);
    bool small = accepts(request, FIELD_ACCEPT_ENCODING, SPAN("gzip"));
    struct span body = small ? asset->gzip : asset->plain;

    head->status = known ? 304 : 200;
    head->framing = known ? BODY_NONE : BODY_LENGTH;
    head->content_length = known ? -1 : (int64_t)body.len;
    fields_add_id(&head->fields, FIELD_ETAG, asset->etag);
    fields_add_id(&head->fields, FIELD_CACHE_CONTROL, SPAN("no-cache"));
    fields_add_id(&head->fields, FIELD_VARY, SPAN("Accept, Accept-Encoding"));
    /* nothing from other hosts, nothing inline, not inside frames */
    fields_add(&head->fields, SPAN("Content-Security-Policy"),
               SPAN("default-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
                    "form-action 'none'; object-src 'none'"));
    fields_add(&head->fields, SPAN("Referrer-Policy"), SPAN("no-referrer"));
    fields_add(&head->fields, SPAN("Cross-Origin-Resource-Policy"), SPAN("same-origin"));
    if (known) {
        return SPAN_EMPTY;
    }
    fields_add_id(&head->fields, FIELD_CONTENT_TYPE, asset->type);
    if (small) {
        fields_add_id(&head->fields, FIELD_CONTENT_ENCODING, SPAN("gzip"));
    }
    return body;
}
