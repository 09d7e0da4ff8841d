#include "http/language.h"

#include "http/weight.h"

enum { TAG_MAX = 35 };

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

/* Looks up the range, then the range without its last subtag, and so on (RFC 4647 3.4). `count`:
 * none matches. */
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
        unsigned quality = weight_of_member(member, &range);
        size_t found = span_eq(range, SPAN("*")) ? fallback : lookup(range, tags, count);
        if (found < count && quality > wanted) {
            wanted = quality;
            best = found;
        }
    }
    return best;
}
