#include "http/priority.h"

#include "http/structured.h"

static void take_member(const struct sf_member *member, struct priority *priority)
{
    if (span_eq(member->key, SPAN("u")) && member->type == SF_INTEGER && member->integer >= 0 &&
        member->integer <= PRIORITY_LEAST) {
        priority->urgency = (uint8_t)member->integer;
    } else if (span_eq(member->key, SPAN("i")) && member->type == SF_BOOLEAN) {
        priority->incremental = member->integer != 0;
    }
}

bool priority_read(const struct http_fields *fields, struct priority *out)
{
    struct priority priority = {.urgency = PRIORITY_DEFAULT};
    bool is_there = false;

    for (size_t i = 0; i < fields->count; i++) {
        if (fields->at[i].id != FIELD_PRIORITY) {
            continue;
        }
        struct sf_dictionary dictionary = sf_dictionary(fields->at[i].value);
        struct sf_member member;
        while (sf_dictionary_next(&dictionary, &member)) {
            take_member(&member, &priority);
        }
        if (dictionary.bad) {
            return false;
        }
        is_there = true;
    }
    if (is_there) {
        *out = priority;
    }
    return is_there;
}
