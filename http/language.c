#include "http/language.h"

enum { QUALITY_MAX = 1000, TAG_MAX = 35 };

static bool is_alphanumeric(char c)
{
    char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || ascii_is_digit(c);
}

bool language_is_tag(struct span text)
{
    if (text.len == 0 || text.len > TAG_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        bool inside = i > 0 && i + 1 < text.len;
        if (!is_alphanumeric(text.at[i]) && !(inside && text.at[i] == '-')) {
            return false;
        }
    }
    return true;
}

/* "0.8" as 800; what is no quality counts as none. */
static unsigned quality_of(struct span text)
{
    unsigned quality = 0, digit = QUALITY_MAX;

    if (text.len == 0 || text.len > 5 || (text.len > 1 && text.at[1] != '.')) {
        return 0;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (i == 1) {
            continue;
        }
        if (!ascii_is_digit(text.at[i])) {
            return 0;
        }
        quality += (unsigned)(text.at[i] - '0') * digit;
        digit /= 10;
    }
    return quality <= QUALITY_MAX ? quality : 0;
}

/* "de-AT;q=0.7": its range, and how much it is wanted. */
static unsigned read_member(struct span member, struct span *range)
{
    struct span rest = member;

    *range = span_trim(span_cut(&rest, ';'));
    while (rest.len) {
        struct span value = span_trim(span_cut(&rest, ';'));
        struct span name = span_trim(span_cut(&value, '='));
        if (span_ieq(name, SPAN("q"))) {
            return quality_of(span_trim(value));
        }
    }
    return QUALITY_MAX;
}

/* The range, then without its last part, and so on. `count` when none is there. */
static size_t lookup(struct span range, const struct span *tags, size_t count)
{
    while (range.len) {
        for (size_t i = 0; i < count; i++) {
            if (span_ieq(tags[i], range)) {
                return i;
            }
        }
        size_t len = range.len;
        while (len > 0 && range.at[len - 1] != '-') {
            len--;
        }
        range.len = len > 0 ? len - 1 : 0;
    }
    return count;
}

size_t language_best(const struct http_fields *fields, const struct span *tags, size_t count,
                     size_t fallback)
{
    struct list_members it = list_members(fields, FIELD_ACCEPT_LANGUAGE);
    struct span member, range;
    unsigned wanted = 0;
    size_t best = fallback;

    for (int i = 0; i < LANGUAGE_RANGES_MAX && list_next(&it, &member); i++) {
        unsigned quality = read_member(member, &range);
        size_t found = span_eq(range, SPAN("*")) ? fallback : lookup(range, tags, count);
        if (found < count && quality > wanted) {
            wanted = quality;
            best = found;
        }
    }
    return best;
}
