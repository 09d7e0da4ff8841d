/* The first eight bytes are the length; ranges lie within it and do not touch one another. */
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
    struct byte_range range;
    int64_t length;
    bool unsatisfied;

    if (content_range_parse(value, &range, &length, &unsatisfied) && !unsatisfied) {
        CHECK(range.first <= range.last && (length < 0 || range.last < (uint64_t)length));
    }
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
    check_ranges(&ranges, length);
    check_content_range(value);
    return 0;
}
