/* The first eight bytes are the length; ranges lie within it and do not touch one another. What is
 * written is read back as the same, and reading with and without the length agree. */
#include "base/check.h"
#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ranges(const struct byte_ranges *ranges, uint64_t length)
{
    for (size_t i = 0; i < ranges->count; i++) {
        struct byte_range a = ranges->at[i];
        CHECK(a.first <= a.last && a.last < length);
        for (size_t j = 0; j < i; j++) {
            struct byte_range b = ranges->at[j];
            CHECK(a.first > b.last + 1 || b.first > a.last + 1);
        }
    }
}

static void check_content_range(struct span value)
{
    struct byte_range range, again;
    int64_t length, same;
    bool unsatisfied;
    struct arena arena;

    if (!content_range_parse(value, &range, &length, &unsatisfied)) {
        return;
    }
    arena_init(&arena, NULL, 0);
    if (unsatisfied) {
        value = content_range_unsatisfied((uint64_t)length, &arena);
    } else {
        CHECK(range.first <= range.last && (length < 0 || range.last < (uint64_t)length));
        value = content_range_format(range, length, &arena);
    }
    bool was = unsatisfied;
    CHECK(content_range_parse(value, &again, &same, &unsatisfied));
    CHECK(was == unsatisfied && same == length);
    CHECK(again.first == range.first && again.last == range.last);
    arena_fini(&arena);
}

/* The ranges of one that is written again are those of the one that was read. */
static void check_wish(struct span value, uint64_t length, enum range_result result,
                       const struct byte_ranges *ranges)
{
    struct range_wish wish = range_read(value);
    struct byte_ranges again;
    struct arena arena;

    CHECK(wish.form != RANGE_FORM_NONE || result == RANGE_IGNORE);
    if (wish.form == RANGE_FORM_NONE || wish.form == RANGE_FORM_SEVERAL) {
        return;
    }
    arena_init(&arena, NULL, 0);
    CHECK(range_parse(range_format(&wish, &arena), length, &again) == result);
    CHECK(again.count == ranges->count);
    CHECK(again.count == 0 ||
          (again.at[0].first == ranges->at[0].first && again.at[0].last == ranges->at[0].last));
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct byte_ranges ranges;
    uint64_t length;

    if (size < sizeof(length)) {
        return 0;
    }
    memcpy(&length, data, sizeof(length));
    struct span value = span_of(data + sizeof(length), size - sizeof(length));
    enum range_result result = range_parse(value, length, &ranges);
    CHECK((result == RANGE_OK) == (ranges.count > 0));
    CHECK(ranges.count <= RANGES_MAX);
    check_ranges(&ranges, length);
    check_wish(value, length, result, &ranges);
    check_content_range(value);
    return 0;
}
