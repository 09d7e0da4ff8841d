/* conf_lengths - the type of a directive that says how much of an address counts. */
#include "base/conf.h"

#include "base/err.h"

static int parse(struct span text, struct arena *arena, void *out, const char **what)
{
    struct prefix_lengths *lengths = out;
    struct span second = text;
    struct span first = span_cut(&second, '/');
    uint64_t v4, v6;

    if (first.len == text.len) {
        *what = "only one length is given";
        return ERR_SYNTAX;
    }
    if (!span_to_u64(first, 32, &v4)) {
        *what = "the first is not the length of an IPv4 prefix, 0 to 32";
        return ERR_SYNTAX;
    }
    if (!span_to_u64(second, 128, &v6)) {
        *what = "the second is not the length of an IPv6 prefix, 0 to 128";
        return ERR_SYNTAX;
    }
    *lengths = (struct prefix_lengths){(uint8_t)v4, (uint8_t)v6};
    return 0;
}

const struct conf_custom conf_prefix_lengths = {
    .expected = "two prefix lengths, of IPv4 and IPv6, such as 24/56",
    .size = sizeof(struct prefix_lengths),
    .parse = parse,
};
