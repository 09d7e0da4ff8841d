/* A chunked body gives the same bytes, the same trailers and the same end whether it comes at once
 * or in pieces of the size that the first byte says. */
#include "base/buf.h"
#include "base/check.h"
#include "http/h1_body.h"
#include "http/trailers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Feeds all of it; returns how it ended and, in *consumed, how far it came. */
static enum h1_body_result decode(struct span bytes, size_t piece, struct buf *out,
                                  struct buf *trailers, size_t *consumed)
{
    const struct http_head head = {.framing = BODY_CHUNKED, .content_length = -1};
    enum h1_body_result result = H1_BODY_MORE;
    struct h1_body body;

    h1_body_init(&body, &head);
    *consumed = 0;
    do {
        struct span part = span_take(span_skip(bytes, *consumed), piece);
        size_t used;
        struct span data;
        result = h1_body_next(&body, part, &used, &data);
        CHECK(used <= part.len && data.len <= used);
        bool is_any = result == H1_BODY_DATA || result == H1_BODY_TRAILERS;
        CHECK(is_any == (data.len > 0));
        CHECK(result != H1_BODY_MORE || used == part.len);
        buf_append(result == H1_BODY_TRAILERS ? trailers : out, data);
        *consumed += used;
    } while (result == H1_BODY_DATA || result == H1_BODY_TRAILERS ||
             (result == H1_BODY_MORE && *consumed < bytes.len));
    CHECK((result == H1_BODY_END) == h1_body_eof_is_end(&body));
    return result;
}

/* What may pass is a field, and none that frames the message. */
static void check_trailers(struct span section)
{
    struct http_fields fields;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    fields_init(&fields, &arena, 0);
    trailers_read(section, &fields);
    for (size_t i = 0; i < fields.count; i++) {
        const struct http_field *field = &fields.at[i];
        CHECK(http_is_token(field->name) && trailer_may_pass(field));
        CHECK(span_find(field->value, '\r') == field->value.len);
        CHECK(field->id != FIELD_CONTENT_LENGTH && field->id != FIELD_TRANSFER_ENCODING);
    }
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT, pieces = BUF_INIT, trailers = BUF_INIT, same = BUF_INIT;
    size_t whole_len, pieces_len;

    if (size == 0) {
        return 0;
    }
    struct span bytes = span_of(data + 1, size - 1);
    enum h1_body_result at_once = decode(bytes, size, &whole, &trailers, &whole_len);
    CHECK(decode(bytes, 1 + data[0] % 16, &pieces, &same, &pieces_len) == at_once);
    CHECK(span_eq(buf_span(&whole), buf_span(&pieces)) && whole_len == pieces_len);
    if (at_once == H1_BODY_END) {
        CHECK(span_eq(buf_span(&trailers), buf_span(&same)));
        check_trailers(buf_span(&trailers));
    }
    buf_fini(&trailers);
    buf_fini(&same);
    buf_fini(&whole);
    buf_fini(&pieces);
    return 0;
}
