#include "cache/store/walk.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/lmdb_tree.h"
#include "base/mem.h"
#include "cache/store/resident.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert(WALK_HEADER == sizeof(struct page), "the header of a run");

void walk_init(struct walk *walk, struct env *env, enum walk_way way)
{
    *walk = (struct walk){.env = env, .way = way, .now_ms = clock_mono_ms()};
}

void walk_fini(struct walk *walk)
{
    free(walk->page);
}

/* ---- pages ---- */

int walk_pread(const struct env *env, uint64_t offset, void *to, size_t len)
{
    size_t have = 0;
    int err = 0;

    while (!err && have < len) {
        ssize_t n = pread(env->fd, (char *)to + have, len - have, (off_t)(offset + have));
        if (n > 0) {
            have += (size_t)n;
        } else if (n == 0) {
            err = ERR_CORRUPT;
        } else if (errno != EINTR) {
            err = -errno;
        }
    }
    return err;
}

/* Is the page inside the file? The file may be shorter than its mapping, and it grows. fstat() is
 * called only beyond the length known so far. */
static bool is_inside(struct env *env, uint64_t page, uint64_t count)
{
    uint64_t pages = env->map_size / env->page_size;
    struct stat file;

    if (page >= pages || count > pages - page) {
        return false;
    }
    if (page + count <= atomic_load_explicit(&env->file_pages, memory_order_relaxed)) {
        return true;
    }
    if (fstat(env->fd, &file) != 0) {
        return false;
    }
    pages = (uint64_t)file.st_size / env->page_size;
    atomic_store_explicit(&env->file_pages, pages, memory_order_relaxed);
    return page + count <= pages;
}

/* Reads only these bytes into the page cache: a page fault would read 128 KiB around them. */
static void bring(const struct env *env, uint64_t offset, size_t len)
{
    posix_fadvise(env->fd, (off_t)offset, (off_t)len, POSIX_FADV_WILLNEED);
}

/* The bytes of a page, in the mapping or in a buffer. */
static int page_at(struct walk *walk, uint64_t number, const char **out)
{
    struct env *env = walk->env;
    size_t size = env->page_size;

    if (!is_inside(env, number, 1)) {
        return ERR_CORRUPT;
    }
    *out = env->map + number * size;
    if (resident_lately(*out, size, walk->now_ms)) {
        return 0;
    }
    if (walk->way == WALK_MAP) {
        bring(env, number * size, size);
        return 0;
    }
    if (walk->way == WALK_NOW) {
        return ERR_AGAIN;
    }
    if (walk->page == NULL) {
        walk->page = xmalloc(size);
    }
    *out = walk->page;
    return walk_pread(env, number * size, walk->page, size);
}

/* The same for a page of a tree, with its header checked. */
static int tree_page(struct walk *walk, uint64_t number, bool leaf, const char **at,
                     struct page *page)
{
    int err = page_at(walk, number, at);

    if (err) {
        return err;
    }
    memcpy(page, *at, sizeof(*page));
    return lmdb_page_is(page, number, leaf, walk->env->page_size) ? 0 : ERR_CORRUPT;
}

/* ---- nodes ---- */

static bool read_item(const struct walk *walk, const char *at, const struct page *page, unsigned i,
                      struct lmdb_item *item)
{
    return lmdb_item_read(walk->env->page_size, at, page, i, item);
}

/* The index of the first node from `from` on whose key is not below `key`, and the node in *item;
 * the count of nodes if there is none. False: damaged. */
/* NOLINTNEXTLINE(readability-function-size): the inner step of a look-up packs nothing */
static bool search(const struct walk *walk, const char *at, const struct page *page, unsigned from,
                   struct span key, bool numbers, unsigned *found, bool *equal)
{
    unsigned low = from, high = page_nodes(page);
    struct lmdb_item item;

