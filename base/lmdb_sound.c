#include "base/lmdb_sound.h"

#include "base/err.h"
#include "base/guard.h"
#include "base/lmdb_tree.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the walk ---- */

struct walk {
    struct lmdb_image image;
    const char *skipped; /* the named tree to leave out, together with the free list; or NULL */
    const char *only;    /* the only named tree to check, without the free list; NULL: all */
    const char *told;    /* the named tree whose values are reported, or NULL */
    void (*each)(void *arg, struct span key, struct span value);
    void *arg;
    bool is_told;
    bool has_no_names; /* values are in the main tree itself */
    bool is_sparse;    /* only few of the pages are read */
    uint8_t *visited;  /* each page may belong only to one tree, or to the free list */
};

/* A level of the walk: the page, and the next node to visit. */
struct level {
    uint64_t page;
    unsigned next;
};

static bool claim(struct walk *walk, uint64_t number)
{
    if (number < 2 || number >= walk->image.pages || walk->visited[number]) {
        return false;
    }
    walk->visited[number] = 1;
    return true;
}

static bool visit(struct walk *walk, uint64_t number)
{
    return number < walk->image.in_file && claim(walk, number);
}

/* A list of free pages: its length, then descending numbers, none of them used before. */
static bool check_free_list(struct walk *walk, const char *value, size_t len)
{
    uint64_t count, number, before = walk->image.pages;

    if (len < sizeof(count) || len % sizeof(count)) {
        return false;
    }
    memcpy(&count, value, sizeof(count));
    if (count > len / sizeof(count) - 1) {
        return false;
    }
    for (uint64_t i = 1; i <= count; i++) {
        memcpy(&number, value + i * sizeof(number), sizeof(number));
        if (number >= before || !claim(walk, number)) {
            return false;
        }
        before = number;
    }
    return true;
}

/* The pages of a value: as many as it needs. A list of free pages may have more: when it has become
 * shorter in its transaction, LMDB writes it again where it is. 0: damaged. */
static uint64_t run_of(const struct walk *walk, uint64_t number, size_t len, bool is_free_list)
{
    uint64_t needed = run_pages(len, walk->image.page_size);
    struct page page;

    if (!is_free_list) {
        return needed; /* the pages themselves are not read */
    }
    if (number >= walk->image.in_file) {
        return 0;
    }
    memcpy(&page, lmdb_page_at(&walk->image, number), sizeof(page));
    bool sound =
        page.number == number && page.flags == PAGE_OVERFLOW && run_length(&page) >= needed;
    return sound ? run_length(&page) : 0;
}

/* A value with pages of its own. Except for the free list only its place is checked. */
static bool check_run(struct walk *walk, const char *place, size_t len, bool is_free_list)
{
    uint64_t number;

    memcpy(&number, place, sizeof(number));
    uint64_t run = run_of(walk, number, len, is_free_list);
    if (run == 0 || number >= walk->image.pages || run > walk->image.pages - number) {
        return false;
    }
    for (uint64_t i = 0; i < run; i++) {
        if (!visit(walk, number + i)) {
            return false;
        }
    }
    return !is_free_list ||
           check_free_list(walk, lmdb_page_at(&walk->image, number) + sizeof(struct page), len);
}

enum tree_kind { TREE_FREE, TREE_MAIN, TREE_NAMED };

static bool check_tree(struct walk *walk, const struct tree *tree, enum tree_kind kind);

static bool is_named(const char *tree, const char *name, size_t len)
{
    return tree && strlen(tree) == len && memcmp(tree, name, len) == 0;
}

