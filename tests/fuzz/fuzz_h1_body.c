/* A chunked body gives the same bytes and the same end whether it comes at once or in pieces of
 * the size that the first byte says. */
#include "base/buf.h"
#include "base/check.h"
#include "http/h1_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Feeds all of it; returns how it ended and, in *consumed, how far it came. */
static enum h1_body_result decode(struct span bytes, size_t piece, struct buf *out,
                                  size_t *consumed)
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
        CHECK((result == H1_BODY_DATA) == (data.len > 0));
        CHECK(result != H1_BODY_MORE || used == part.len);
        buf_append(out, data);
        *consumed += used;
    } while (result == H1_BODY_DATA || (result == H1_BODY_MORE && *consumed < bytes.len));
    CHECK((result == H1_BODY_END) == h1_body_eof_is_end(&body));
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT, pieces = BUF_INIT;
    size_t whole_len, pieces_len;

    if (size == 0) {
        return 0;
    }
    struct span bytes = span_of(data + 1, size - 1);
    enum h1_body_result at_once = decode(bytes, size, &whole, &whole_len);
    CHECK(decode(bytes, 1 + data[0] % 16, &pieces, &pieces_len) == at_once);
    CHECK(span_eq(buf_span(&whole), buf_span(&pieces)) && whole_len == pieces_len);
    buf_fini(&whole);
    buf_fini(&pieces);
    return 0;
}
