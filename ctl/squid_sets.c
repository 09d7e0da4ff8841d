/* Translates values of acl lines to Larder's syntax, and intersects two lists of them. */
#include "ctl/squid.h"

#include "base/prefix.h"

#include <inttypes.h>
#include <stdio.h>

static void put_item(struct buf *items, struct span item)
{
    buf_append(items, item);
    buf_append(items, SPAN("\0"));
}

static void put_prefix(struct buf *items, const struct prefix *prefix)
{
    char text[PREFIX_TEXT_MAX];

    put_item(items, span_str(prefix->bits == 128 ? ip_text(&prefix->ip, text)
                                                 : prefix_text(prefix, text)));
}

/* ---- names ---- */

bool squid_is_host(struct span name)
{
    size_t label = 0;

    for (size_t i = 0; i < name.len; i++) {
        char c = ascii_lower(name.at[i]);
        bool letter = (c >= 'a' && c <= 'z') || ascii_is_digit(c) || c == '_';
        if (!(letter || (label && (c == '-' || c == '.')))) {
            return false;
        }
        label = c == '.' ? 0 : label + 1;
        if (label > 63) {
            return false;
        }
    }
    return label > 0 && name.len <= 253;
}

/* ---- addresses of clients ---- */

/* Number of bits (of 128) of a mask such as 255.255.0.0; -1: it is not the mask of a network. */
static int mask_bits(const struct ip *mask, bool v4)
{
    unsigned i = v4 ? 96 : 0, count = i;

    while (i < 128 && mask->at[i / 8] & (0x80 >> (i % 8))) {
        i++;
        count++;
    }
    for (; i < 128; i++) {
        if (mask->at[i / 8] & (0x80 >> (i % 8))) {
            return -1;
        }
    }
    return (int)count;
}

/* Parses "8", "255.0.0.0" or nothing behind an address. */
static int length_of(struct span mask, bool v4)
{
    uint64_t bits;
    struct ip ip;

    if (mask.len == 0) {
        return 128;
    }
    if (span_to_u64(mask, v4 ? 32 : 128, &bits)) {
        return (int)bits + (v4 ? 96 : 0);
    }
    return ip_parse(mask, &ip) == 0 && ip_is_v4(&ip) == v4 ? mask_bits(&ip, v4) : -1;
}

static bool put_network(struct span value, struct buf *items)
{
    struct span mask = value;
    struct span address = span_cut(&mask, '/');
    struct prefix prefix = {0};

    if (ip_parse(address, &prefix.ip) != 0) {
        return false;
    }
    int bits = length_of(mask, ip_is_v4(&prefix.ip));
    if (bits < 0) {
        return false;
    }
    prefix.bits = (uint8_t)bits;
    for (unsigned i = prefix.bits; i < 128; i++) { /* Squid ignores these bits */
        prefix.ip.at[i / 8] &= (uint8_t) ~(0x80 >> (i % 8));
    }
    put_prefix(items, &prefix);
    return true;
}

static unsigned bit_of(const struct ip *ip, unsigned i)
{
    return ip->at[i / 8] >> (7 - i % 8) & 1;
}

/* The last address of the network that begins at `ip` and has `bits` bits. */
static struct ip last_of(const struct ip *ip, unsigned bits)
{
    struct ip last = *ip;

    for (unsigned i = bits; i < 128; i++) {
        last.at[i / 8] |= (uint8_t)(0x80 >> (i % 8));
    }
    return last;
}

/* Advances to the next address. False: it was the last one. */
static bool increment(struct ip *ip)
{
    for (size_t i = sizeof(ip->at); i-- > 0;) {
        if (++ip->at[i]) {
            return true;
        }
    }
    return false;
}

/* Translates "10.0.0.1-10.0.0.9" to networks, each as large as possible. */
static bool put_range(struct span value, struct buf *items)
{
    struct span last = value;
    struct span first = span_cut(&last, '-');
    struct ip at, to;

    if (ip_parse(first, &at) != 0 || ip_parse(last, &to) != 0 || ip_is_v4(&at) != ip_is_v4(&to)) {
        return false;
    }
    unsigned least = ip_is_v4(&at) ? 96 : 0;
    while (memcmp(&at, &to, sizeof(at)) <= 0) {
        struct prefix prefix = {.ip = at, .bits = 128};
        struct ip end = at;
        while (prefix.bits > least && bit_of(&at, prefix.bits - 1u) == 0) {
            end = last_of(&at, prefix.bits - 1u);
            if (memcmp(&end, &to, sizeof(end)) > 0) {
                break;
            }
            prefix.bits--;
        }
        put_prefix(items, &prefix);
        at = last_of(&at, prefix.bits);
        if (!increment(&at)) {
            break;
        }
    }
    return true;
}

