/* The first byte chooses the kind of block, and whether a body follows; then come fields: name,
 * 0x1f, value, 0x1e. A head that passes is written as HTTP/1 that parses to the same message and
 * nothing else; and it leads to the same URI whether its authority was parsed with it, is known
 * from the request before, or is parsed again. */
#include "base/check.h"
#include "base/err.h"
#include "http/h1_parse.h"
#include "http/h1_write.h"
#include "http/h2_head.h"
#include "http/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct h1_limits block_limits = {.target = 256, .head = 4096, .fields = 16};

static void read_block(struct h2_block *block, struct span rest)
{
    while (rest.len) {
        struct span value = span_cut(&rest, 0x1e);
        struct span name = span_cut(&value, 0x1f);
        h2_block_add(block, name, value);
        (void)h2_block_is_bomb(block);
    }
}

/* The writer and the parser of HTTP/1 have these between themselves; Host comes first. */
static bool is_framing(enum http_field_id id)
{
    return id == FIELD_CONTENT_LENGTH || id == FIELD_TRANSFER_ENCODING || id == FIELD_CONNECTION;
}

static const struct http_field *next_field(const struct http_fields *fields, size_t *at)
{
    while (*at < fields->count &&
           (is_framing(fields->at[*at].id) || fields->at[*at].id == FIELD_HOST)) {
        (*at)++;
    }
    return *at < fields->count ? &fields->at[(*at)++] : NULL;
}

static void check_same_fields(const struct http_fields *a, const struct http_fields *b)
{
    const struct http_field *left, *right;
    size_t at = 0, there = 0;

    CHECK(fields_count(a, FIELD_HOST) == fields_count(b, FIELD_HOST));
    CHECK(span_eq(fields_get(a, FIELD_HOST), fields_get(b, FIELD_HOST)));
    do {
        left = next_field(a, &at);
        right = next_field(b, &there);
        CHECK((left == NULL) == (right == NULL));
        CHECK(left == NULL ||
              (span_ieq(left->name, right->name) && span_eq(left->value, right->value)));
    } while (left);
}

static void check_same_request(const struct http_head *head, struct arena *arena)
{
    struct h1_scan scan = {0};
    struct h1_error error = {0};
    struct buf out = BUF_INIT;
    struct http_head again;
    size_t used;

    h1_write_request(&out, head);
    CHECK(h1_parse_request(&scan, buf_span(&out), &h1_default_limits, arena, &again, &used,
                           &error) == 0);
    CHECK(used == buf_len(&out));
    CHECK(span_eq(again.method_text, head->method_text) && again.method == head->method);
    CHECK(span_eq(again.target, head->target));
    CHECK(again.content_length == head->content_length || again.framing == BODY_NONE);
    bool has_body = head->framing == BODY_STREAM && head->content_length != 0;
    CHECK((again.framing != BODY_NONE) == has_body);
    CHECK((again.framing == BODY_CHUNKED) == (has_body && head->content_length < 0));
    CHECK(again.expect_continue == head->expect_continue && again.keep_alive);
    CHECK(again.upgrade == head->upgrade);
    check_same_fields(&head->fields, &again.fields);
    buf_fini(&out);
}

static void check_same_response(const struct http_head *head, struct arena *arena)
{
    struct h1_scan scan = {0};
    struct h1_error error = {0};
    struct buf out = BUF_INIT;
    struct http_head again;
    size_t used;

    h1_write_response(&out, head, HTTP_1_1, METHOD_GET);
    CHECK(h1_parse_response(&scan, buf_span(&out), &h1_default_limits, METHOD_GET, arena, &again,
                            &used, &error) == 0);
    CHECK(used == buf_len(&out) && again.status == head->status && again.keep_alive);
    check_same_fields(&head->fields, &again.fields);
    buf_fini(&out);
}

static int uri_of(const struct http_head *head, struct arena *arena, struct uri *uri)
{
    enum uri_form form;
    const char *what;

    return uri_of_request(head, false, arena, uri, &form, &what);
}

static void check_same_place(const struct http_head *head, struct arena *arena)
{
    struct http_head unparsed = *head;
    struct uri parsed, again;

    unparsed.place = (struct http_authority){0};
    int err = uri_of(head, arena, &parsed);
    CHECK(uri_of(&unparsed, arena, &again) == err);
    CHECK(err || (uri_same_origin(&parsed, &again) && span_eq(parsed.path, again.path)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct h2_authority known = {0};
    unsigned choice = size ? data[0] : 0;
    enum h2_block_kind kind = (enum h2_block_kind)(choice / 2 % (H2_BLOCK_TRAILERS + 1));
    struct h2_block block;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    bool is_good = false;
    for (int i = 0; i < 2; i++) {
        h2_block_begin(&block, kind, &arena, &block_limits);
        block.known = &known;
        read_block(&block, span_of(data + 1, size ? size - 1 : 0));
        is_good = h2_block_end(&block, choice & 1);
        if (is_good && kind == H2_BLOCK_REQUEST) {
            check_same_place(&block.head, &arena);
        }
    }
    CHECK(is_good == (block.error.status == 0));
    CHECK(is_good || (block.error.status >= 400 && block.error.what));
    if (is_good && kind == H2_BLOCK_REQUEST && fields_has(&block.head.fields, FIELD_HOST)) {
        check_same_request(&block.head, &arena);
    } else if (is_good && kind == H2_BLOCK_RESPONSE) {
        check_same_response(&block.head, &arena);
    }
    arena_fini(&arena);
    return 0;
}
