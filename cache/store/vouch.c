#include "cache/store/vouch.h"

#include "base/err.h"
#include "base/lmdb_sound.h"
#include "base/mem.h"
#include "base/memory.h"

#include <endian.h>

#define PAGES_MIN 256

/* LMDB rebalances a leaf that is filled to less than a quarter, and a branch with one node. It
 * takes a node from a page beside it; or merges both, if that one has no more either, or is a leaf
 * with one node, or a branch with two. */
#define LEAF_PART 4
enum { LEAF_NODES = 2, BRANCH_NODES = 3 };

/* A page of the last commit that was checked, and what this transaction may have made of it: each
 * number is the most that is possible. */
struct vouched {
    uint64_t page;
    uint32_t turn;
    uint16_t filled;  /* bytes */
    uint16_t largest; /* bytes of a node */
    uint16_t nodes;
    uint32_t taken; /* nodes */
    uint32_t puts;  /* nodes that were added, or replaced by smaller ones */
    bool is_branch;
    bool has_lowest; /* the way to the lowest key below it was checked */
    bool is_weak;    /* it may have been merged with another one, or split */
    bool has_lent;   /* a node may have been moved to a page beside it */
};

/* ---- the pages checked ---- */

static size_t slot_of(const struct vouch *vouch, uint64_t page)
{
    return (size_t)(page * UINT64_C(0x9e3779b97f4a7c15) >> 32) & vouch->mask;
}

/* The entry of a page, or the free one where it belongs. */
static struct vouched *find(const struct vouch *vouch, uint64_t page)
{
    size_t slot = slot_of(vouch, page);

    while (vouch->pages[slot].turn == vouch->turn && vouch->pages[slot].page != page) {
        slot = (slot + 1) & vouch->mask;
    }
    return &vouch->pages[slot];
}

static void grow(struct vouch *vouch)
{
    struct vouched *old = vouch->pages;
    size_t size = old ? vouch->mask + 1 : 0;

    vouch->mask = size ? 2 * size - 1 : PAGES_MIN - 1;
    vouch->pages = xcalloc(vouch->mask + 1, sizeof(*vouch->pages));
    memory_take(MEMORY_STORE, (vouch->mask + 1 - size) * sizeof(*vouch->pages));
    for (size_t i = 0; i < size; i++) {
        if (old[i].turn == vouch->turn) {
            *find(vouch, old[i].page) = old[i];
        }
    }
    free(old);
}

/* ---- keys ---- */

