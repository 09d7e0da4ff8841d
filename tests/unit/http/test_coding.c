#include "base/check.h"
#include "http/coding.h"

#include <criterion/criterion.h>

Test(coding_is_named, rfc9110_12_5_3)
{
    static const struct {
        const char *accepts; /* NULL: no such field */
        const char *coding;
        bool named;
    } cases[] = {
        {NULL, NULL, true},
        {"", NULL, true},
        {"identity;q=0", NULL, true},
        {NULL, "identity", true},
        {NULL, "gzip", false},
        {"", "gzip", false},
        {"gzip", "gzip", true},
        {"br, GZip;q=0.5", "gzip", true},
        {"br", "gzip", false},
        {"gzip;q=0", "gzip", false},
        {"gzip ; q=0.000", "gzip", false},
        {"gzip;q=0.001", "gzip", true},
        {"gzip;q=2", "gzip", false},
        {"gzip;x=1;q=0", "gzip", false},
        {"*", "gzip", true},
        {"*;q=0", "gzip", false},
        {"*, gzip;q=0", "gzip", false},
        {"gzip;q=0, *", "gzip", false},
        {"*;q=0, gzip", "gzip", true},
        {"x-gzip", "gzip", true},
        {"gzip", "x-gzip", true},
        {"compress", "X-Compress", true},
        {"x-br", "br", false},
        {"gzip", "gzip, br", false},
        {"br, gzip", "gzip, br", true},
        {"gzip", "identity, gzip", true},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_fields request, response;
        fields_init(&request, &arena, 0);
        fields_init(&response, &arena, 0);
        if (cases[i].accepts) {
            fields_add_id(&request, FIELD_ACCEPT_ENCODING, span_str(cases[i].accepts));
        }
        if (cases[i].coding) {
            fields_add_id(&response, FIELD_CONTENT_ENCODING, span_str(cases[i].coding));
        }
        cr_expect_eq(coding_is_named(&request, &response), cases[i].named, "row %zu: %s for %s", i,
                     cases[i].coding, cases[i].accepts);
    }
    arena_fini(&arena);
}
