/* Proxy-Authorization: whatever is taken has a name, no control character, and bounded lengths. */
#include "base/check.h"
#include "proxy/access/credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct span text, size_t max)
{
    CHECK(text.len <= max);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        CHECK(c >= ' ' && c != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct credentials out;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    if (credentials_parse(span_of(data, size), &arena, &out) == 0) {
        CHECK(out.name.len > 0 && span_find(out.name, ':') == out.name.len);
        check_text(out.name, CREDENTIALS_NAME_MAX);
        check_text(out.password, CREDENTIALS_PASSWORD_MAX);
    }
    arena_fini(&arena);
    return 0;
}
