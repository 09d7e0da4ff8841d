#include "base/check.h"
#include "http/language.h"

#include <criterion/criterion.h>

Test(language_best, rfc9110_12_5_4)
{
    static const struct span tags[] = {SPAN_INIT("en"), SPAN_INIT("de"), SPAN_INIT("fr"),
                                       SPAN_INIT("pt-BR")};
    static const struct {
        const char *accepts; /* NULL: no such field */
        size_t best;
    } cases[] = {
        {NULL, 0},
        {"", 0},
        {"de", 1},
        {"DE", 1},
        {"de-AT", 1},
        {"de-Latn-AT-1996", 1},
        {"de-AT,de;q=0.9,en;q=0.8", 1},
        {"es, fr;q=0.5", 2},
        {"fr;q=0.5, de;q=0.7", 1},
        {"fr;q=0.7, de;q=0.70", 2},
        {"fr;q=0, de;q=0.001", 1},
        {"fr;q=0", 0},
        {"fr;q=1.5, de;q=0.2", 1},
        {"fr;q=x, de;q=0.2", 1},
        {"fr;q=0.1234, de;q=0.2", 1},
        {"*", 0},
        {"es, *;q=0.5", 0},
        {"pt-br", 3},
        {"pt", 0},
        {"d", 0},
        {"de-", 1},
        {"-", 0},
        {";q=1", 0},
        {"x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,x,de", 0},
    };
    struct arena arena;

    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_fields fields;
        fields_init(&fields, &arena, 0);
        if (cases[i].accepts) {
            fields_add_id(&fields, FIELD_ACCEPT_LANGUAGE, span_str(cases[i].accepts));
        }
        cr_expect_eq(language_best(&fields, tags, ARRAY_LEN(tags), 0), cases[i].best, "%s",
                     cases[i].accepts);
    }
    arena_fini(&arena);
}

Test(language_is_tag, rfc5646_2_1)
{
    cr_expect(language_is_tag(SPAN("de")));
    cr_expect(language_is_tag(SPAN("pt-BR")));
    cr_expect(!language_is_tag(SPAN("")));
    cr_expect(!language_is_tag(SPAN("-de")));
    cr_expect(!language_is_tag(SPAN("de-")));
    cr_expect(!language_is_tag(SPAN("d e")));
    cr_expect(!language_is_tag(SPAN("../de")));
    cr_expect(!language_is_tag(SPAN("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
}
