/* Lists over several lines: members, joined lines, entity-tags, codings, hop-by-hop removal. */
#include "base/check.h"
#include "http/coding.h"
#include "http/hop.h"
#include "http/validator.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_members(const struct http_fields *fields)
{
    struct list_members it = list_members(fields, FIELD_CONNECTION);
    struct span member;

    while (list_next(&it, &member)) {
        CHECK(member.len > 0 && span_eq(span_trim(member), member));
        etag_list_matches(fields, FIELD_CONNECTION, member, true);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size);
    struct http_fields fields;
    struct arena arena;
    struct span joined;

    arena_init(&arena, NULL, 0);
    fields_init(&fields, &arena, 0);
    while (rest.len) {
        struct span line = span_trim(span_cut(&rest, '\n'));
        fields_add_id(&fields, FIELD_CONNECTION, line);
        fields_add_id(&fields, FIELD_ACCEPT_ENCODING, line);
        fields_add_id(&fields, FIELD_CONTENT_ENCODING, line);
        fields_add(&fields, line, line);
    }
    check_members(&fields);
    coding_is_named(&fields, &fields);
    CHECK(fields_joined(&fields, SPAN("connection"), &arena, &joined) == (size > 0));
    hop_is_loop(&fields, SPAN("larder"));
    hop_strip(&fields);
    CHECK(!fields_has(&fields, FIELD_CONNECTION));
    arena_fini(&arena);
    return 0;
}
