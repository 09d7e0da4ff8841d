/* vouch_merges - which pages a transaction may merge, at most. */
#include "cache/store/vouch_parts.h"

#include "base/err.h"

/* LMDB rebalances a leaf that is filled to less than a quarter, and a branch with one node. It
 * takes a node from a page beside it; or merges both, if that one has no more either, or is a leaf
 * with one node, or a branch with two. */
#define LEAF_PART 4
enum { LEAF_NODES = 2, BRANCH_NODES = 3 };

/* ---- what the transaction may have made of a page ---- */

static struct vouched *vouched_at(const struct vouch *vouch, const struct vouch_way *way,
                                  unsigned level)
{
    return vouch_page(vouch, way->steps[level].page);
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

/* Each branch whose child may be split for it gets a node, too. */
void vouch_note_put(struct vouch *vouch, const struct vouch_tree *tree, const struct vouch_way *way)
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
    int err = vouch_descend(vouch, tree, &lowest, level, way->depth - 1, SPAN_EMPTY, EDGE_FIRST);
    vouched_at(vouch, way, level)->has_lowest = !err;
    return err;
}

/* At the leaf of the last deletion: goes where that one has arrived, past pages that are not solid.
 */
static bool jump(const struct vouch *vouch, const struct vouch_tree *tree, struct vouch_way *way,
                 unsigned level, bool forwards)
{
    const struct vouch_beside *last = &vouch->beside;
    const struct vouch_way *to = forwards ? &last->high : &last->low;
    uint64_t page = way->steps[level].page;

    if (level + 1 != way->depth || page != last->leaf || tree != &vouch->trees[last->tree] ||
        page == to->steps[level].page) {
        return false;
    }
    *way = *to;
    return true;
}

/* Moves outwards to the nearest page that is solid, or to the last one: LMDB reads that one or one
 * before it. `from` is the page to begin beside. */
static int reach(struct vouch *vouch, const struct vouch_tree *tree, struct vouch_way *way,
                 unsigned level, bool forwards, uint64_t from)
{
    while (way->steps[level].page == from || !lend(vouch, tree, way, level)) {
        if (jump(vouch, tree, way, level, forwards)) {
            continue;
        }
        int err = vouch_aside(vouch, tree, way, level, forwards);
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
        err = vouch_aside(vouch, tree, &at, level, true);
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

/* Where to go on forwards, when the last deletion was in the leaf before, and has arrived behind
 * this one: keys are often deleted in their order. */
static int resume(struct vouch *vouch, unsigned tree, const struct vouch_way *way,
                  struct vouch_way *high)
{
    const struct vouch_beside *last = &vouch->beside;
    unsigned level = way->depth - 1;
    struct vouch_way before = *way;

    if (last->leaf == 0 || last->tree != tree ||
        last->high.steps[level].page == way->steps[level].page) {
        return 0;
    }
    int err = vouch_aside(vouch, &vouch->trees[tree], &before, level, false);
    if (!err && before.steps[level].page == last->leaf &&
        last->high.steps[level].page != last->leaf && vouched_at(vouch, way, level)->is_weak) {
        *high = last->high;
    }
    return err == ERR_NOT_FOUND ? 0 : err;
}

static int reach_leaves(struct vouch *vouch, unsigned tree, const struct vouch_way *way,
                        struct vouch_way *low, struct vouch_way *high)
{
    const struct vouch_tree *of = &vouch->trees[tree];
    unsigned level = way->depth - 1;
    uint64_t leaf = way->steps[level].page;

    *low = *high = *way;
    int err = resume(vouch, tree, way, high);
    if (!err) {
        err = reach(vouch, of, low, level, false, leaf);
    }
    if (!err) {
        err = reach(vouch, of, high, level, true, leaf);
    }
    vouch->beside =
        (struct vouch_beside){.tree = tree, .leaf = err ? 0 : leaf, .low = *low, .high = *high};
    return err;
}

/* Leaves may be merged with those beside them, and then branches, as far as their children may be
 * fewer. */
static int check_all(struct vouch *vouch, unsigned tree, const struct vouch_way *way)
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

int vouch_check_merges(struct vouch *vouch, unsigned tree, const struct vouch_way *way,
                       enum vouch_leaf *out)
{
    const struct vouch_tree *of = &vouch->trees[tree];
    const struct vouched *leaf = vouched_at(vouch, way, way->depth - 1);

    *out = leaf->taken || leaf->puts ? LEAF_CHANGED : LEAF_UNTOUCHED;
    take(vouch, of, way, way->depth - 1);
    if (!leaf->has_lent && is_solid(vouch, of, leaf)) {
        return 0;
    }
    *out = LEAF_MERGED;
    return check_all(vouch, tree, way);
}