    *equal = false;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (!read_item(walk, at, page, middle, &item)) {
            return false;
        }
        int order = numbers ? lmdb_compare_numbers(key, lmdb_key(&item))
                            : lmdb_compare_bytes(key, lmdb_key(&item));
        *equal = *equal || order == 0;
        if (order > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *found = low;
    return true;
}

static bool keep_key(const struct lmdb_item *item, struct walk_key *out)
{
    if (item->node.key_len == 0 || item->node.key_len > KEY_MAX) {
        return false;
    }
    out->len = item->node.key_len;
    memcpy(out->bytes, item->key, out->len);
    return true;
}

/* The child that holds `key`. The first node of a branch has no key, and counts as lower than all
 * keys. *next: the key of the child behind it, unless it is NULL or there is none. */
static int descend(struct walk *walk, uint64_t number, struct span key, bool numbers,
                   uint64_t *child, struct walk_key *next)
{
    const char *at;
    struct page page;
    struct lmdb_item item;
    unsigned i;
    bool equal;
    int err = tree_page(walk, number, false, &at, &page);

    if (err) {
        return err;
    }
    if (!search(walk, at, &page, 1, key, numbers, &i, &equal) ||
        !read_item(walk, at, &page, equal ? i : i - 1, &item)) {
        return ERR_CORRUPT;
    }
    *child = node_child(&item.node);
    i = equal ? i + 1 : i;
    if (next && i < page_nodes(&page)) {
        return read_item(walk, at, &page, i, &item) && keep_key(&item, next) ? 0 : ERR_CORRUPT;
    }
    return 0;
}

/* ---- values ---- */

static int place_of(const struct walk *walk, const struct lmdb_item *item, struct walk_value *out)
{
    uint64_t number;

    memcpy(&number, item->key + item->node.key_len, sizeof(number));
    out->at = NULL;
    out->offset = number * walk->env->page_size;
    return number >= 2 && is_inside(walk->env, number, run_pages(out->len, walk->env->page_size))
               ? 0
               : ERR_CORRUPT;
}

/* `flags`: those that the node may have besides NODE_BIG. */
static int value_of(const struct walk *walk, const struct lmdb_item *item, unsigned flags,
                    struct walk_value *out)
{
    if ((item->node.flags & ~NODE_BIG) != flags) {
        return ERR_CORRUPT;
    }
    out->len = node_value_len(&item->node);
    if (item->node.flags & NODE_BIG) {
        return place_of(walk, item, out);
    }
    out->at = item->key + item->node.key_len;
    return 0;
}

static int find_in_leaf(struct walk *walk, uint64_t number, struct span key, bool numbers,
                        unsigned flags, struct walk_value *out)
{
    const char *at;
    struct page page;
    struct lmdb_item item;
    unsigned i;
    bool equal;
    int err = tree_page(walk, number, true, &at, &page);

    if (err) {
        return err;
    }
    if (!search(walk, at, &page, 0, key, numbers, &i, &equal)) {
        return ERR_CORRUPT;
    }
    if (!equal) {
        return ERR_NOT_FOUND;
    }
    return read_item(walk, at, &page, i, &item) ? value_of(walk, &item, flags, out) : ERR_CORRUPT;
}

static int check_root(struct walk_root root)
{
    return root.depth > DEPTH_MAX ? ERR_CORRUPT : root.depth == 0 ? ERR_NOT_FOUND : 0;
}

static int find_from(struct walk *walk, struct walk_root root, struct span key, bool numbers,
                     unsigned flags, struct walk_value *out)
{
    uint64_t page = root.page;
    int err = check_root(root);

    for (uint32_t level = 1; !err && level < root.depth; level++) {
        err = descend(walk, page, key, numbers, &page, NULL);
    }
    return err ? err : find_in_leaf(walk, page, key, numbers, flags, out);
}

/* ---- roots ---- */

static bool recall(struct env_root *known, uint64_t commit, struct walk_root *out)
{
    uint32_t turn = atomic_load_explicit(&known->turn, memory_order_acquire);
    uint64_t of = atomic_load_explicit(&known->commit, memory_order_acquire);

    out->page = atomic_load_explicit(&known->page, memory_order_acquire);
    out->depth = atomic_load_explicit(&known->depth, memory_order_acquire);
    return of == commit && turn % 2 == 0 &&
           atomic_load_explicit(&known->turn, memory_order_relaxed) == turn;
}

/* Caches the root. Does nothing while another thread does so. */
static void remember(struct env_root *known, uint64_t commit, struct walk_root root)
{
    uint32_t turn = atomic_load_explicit(&known->turn, memory_order_relaxed);

    if (turn % 2 || !atomic_compare_exchange_strong(&known->turn, &turn, turn + 1)) {
        return;
    }
    atomic_store_explicit(&known->commit, commit, memory_order_release);
    atomic_store_explicit(&known->page, root.page, memory_order_release);
    atomic_store_explicit(&known->depth, root.depth, memory_order_release);
    atomic_store_explicit(&known->turn, turn + 2, memory_order_release);
}

static int meta_at(struct walk *walk, uint64_t number, struct meta *meta)
{
    const char *at;
    int err = page_at(walk, number, &at);

    if (!err) {
        memcpy(meta, at + sizeof(struct page), sizeof(*meta));
        err = meta->magic == META_MAGIC && meta->version == META_VERSION ? 0 : ERR_CORRUPT;
    }
    return err;
}

/* Reads the meta page of a commit. ERR_AGAIN: it was overwritten, which the second commit after it
 * does. */
static int meta_of(struct walk *walk, uint64_t commit, struct meta *meta)
{
    struct meta other;
    int err = meta_at(walk, commit == WALK_LAST ? 0 : commit % 2, meta);

    if (err || commit != WALK_LAST) {
        return err ? err : meta->transaction == commit ? 0 : ERR_AGAIN;
    }
    err = meta_at(walk, 1, &other);
    if (!err && other.transaction > meta->transaction) {
        *meta = other;
    }
    return err;
}

static struct walk_root root_of(const struct tree *tree)
{
    return (struct walk_root){tree->root, tree->root == NO_PAGE ? 0 : tree->depth};
}

static int find_tree(struct walk *walk, const struct walk_tree *tree, uint64_t commit,
                     struct tree *out)
{
    struct meta meta;
    struct walk_value value;
    int err = meta_of(walk, commit, &meta);

