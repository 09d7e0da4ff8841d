#include "dnsredir/steering/netmap.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/prefetch.h"

/* Addresses as numbers, an IPv4 address in the upper 32 bits: lengths count alike for both. */
__extension__ typedef unsigned __int128 key;

#define KEY_BITS 128
#define KEY_LAST (~(key)0)
#define ROOT_BITS 16
#define STRIDE 8
/* A node's slots are in words: as many as a bit mask has bits. */
#define WORD_SLOTS 64u
#define WORDS ((1u << STRIDE) / WORD_SLOTS)

/* A slot of the root is a leaf or, with this bit, the number of the first word of a node. */
#define IS_NODE 0x80000000u
#define NO_PARENT UINT32_MAX

/* From `start` up to the next range, addresses have `value`. Neighbours differ. */
struct range {
    key start;
    uint32_t value;
};

struct ranges {
    struct range *at;
    size_t count;
    size_t cap;
};

/* A prefix of the first layer, kept for networks that are coarser than the map. */
struct cover {
    key start;
    uint32_t order;
    uint32_t value;
    uint32_t parent; /* the next longer cover around it, or NO_PARENT */
    uint8_t bits;
};

/* A quarter of a node. What it counts begins anew in each, so that a step reads no other one. */
struct word {
    uint64_t nodes;      /* slots with a node below */
    uint64_t leaves;     /* slots in which another leaf begins */
    uint32_t child_base; /* the first word of the first node below */
    uint32_t leaf_base;
};

/* The trie of one address family. */
struct trie {
    uint32_t root[1u << ROOT_BITS];
    struct word *words;
    size_t word_count, word_cap;
    uint32_t *leaves; /* value << 8 | scope */
    size_t leaf_count, leaf_cap;
    struct cover *covers; /* sorted by start, then length */
    size_t cover_count;
};

struct netmap {
    struct trie v4;
    struct trie v6;
};

static key key_of(const struct ip *ip)
{
    key value = 0;

    for (size_t i = ip_is_v4(ip) ? 12 : 0; i < 16; i++) {
        value = value << 8 | ip->at[i];
    }
    return ip_is_v4(ip) ? value << 96 : value;
}

/* The last address of the block of `bits` bits that begins at `start`. */
static key block_last(key start, unsigned bits)
{
    return bits == 0 ? KEY_LAST : start | (((key)1 << (KEY_BITS - bits)) - 1);
}

static void *grown(void *at, size_t *cap, size_t needed, size_t size)
{
    if (needed <= *cap) {
        return at;
    }
    while (*cap < needed) {
        *cap = *cap ? *cap * 2 : 64;
    }
    return xrealloc(at, *cap * size);
}

/* Gives back the room behind the last one. */
static void *trimmed(void *at, size_t *cap, size_t count, size_t size)
{
    *cap = count;
    return xrealloc(at, count * size);
}

/* From `start` on, `value` holds. Starts do not decrease; a later call for one start wins. */
static void ranges_put(struct ranges *ranges, key start, uint32_t value)
{
    if (ranges->count && ranges->at[ranges->count - 1].start == start) {
        ranges->count--;
    }
    if (ranges->count && ranges->at[ranges->count - 1].value == value) {
        return;
    }
    ranges->at = grown(ranges->at, &ranges->cap, ranges->count + 1, sizeof(*ranges->at));
    ranges->at[ranges->count++] = (struct range){start, value};
}

static key range_last(const struct ranges *ranges, size_t i)
{
    return i + 1 == ranges->count ? KEY_LAST : ranges->at[i + 1].start - 1;
}

static int cover_order(const void *a, const void *b)
{
    const struct cover *x = (const struct cover *)a;
    const struct cover *y = (const struct cover *)b;

    if (x->start != y->start) {
        return x->start < y->start ? -1 : 1;
    }
    if (x->bits != y->bits) {
        return x->bits < y->bits ? -1 : 1;
    }
    return x->order < y->order ? -1 : 1;
}

