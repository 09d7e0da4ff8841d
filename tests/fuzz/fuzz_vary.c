/* The first line is Vary, the others are lines of Accept-Language and of a field named "x". */
#include "base/check.h"
#include "cache/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sip_key secret = {.k0 = 1, .k1 = 2};

static size_t count(struct span text, char c)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        n += text.at[i] == c;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size);
    struct cache_key primary = {.text = SPAN("http://a:80/")};
    struct cache_key variant;
    struct http_fields response, again, request;
    struct arena arena;
    struct span spec, same;

    arena_init(&arena, NULL, 0);
    fields_init(&response, &arena, 1);
    fields_init(&again, &arena, 1);
    fields_init(&request, &arena, 4);
    fields_add_id(&response, FIELD_VARY, span_cut(&rest, '\n'));
    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        fields_add_id(&request, FIELD_ACCEPT_LANGUAGE, line);
        fields_add(&request, SPAN("x"), line);
    }
    if (key_vary_spec(&response, &arena, &spec) && spec.len) {
        fields_add_id(&again, FIELD_VARY, spec);
        CHECK(key_vary_spec(&again, &arena, &same) && span_eq(spec, same));
        key_variant(&primary, spec, &request, &secret, &arena, &variant);
        CHECK(count(variant.text, '\n') == 2 + count(spec, ','));
    }
    arena_fini(&arena);
    return 0;
}