bool squid_put_source(struct span value, struct buf *items)
{
    if (span_eq(value, SPAN("ipv4"))) {
        put_item(items, SPAN("0.0.0.0/0"));
        return true;
    }
    if (span_eq(value, SPAN("ipv6"))) {
        put_item(items, SPAN("::/0"));
        return true;
    }
    return put_network(value, items) || put_range(value, items);
}

/* ---- ports ---- */

static bool read_port(struct span text, uint64_t *first, uint64_t *last)
{
    struct span end = text;
    struct span begin = span_cut(&end, '-');

    if (!span_to_u64(begin, UINT16_MAX, first)) {
        return false;
    }
    *last = *first;
    if (begin.len < text.len && !span_to_u64(end, UINT16_MAX, last)) {
        return false;
    }
    *first = *first ? *first : 1;
    return *last >= *first;
}

static void put_ports(struct buf *items, uint64_t first, uint64_t last)
{
    buf_printf(items, first == last ? "%" PRIu64 : "%" PRIu64 "-%" PRIu64, first, last);
    buf_append(items, SPAN("\0"));
}

bool squid_put_port(struct span value, struct buf *items)
{
    uint64_t first, last;

    if (!read_port(value, &first, &last)) {
        return false;
    }
    put_ports(items, first, last);
    return true;
}

/* ---- hours ---- */

/* Translates "MTWHF" to days; bit 0: Monday. 0: malformed. */
static unsigned read_days(struct span letters)
{
    static const char order[] = "MTWHFAS";
    unsigned days = 0;

    for (size_t i = 0; i < letters.len; i++) {
        const char *found = letters.at[i] ? strchr(order, letters.at[i]) : NULL;
        if (letters.at[i] == 'D') {
            days |= 0x1f;
        } else if (found) {
            days |= 1u << (found - order);
        } else if (letters.at[i] != '-') {
            return 0;
        }
    }
    return days;
}

static void put_days(struct buf *items, unsigned days)
{
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    const char *comma = "";

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!(days >> i & 1)) {
            continue;
        }
        size_t last = i;
        while (days >> (last + 1) & 1) {
            last++;
        }
        buf_printf(items, last > i ? "%s%s-%s" : "%s%s", comma, names[i], names[last]);
        comma = ",";
        i = last;
    }
}

static void put_window(struct buf *items, unsigned days, const char *times)
{
    bool some = days && days != 0x7f;

    if (some) {
        put_days(items, days);
        buf_printf(items, "%s", *times ? " " : "");
    }
    buf_printf(items, "%s", *times || some ? times : "00:00-24:00");
    buf_append(items, SPAN("\0"));
}

/* Translates "8:00-17:00" to "08:00-17:00". In Squid the end belongs to the range. */
static bool read_times(struct span text, char out[16], bool *inclusive)
{
    uint64_t at[4];
    struct span rest = text;

    for (size_t i = 0; i < 4; i++) {
        struct span number = span_cut(&rest, i == 1 ? '-' : ':');
        if (number.len > 2 || !span_to_u64(number, i % 2 ? 59 : 24, &at[i])) {
            return false;
        }
    }
    if (rest.len || at[0] * 60 + at[1] > at[2] * 60 + at[3] || at[2] * 60 + at[3] > 24ul * 60) {
        return false;
    }
    if (at[3] == 59) {
        at[2]++;
        at[3] = 0;
    } else if (at[2] < 24) {
        *inclusive = true;
    }
    if (at[0] * 60 + at[1] == at[2] * 60 + at[3]) {
        return false; /* Larder cannot express a single minute */
    }
    snprintf(out, 16, "%02u:%02u-%02u:%02u", (unsigned)at[0], (unsigned)at[1], (unsigned)at[2],
             (unsigned)at[3]);
    return true;
}

bool squid_put_hours(const struct squid_line *line, size_t from, struct buf *items, bool *inclusive)
{
    unsigned days = 0;
    char times[16];

    for (size_t i = from; i < line->count; i++) {
        struct span word = line->words[i];
        if (word.len && ascii_is_digit(word.at[0])) {
            if (!read_times(word, times, inclusive)) {
                return false;
            }
            put_window(items, days, times);
            days = 0;
        } else {
            unsigned more = read_days(word);
            days |= more;
            if (more == 0) {
                return false;
            }
        }
    }
    if (days) {
        put_window(items, days, "");
    }
    return true;
}

