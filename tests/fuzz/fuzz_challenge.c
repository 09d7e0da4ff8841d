/* The challenge of a registry, and the answer of its token server, behind an empty line. */
#include "proxy/mirror/challenge.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span answer = span_of((const char *)data, size);
    struct span value = span_cut(&answer, '\n');
    struct http_fields fields;
    struct span token;
    int64_t seconds;
    struct arena arena;
    struct uri url;

    arena_init(&arena, NULL, 0);
    fields_init(&fields, &arena, 1);
    fields_add_id(&fields, FIELD_WWW_AUTHENTICATE, value);
    if (challenge_read(&fields, &arena, &url)) {
        CHECK(url.host.len && url.path.len && url.path.at[0] == '/');
    }
    if (token_read(answer, &arena, &token, &seconds)) {
        CHECK(token.len && seconds >= 0 && span_find(token, '\n') == token.len);
    }
    arena_fini(&arena);
    return 0;
}