static uint64_t number_at(const char *at, size_t len)
{
    uint32_t small;
    uint64_t large;

    if (len == sizeof(small)) {
        memcpy(&small, at, sizeof(small));
        return small;
    }
    memcpy(&large, at, sizeof(large));
    return large;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* As LMDB compares them. The lengths of numbers were checked. */
static int compare(const struct vouch_tree *tree, struct span a, struct span b)
{
    if (tree->numbers) {
        return compare_numbers(number_at(a.at, tree->key_len), number_at(b.at, tree->key_len));
    }
    if (tree->key_len >= sizeof(uint64_t)) { /* hashes: most differ in their first bytes */
        uint64_t x = be64toh(number_at(a.at, sizeof(x))), y = be64toh(number_at(b.at, sizeof(y)));
        if (x != y) {
            return compare_numbers(x, y);
        }
    }
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

static struct span key_of(const struct lmdb_item *item)
{
    return span_of(item->key, item->node.key_len);
}

/* ---- one page ---- */

/* Are the pages of a large value in the file? */
static bool run_is_inside(const struct vouch *vouch, const struct lmdb_item *item)
{
    uint64_t number;
    uint64_t run = run_pages(node_value_len(&item->node), vouch->image.page_size);

    memcpy(&number, item->key + item->node.key_len, sizeof(number));
    return number >= 2 && number < vouch->image.pages && run <= vouch->image.pages - number;
}

/* Is it a value as we put it? */
static bool is_plain(const struct vouch *vouch, const struct vouch_tree *tree,
                     const struct lmdb_item *item)
{
    return item->node.flags == 0 ||
           (tree->large && item->node.flags == NODE_BIG && run_is_inside(vouch, item));
}

/* Keys ascend, or LMDB's search could end elsewhere than ours. The first node of a branch has no
 * key. */
static bool nodes_are_sound(const struct vouch *vouch, const struct vouch_tree *tree,
                            const struct page *page, struct vouched *out)
{
    const char *at = lmdb_page_at(&vouch->image, page->number);
    bool leaf = page->flags == PAGE_LEAF;
    struct span before = SPAN_EMPTY;
    unsigned first = leaf ? 0 : 1;

    for (unsigned i = 0; i < page_nodes(page); i++) {
        struct lmdb_item item;
        if (!lmdb_item_read(&vouch->image, at, page, i, &item)) {
            return false;
        }
        struct span key = key_of(&item);
        bool fits = i < first || ((tree->key_len == 0 || key.len == tree->key_len) &&
                                  (i == first || compare(tree, before, key) < 0));
        bool is_value = leaf && tree->name.len > 0;
        if (!fits || (is_value && !is_plain(vouch, tree, &item))) {
            return false;
        }
        before = key;
        out->largest = item.size > out->largest ? (uint16_t)item.size : out->largest;
    }
    return true;
}

/* Checks a page once. */
static int check_page(struct vouch *vouch, const struct vouch_tree *tree, uint64_t number,
                      bool leaf)
{
    struct page page;

    if (vouch->pages == NULL || vouch->count * 2 > vouch->mask) {
        grow(vouch);
    }
    struct vouched *entry = find(vouch, number);
    if (entry->turn == vouch->turn) {
        return 0;
    }
    struct vouched vouched = {.page = number, .turn = vouch->turn};
    if (number < 2 || number >= vouch->image.pages ||
        !lmdb_page_is_sound(&vouch->image, number, leaf, &page) ||
        !nodes_are_sound(vouch, tree, &page, &vouched)) {
        return ERR_CORRUPT;
    }
    vouched.filled = (uint16_t)(vouch->image.page_size - (page.upper - page.lower));
    vouched.nodes = (uint16_t)page_nodes(&page);
    vouched.is_branch = !leaf;
    *entry = vouched;
    vouch->count++;
    return 0;
}

/* ---- the way to a key ---- */

static int read_child(const struct vouch *vouch, const struct vouch_step *step, uint64_t *child)
{
    struct page page;
    struct lmdb_item item;

    if (!lmdb_page_read(&vouch->image, step->page, false, &page) ||
        step->child >= page_nodes(&page) ||
        !lmdb_item_read(&vouch->image, lmdb_page_at(&vouch->image, step->page), &page, step->child,
                        &item)) {
        return ERR_CORRUPT; /* it has changed since it was checked */
    }
    *child = node_child(&item.node);
    return 0;
}

/* Which child holds the key: the last one whose own key is not above it. */
static unsigned child_for(const struct vouch *vouch, const struct vouch_tree *tree,
                          const struct page *page, struct span key)
{
    const char *at = lmdb_page_at(&vouch->image, page->number);
    unsigned low = 1, high = page_nodes(page);

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        struct lmdb_item item;
        if (!lmdb_item_read(&vouch->image, at, page, middle, &item) ||
            compare(tree, key, key_of(&item)) < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low - 1;
}

enum edge { EDGE_NONE, EDGE_FIRST, EDGE_LAST };

/* Checks a branch page, and chooses the child: for the key, or at an edge. */
static int enter(struct vouch *vouch, const struct vouch_tree *tree, struct vouch_step *step,
                 struct span key, enum edge edge)
{
    struct page page;
    int err = check_page(vouch, tree, step->page, false);

    if (err) {
        return err;
    }
    if (!lmdb_page_read(&vouch->image, step->page, false, &page)) {
        return ERR_CORRUPT;
    }
    step->children = page_nodes(&page);
    step->child = edge == EDGE_FIRST  ? 0
                  : edge == EDGE_LAST ? step->children - 1
                                      : child_for(vouch, tree, &page, key);
    return 0;
}

/* Goes down from the step at `level` to the one at `to`, the last of which is checked, too. */
static int descend(struct vouch *vouch, const struct vouch_tree *tree, struct vouch_way *way,
                   unsigned level, unsigned to, struct span key, enum edge edge)
{
    int err = 0;

    for (; level < to && !err; level++) {
        struct vouch_step *step = &way->steps[level];
        err = enter(vouch, tree, step, key, edge);
        if (!err) {
            err = read_child(vouch, step, &way->steps[level + 1].page);
        }
    }
    bool leaf = to + 1 == way->depth;
    return err ? err : check_page(vouch, tree, way->steps[to].page, leaf);
}

static int find_way(struct vouch *vouch, const struct vouch_tree *tree, const struct tree *root,
                    struct span key, enum edge edge, struct vouch_way *way)
{
    way->depth = root->root == NO_PAGE ? 0 : root->depth;
    if (root->root == NO_PAGE) {
        return root->depth == 0 ? 0 : ERR_CORRUPT;
    }
    if (way->depth == 0 || way->depth > DEPTH_MAX) {
        return ERR_CORRUPT;
    }
    way->steps[0] = (struct vouch_step){.page = root->root};
    return descend(vouch, tree, way, 0, way->depth - 1, key, edge);
}

/* ---- neighbours ---- */

/* Goes to the page beside the one at `level`, forwards or back. ERR_NOT_FOUND: there is none. */
static int move_aside(struct vouch *vouch, const struct vouch_tree *tree, struct vouch_way *way,
                      unsigned level, bool forwards)
{
    unsigned at = level;
    uint64_t child;

    do {
        if (at-- == 0) {
            return ERR_NOT_FOUND;
        }
    } while (forwards ? way->steps[at].child + 1 >= way->steps[at].children
                      : way->steps[at].child == 0);
    way->steps[at].child = forwards ? way->steps[at].child + 1 : way->steps[at].child - 1;
    int err = read_child(vouch, &way->steps[at], &child);
    if (err) {
        return err;
    }
    way->steps[at + 1].page = child;
    return descend(vouch, tree, way, at + 1, level, SPAN_EMPTY, forwards ? EDGE_FIRST : EDGE_LAST);
}

/* ---- what the transaction may have made of a page ---- */

static struct vouched *vouched_at(const struct vouch *vouch, const struct vouch_way *way,
                                  unsigned level)
{
    return find(vouch, way->steps[level].page);
}

/* Bytes that a node takes of a page, at most. */
static size_t node_max(const struct vouch *vouch, const struct vouch_tree *tree, bool is_branch)
{
    size_t most =
        sizeof(uint16_t) + sizeof(struct node) + (tree->key_len ? tree->key_len : KEY_MAX);

    return is_branch         ? most + 1
           : tree->value_max ? most + tree->value_max + 1
                             : vouch->image.page_size;
}

/* Is there room for all that was put, so that it was not split? */
static bool fits(const struct vouch *vouch, const struct vouch_tree *tree,
                 const struct vouched *page)
{
    size_t puts = page->puts + (page->is_branch ? vouch->stray : 0);

    return page->filled + puts * node_max(vouch, tree, page->is_branch) <= vouch->image.page_size;
}

/* Is it certain that it is still a page of its own, and that no deletion so far merges it? */
static bool is_solid(const struct vouch *vouch, const struct vouch_tree *tree,
                     const struct vouched *page)
{
    if (page->is_weak || !fits(vouch, tree, page)) {
        return false;
    }
    if (page->is_branch) {
        return page->nodes >= page->taken + vouch->stray + BRANCH_NODES;
    }
    size_t largest = page->largest + sizeof(uint16_t);
    if (page->puts && largest < node_max(vouch, tree, false)) {
        largest = node_max(vouch, tree, false);
    }
    size_t least = sizeof(struct page) + vouch->image.page_size / LEAF_PART;
    return page->nodes >= page->taken + LEAF_NODES &&
           page->filled >= least + (page->taken + (size_t)page->puts) * largest;
}

/* Notes when a page is not solid any more. Then its parent may lose a node. */
static void settle(struct vouch *vouch, const struct vouch_tree *tree, const struct vouch_way *way,
                   unsigned level)
{
    struct vouched *page = vouched_at(vouch, way, level);

    while (!page->is_weak && !is_solid(vouch, tree, page)) {
        page->is_weak = true;
        if (level == 0) {
            return;
        }
        page = vouched_at(vouch, way, --level);
        page->taken++;
    }
}

static void take(struct vouch *vouch, const struct vouch_tree *tree, const struct vouch_way *way,
                 unsigned level)
{
    struct vouched *page = vouched_at(vouch, way, level);

    page->taken++;
    settle(vouch, tree, way, level);
}

/* A key is put to the leaf; and to each branch whose child may be split for it. */
static void put(struct vouch *vouch, const struct vouch_tree *tree, const struct vouch_way *way)
{
    const struct vouched *leaf = vouched_at(vouch, way, way->depth - 1);
    bool fit = false;

    vouch->stray += leaf->has_lent || (leaf->is_weak && leaf->taken);
    for (unsigned level = way->depth; level-- > 0 && !fit;) {
        struct vouched *page = vouched_at(vouch, way, level);
        page->puts++;
        settle(vouch, tree, way, level);
        fit = fits(vouch, tree, page);
    }
}

/* A solid page may lend a node to one beside it. False: it is not solid. */
static bool lend(struct vouch *vouch, const struct vouch_tree *tree, const struct vouch_way *way,
                 unsigned level)
{
    struct vouched *page = vouched_at(vouch, way, level);
    bool solid = is_solid(vouch, tree, page);

    if (solid) {
        page->has_lent = true;
        take(vouch, tree, way, level);
    } else {
        settle(vouch, tree, way, level);
    }
    return solid;
}

/* ---- what a deletion may merge ---- */

/* Below a branch page that is merged LMDB reads the lowest key. */
static int check_lowest(struct vouch *vouch, const struct vouch_tree *tree,
                        const struct vouch_way *way, unsigned level)
{
    struct vouch_way lowest = *way;

    if (level + 1 == way->depth || vouched_at(vouch, way, level)->has_lowest) {
        return 0;
    }
    int err = descend(vouch, tree, &lowest, level, way->depth - 1, SPAN_EMPTY, EDGE_FIRST);
    vouched_at(vouch, way, level)->has_lowest = !err;
    return err;
}

/* Moves outwards to the nearest page that is solid, or to the last one: LMDB reads that one or one
 * before it. `from` is the page to begin beside. */
static int reach(struct vouch *vouch, const struct vouch_tree *tree, struct vouch_way *way,
                 unsigned level, bool forwards, uint64_t from)
{
    while (way->steps[level].page == from || !lend(vouch, tree, way, level)) {
        int err = move_aside(vouch, tree, way, level, forwards);
        if (!err) {
            err = check_lowest(vouch, tree, way, level);
        }
        if (err) {
            return err == ERR_NOT_FOUND ? 0 : err;
        }
    }
    return 0;
}

/* Calls `look` for the pages of a level from `low` to `high`, until it does not return 0. */
static int each_between(struct vouch *vouch, const struct vouch_tree *tree,
                        const struct vouch_way *low, const struct vouch_way *high, unsigned level,
                        int (*look)(struct vouch *vouch, const struct vouch_tree *tree,
                                    const struct vouch_way *way, unsigned level))
{
    struct vouch_way at = *low;

    for (;;) {
        int err = look(vouch, tree, &at, level);
        if (err || at.steps[level].page == high->steps[level].page) {
            return err;
        }
        err = move_aside(vouch, tree, &at, level, true);
        if (err) {
            return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
        }
    }
}

/* ERR_AGAIN: the page may be rebalanced, or one beside it to which it has lent a node. */
static int look_for_weak(struct vouch *vouch, const struct vouch_tree *tree,
                         const struct vouch_way *way, unsigned level)
{
    const struct vouched *page = vouched_at(vouch, way, level);

    return page->has_lent || !is_solid(vouch, tree, page) ? ERR_AGAIN : 0;
}

/* Begins at the leaf, or where the last deletion in it or beside it has arrived. */
static void resume(const struct vouch *vouch, unsigned tree, const struct vouch_way *way,
                   struct vouch_way *low, struct vouch_way *high)
{
    const struct vouch_beside *last = &vouch->beside;
    unsigned level = way->depth - 1;
    uint64_t leaf = way->steps[level].page;

    *low = *high = *way;
    if (last->leaf == 0 || last->tree != tree) {
        return;
    }
    bool passed = find(vouch, last->leaf)->is_weak;
    if (last->leaf == leaf || (passed && last->high.steps[level].page == leaf)) {
        *low = last->low;
    }
    if (last->leaf == leaf || (passed && last->low.steps[level].page == leaf)) {
        *high = last->high;
    }
}

static int reach_leaves(struct vouch *vouch, unsigned tree, const struct vouch_way *way,
                        struct vouch_way *low, struct vouch_way *high)
{
    const struct vouch_tree *of = &vouch->trees[tree];
    unsigned level = way->depth - 1;
    uint64_t leaf = way->steps[level].page;

    resume(vouch, tree, way, low, high);
    int err = reach(vouch, of, low, level, false, leaf);
    if (!err) {
        err = reach(vouch, of, high, level, true, leaf);
    }
    vouch->beside =
        (struct vouch_beside){.tree = tree, .leaf = err ? 0 : leaf, .low = *low, .high = *high};
    return err;
}

/* Leaves may be merged with those beside them, and then branches, as far as their children may be
 * fewer. */
static int check_merges(struct vouch *vouch, unsigned tree, const struct vouch_way *way)
{
    const struct vouch_tree *of = &vouch->trees[tree];
    struct vouch_way low, high;
    int err = reach_leaves(vouch, tree, way, &low, &high);

    for (unsigned level = way->depth - 1; level-- > 1 && !err;) {
        err = each_between(vouch, of, &low, &high, level, look_for_weak);
        if (err != ERR_AGAIN) {
            return err;
        }
        err = each_between(vouch, of, &low, &high, level, check_lowest);
        if (!err) {
            err = reach(vouch, of, &low, level, false, low.steps[level].page);
        }
        if (!err) {
            err = reach(vouch, of, &high, level, true, high.steps[level].page);
        }
    }
    return err;
}

/* Is no key in the leaf above this one? */
static bool is_last(const struct vouch *vouch, const struct vouch_tree *tree,
                    const struct vouch_way *way, struct span key)
{
    uint64_t leaf = way->steps[way->depth - 1].page;
    struct page page;
    struct lmdb_item last;

    return !lmdb_page_read(&vouch->image, leaf, true, &page) ||
           !lmdb_item_read(&vouch->image, lmdb_page_at(&vouch->image, leaf), &page,
                           page_nodes(&page) - 1, &last) ||
           compare(tree, key, key_of(&last)) >= 0;
}

/* After the deletion of the last key in a leaf LMDB goes to the next leaf. */
static int check_next(struct vouch *vouch, const struct vouch_tree *tree,
                      const struct vouch_way *way)
{
    struct vouch_way next = *way;
    int err = move_aside(vouch, tree, &next, way->depth - 1, true);

    return err == ERR_NOT_FOUND ? 0 : err;
}

/* ---- for the writer ---- */

/* The way to a key; NULL: damaged. */
static const struct vouch_way *way_to(struct vouch *vouch, unsigned tree, struct span key)
{
    struct vouch_last *last = &vouch->last;

    if (last->len > 0 && last->tree == tree && span_eq(span_of(last->key, last->len), key)) {
        return &last->way;
    }
    last->len = 0;
    if (find_way(vouch, &vouch->trees[tree], &vouch->roots[tree], key, EDGE_NONE, &last->way)) {
        return NULL;
    }
    if (key.len <= sizeof(last->key)) {
        last->tree = tree;
        last->len = (unsigned)key.len;
        memcpy(last->key, key.at, key.len);
    }
    return &last->way;
}

int vouch_key(struct vouch *vouch, unsigned tree, struct span key, enum vouch_use use)
{
    const struct vouch_way *way = way_to(vouch, tree, key);

    if (way == NULL) {
        return ERR_CORRUPT;
    }
    if (way->depth == 0 || use == VOUCH_READ) {
        return 0;
    }
    const struct vouch_tree *of = &vouch->trees[tree];
    if (use == VOUCH_PUT) {
        put(vouch, of, way);
        return 0;
    }
    const struct vouched *leaf = vouched_at(vouch, way, way->depth - 1);
    bool untouched = leaf->taken == 0 && leaf->puts == 0;
    take(vouch, of, way, way->depth - 1);
    if (leaf->has_lent || !is_solid(vouch, of, leaf)) {
        return check_merges(vouch, tree, way);
    }
    return untouched && !is_last(vouch, of, way, key) ? 0 : check_next(vouch, of, way);
}

int vouch_last(struct vouch *vouch, unsigned tree)
{
    struct vouch_way way;

    return find_way(vouch, &vouch->trees[tree], &vouch->roots[tree], SPAN_EMPTY, EDGE_LAST, &way);
}

static int read_meta(struct vouch *vouch, uint64_t commit, struct meta *meta)
{
    struct lmdb_image *image = &vouch->image;

    memcpy(meta, lmdb_page_at(image, commit % 2) + sizeof(struct page), sizeof(*meta));
    bool sound = meta->magic == META_MAGIC && meta->version == META_VERSION &&
                 meta->transaction == commit && meta->free.pad == image->page_size &&
                 meta->last_page >= 1 && meta->last_page < image->in_file;
    image->pages = meta->last_page + 1;
    return sound ? 0 : ERR_CORRUPT;
}

/* Finds the root of a named tree. */
static int read_root(struct vouch *vouch, const struct meta *meta, const struct vouch_tree *tree,
                     struct tree *out)
{
    static const struct vouch_tree names = {.key_len = 0};
    struct vouch_way way;
    struct page page;
    struct lmdb_item item;

    int err = find_way(vouch, &names, &meta->main, tree->name, EDGE_NONE, &way);
    if (err || way.depth == 0) {
        return ERR_CORRUPT;
    }
    uint64_t number = way.steps[way.depth - 1].page;
    if (!lmdb_page_read(&vouch->image, number, true, &page)) {
        return ERR_CORRUPT;
    }
    for (unsigned i = 0; i < page_nodes(&page); i++) {
        if (!lmdb_item_read(&vouch->image, lmdb_page_at(&vouch->image, number), &page, i, &item)) {
            return ERR_CORRUPT;
        }
        if (span_eq(key_of(&item), tree->name) && item.node.flags == NODE_TREE &&
            node_value_len(&item.node) == sizeof(*out)) {
            memcpy(out, item.key + item.node.key_len, sizeof(*out));
            return out->flags == (tree->numbers ? TREE_INTEGER_KEYS : 0) ? 0 : ERR_CORRUPT;
        }
    }
    return ERR_CORRUPT;
}

int vouch_begin(struct vouch *vouch, const struct env *env, uint64_t commit,
                const struct vouch_tree *trees, size_t count)
{
    struct meta meta;

    vouch->trees = trees;
    vouch->count = 0;
    vouch->turn++;
    vouch->last.len = 0;
    vouch->beside.leaf = 0;
    vouch->stray = 0;
    vouch->image = (struct lmdb_image){
        .at = env->map, .page_size = env->page_size, .in_file = env->map_size / env->page_size};
    int err = read_meta(vouch, commit, &meta);
    if (!err && !lmdb_sound_commit(&vouch->image, &meta)) {
        err = ERR_CORRUPT;
    }
    for (size_t i = 0; i < count && !err; i++) {
        err = read_root(vouch, &meta, &trees[i], &vouch->roots[i]);
    }
    return err;
}

void vouch_fini(struct vouch *vouch)
{
    if (vouch->pages) {
        memory_give(MEMORY_STORE, (vouch->mask + 1) * sizeof(*vouch->pages));
        free(vouch->pages);
    }
    *vouch = (struct vouch){0};
}
