#include "base/check.h"
#include "base/mem.h"
#include "dnsredir/steering/netmap.h"

#include <criterion/criterion.h>

static struct prefix prefix_of(const char *text)
{
    struct prefix prefix;
    const char *what;

    cr_assert_eq(prefix_parse(span_str(text), &prefix, &what), 0, "%s", text);
    return prefix;
}

static struct netmap_hit find(const struct netmap *map, const char *network)
{
    struct prefix prefix = prefix_of(network);
    return netmap_find(map, &prefix.ip, prefix.bits - (ip_is_v4(&prefix.ip) ? 96u : 0u));
}

static void set_bit(struct ip *ip, unsigned bit, bool value)
{
    uint8_t mask = (uint8_t)(0x80 >> bit % 8);

    ip->at[bit / 8] = (uint8_t)(value ? ip->at[bit / 8] | mask : ip->at[bit / 8] & ~mask);
}

Test(netmap, rfc7871_7_2_1_scopes)
{
    struct netmap_entry entries[] = {
        {prefix_of("10.0.0.0/8"), 1},        {prefix_of("10.1.0.0/16"), 2},
        {prefix_of("10.1.128.0/17"), 2},     {prefix_of("192.0.2.0/25"), 3},
        {prefix_of("192.0.2.128/25"), 3},    {prefix_of("198.51.100.7"), 4},
        {prefix_of("2001:db8::/32"), 5},     {prefix_of("2001:db8:ff::/48"), 6},
        {prefix_of("2001:db8:1::1/128"), 7},
    };
    static const struct {
        const char *what, *network;
        uint32_t value;
        uint8_t scope;
    } cases[] = {
        {"inside the longer prefix", "10.1.2.0/24", 2, 16},
        {"a nested prefix of the same value is no border", "10.1.200.0/24", 2, 16},
        {"beside the hole", "10.0.3.0/24", 1, 16},
        {"further away from the hole", "10.2.0.0/24", 1, 15},
        {"half of the prefix without holes", "10.128.0.0/24", 1, 9},
        {"siblings of one value are one block", "192.0.2.200/32", 3, 24},
        {"one address", "198.51.100.7", 4, 32},
        {"its neighbour", "198.51.100.6", 0, 32},
        {"its neighbours", "198.51.100.0/30", 0, 30},
        {"no prefix covers it", "11.0.0.0/24", 0, 8},
        {"far from every prefix", "64.0.0.0/24", 0, 2},
        {"a coarse query takes what covers all of it", "10.0.0.0/9", 1, 16},
        {"a coarse query that nothing covers", "192.0.0.0/16", 0, 23},
        {"IPv6", "2001:db8:2::/48", 5, 47},
        {"IPv6 inside", "2001:db8:ff:1::/64", 6, 48},
        {"IPv6 single address", "2001:db8:1::1", 7, 128},
        {"IPv6 coarse", "2001:db8::/40", 5, 48},
        {"IPv6 elsewhere", "3000::/16", 0, 4},
    };
    struct netmap *map = netmap_new(entries, ARRAY_LEN(entries), NULL, 0);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct netmap_hit hit = find(map, cases[i].network);
        cr_expect_eq(hit.value, cases[i].value, "%s: value %u", cases[i].what, hit.value);
        cr_expect_eq(hit.scope, cases[i].scope, "%s: scope %u", cases[i].what, hit.scope);
    }
    netmap_free(&map);
    cr_expect_null(map);
}

Test(netmap, the_first_layer_hides_the_second)
{
    struct netmap_entry first[] = {{prefix_of("10.0.0.0/8"), 1}, {prefix_of("10.9.0.0/16"), 2}};
    struct netmap_entry second[] = {{prefix_of("10.1.0.0/16"), 8}, {prefix_of("11.0.0.0/8"), 9}};
    struct netmap *map = netmap_new(first, 2, second, 2);

    cr_expect_eq(find(map, "10.1.0.0/24").value, 1);
    cr_expect_eq(find(map, "10.9.1.0/24").value, 2);
    cr_expect_eq(find(map, "11.1.0.0/24").value, 9);
    cr_expect_eq(find(map, "11.1.0.0/24").scope, 8);
    cr_expect_eq(find(map, "12.1.0.0/24").value, NETMAP_NONE);
    netmap_free(&map);
}

Test(netmap, an_empty_map_has_scope_0)
{
    struct netmap *map = netmap_new(NULL, 0, NULL, 0);

    cr_expect_eq(find(map, "10.0.0.0/24").scope, 0);
    cr_expect_eq(find(map, "2001:db8::/56").scope, 0);
    netmap_free(&map);
}