/* The entries of one family, sorted so that a prefix stands before those inside it. */
static struct cover *covers_of(const struct netmap_entry *entries, size_t count, bool v4,
                               size_t *cover_count)
{
    struct cover *covers = xmalloc(count * sizeof(*covers));
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        const struct prefix *prefix = &entries[i].prefix;
        CHECK(entries[i].value <= NETMAP_VALUE_MAX);
        if ((ip_is_v4(&prefix->ip) && prefix->bits >= 96) == v4) {
            covers[n++] = (struct cover){
                .start = key_of(&prefix->ip),
                .bits = (uint8_t)(prefix->bits - (v4 ? 96 : 0)),
                .value = entries[i].value,
                .order = (uint32_t)i,
            };
        }
    }
    qsort(covers, n, sizeof(*covers), cover_order);
    *cover_count = n;
    return covers;
}

/* Leaves the cover `top`: from its end on, the one around it holds. */
static uint32_t leave_cover(const struct cover *covers, uint32_t top, struct ranges *out)
{
    uint32_t parent = covers[top].parent;
    key last = block_last(covers[top].start, covers[top].bits);

    if (last != KEY_LAST) {
        ranges_put(out, last + 1, parent == NO_PARENT ? NETMAP_NONE : covers[parent].value);
    }
    return parent;
}

/* Flattens nested prefixes to ranges, and finds each one's parent on the way. */
static void covers_flatten(struct cover *covers, size_t count, struct ranges *out)
{
    uint32_t top = NO_PARENT;

    ranges_put(out, 0, NETMAP_NONE);
    for (size_t i = 0; i < count; i++) {
        while (top != NO_PARENT &&
               block_last(covers[top].start, covers[top].bits) < covers[i].start) {
            top = leave_cover(covers, top, out);
        }
        covers[i].parent = top;
        ranges_put(out, covers[i].start, covers[i].value);
        top = (uint32_t)i;
    }
    while (top != NO_PARENT) {
        top = leave_cover(covers, top, out);
    }
}

/* `first` where it has a value, else `second`. */
static void ranges_overlay(const struct ranges *first, const struct ranges *second,
                           struct ranges *out)
{
    size_t i = 0;
    size_t j = 0;
    key at = 0;

    for (;;) {
        uint32_t value = first->at[i].value;
        ranges_put(out, at, value == NETMAP_NONE ? second->at[j].value : value);
        key last_i = range_last(first, i);
        key last_j = range_last(second, j);
        key last = last_i < last_j ? last_i : last_j;
        if (last == KEY_LAST) {
            return;
        }
        i += last_i == last;
        j += last_j == last;
        at = last + 1;
    }
}

/* A walk through the ranges in address order, remembering the last leaf it made. */
struct filler {
    struct trie *trie;
    const struct ranges *ranges;
    unsigned shortest; /* length of the largest block there may be */
    size_t i;          /* the range of the address last looked at */
    key block_last;    /* the end of the block of `leaf` */
    uint32_t leaf;
    bool has_leaf;
};

/* The leaf of the block that begins at `first`, which lies inside range `i`: the block is
 * doubled as long as it stays inside, and its length is the scope. */
static uint32_t filler_leaf(struct filler *f, key first, unsigned bits)
{
    key low = f->ranges->at[f->i].start;
    key high = range_last(f->ranges, f->i);

    if (f->has_leaf && first <= f->block_last && first >= low) {
        return f->leaf;
    }
    while (bits > f->shortest) {
        key wider = first & ~((((key)1 << (KEY_BITS - bits)) << 1) - 1);
        if (wider < low || block_last(wider, bits - 1) > high) {
            break;
        }
        first = wider;
        bits--;
    }
    f->block_last = block_last(first, bits);
    f->has_leaf = true;
    f->leaf = f->ranges->at[f->i].value << 8 | bits;
    return f->leaf;
}

/* Moves to the range of `first`; whether that range holds the whole block. */
static bool filler_reach(struct filler *f, key first, key last)
{
    while (range_last(f->ranges, f->i) < first) {
        f->i++;
    }
    return range_last(f->ranges, f->i) >= last;
}

static uint32_t reserve_nodes(struct trie *trie, unsigned count)
{
    size_t base = trie->word_count;
    size_t words = (size_t)count * WORDS;

    trie->words = grown(trie->words, &trie->word_cap, base + words, sizeof(*trie->words));
    trie->word_count += words;
    return (uint32_t)base;
}

static void append_leaf(struct trie *trie, uint32_t leaf)
{
    trie->leaves =
        grown(trie->leaves, &trie->leaf_cap, trie->leaf_count + 1, sizeof(*trie->leaves));
    trie->leaves[trie->leaf_count++] = leaf;
}

