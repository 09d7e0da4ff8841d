/* Text of a record, a name or a pattern: what parses can be written and is read back the same. */
#include "base/check.h"
#include "dnsredir/config/pattern.h"
#include "dnsredir/message/rrset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct name root = {.len = 1};
    static struct record record;
    struct name name, again;
    struct pattern pattern;
    const char *what;
    char text[NAME_TEXT_MAX];
    char expanded[PATTERN_TEXT_MAX];

    record_parse(span_of(data, size), &root, &record, &what);
    if (name_parse_absolute(span_of(data, size), &name) == 0) {
        CHECK(name_parse_absolute(span_str(name_text(&name, text)), &again) == 0);
        CHECK(name_eq(&name, &again));
    }
    if (pattern_parse(span_of(data, size), &pattern, &what) == 0) {
        CHECK(pattern_name(&pattern, 0, expanded).len < sizeof(expanded));
        CHECK(pattern_name(&pattern, pattern.name_count - 1, expanded).len < sizeof(expanded));
    }
    return 0;
}