Test(netmap, the_whole_space_may_be_one_entry)
{
    struct netmap_entry entries[] = {{prefix_of("0.0.0.0/0"), 1}, {prefix_of("::/0"), 2}};
    struct netmap *map = netmap_new(entries, 2, NULL, 0);

    cr_expect_eq(find(map, "255.255.255.255").value, 1);
    cr_expect_eq(find(map, "255.255.255.255").scope, 1);
    cr_expect_eq(find(map, "ffff::/16").value, 2);
    netmap_free(&map);
}

/* An answer with scope 0 is "suitable as a response for all networks". */
Test(netmap, rfc7871_7_3_1_scope_0_is_for_both_families)
{
    struct netmap_entry v4[] = {{prefix_of("10.0.0.0/8"), 1}};
    struct netmap_entry v6[] = {{prefix_of("2001:db8::/32"), 1}};
    struct netmap_entry apart[] = {{prefix_of("0.0.0.0/0"), 1}, {prefix_of("::/0"), 2}};
    struct netmap_entry alike[] = {{prefix_of("0.0.0.0/0"), 1}, {prefix_of("::/0"), 1}};
    const struct {
        const char *what;
        const struct netmap_entry *entries;
        size_t count;
        const char *network;
        uint8_t scope;
    } cases[] = {
        {"only IPv4 has prefixes", v4, 1, "2001:db8::/48", 1},
        {"only IPv6 has", v6, 1, "10.0.0.0/24", 1},
        {"a value each", apart, 2, "10.0.0.0/24", 1},
        {"a value each", apart, 2, "ffff::/16", 1},
        {"one value for all", alike, 2, "10.0.0.0/24", 0},
        {"one value for all", alike, 2, "ffff::/16", 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (unsigned layer = 0; layer < 2; layer++) {
            const struct netmap_entry *entries = cases[i].entries;
            struct netmap *map = layer ? netmap_new(NULL, 0, entries, cases[i].count)
                                       : netmap_new(entries, cases[i].count, NULL, 0);
            struct netmap_hit hit = find(map, cases[i].network);
            cr_expect_eq(hit.scope, cases[i].scope, "%s: %s/%u", cases[i].what, cases[i].network,
                         hit.scope);
            netmap_free(&map);
        }
    }
}

Test(netmap, the_later_of_two_equal_prefixes_counts)
{
    struct netmap_entry entries[] = {{prefix_of("10.0.0.0/8"), 1}, {prefix_of("10.0.0.0/8"), 2}};
    struct netmap *map = netmap_new(entries, 2, NULL, 0);

    cr_expect_eq(find(map, "10.0.0.0/24").value, 2);
    netmap_free(&map);
}

Test(netmap, takes_no_memory_for_what_is_not_there)
{
    struct netmap_entry entries[200];
    size_t before = 0;

    for (size_t n = 0; n < ARRAY_LEN(entries); n++) {
        entries[n] = (struct netmap_entry){prefix_of("10.0.1.0/24"), 1};
        entries[n].prefix.ip.at[13] = (uint8_t)n; /* a node for each of them */
        struct netmap *map = netmap_new(entries, n + 1, NULL, 0);
        size_t size = netmap_size(map);
        cr_expect(n == 0 || size - before < 512, "%zu more for number %zu", size - before, n);
        before = size;
        netmap_free(&map);
    }
}

/* Against a slow and obvious reference: prefixes in a small corner of the space, so that they
 * nest and touch, looked up at every length. */
struct corner {
    unsigned top;  /* bits that never change */
    unsigned base; /* 96 for IPv4 */
    struct netmap_entry entries[60];
    size_t first_count, count;
};

static uint32_t longest_match(const struct netmap_entry *entries, size_t count, const struct ip *ip,
                              unsigned most)
{
    uint32_t value = NETMAP_NONE;
    int best = -1;

    for (size_t i = 0; i < count; i++) {
        const struct prefix *prefix = &entries[i].prefix;
        if (prefix->bits <= most && prefix_has(prefix, ip) && prefix->bits >= best) {
            best = prefix->bits;
            value = entries[i].value;
        }
    }
    return value;
}

static uint32_t reference(const struct corner *c, const struct ip *ip)
{
    uint32_t value = longest_match(c->entries, c->first_count, ip, 128);
    return value ? value
                 : longest_match(c->entries + c->first_count, c->count - c->first_count, ip, 128);
}

/* Ten free bits behind the fixed ones. */
static struct ip corner_ip(const struct corner *c, struct ip ip, unsigned number)
{
    for (unsigned bit = 0; bit < 10; bit++) {
        set_bit(&ip, c->base + c->top + bit, number >> (9 - bit) & 1);
    }
    return ip;
}

/* The shortest length at which the block around `number` has one value, never above the corner. */
static unsigned reference_scope(const uint32_t *values, unsigned number, unsigned top)
{
    for (unsigned bits = 0; bits <= 10; bits++) {
        unsigned size = 1u << (10 - bits);
        unsigned start = number & ~(size - 1);
        unsigned same = 0;
        while (same < size && values[start + same] == values[number]) {
            same++;
        }
        if (same == size) {
            return top + bits;
        }
    }
    UNREACHABLE();
}

static void compare(struct corner *c, struct ip base)
{
    uint32_t values[1024];
    bool uniform = true;
    struct netmap *map = netmap_new(c->entries, c->first_count, c->entries + c->first_count,
                                    c->count - c->first_count);

    for (unsigned n = 0; n < 1024; n++) {
        struct ip ip = corner_ip(c, base, n);
        values[n] = reference(c, &ip);
        uniform &= values[n] == values[0];
    }
    for (unsigned n = 0; n < 1024; n++) {
        struct ip ip = corner_ip(c, base, n);
        struct netmap_hit hit = netmap_find(map, &ip, 128 - c->base);
        cr_assert_eq(hit.value, values[n]);
        if (!uniform) {
            cr_assert_eq(hit.scope, reference_scope(values, n, c->top), "%u of %u", n, c->top);
        }
        for (unsigned bits = 0; bits < 10; bits++) {
            struct ip network = corner_ip(c, base, n & ~((1u << (10 - bits)) - 1));
            unsigned source = c->top + bits;
            hit = netmap_find(map, &network, source);
            uint32_t cover = longest_match(c->entries, c->first_count, &network, c->base + source);
            uint32_t want = values[n & ~((1u << (10 - bits)) - 1)];
            if (hit.scope > source && cover) {
                want = cover;
            }
            cr_assert_eq(hit.value, want, "source %u", source);
        }
    }
    netmap_free(&map);
}

static void compare_random(unsigned top, unsigned base, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        struct corner c = {.top = top, .base = base};
        struct ip ip = {{0}};
        if (base) {
            ip.at[10] = ip.at[11] = 0xff;
        }
        for (unsigned bit = 0; bit < top; bit++) {
            set_bit(&ip, base + bit, rand() & 1);
        }
        set_bit(&ip, base, true); /* no IPv6 network that looks like IPv4 */
        c.count = (unsigned)rand() % ARRAY_LEN(c.entries);
        c.first_count = c.count ? (unsigned)rand() % c.count : 0;
        for (size_t i = 0; i < c.count; i++) {
            unsigned bits = (unsigned)rand() % 11;
            unsigned number = ((unsigned)rand() & 1023) & ~((1u << (10 - bits)) - 1);
            c.entries[i].prefix.ip = corner_ip(&c, ip, number);
            c.entries[i].prefix.bits = (uint8_t)(base + top + bits);
            c.entries[i].value = 1 + (unsigned)rand() % 3;
        }
        compare(&c, ip);
    }
}