/* ---- intersections ---- */

enum { PAIRS_MAX = 1 << 20 };

static size_t count_items(struct span items)
{
    size_t count = 0;

    while (items.len) {
        span_cut(&items, '\0');
        count++;
    }
    return count;
}

static void both_sources(struct span a, struct span b, struct buf *out)
{
    struct prefix one, other;
    const char *what;

    if (prefix_parse(a, &one, &what) != 0 || prefix_parse(b, &other, &what) != 0) {
        return;
    }
    if (one.bits >= other.bits && prefix_has(&other, &one.ip)) {
        put_prefix(out, &one);
    } else if (prefix_has(&one, &other.ip) && other.bits >= one.bits) {
        put_prefix(out, &other);
    }
}

static void both_ports(struct span a, struct span b, struct buf *out)
{
    uint64_t first, last, from, to;

    if (read_port(a, &first, &last) && read_port(b, &from, &to)) {
        first = first > from ? first : from;
        last = last < to ? last : to;
        if (first <= last) {
            put_ports(out, first, last);
        }
    }
}

/* Does the set contain the name? "x" is x and the names below it, "=x" only x, "*.x" only the names
 * below it. */
static bool host_has(struct span set, struct span name, bool name_too)
{
    bool alone = span_starts(set, SPAN("=")), below = span_starts(set, SPAN("*."));
    struct span base = span_skip(set, alone ? 1 : below ? 2 : 0);

    if (span_eq(base, name)) {
        return name_too ? !below : !alone;
    }
    return !alone && name.len > base.len && span_ends(name, base) &&
           name.at[name.len - base.len - 1] == '.';
}

static struct span base_of(struct span item)
{
    return span_skip(item, span_starts(item, SPAN("="))    ? 1
                           : span_starts(item, SPAN("*.")) ? 2
                                                           : 0);
}

/* The pattern whose hosts the other one matches, too; empty: they have none in common. */
static struct span narrower(struct span a, struct span b)
{
    bool a_alone = span_starts(a, SPAN("=")), b_alone = span_starts(b, SPAN("="));

    if (span_eq(a, b)) {
        return a;
    }
    if (a_alone || b_alone) {
        struct span host = a_alone ? a : b;
        return host_has(a_alone ? b : a, base_of(host), true) ? host : SPAN_EMPTY;
    }
    if (span_eq(base_of(a), base_of(b))) {
        return span_starts(a, SPAN("*.")) ? a : b;
    }
    if (host_has(b, base_of(a), true)) {
        return a;
    }
    return host_has(a, base_of(b), true) ? b : SPAN_EMPTY;
}

static void both_hosts(struct span a, struct span b, struct buf *out)
{
    struct span both = narrower(a, b);

    if (both.len) {
        put_item(out, both);
    }
}

static void both_words(struct span a, struct span b, struct buf *out)
{
    if (span_eq(a, b) || span_eq(b, SPAN("*"))) {
        put_item(out, a);
    } else if (span_eq(a, SPAN("*"))) {
        put_item(out, b);
    }
}

bool squid_intersect(struct squid *squid, struct squid_part *part, const struct squid_part *other)
{
    static void (*const both[SQUID_KINDS])(struct span a, struct span b, struct buf * out) = {
        [SQUID_IS_FROM] = both_sources, [SQUID_IS_HOSTS] = both_hosts,
        [SQUID_IS_PORTS] = both_ports,  [SQUID_IS_METHODS] = both_words,
        [SQUID_IS_USERS] = both_words,
    };
    struct buf out = BUF_INIT;

    if (span_eq(part->items, other->items) && span_eq(part->files, other->files)) {
        return true;
    }
    if (part->files.len || other->files.len || !both[part->kind] ||
        count_items(part->items) * count_items(other->items) > PAIRS_MAX) {
        return false;
    }
    for (struct span left = part->items; left.len;) {
        struct span a = span_cut(&left, '\0');
        for (struct span right = other->items; right.len;) {
            both[part->kind](a, span_cut(&right, '\0'), &out);
        }
    }
    part->items = arena_copy(&squid->arena, buf_span(&out));
    buf_fini(&out);
    return true;
}
