#include "cache/store/vouch_parts.h"

#include "base/err.h"
#include "base/lmdb_sound.h"
#include "base/mem.h"
#include "base/memory.h"

#include <sys/stat.h>

#define PAGES_MIN 256

/* ---- the pages checked ---- */

static size_t slot_of(const struct vouch *vouch, uint64_t page)
{
    return (size_t)(page * UINT64_C(0x9e3779b97f4a7c15) >> 32) & vouch->mask;
}

struct vouched *vouch_page(const struct vouch *vouch, uint64_t page)
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
            *vouch_page(vouch, old[i].page) = old[i];
        }
    }
    free(old);
}

/* ---- keys ---- */

/* The lengths of numbers were checked. */
static int compare(const struct vouch_tree *tree, struct span a, struct span b)
{
    return tree->numbers ? lmdb_compare_numbers(a, b) : lmdb_compare_bytes(a, b);
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
        if (!lmdb_item_read(vouch->image.page_size, at, page, i, &item)) {
            return false;
        }
        struct span key = lmdb_key(&item);
        bool fits = i < first || ((tree->key_len == 0 || key.len == tree->key_len) &&
                                  (i == first || compare(tree, before, key) < 0));
        bool is_value = leaf && tree->name.len > 0;
        if (!fits || (is_value && !is_plain(vouch, tree, &item))) {
            return false;
        }
        before = key;
        size_t space = lmdb_item_space(&item, leaf);
        out->largest = space > out->largest ? (uint16_t)space : out->largest;
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
    struct vouched *entry = vouch_page(vouch, number);
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
        !lmdb_item_read(vouch->image.page_size, lmdb_page_at(&vouch->image, step->page), &page,
                        step->child, &item)) {
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
        if (!lmdb_item_read(vouch->image.page_size, at, page, middle, &item) ||
            compare(tree, key, lmdb_key(&item)) < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low - 1;
}

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

int vouch_descend(struct vouch *vouch, const struct vouch_tree *tree, struct vouch_way *way,
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
    return vouch_descend(vouch, tree, way, 0, way->depth - 1, key, edge);
}

int vouch_aside(struct vouch *vouch, const struct vouch_tree *tree, struct vouch_way *way,
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
    return vouch_descend(vouch, tree, way, at + 1, level, SPAN_EMPTY,
                         forwards ? EDGE_FIRST : EDGE_LAST);
}

/* Is no key in the leaf above this one? */
static bool is_last(const struct vouch *vouch, const struct vouch_tree *tree,
                    const struct vouch_way *way, struct span key)
{
    uint64_t leaf = way->steps[way->depth - 1].page;
    struct page page;
    struct lmdb_item last;

    return !lmdb_page_read(&vouch->image, leaf, true, &page) ||
           !lmdb_item_read(vouch->image.page_size, lmdb_page_at(&vouch->image, leaf), &page,
                           page_nodes(&page) - 1, &last) ||
           compare(tree, key, lmdb_key(&last)) >= 0;
}

/* After the deletion of the last key in a leaf LMDB goes to the next leaf. */
static int check_next(struct vouch *vouch, const struct vouch_tree *tree,
                      const struct vouch_way *way)
{
    struct vouch_way next = *way;
    int err = vouch_aside(vouch, tree, &next, way->depth - 1, true);

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
        vouch_note_put(vouch, of, way);
        return 0;
    }
    enum vouch_leaf leaf;
    int err = vouch_check_merges(vouch, tree, way, &leaf);
    bool ends_here =
        leaf == LEAF_MERGED || (leaf == LEAF_UNTOUCHED && !is_last(vouch, of, way, key));
    return err || ends_here ? err : check_next(vouch, of, way);
}

int vouch_last(struct vouch *vouch, unsigned tree)
{
    struct vouch_way way;

    return find_way(vouch, &vouch->trees[tree], &vouch->roots[tree], SPAN_EMPTY, EDGE_LAST, &way);
}

static uint64_t pages_of(const struct env *env)
{
    struct stat file;

    return fstat(env->fd, &file) == 0 ? (uint64_t)file.st_size / env->page_size : 0;
}

static int read_meta(struct vouch *vouch, const struct env *env, uint64_t commit, struct meta *meta)
{
    struct lmdb_image *image = &vouch->image;

    memcpy(meta, lmdb_page_at(image, commit % 2) + sizeof(struct page), sizeof(*meta));
    bool sound = meta->magic == META_MAGIC && meta->version == META_VERSION &&
                 meta->transaction == commit && meta->free.pad == image->page_size &&
                 meta->last_page >= 1 && meta->last_page < image->in_file &&
                 meta->last_page < pages_of(env) + LMDB_UNWRITTEN_MAX;
    image->pages = meta->last_page + 1;
    return sound ? 0 : ERR_CORRUPT;
}

/* Is there room for so many values? The number is believed elsewhere. */
static bool has_room(const struct vouch *vouch, const struct vouch_tree *tree, uint64_t values)
{
    size_t least = sizeof(uint16_t) + sizeof(struct node) + tree->key_len;

    return values <= vouch->image.pages * (vouch->image.page_size / least);
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
        if (!lmdb_item_read(vouch->image.page_size, lmdb_page_at(&vouch->image, number), &page, i,
                            &item)) {
            return ERR_CORRUPT;
        }
        if (span_eq(lmdb_key(&item), tree->name) && item.node.flags == NODE_TREE &&
            node_value_len(&item.node) == sizeof(*out)) {
            memcpy(out, item.key + item.node.key_len, sizeof(*out));
            bool sound = out->flags == (tree->numbers ? TREE_INTEGER_KEYS : 0) &&
                         has_room(vouch, tree, out->entries);
            return sound ? 0 : ERR_CORRUPT;
        }
    }
    return ERR_CORRUPT;
}

/* The names and the free list, which each write transaction reads. */
static bool is_sound(struct vouch *vouch, const struct meta *meta)
{
    if (vouch->visited_len < vouch->image.pages) {
        free(vouch->visited);
        memory_give(MEMORY_STORE, vouch->visited_len);
        vouch->visited_len = vouch->image.pages + vouch->image.pages / 4;
        vouch->visited = xmalloc(vouch->visited_len);
        memory_take(MEMORY_STORE, vouch->visited_len);
    }
    return lmdb_sound_commit(&vouch->image, meta, vouch->visited);
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
    int err = read_meta(vouch, env, commit, &meta);
    if (!err && !is_sound(vouch, &meta)) {
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
    memory_give(MEMORY_STORE, vouch->visited_len);
    free(vouch->visited);
    *vouch = (struct vouch){0};
}