Test(netmap, matches_the_reference_on_random_maps)
{
    srand(1);
    compare_random(3, 96, 20);
    compare_random(12, 96, 20);
    compare_random(22, 96, 20);
    compare_random(3, 0, 10);
    compare_random(13, 0, 10);
    compare_random(44, 0, 10);
    compare_random(112, 0, 10);
    compare_random(118, 0, 20);
}

/* Prefixes of any length anywhere, the whole space among them, which nest in some networks. The
 * value can change at the edges of a prefix only, so looks there tell all. */
struct scattered {
    struct corner map; /* has no corner */
    struct ip edges[2 * 60];
    uint32_t values[2 * 60];
    size_t edge_count;
};

static struct ip random_ip(unsigned base)
{
    struct ip ip = {{[10] = 0xff, [11] = 0xff}};

    for (size_t i = base / 8; i < sizeof(ip.at); i++) {
        ip.at[i] = (uint8_t)rand();
    }
    ip.at[base / 8] |= 0x80; /* no IPv6 network that looks like IPv4 */
    return ip;
}

static struct ip first_of(struct ip ip, unsigned bits)
{
    for (unsigned bit = bits; bit < 128; bit++) {
        set_bit(&ip, bit, false);
    }
    return ip;
}

/* The address behind the prefix. False: it is the last one. */
static bool ip_behind(const struct prefix *prefix, unsigned base, struct ip *out)
{
    unsigned bit = prefix->bits;

    *out = prefix->ip;
    while (bit > base && out->at[(bit - 1) / 8] >> (7 - (bit - 1) % 8) & 1) {
        set_bit(out, --bit, false);
    }
    if (bit > base) {
        set_bit(out, bit - 1, true);
    }
    return bit > base;
}

