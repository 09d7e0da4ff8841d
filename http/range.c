#include "http/range.h"

#include "base/check.h"
#include "http/put.h"

/* Parses the number at the start of *rest, saturating. False: there is no digit. */
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

/* One range as sent: "first-last", "first-" or "-suffix". */
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

/* Resolves a range for a representation. False: it is not satisfiable. */
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

/* Do the ranges overlap or adjoin? All ends are below a length, so nothing overflows. */
static bool touches(struct byte_range a, struct byte_range b)
{
    return a.first <= b.last + 1 && b.first <= a.last + 1;
}

static struct byte_range joined(struct byte_range a, struct byte_range b)
{
    return (struct byte_range){a.first < b.first ? a.first : b.first,
                               a.last > b.last ? a.last : b.last};
}

/* The requested ranges while they are parsed. */
struct range_set {
    size_t specs; /* ranges parsed so far */
    uint64_t sum; /* bytes of all satisfiable ranges; overlapping bytes count several times */
    size_t count;
    struct byte_range at[RANGE_SPECS_MAX];
};

static void remove_at(struct range_set *set, size_t i)
{
    set->count--;
    memmove(&set->at[i], &set->at[i + 1], (set->count - i) * sizeof(set->at[i]));
}

static void insert_at(struct range_set *set, size_t i, struct byte_range range)
{
    memmove(&set->at[i + 1], &set->at[i], (set->count - i) * sizeof(range));
    set->at[i] = range;
    set->count++;
}

/* Adds a range at the position of the earliest range that it touches, merged with all it touches.
 * There is room, as there are never more ranges than parsed specs. */
static void add_coalesced(struct range_set *set, struct byte_range range)
{
    size_t place = set->count;
    size_t i = 0;

    while (i < set->count) {
        if (!touches(range, set->at[i])) {
            i++;
            continue;
        }
        range = joined(range, set->at[i]);
        place = i < place ? i : place;
        remove_at(set, i);
        i = 0; /* the merged range may touch ranges that it did not touch before */
    }
    insert_at(set, place, range);
}

/* Adds one range. False: the whole Range field is ignored. */
static bool add_spec(struct range_set *set, const struct range_spec *spec, uint64_t length)
{
    struct byte_range range;

    /* a suffix of an empty representation is empty, which no 206 can express: send the whole
     * representation */
    if (length == 0 && !spec->has_first && spec->last > 0) {
        return false;
    }
    if (!spec_resolve(spec, length, &range)) {
        return true;
    }
    uint64_t left = length - set->sum;
    if (range.last - range.first >= left) {
        return false;
    }
    set->sum += range.last - range.first + 1;
    add_coalesced(set, range);
    return true;
}

/* Parses the next range; false at the end. A malformed range makes the whole field invalid (RFC
 * 9110 14.2 allows to ignore it), and so does one too many: *spoilt. */
static bool next_spec(struct list_members *it, size_t *specs, struct range_spec *spec, bool *spoilt)
{
    struct span member;

    if (!list_next(it, &member)) {
        return false;
    }
    *spoilt = ++*specs > RANGE_SPECS_MAX || !spec_parse(member, spec);
    return !*spoilt;
}

/* Removes the unit. False: it is not "bytes", which is compared without regard to case (RFC 9110
 * 14.1). */
static bool take_unit(struct span *value)
{
    return span_ieq(span_cut(value, '='), SPAN("bytes"));
}

enum range_result range_parse(struct span value, uint64_t length, struct byte_ranges *out)
{
    struct range_set set;
    struct range_spec spec;
    bool spoilt = false;

    out->count = 0;
    if (!take_unit(&value)) {
        return RANGE_IGNORE;
    }
    set.specs = set.count = 0;
    set.sum = 0;
    struct list_members it = list_members_of(value);
    while (next_spec(&it, &set.specs, &spec, &spoilt)) {
        if (!add_spec(&set, &spec, length)) {
            return RANGE_IGNORE;
        }
    }
    if (spoilt || set.specs == 0 || set.count > RANGES_MAX) {
        return RANGE_IGNORE;
    }
    out->count = set.count;
    memcpy(out->at, set.at, set.count * sizeof(set.at[0]));
    return set.count ? RANGE_OK : RANGE_UNSATISFIABLE;
}

static enum range_form form_of(const struct range_spec *spec)
{
    if (!spec->has_first) {
        return RANGE_FORM_SUFFIX;
    }
    return spec->has_last ? RANGE_FORM_CLOSED : RANGE_FORM_OPEN;
}

struct range_wish range_read(struct span value)
{
    struct range_spec spec = {0};
    size_t specs = 0;
    bool spoilt = false;

    if (!take_unit(&value)) {
        return (struct range_wish){RANGE_FORM_NONE, 0, 0};
    }
    struct list_members it = list_members_of(value);
    while (next_spec(&it, &specs, &spec, &spoilt)) {
    }
    if (spoilt || specs == 0) {
        return (struct range_wish){RANGE_FORM_NONE, 0, 0};
    }
    if (specs > 1) {
        return (struct range_wish){RANGE_FORM_SEVERAL, 0, 0};
    }
    return (struct range_wish){form_of(&spec), spec.first, spec.last};
}

struct span range_format(const struct range_wish *wish, struct arena *arena)
{
    char *text = arena_alloc(arena, sizeof("bytes=-") + 2 * (size_t)PUT_NUMBER_MAX);
    char *at = put_span(text, SPAN("bytes="));

    CHECK(wish->form != RANGE_FORM_NONE && wish->form != RANGE_FORM_SEVERAL);
    if (wish->form != RANGE_FORM_SUFFIX) {
        at = put_number(at, wish->first);
    }
    *at++ = '-';
    if (wish->form != RANGE_FORM_OPEN) {
        at = put_number(at, wish->last);
    }
    return span_from_to(text, at);
}

/* Parses "/123" or "/\*" up to the end of the text. */
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

struct span content_range_unsatisfied(uint64_t length, struct arena *arena)
{
    char *text = arena_alloc(arena, sizeof("bytes */") + PUT_NUMBER_MAX);

    return span_from_to(text, put_number(put_span(text, SPAN("bytes */")), length));
}