/* Not every processor can count bits, so that the compiler would call a function for it, which
 * looks into a table. */
static unsigned bit_count(uint64_t bits)
{
    bits -= bits >> 1 & UINT64_C(0x5555555555555555);
    bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
    bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(bits * UINT64_C(0x0101010101010101) >> 56);
}

static void fill_node(struct filler *f, uint32_t index, key base, unsigned depth);

/* Makes the word of the slots that begin at `base`, each a block of `bits` bits, and the nodes
 * below it. */
static void fill_word(struct filler *f, uint32_t index, key base, unsigned bits)
{
    struct word word = {.leaf_base = (uint32_t)f->trie->leaf_count};
    struct filler start = *f;
    key step = (key)1 << (KEY_BITS - bits);
    uint32_t before = 0;

    for (unsigned slot = 0; slot < WORD_SLOTS; slot++) {
        key first = base + step * slot;
        if (!filler_reach(f, first, block_last(first, bits))) {
            word.nodes |= UINT64_C(1) << slot;
            continue;
        }
        uint32_t leaf = filler_leaf(f, first, bits);
        if (f->trie->leaf_count == word.leaf_base || leaf != before) {
            word.leaves |= UINT64_C(1) << slot;
            append_leaf(f->trie, leaf);
            before = leaf;
        }
    }
    word.child_base = reserve_nodes(f->trie, bit_count(word.nodes));
    f->trie->words[index] = word;

    uint32_t child = word.child_base;
    *f = start;
    for (unsigned slot = 0; slot < WORD_SLOTS; slot++) {
        if (word.nodes >> slot & 1) {
            key first = base + step * slot;
            filler_reach(f, first, first);
            fill_node(f, child, first, bits);
            child += WORDS;
        }
    }
}

/* Makes the node of the block of `depth` bits at `base`. Calls itself, by fill_word(), at most 14
 * times deep: 112 bits by 8. */
static void fill_node(struct filler *f, uint32_t index, key base, unsigned depth)
{
    for (unsigned i = 0; i < WORDS; i++) {
        key first = base + ((key)(i * WORD_SLOTS) << (KEY_BITS - depth - STRIDE));
        fill_word(f, index + i, first, depth + STRIDE);
    }
}

static void fill_root(struct trie *trie, const struct ranges *ranges, unsigned shortest)
{
    struct filler f = {.trie = trie, .ranges = ranges, .shortest = shortest};

    for (uint32_t i = 0; i < ARRAY_LEN(trie->root); i++) {
        key first = (key)i << (KEY_BITS - ROOT_BITS);
        if (filler_reach(&f, first, block_last(first, ROOT_BITS))) {
            trie->root[i] = filler_leaf(&f, first, ROOT_BITS);
        } else {
            uint32_t index = reserve_nodes(trie, 1);
            fill_node(&f, index, first, ROOT_BITS);
            trie->root[i] = IS_NODE | index;
        }
    }
    trie->words = trimmed(trie->words, &trie->word_cap, trie->word_count, sizeof(*trie->words));
    trie->leaves = trimmed(trie->leaves, &trie->leaf_cap, trie->leaf_count, sizeof(*trie->leaves));
}

/* Flattens the entries of one family to `out`, and keeps the first layer's as covers. */
static void trie_begin(struct trie *trie, const struct netmap_entry *first, size_t first_count,
                       const struct netmap_entry *second, size_t second_count, bool v4,
                       struct ranges *out)
{
    struct ranges above = {0};
    struct ranges below = {0};
    size_t count;

    trie->covers = covers_of(first, first_count, v4, &trie->cover_count);
    covers_flatten(trie->covers, trie->cover_count, &above);
    struct cover *lower = covers_of(second, second_count, v4, &count);
    covers_flatten(lower, count, &below);
    free(lower);
    ranges_overlay(&above, &below, out);
    free(above.at);
    free(below.at);
}

