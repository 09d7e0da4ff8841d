#include "http/range.h"

#include "http/put.h"

/* The number at the start of *rest, saturating. False when there is no digit. */
static bool take_number(struct span *rest, uint64_t *number)
{
    uint64_t value = 0;
    size_t i = 0;

    for (; i < rest->len && ascii_is_digit(rest->at[i]); i++) {
        uint64_t digit = (uint64_t)(rest->at[i] - '0');
        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    *rest = span_skip(*rest, i);
    *number = value;
    return i > 0;
}

static bool take_char(struct span *rest, char c)
{
    if (rest->len == 0 || rest->at[0] != c) {
        return false;
    }
    *rest = span_skip(*rest, 1);
    return true;
}

/* "first-last", "first-" or "-suffix", as sent. */
struct range_spec {
    bool has_first, has_last;
    uint64_t first, last;
};

static bool spec_parse(struct span text, struct range_spec *out)
{
    out->has_first = take_number(&text, &out->first);
    if (!take_char(&text, '-')) {
        return false;
    }
    out->has_last = take_number(&text, &out->last);
    if (text.len || (!out->has_first && !out->has_last)) {
        return false;
    }
    return !out->has_first || !out->has_last || out->first <= out->last;
}

/* False when nothing of the representation is in the range. */
static bool spec_resolve(const struct range_spec *spec, uint64_t length, struct byte_range *out)
{
    if (length == 0) {
        return false;
    }
    if (!spec->has_first) {
        out->first = spec->last < length ? length - spec->last : 0;
        out->last = length - 1;
        return spec->last > 0;
    }
    out->first = spec->first;
    out->last = spec->has_last && spec->last < length ? spec->last : length - 1;
    return spec->first < length;
}

/* Overlapping, or one ends where the other begins. All ends are below a length: no overflow. */
static bool touches(struct byte_range a, struct byte_range b)
{
    return a.first <= b.last + 1 && b.first <= a.last + 1;
}

static struct byte_range joined(struct byte_range a, struct byte_range b)
{
    return (struct byte_range){a.first < b.first ? a.first : b.first,
                               a.last > b.last ? a.last : b.last};
}

static void remove_at(struct byte_ranges *ranges, size_t i)
{
    ranges->count--;
    memmove(&ranges->at[i], &ranges->at[i + 1], (ranges->count - i) * sizeof(ranges->at[i]));
}

static void insert_at(struct byte_ranges *ranges, size_t i, struct byte_range range)
{
    memmove(&ranges->at[i + 1], &ranges->at[i], (ranges->count - i) * sizeof(range));
    ranges->at[i] = range;
    ranges->count++;
}

/* Adds a range, joined with all it touches, at the place of the earliest of them. There is room:
 * no more ranges come in than were asked for. */
static void add_coalesced(struct byte_ranges *out, struct byte_range range)
{
    size_t place = out->count;
    size_t i = 0;

    while (i < out->count) {
        if (!touches(range, out->at[i])) {
            i++;
            continue;
        }
        range = joined(range, out->at[i]);
        place = i < place ? i : place;
        remove_at(out, i);
        i = 0; /* it has grown and may touch what it did not touch before */
    }
    insert_at(out, place, range);
}

/* A set is refused as a whole when one member is malformed (RFC 9110 14.2 allows to ignore it). */
static bool read_set(struct span set, uint64_t length, struct byte_ranges *out, size_t *specs)
{
    struct list_members it = list_members_of(set);
    struct range_spec spec;
    struct byte_range range;
    struct span member;

    while (list_next(&it, &member)) {
        if (++*specs > RANGES_MAX || !spec_parse(member, &spec)) {
            return false;
        }
        /* Of nothing the last n bytes are nothing, and no 206 can say so: give it whole. */
        if (length == 0 && !spec.has_first && spec.last > 0) {
            return false;
        }
        if (spec_resolve(&spec, length, &range)) {
            add_coalesced(out, range);
        }
    }
    return *specs > 0;
}

enum range_result range_parse(struct span value, uint64_t length, struct byte_ranges *out)
{
    struct span unit = span_cut(&value, '=');
    size_t specs = 0;

    out->count = 0;
    if (!span_ieq(unit, SPAN("bytes")) || !read_set(value, length, out, &specs)) {
        out->count = 0;
        return RANGE_IGNORE;
    }
    return out->count ? RANGE_OK : RANGE_UNSATISFIABLE;
}

/* "/123" or "/\*", and the end. */
static bool take_length(struct span rest, int64_t *length)
{
    uint64_t number;

    if (!take_char(&rest, '/')) {
        return false;
    }
    if (span_eq(rest, SPAN("*"))) {
        *length = -1;
        return true;
    }
    if (!span_to_u64(rest, INT64_MAX, &number)) {
        return false;
    }
    *length = (int64_t)number;
    return true;
}

bool content_range_parse(struct span value, struct byte_range *range, int64_t *length,
                         bool *unsatisfied)
{
    const struct span unit = SPAN("bytes ");
    struct span rest = span_skip(value, unit.len);

    *unsatisfied = false;
    *range = (struct byte_range){0};
    if (!span_ieq(span_take(value, unit.len), unit)) {
        return false;
    }
    if (take_char(&rest, '*')) {
        *unsatisfied = true;
        return take_length(rest, length) && *length >= 0;
    }
    if (!take_number(&rest, &range->first) || !take_char(&rest, '-') ||
        !take_number(&rest, &range->last) || !take_length(rest, length)) {
        return false;
    }
    return range->first <= range->last && range->last < INT64_MAX &&
           (*length < 0 || range->last < (uint64_t)*length);
}

struct span content_range_format(struct byte_range range, int64_t length, struct arena *arena)
{
    char *text = arena_alloc(arena, sizeof("bytes -/") + 3 * (size_t)PUT_NUMBER_MAX);
    char *at = put_span(text, SPAN("bytes "));

    at = put_number(at, range.first);
    *at++ = '-';
    at = put_number(at, range.last);
    *at++ = '/';
    at = length < 0 ? put_span(at, SPAN("*")) : put_number(at, (uint64_t)length);
    return span_from_to(text, at);
}