static struct ip ip_before(struct ip ip)
{
    size_t i = sizeof(ip.at);

    do {
        i--;
    } while (ip.at[i]-- == 0);
    return ip;
}

static void scatter_prefixes(struct scattered *s, unsigned base)
{
    static const unsigned lengths[] = {0,  1,  2,  15, 16, 17, 22, 23,
                                       24, 25, 31, 32, 33, 48, 64, 127};
    struct ip around[4];

    s->map.count = ARRAY_LEN(s->map.entries);
    s->map.first_count = (unsigned)rand() % s->map.count;
    for (size_t i = 0; i < ARRAY_LEN(around); i++) {
        around[i] = random_ip(base);
    }
    for (size_t i = 0; i < s->map.count; i++) {
        unsigned most = 128 - base;
        unsigned bits = rand() % 2 ? lengths[(unsigned)rand() % ARRAY_LEN(lengths)]
                                   : (unsigned)rand() % (most + 1);
        struct ip ip = around[(unsigned)rand() % ARRAY_LEN(around)];
        unsigned other = base + (unsigned)rand() % most;
        bits = base + (bits < most ? bits : most);
        set_bit(&ip, other, rand() % 2);
        ip.at[base / 8] |= 0x80;
        s->map.entries[i].prefix = (struct prefix){first_of(ip, bits), (uint8_t)bits};
        s->map.entries[i].value = 1 + (unsigned)rand() % 3;
    }
}

static void find_edges(struct scattered *s, unsigned base)
{
    s->edge_count = 0;
    for (size_t i = 0; i < s->map.count; i++) {
        const struct prefix *prefix = &s->map.entries[i].prefix;
        s->edges[s->edge_count++] = prefix->ip;
        s->edge_count += ip_behind(prefix, base, &s->edges[s->edge_count]);
    }
    for (size_t i = 0; i < s->edge_count; i++) {
        s->values[i] = reference(&s->map, &s->edges[i]);
    }
}

static bool block_is(const struct scattered *s, struct ip ip, unsigned bits, uint32_t value)
{
    struct prefix block = {first_of(ip, bits), (uint8_t)bits};
    bool same = reference(&s->map, &block.ip) == value;

    for (size_t i = 0; i < s->edge_count && same; i++) {
        same = s->values[i] == value || !prefix_has(&block, &s->edges[i]);
    }
    return same;
}

static void look(const struct scattered *s, const struct netmap *map, struct ip ip, unsigned base)
{
    struct netmap_hit hit = netmap_find(map, &ip, 128 - base);

    cr_assert_eq(hit.value, reference(&s->map, &ip));
    cr_assert(block_is(s, ip, base + hit.scope, hit.value), "/%u is not one block", hit.scope);
    cr_assert_neq(hit.scope, 0, "the other family has other values");
    cr_assert(hit.scope == 1 || !block_is(s, ip, base + hit.scope - 1, hit.value),
              "/%u is not the largest block", hit.scope);
}

static void compare_scattered(unsigned base, unsigned rounds)
{
    for (unsigned round = 0; round < rounds; round++) {
        struct scattered s = {.map = {.base = base}};
        struct ip lowest = first_of(random_ip(base), base);
        scatter_prefixes(&s, base);
        find_edges(&s, base);
        struct netmap *map =
            netmap_new(s.map.entries, s.map.first_count, s.map.entries + s.map.first_count,
                       s.map.count - s.map.first_count);
        for (size_t i = 0; i < s.edge_count; i++) {
            look(&s, map, s.edges[i], base);
            if (!ip_eq(&s.edges[i], &lowest)) {
                look(&s, map, ip_before(s.edges[i]), base);
            }
            look(&s, map, random_ip(base), base);
        }
        netmap_free(&map);
    }
}

Test(netmap, matches_the_reference_on_prefixes_of_every_length)
{
    srand(2);
    compare_scattered(96, 30);
    compare_scattered(0, 30);
}
