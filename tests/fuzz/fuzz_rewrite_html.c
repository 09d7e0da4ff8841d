/* However a document is cut into pieces, the same comes out; and without links to change it comes
 * out as it was. */
#include "base/buf.h"
#include "base/check.h"
#include "base/mem.h"
#include "proxy/mirror/rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void rewrite(const struct rewrite_links *links, enum rewrite_format format, struct span text,
                    size_t step, struct buf *out)
{
    struct rewriter *rewriter = xmalloc(sizeof(*rewriter));
    char room[REWRITE_ROOM + 7];

    rewriter_init(rewriter, format, links);
    while (text.len) {
        struct span piece = span_take(text, step);
        text = span_skip(text, step);
        while (piece.len) {
            size_t n = rewriter_run(rewriter, &piece, room, sizeof(room));
            CHECK(n <= sizeof(room));
            buf_append(out, span_of(room, n));
        }
    }
    buf_append(out, span_of(room, rewriter_end(rewriter, room, sizeof(room))));
    free(rewriter);
}

static void check(struct span text, enum rewrite_format format)
{
    static const struct rewrite_links none = {0};
    static const struct rewrite_links some = {
        .at = {{SPAN_INIT("https://reg.test/"), SPAN_INIT("http://m/")},
               {SPAN_INIT("https://reg.test/deep/"), SPAN_INIT("http://other/")},
               {SPAN_INIT("/"), SPAN_INIT("x")}},
        .count = 3,
    };
    struct buf whole = BUF_INIT, pieces = BUF_INIT, same = BUF_INIT;

    rewrite(&some, format, text, text.len ? text.len : 1, &whole);
    rewrite(&some, format, text, 1 + text.len % 13, &pieces);
    rewrite(&none, format, text, 17, &same);
    CHECK(span_eq(buf_span(&whole), buf_span(&pieces)));
    CHECK(span_eq(buf_span(&same), text));
    buf_fini(&whole);
    buf_fini(&pieces);
    buf_fini(&same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(span_of((const char *)data, size), REWRITE_PIP_HTML);

    return 0;
}
