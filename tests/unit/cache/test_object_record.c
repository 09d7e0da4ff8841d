#include "cache/store/object.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

#include <criterion/criterion.h>

static struct span encode(const struct record *record, struct span body)
{
    size_t size = record_size(record);
    char *at = xmalloc(size);
    char *to = record_write(at, record);

    if (body.len) {
        memcpy(to, body.at, body.len);
    }
    record_seal(at, size);
    return span_of(at, size);
}

static void release(struct span value)
{
    char *at;

    memcpy(&at, &value.at, sizeof(at));
    free(at);
}

static const struct store_chunk two_chunks[] = {
    {.segment = 1, .number = 2, .len = STORE_CHUNK, .sum = 3},
    {.segment = 1, .number = 3, .len = 10, .sum = 4},
};

Test(record, comes_back_as_it_was_written)
{
    struct record put = {.kind = RECORD_OBJECT,
                         .hash = "0123456789abcde",
                         .body_len = 4,
                         .key = SPAN("key"),
                         .head = SPAN("the head")};
    struct span value = encode(&put, SPAN("body"));
    struct record got;

    cr_assert_eq(record_read(value, &got), 0);
    cr_expect_eq(record_verify(value, &got), 0);
    cr_expect(span_eq(got.key, put.key) && span_eq(got.head, put.head));
    cr_expect(span_eq(got.body, SPAN("body")));
    cr_expect_eq(memcmp(got.hash, put.hash, STORE_HASH), 0);
    release(value);
}

Test(record, with_chunks_lends_its_table)
{
    struct record put = {.kind = RECORD_OBJECT,
                         .body_len = STORE_CHUNK + 10,
                         .key = SPAN("key"),
                         .chunks = two_chunks,
                         .chunk_count = 2};
    struct span value = encode(&put, SPAN_EMPTY);
    struct record got;

    cr_assert_eq(record_read(value, &got), 0);
    cr_expect_eq(record_verify(value, &got), 0);
    cr_expect_eq(got.chunk_count, 2);
    cr_expect_eq(got.chunks[1].len, 10);
    cr_expect_eq(got.body.len, 0);
    release(value);

    put.body_len++; /* a table that does not add up, with a sum that holds */
    value = encode(&put, SPAN_EMPTY);
    cr_assert_eq(record_read(value, &got), 0);
    cr_expect_eq(record_verify(value, &got), ERR_CORRUPT);
    release(value);
}

/* Whatever bit is flipped and wherever the value is cut, it is refused and nothing outside is read.
 */
/* Where a byte of the body lies follows from its offset alone. */
Test(record, only_the_last_chunk_may_be_short)
{
    const struct store_chunk chunks[] = {two_chunks[1], two_chunks[0]};
    struct record put = {
        .kind = RECORD_OBJECT, .body_len = STORE_CHUNK + 10, .chunks = chunks, .chunk_count = 2};
    struct span value = encode(&put, SPAN_EMPTY);
    struct record got;

    cr_assert_eq(record_read(value, &got), 0);
    cr_expect_eq(record_verify(value, &got), ERR_CORRUPT);
    release(value);
}

Test(record, no_damaged_record_passes)
{
    struct record put = {.kind = RECORD_OBJECT,
                         .body_len = STORE_CHUNK + 10,
                         .key = SPAN("a key"),
                         .head = SPAN("and a head"),
                         .chunks = two_chunks,
                         .chunk_count = 2};
    struct span value = encode(&put, SPAN_EMPTY);
    struct record got;

    for (size_t bit = 0; bit < value.len * 8; bit++) {
        char *copy = xmalloc(value.len);
        memcpy(copy, value.at, value.len);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        struct span bad = span_of(copy, value.len);
        int err = record_read(bad, &got);
        cr_expect_eq(err ? err : record_verify(bad, &got), ERR_CORRUPT, "bit %zu", bit);
        free(copy);
    }
    for (size_t len = 0; len < value.len; len++) {
        char *copy = xstrndup(value.at, len);
        cr_expect_eq(record_read(span_of(copy, len), &got), ERR_CORRUPT, "cut at %zu", len);
        free(copy);
    }
    release(value);
}

Test(location, no_damaged_location_passes)
{
    static const uint8_t hash[STORE_HASH] = "fedcba987654321", other[STORE_HASH] = "another";
    struct location put = {.segment = 1, .object = 2, .meta_len = 3, .meta = {7, 8, 9}}, got;
    uint8_t bytes[LOCATION_MAX];
    size_t len = location_write(&put, hash, bytes);

    cr_expect_eq(location_read(span_of(bytes, len), hash, &got), 0);
    cr_expect(got.segment == 1 && got.object == 2 && got.meta_len == 3 && got.meta[2] == 9);
    cr_expect_eq(location_read(span_of(bytes, len), other, &got), ERR_CORRUPT, "of another key");
    for (size_t bit = 0; bit < len * 8; bit++) {
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1 << bit % 8);
        cr_expect_eq(location_read(span_of(bytes, len), hash, &got), ERR_CORRUPT, "bit %zu", bit);
        bytes[bit / 8] = (uint8_t)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t n = 0; n < len; n++) {
        cr_expect_eq(location_read(span_of(bytes, n), hash, &got), ERR_CORRUPT, "cut at %zu", n);
    }
}
