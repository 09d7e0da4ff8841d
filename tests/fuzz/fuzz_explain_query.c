/* The query of /explain: it is a request that could be sent, or a sentence says why not. */
#include "base/check.h"
#include "proxy/admin/explain_query.h"

#include "http/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct explain_query query;
    struct arena arena;
    struct span what = SPAN_EMPTY;
    struct uri uri;
    enum uri_form form;
    const char *why;

    arena_init(&arena, NULL, 0);
    if (explain_query_parse(span_of(data, size), &arena, &query, &what) != 0) {
        CHECK(what.len > 0);
        for (size_t i = 0; i < what.len; i++) {
            CHECK(what.at[i] >= ' ' && what.at[i] <= '~');
        }
    } else {
        CHECK(query.request.target.len > 0 && query.request.target.len <= EXPLAIN_VALUE_MAX);
        CHECK(query.request.fields.count <= EXPLAIN_FIELDS_MAX + 1);
        CHECK(http_is_token(query.request.method_text));
        for (size_t i = 0; i < query.request.fields.count; i++) {
            CHECK(http_is_token(query.request.fields.at[i].name));
        }
        uri_of_request(&query.request, false, &arena, &uri, &form, &why);
    }
    arena_fini(&arena);
    return 0;
}
