/* A date that parses is written as the same date. */
#include "base/check.h"
#include "http/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int64_t now = 1795334400;
    int64_t when = date_parse(span_of(data, size), now);
    char text[DATE_LEN];

    CHECK(when >= -1);
    if (when >= 0) {
        date_format(when, text);
        CHECK(date_parse(span_of(text, DATE_LEN), now) == when || when > 253402300799);
    }
    return 0;
}
