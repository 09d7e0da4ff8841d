#include "http/coding.h"

#include "http/weight.h"

/* "x-gzip" and "x-compress" mean the same as "gzip" and "compress" (RFC 9110 8.4.1). */
static struct span without_x(struct span coding)
{
    return span_ieq(coding, SPAN("x-gzip")) || span_ieq(coding, SPAN("x-compress"))
               ? span_skip(coding, 2)
               : coding;
}

/* Does Accept-Encoding allow the coding? "*" applies to codings that it does not name. */
static bool takes(const struct http_fields *request, struct span coding)
{
    struct list_members it = list_members(request, FIELD_ACCEPT_ENCODING);
    struct span member, name;
    bool others = false;

    while (list_next(&it, &member)) {
        bool wanted = weight_of_member(member, &name) > 0;
        if (span_ieq(without_x(name), coding)) {
            return wanted;
        }
        if (span_eq(name, SPAN("*"))) {
            others = wanted;
        }
    }
    return others;
}

bool coding_is_named(const struct http_fields *request, const struct http_fields *response)
{
    struct list_members it = list_members(response, FIELD_CONTENT_ENCODING);
    struct span coding;

    while (list_next(&it, &coding)) {
        if (!span_ieq(coding, SPAN("identity")) && !takes(request, without_x(coding))) {
            return false;
        }
    }
    return true;
}
