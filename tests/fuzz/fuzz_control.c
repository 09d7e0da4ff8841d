/* Each line of the input is a line of Cache-Control and of a targeted field. */
#include "base/check.h"
#include "http/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_seconds(const struct cache_control *control)
{
    const int64_t seconds[] = {control->max_age,
                               control->s_maxage,
                               control->min_fresh,
                               control->max_stale,
                               control->stale_while_revalidate,
                               control->stale_if_error};

    for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
        CHECK(seconds[i] >= SECONDS_NONE && seconds[i] <= SECONDS_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size);
    struct cache_control control;
    struct http_fields fields;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    fields_init(&fields, &arena, 2);
    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        fields_add_id(&fields, FIELD_CACHE_CONTROL, line);
        fields_add_id(&fields, FIELD_CDN_CACHE_CONTROL, line);
    }
    control_parse(&fields, &control);
    check_seconds(&control);
    bool counts = control_parse_targeted(&fields, SPAN("CDN-Cache-Control"), &control);
    CHECK(counts == control.present);
    check_seconds(&control);
    arena_fini(&arena);
    return 0;
}