static bool check_value(struct walk *walk, const struct lmdb_item *item, enum tree_kind kind)
{
    const struct node *node = &item->node;
    const char *key = item->key;
    const char *value = key + node->key_len;
    uint32_t len = node_value_len(node);
    struct tree named;

    if (node->flags == NODE_BIG) {
        return check_run(walk, value, len, kind == TREE_FREE);
    }
    if (kind == TREE_FREE) {
        return node->flags == 0 && node->key_len == sizeof(uint64_t) &&
               check_free_list(walk, value, len);
    }
    if (kind == TREE_NAMED) {
        if (walk->is_told && node->flags == 0) {
            walk->each(walk->arg, span_of(key, node->key_len), span_of(value, len));
        }
        return node->flags == 0;
    }
    if (node->flags != NODE_TREE || len != sizeof(named)) {
        return false;
    }
    bool is_left_out = walk->only && !is_named(walk->only, key, node->key_len);
    if (is_left_out || is_named(walk->skipped, key, node->key_len)) {
        return true;
    }
    memcpy(&named, value, sizeof(named));
    walk->is_told = is_named(walk->told, key, node->key_len);
    return check_tree(walk, &named, TREE_NAMED); /* only one level deeper */
}

static bool check_leaf(struct walk *walk, uint64_t number, enum tree_kind kind)
{
    struct page page;

    if (!visit(walk, number) || !lmdb_page_is_sound(&walk->image, number, true, &page)) {
        return false;
    }
    for (unsigned i = 0; i < page_nodes(&page); i++) {
        struct lmdb_item item;
        if (!lmdb_item_read(walk->image.page_size, lmdb_page_at(&walk->image, number), &page, i,
                            &item) ||
            !check_value(walk, &item, kind)) {
            return false;
        }
    }
    return true;
}

static uint64_t child_of(const struct walk *walk, const struct level *level,
                         const struct page *page)
{
    const char *at = lmdb_page_at(&walk->image, level->page);
    struct lmdb_item item;

    if (!lmdb_item_read(walk->image.page_size, at, page, level->next, &item)) {
        return UINT64_MAX; /* the file was changed after the page was checked */
    }
    return node_child(&item.node);
}

/* Requests all children from the kernel at once, as a disk reads several pages faster together. */
static void ask_for_children(const struct walk *walk, const struct level *level,
                             const struct page *page)
{
    struct level each = *level;

    for (each.next = 0; each.next < page_nodes(page); each.next++) {
        uint64_t child = child_of(walk, &each, page);
        if (child < walk->image.in_file) {
            madvise((void *)(uintptr_t)lmdb_page_at(&walk->image, child), walk->image.page_size,
                    MADV_WILLNEED);
        }
    }
}

/* Enters a branch page, or continues in it. False: damaged. *child is NO_PAGE after the last
 * node. */
static bool next_child(struct walk *walk, struct level *level, uint64_t *child)
{
    struct page page;

    if (level->next == 0 && (!visit(walk, level->page) ||
                             !lmdb_page_is_sound(&walk->image, level->page, false, &page))) {
        return false;
    }
    memcpy(&page, lmdb_page_at(&walk->image, level->page), sizeof(page));
    if (level->next == 0 && walk->is_sparse) {
        ask_for_children(walk, level, &page);
    }
    if (level->next == page_nodes(&page)) {
        *child = NO_PAGE;
        return true;
    }
    *child = child_of(walk, level, &page);
    level->next++;
    return true;
}

/* Depth first, without recursion; every leaf must be at the depth of the tree. */
static bool check_branches(struct walk *walk, const struct tree *tree, enum tree_kind kind)
{
    struct level levels[DEPTH_MAX] = {{.page = tree->root}};
    unsigned depth = 1;

    while (depth > 0) {
        uint64_t child;
        if (!next_child(walk, &levels[depth - 1], &child)) {
            return false;
        }
        if (child == NO_PAGE) {
            depth--;
        } else if (depth + 1 < tree->depth) {
            levels[depth++] = (struct level){.page = child};
        } else if (!check_leaf(walk, child, kind)) {
            return false;
        }
    }
    return true;
}

static bool check_tree(struct walk *walk, const struct tree *tree, enum tree_kind kind)
{
    if (kind != TREE_FREE && tree->flags & ~TREE_INTEGER_KEYS) {
        return false;
    }
    if (tree->root == NO_PAGE) {
        return tree->depth == 0;
    }
    if (tree->depth == 0 || tree->depth > DEPTH_MAX) {
        return false;
    }
    return tree->depth == 1 ? check_leaf(walk, tree->root, kind) : check_branches(walk, tree, kind);
}

