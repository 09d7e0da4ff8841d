/* What a URI is written as parses to the same; the input is also taken for a reference. */
#include "base/check.h"
#include "http/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct uri *uri, struct arena *arena)
{
    struct span text = uri_text(uri, arena);
    struct uri again;

    CHECK(uri_parse(text, arena, &again) == 0);
    CHECK(uri_same_origin(uri, &again));
    CHECK(span_eq(uri->path, again.path));
    CHECK(uri_parse(uri_display(uri, arena), arena, &again) == 0);
    CHECK(span_eq(uri_text(&again, arena), text));
    CHECK(uri_host_field_is_valid(uri_authority(uri, arena)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);
    struct arena arena;
    struct uri base, uri;

    arena_init(&arena, NULL, 0);
    CHECK(uri_parse(SPAN("http://example.com/a/b?c"), &arena, &base) == 0);
    if (uri_parse(text, &arena, &uri) == 0) {
        check_round_trip(&uri, &arena);
    }
    if (uri_resolve(&base, text, &arena, &uri) == 0) {
        check_round_trip(&uri, &arena);
    }
    if (uri_parse_authority(text, 0, &arena, &uri) == 0) {
        CHECK(uri_host_field_is_valid(text));
    }
    arena_fini(&arena);
    return 0;
}