    if (!err) {
        err = find_from(walk, root_of(&meta.main), tree->name, false, NODE_TREE, &value);
    }
    if (err) {
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    }
    if (value.at == NULL || value.len != sizeof(*out)) {
        return ERR_CORRUPT;
    }
    memcpy(out, value.at, sizeof(*out));
    return 0;
}

int walk_root(struct walk *walk, const struct walk_tree *tree, uint64_t commit,
              struct walk_root *out)
{
    struct env_root *known = &walk->env->roots[tree->slot];
    struct tree named;
    int err = 0;

    if (!recall(known, commit, out)) {
        err = find_tree(walk, tree, commit, &named);
        if (!err) {
            *out = root_of(&named);
            remember(known, commit, *out);
        }
    }
    return err;
}

int walk_get(struct walk *walk, const struct walk_tree *tree, uint64_t commit, struct span key,
             struct walk_value *out)
{
    struct walk_root root;

    *out = (struct walk_value){0};
    int err = walk_root(walk, tree, commit, &root);
    return err ? err : find_from(walk, root, key, tree->numbers, 0, out);
}

int walk_count(struct walk *walk, const struct walk_tree *tree, uint64_t commit, uint64_t *out)
{
    struct tree named;
    int err = find_tree(walk, tree, commit, &named);

    if (!err) {
        *out = named.entries;
    }
    return err;
}

/* ---- the values of a leaf ---- */

static int visit_leaf(struct walk *walk, uint64_t number, const struct walk_tree *tree,
                      struct span from,
                      bool (*visit)(void *arg, struct span key, const struct walk_value *value),
                      void *arg)
{
    const char *at;
    struct page page;
    unsigned i;
    bool equal, more = true;
    int err = tree_page(walk, number, true, &at, &page);

    if (!err && !search(walk, at, &page, 0, from, tree->numbers, &i, &equal)) {
        err = ERR_CORRUPT;
    }
    for (; !err && more && i < page_nodes(&page); i++) {
        struct walk_value value = {0};
        struct lmdb_item item;
        err = read_item(walk, at, &page, i, &item) ? value_of(walk, &item, 0, &value) : ERR_CORRUPT;
        if (!err) {
            more = visit(arg, span_of(item.key, item.node.key_len), &value);
        }
    }
    return err;
}

/* Does an iteration go on there? Keys that do not ascend come from a damaged tree, as do numbers of
 * different lengths. */
static bool is_behind(const struct walk_tree *tree, struct span from, const struct walk_key *next)
{
    struct span key = span_of(next->bytes, next->len);

    if (from.len == 0) {
        return true;
    }
    return tree->numbers ? from.len == key.len && lmdb_compare_numbers(from, key) < 0
                         : lmdb_compare_bytes(from, key) < 0;
}

int walk_leaf(struct walk *walk, const struct walk_tree *tree, struct walk_root root,
              struct span from,
              bool (*visit)(void *arg, struct span key, const struct walk_value *value), void *arg,
              struct walk_key *next)
{
    uint64_t page = root.page;
    int err = check_root(root);

