#include "dnsredir/config/pattern.h"

#include "base/check.h"
#include "base/err.h"

#include <stdio.h>

#define NUMBER_DIGITS 9

/* Parses "1-24" between the brackets. */
static const char *range_parse(struct span text, struct pattern_range *out)
{
    struct span last = text;
    struct span first = span_cut(&last, '-');
    uint64_t low;
    uint64_t high;

    if (first.len > NUMBER_DIGITS || last.len > NUMBER_DIGITS ||
        !span_to_u64(first, UINT32_MAX, &low) || !span_to_u64(last, UINT32_MAX, &high)) {
        return "expected a range of numbers such as [1-24]";
    }
    if (low > high) {
        return "the range ends before it begins";
    }
    if (first.len > 1 && first.at[0] == '0' && first.len != last.len) {
        return "with leading zeros both ends of a range have the same number of digits";
    }
    out->first = (uint32_t)low;
    out->last = (uint32_t)high;
    out->width = (uint8_t)(first.at[0] == '0' ? first.len : 1);
    return NULL;
}

static const char *add_range(struct pattern *pattern, size_t at, size_t len)
{
    if (pattern->range_count == PATTERN_RANGES) {
        return "more than 8 ranges in one name";
    }
    struct pattern_range *range = &pattern->ranges[pattern->range_count++];
    const char *fault = range_parse(span_of(pattern->text.at + at + 1, len - 2), range);

    if (fault) {
        return fault;
    }
    range->at = at;
    range->len = len;
    uint64_t count = (uint64_t)pattern->name_count * (range->last - range->first + UINT64_C(1));
    if (count > PATTERN_NAMES_MAX) {
        return "a pattern stands for at most 65536 names";
    }
    pattern->name_count = (uint32_t)count;
    return NULL;
}

int pattern_parse(struct span text, struct pattern *out, const char **what)
{
    *out = (struct pattern){.text = text, .name_count = 1};
    *what = text.len >= PATTERN_TEXT_MAX / 2 ? "the name is too long" : NULL;
    for (size_t at = 0; at < text.len && !*what; at++) {
        if (text.at[at] == '\\') {
            at++;
        } else if (text.at[at] == ']') {
            *what = "] without [";
        } else if (text.at[at] == '[') {
            size_t len = span_find(span_skip(text, at), ']') + 1;
            *what = at + len > text.len ? "[ without ]" : add_range(out, at, len);
            at += len - 1;
        }
    }
    return *what ? ERR_SYNTAX : 0;
}

struct span pattern_name(const struct pattern *pattern, uint32_t number, char *out)
{
    uint32_t values[PATTERN_RANGES];
    char *to = out;
    size_t from = 0;

    CHECK(number < pattern->name_count);
    for (unsigned i = pattern->range_count; i-- > 0;) {
        const struct pattern_range *range = &pattern->ranges[i];
        uint32_t size = range->last - range->first + 1;
        values[i] = range->first + number % size;
        number /= size;
    }
    for (unsigned i = 0; i < pattern->range_count; i++) {
        const struct pattern_range *range = &pattern->ranges[i];
        memcpy(to, pattern->text.at + from, range->at - from);
        to += range->at - from;
        to += sprintf(to, "%0*u", range->width, values[i]);
        from = range->at + range->len;
    }
    memcpy(to, pattern->text.at + from, pattern->text.len - from);
    return span_from_to(out, to + (pattern->text.len - from));
}
