/* A table of pieces as it may come from the disk: refused, or the same bytes when written again. Or
 * (first byte odd) claims, arrivals and ends on a small representation, against a model that has
 * one letter for each byte. */
#include "base/check.h"
#include "cache/partial.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LENGTH = 64, CLAIMS = 8 };

static const struct sip_key secret = {1, 2};
static const struct cache_key key = {.text = SPAN_INIT("forward http://a:80/x")};

static const struct partial_options options = {
    .key = &key,
    .secret = &secret,
    .length = LENGTH,
    .joins = true,
};

static void read_table(struct span bytes)
{
    struct partial *parts = partial_decode(&options, bytes);
    struct buf again = BUF_INIT;

    if (parts) {
        partial_encode(parts, &again);
        CHECK(span_eq(buf_span(&again), bytes));
        buf_fini(&again);
    }
    partial_unref(&parts);
}

/* ---- the model: '.' a hole, 'c' claimed, 'h' here ---- */

struct model {
    char bytes[LENGTH + 1];
    struct partial *parts;
    struct piece *claims[CLAIMS];
};

static bool model_has(const struct model *model, uint64_t from, uint64_t to, const char *letters)
{
    for (uint64_t i = from; i < to; i++) {
        if (strchr(letters, model->bytes[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static void model_mark(struct model *model, struct piece_range range, char letter)
{
    memset(model->bytes + range.from, letter, (size_t)(range.to - range.from));
}

static void claim(struct model *model, struct piece **slot, uint64_t from, uint64_t to,
                  enum claim_where where)
{
    uint64_t hole = from;

    if (*slot) {
        return;
    }
    *slot = partial_claim(model->parts, from, to, where, 0);
    while (hole < to && model->bytes[hole] != '.' && where == CLAIM_AHEAD) {
        hole++;
    }
    bool expected = hole < to && model->bytes[hole] == '.';
    CHECK((*slot != NULL) == expected);
    if (*slot) {
        struct piece_range range = partial_range(model->parts, *slot);
        CHECK(range.from == hole && range.to > range.from && range.to <= to);
        CHECK(model_has(model, range.from, range.to, "."));
        CHECK(range.to == to || model->bytes[range.to] != '.');
        model_mark(model, range, 'c');
    }
}

/* It arrives, `length` bytes of it, and stays in memory. */
static void hold(struct model *model, struct piece **slot, uint64_t length)
{
    static const struct http_fields none = {0};
    static const struct freshness freshness = {0};
    static const char zeros[LENGTH];
    struct http_head head = {.status = 206, .framing = BODY_LENGTH, .content_length = -1};

    if (*slot == NULL) {
        return;
    }
    struct piece_range range = partial_range(model->parts, *slot);
    length = length < range.to - range.from ? length : range.to - range.from;
    struct spool *spool = spool_new(&(struct spool_options){.expected = -1, .limit = 1 << 20});
    struct object *object = object_new(&key, &head, &none, &freshness, spool);
    spool_keep(spool, 1 << 20);
    partial_arrives(model->parts, *slot, object, 0);
    spool_append(spool, span_of(zeros, (size_t)length));
    partial_held(model->parts, *slot, length);
    spool_end(spool, 0);
    object_unref(&object);
    piece_unref(slot);
    model_mark(model, range, '.');
    model_mark(model, (struct piece_range){range.from, range.from + length}, 'h');
}

static void forget(struct model *model, struct piece **slot)
{
    if (*slot) {
        model_mark(model, partial_range(model->parts, *slot), '.');
        partial_forget(model->parts, *slot);
        piece_unref(slot);
    }
}

static void compare(const struct model *model, uint64_t from, uint64_t to)
{
    struct piece_range ranges[LENGTH];
    size_t count = partial_ranges(model->parts, ranges, LENGTH);
    uint64_t at = 0;

    CHECK(partial_covers(model->parts, from, to, false) == model_has(model, from, to, "h"));
    CHECK(partial_covers(model->parts, from, to, true) == model_has(model, from, to, "hc"));
    for (size_t i = 0; i < count; i++) {
        CHECK(model_has(model, at, ranges[i].from, ".c"));
        CHECK(model_has(model, ranges[i].from, ranges[i].to, "h"));
        at = ranges[i].to;
    }
    CHECK(model_has(model, at, LENGTH, ".c"));
}

static void play(const uint8_t *data, size_t size)
{
    struct model model = {.parts = partial_new(&options)};

    memset(model.bytes, '.', LENGTH);
    for (; size >= 3; data += 3, size -= 3) {
        struct piece **slot = &model.claims[data[0] / 8 % CLAIMS];
        uint64_t a = data[1] % LENGTH, b = data[2] % (LENGTH + 1);
        uint64_t from = a < b ? a : b, to = a < b ? b : a;
        switch (data[0] % 8) {
        case 0:
        case 1:
            claim(&model, slot, from, to, CLAIM_AHEAD);
            break;
        case 2:
            claim(&model, slot, from, to, CLAIM_HERE);
            break;
        case 3:
            forget(&model, slot);
            break;
        default:
            hold(&model, slot, data[1]);
            break;
        }
        compare(&model, from, to);
    }
    for (size_t i = 0; i < CLAIMS; i++) {
        piece_unref(&model.claims[i]);
    }
    partial_unref(&model.parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] % 2) {
        play(data + 1, size - 1);
    } else if (size > 0) {
        read_table(span_of(data + 1, size - 1));
    }
    return 0;
}