    next->len = 0;
    for (uint32_t level = 1; !err && level < root.depth; level++) {
        err = descend(walk, page, from, tree->numbers, &page, next);
    }
    if (!err && next->len && !is_behind(tree, from, next)) {
        err = ERR_CORRUPT;
    }
    return err ? err : visit_leaf(walk, page, tree, from, visit, arg);
}

/* ---- the last key ---- */

static int last_item(struct walk *walk, uint64_t number, bool leaf, struct lmdb_item *item)
{
    const char *at;
    struct page page;
    int err = tree_page(walk, number, leaf, &at, &page);

    if (err) {
        return err;
    }
    return read_item(walk, at, &page, page_nodes(&page) - 1, item) ? 0 : ERR_CORRUPT;
}

int walk_last(struct walk *walk, const struct walk_tree *tree, uint64_t commit, uint32_t *out)
{
    struct walk_root root;
    struct lmdb_item item;
    int err = walk_root(walk, tree, commit, &root);

    if (!err) {
        err = check_root(root);
    }
    uint64_t page = root.page;
    for (uint32_t level = 1; !err && level < root.depth; level++) {
        err = last_item(walk, page, false, &item);
        page = err ? 0 : node_child(&item.node);
    }
    if (!err) {
        err = last_item(walk, page, true, &item);
    }
    if (!err && item.node.key_len != sizeof(*out)) {
        err = ERR_CORRUPT;
    }
    if (!err) {
        memcpy(out, item.key, sizeof(*out));
    }
    return err;
}

/* ---- values in pages of their own ---- */

/* Few are longer: that one is so long is checked before memory is taken for it. */
#define LONG_VALUE (4u << 20)

static bool begins_run(const struct walk *walk, const struct walk_value *value, const char *at)
{
    struct page page;

    memcpy(&page, at, sizeof(page));
    return page.number == value->offset / walk->env->page_size && page.flags == PAGE_OVERFLOW &&
           run_length(&page) >= run_pages(value->len, walk->env->page_size);
}

int walk_lend(const struct walk *walk, const struct walk_value *value, struct span *out)
{
    const char *at = walk->env->map + value->offset;
    size_t len = WALK_HEADER + (size_t)value->len;

    if (!resident_lately(at, len, walk->now_ms)) {
        if (walk->way == WALK_NOW) {
            return ERR_AGAIN;
        }
        bring(walk->env, value->offset, len);
    }
    *out = span_of(at + WALK_HEADER, value->len);
    return begins_run(walk, value, at) ? 0 : ERR_CORRUPT;
}

static int check_run(const struct walk *walk, const struct walk_value *value)
{
    char header[WALK_HEADER];
    int err = walk_pread(walk->env, value->offset, header, sizeof(header));

    return err ? err : begins_run(walk, value, header) ? 0 : ERR_CORRUPT;
}

int walk_read(const struct walk *walk, const struct walk_value *value, char **out)
{
    int err = value->len > LONG_VALUE ? check_run(walk, value) : 0;

    *out = NULL;
    if (err) {
        return err;
    }
    *out = xmalloc(value->len);
    err = walk_pread(walk->env, value->offset + WALK_HEADER, *out, value->len);
    if (!err) { /* the read above has brought its page into the page cache */
        err = check_run(walk, value);
    }
    if (err) {
        free(*out);
        *out = NULL;
    }
    return err;
}