static bool meta_at(const char *file, size_t size, size_t offset, struct meta *meta)
{
    if (offset + sizeof(struct page) + sizeof(*meta) > size) {
        return false;
    }
    memcpy(meta, file + offset + sizeof(struct page), sizeof(*meta));
    return meta->magic == META_MAGIC && meta->version == META_VERSION;
}

/* Reads the meta pages: which commit is the last, and what it contains. */
static bool read_metas(struct walk *walk, size_t size, struct meta *last)
{
    struct meta metas[2];

    if (!meta_at(walk->image.at, size, 0, &metas[0])) {
        return false;
    }
    walk->image.page_size = metas[0].free.pad;
    if (walk->image.page_size < 512 || walk->image.page_size > 32768 ||
        walk->image.page_size & (walk->image.page_size - 1) ||
        !meta_at(walk->image.at, size, walk->image.page_size, &metas[1])) {
        return false;
    }
    *last = metas[metas[1].transaction > metas[0].transaction];
    walk->image.in_file = size / walk->image.page_size;
    walk->image.pages = last->last_page + 1;
    return last->last_page < walk->image.in_file + LMDB_UNWRITTEN_MAX &&
           last->free.pad == walk->image.page_size;
}

struct check {
    struct walk *walk;
    size_t size;
};

static int call_check(void *arg)
{
    struct check *check = arg;
    struct walk *walk = check->walk;
    struct meta last;

    if (!read_metas(walk, check->size, &last)) {
        return ERR_CORRUPT;
    }
    walk->visited = xcalloc(walk->image.pages, 1);
    bool sound = check_tree(walk, &last.main, walk->has_no_names ? TREE_NAMED : TREE_MAIN) &&
                 (walk->skipped || walk->only || check_tree(walk, &last.free, TREE_FREE));
    return sound ? 0 : ERR_CORRUPT;
}

static int check_file(struct walk *walk, size_t size)
{
    struct check check = {.walk = walk, .size = size};
    int err = guard_lookup(call_check, &check, span_of(walk->image.at, size));

    free(walk->visited);
    return err;
}

static int check_mapped(int fd, struct walk *walk)
{
    struct stat status;

    if (fstat(fd, &status) != 0) {
        return -errno;
    }
    size_t size = (size_t)status.st_size;
    if (size == 0) {
        return 0;
    }
    char *file = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (file == MAP_FAILED) {
        return -errno;
    }
    walk->is_sparse = walk->only || walk->skipped;
    if (walk->is_sparse) {
        madvise(file, size, MADV_RANDOM); /* so that neighbouring pages are not read, too */
    }
    walk->image.at = file;
    int err = check_file(walk, size);
    munmap(file, size);
    return err;
}

static int check(const char *path, struct walk *walk)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    int err = check_mapped(fd, walk);
    close(fd);
    return err;
}

int lmdb_sound_check_without(const char *path, const char *tree)
{
    struct walk walk = {.skipped = tree};

    return check(path, &walk);
}

int lmdb_sound_check_only(const char *path, const char *tree)
{
    struct walk walk = {.only = tree};

    return check(path, &walk);
}

int lmdb_sound_check(const char *path)
{
    struct walk walk = {0};

    return check(path, &walk);
}

int lmdb_sound_check_nameless(const char *path)
{
    struct walk walk = {.has_no_names = true};

    return check(path, &walk);
}

int lmdb_sound_each(const char *path, const char *tree,
                    void (*each)(void *arg, struct span key, struct span value), void *arg)
{
    struct walk walk = {.told = tree, .each = each, .arg = arg};

    return check(path, &walk);
}

bool lmdb_sound_commit(const struct lmdb_image *image, const struct meta *meta, uint8_t *visited)
{
    struct walk walk = {.image = *image, .only = "", .visited = visited};

    memset(visited, 0, image->pages);
    return check_tree(&walk, &meta->main, TREE_MAIN) && check_tree(&walk, &meta->free, TREE_FREE);
}