struct netmap *netmap_new(const struct netmap_entry *first, size_t first_count,
                          const struct netmap_entry *second, size_t second_count)
{
    struct netmap *map = xcalloc(1, sizeof(*map));
    struct ranges v4 = {0};
    struct ranges v6 = {0};

    trie_begin(&map->v4, first, first_count, second, second_count, true, &v4);
    trie_begin(&map->v6, first, first_count, second, second_count, false, &v6);
    bool uniform = v4.count == 1 && v6.count == 1 && v4.at[0].value == v6.at[0].value;
    unsigned shortest = uniform ? 0 : 1; /* scope 0 is for both families */
    fill_root(&map->v4, &v4, shortest);
    fill_root(&map->v6, &v6, shortest);
    free(v4.at);
    free(v6.at);
    return map;
}

static void trie_fini(struct trie *trie)
{
    free(trie->words);
    free(trie->leaves);
    free(trie->covers);
}

void netmap_free(struct netmap **map)
{
    if (*map) {
        trie_fini(&(*map)->v4);
        trie_fini(&(*map)->v6);
        free(*map);
        *map = NULL;
    }
}

/* Where the leaf of the address stands. */
static const uint32_t *find_leaf(const struct netmap *map, const struct ip *ip)
{
    bool v4 = ip_is_v4(ip);
    const struct trie *trie = v4 ? &map->v4 : &map->v6;
    const uint8_t *at = ip->at + (v4 ? 12 : 0);
    const uint32_t *root = &trie->root[(unsigned)at[0] << 8 | at[1]];

    if (!(*root & IS_NODE)) {
        return root;
    }
    uint32_t node = *root & ~IS_NODE;
    for (at += 2;; at++) {
        const struct word *word = &trie->words[node + *at / WORD_SLOTS];
        unsigned slot = *at % WORD_SLOTS;
        uint64_t upto = (UINT64_C(2) << slot) - 1;
        if (!(word->nodes >> slot & 1)) {
            return &trie->leaves[word->leaf_base + bit_count(word->leaves & upto) - 1];
        }
        node = word->child_base + WORDS * (bit_count(word->nodes & upto) - 1);
    }
}

/* How many covers are, in order, not behind the block of `bits` that begins at `at`. */
static size_t covers_upto(const struct trie *trie, key at, unsigned bits)
{
    size_t low = 0;
    size_t high = trie->cover_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct cover *cover = &trie->covers[middle];
        if (cover->start < at || (cover->start == at && cover->bits <= bits)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The longest cover around a whole network, or NULL: the last one in order that is not behind the
 * network, or one of its parents. */
static const struct cover *find_cover(const struct trie *trie, key at, unsigned source)
{
    size_t behind = covers_upto(trie, at, source);
    uint32_t i = behind ? (uint32_t)(behind - 1) : NO_PARENT;
    while (i != NO_PARENT) {
        const struct cover *cover = &trie->covers[i];
        if (block_last(cover->start, cover->bits) >= block_last(at, source)) {
            return cover;
        }
        i = cover->parent;
    }
    return NULL;
}

void netmap_prefetch(const struct netmap *map, const struct ip *ip)
{
    prefetch(find_leaf(map, ip), sizeof(uint32_t));
}

struct netmap_hit netmap_find(const struct netmap *map, const struct ip *ip, unsigned source)
{
    uint32_t leaf = *find_leaf(map, ip);
    struct netmap_hit hit = {.value = leaf >> 8, .scope = (uint8_t)leaf};

    if (hit.scope > source) {
        const struct trie *trie = ip_is_v4(ip) ? &map->v4 : &map->v6;
        const struct cover *cover = find_cover(trie, key_of(ip), source);
        if (cover && cover->value != NETMAP_NONE) {
            hit.value = cover->value;
        }
    }
    return hit;
}

bool netmap_is_listed(const struct netmap *map, const struct ip *ip, unsigned bits)
{
    const struct trie *trie = ip_is_v4(ip) ? &map->v4 : &map->v6;
    key at = key_of(ip);
    size_t next = covers_upto(trie, at, bits);

    return find_cover(trie, at, bits) ||
           (next < trie->cover_count && trie->covers[next].start <= block_last(at, bits));
}

static size_t trie_size(const struct trie *trie)
{
    return sizeof(*trie) + trie->word_cap * sizeof(*trie->words) +
           trie->leaf_cap * sizeof(*trie->leaves) + trie->cover_count * sizeof(*trie->covers);
}

size_t netmap_size(const struct netmap *map)
{
    return trie_size(&map->v4) + trie_size(&map->v6);
}
