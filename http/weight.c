#include "http/weight.h"

/* Parses a weight such as "0.8" into thousandths. 0: it is malformed. */
static unsigned read_weight(struct span text)
{
    unsigned weight = 0, digit = WEIGHT_MAX;

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
        weight += (unsigned)(text.at[i] - '0') * digit;
        digit /= 10;
    }
    return weight <= WEIGHT_MAX ? weight : 0;
}

unsigned weight_of_member(struct span member, struct span *what)
{
    struct span rest = member;

    *what = span_trim(span_cut(&rest, ';'));
    while (rest.len) {
        struct span value = span_trim(span_cut(&rest, ';'));
        struct span name = span_trim(span_cut(&value, '='));
        if (span_ieq(name, SPAN("q"))) {
            return read_weight(span_trim(value));
        }
    }
    return WEIGHT_MAX;
}
