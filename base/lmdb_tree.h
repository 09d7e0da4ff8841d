/*
 * lmdb_tree - pages of trees in an LMDB file (lmdb_page.h), read without LMDB: whatever a damaged
 * page says, every access stays inside it. What a look-up does is inline. Pure.
 */
#ifndef LARDER_BASE_LMDB_TREE_H
#define LARDER_BASE_LMDB_TREE_H

#include "base/lmdb_page.h"
#include "base/span.h"

#include <endian.h>
#include <stdbool.h>

/* Most pages at the end of a file that were allocated and freed without being written. */
#define LMDB_UNWRITTEN_MAX 65536

/* A file in memory, as of one commit. */
struct lmdb_image {
    const char *at;
    size_t page_size;
    uint64_t in_file; /* pages that can be read */
    uint64_t pages;   /* up to that commit; free ones at the end may never have been written */
};

/* A node of a page, and its key, which is followed by the value. */
struct lmdb_item {
    struct node node;
    const char *key;
};

static inline const char *lmdb_page_at(const struct lmdb_image *image, uint64_t number)
{
    return image->at + number * image->page_size;
}

static inline struct span lmdb_key(const struct lmdb_item *item)
{
    return span_of(item->key, item->node.key_len);
}

/* Bytes of node, key and value, of the latter those that are in the page. */
static inline uint64_t lmdb_item_len(const struct lmdb_item *item, bool leaf)
{
    const struct node *node = &item->node;
    uint64_t len = sizeof(*node) + (uint64_t)node->key_len;

    if (leaf) {
        len += node->flags & NODE_BIG ? sizeof(uint64_t) : node_value_len(node);
    }
    return len;
}

/* Bytes that these take in the page. */
static inline size_t lmdb_item_space(const struct lmdb_item *item, bool leaf)
{
    return (size_t)((lmdb_item_len(item, leaf) + 1) & ~UINT64_C(1));
}

/* Reads node `i` of the page at `at` with the header *page. False: it is not inside the page. */
static inline bool lmdb_item_read(size_t page_size, const char *at, const struct page *page,
                                  unsigned i, struct lmdb_item *out)
{
    uint16_t offset;

    memcpy(&offset, at + sizeof(*page) + (size_t)i * 2, sizeof(offset));
    if (offset < page->upper || offset + sizeof(out->node) > page_size) {
        return false;
    }
    memcpy(&out->node, at + offset, sizeof(out->node));
    out->key = at + offset + sizeof(out->node);
    return out->node.key_len <= KEY_MAX &&
           offset + lmdb_item_len(out, page->flags == PAGE_LEAF) <= page_size;
}

/* Is it the header of page `number` of a tree, with bounds inside the page? */
static inline bool lmdb_page_is(const struct page *page, uint64_t number, bool leaf,
                                size_t page_size)
{
    return page->number == number && page->flags == (leaf ? PAGE_LEAF : PAGE_BRANCH) &&
           page->lower >= sizeof(*page) && page->lower % 2 == 0 && page->lower <= page->upper &&
           page->upper <= page_size && page_nodes(page) >= (leaf ? 1u : 2u);
}

/* Reads that header. The page must be in the file. */
static inline bool lmdb_page_read(const struct lmdb_image *image, uint64_t number, bool leaf,
                                  struct page *page)
{
    memcpy(page, lmdb_page_at(image, number), sizeof(*page));
    return lmdb_page_is(page, number, leaf, image->page_size);
}

/* The same, and do the nodes exactly fill the space behind the free space? */
bool lmdb_page_is_sound(const struct lmdb_image *image, uint64_t number, bool leaf,
                        struct page *page);

/* ---- keys: negative, 0 or positive, as LMDB orders them ---- */

static inline int lmdb_compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* Numbers of 32 or 64 bits (MDB_INTEGERKEY). One of another length is lower than all. */
static inline int lmdb_compare_numbers(struct span a, struct span b)
{
    uint32_t small_a, small_b;
    uint64_t large_a, large_b;

    if (a.len != b.len) {
        return -1;
    }
    if (a.len == sizeof(small_a)) {
        memcpy(&small_a, a.at, sizeof(small_a));
        memcpy(&small_b, b.at, sizeof(small_b));
        return lmdb_compare_u64(small_a, small_b);
    }
    if (a.len != sizeof(large_a)) {
        return 0;
    }
    memcpy(&large_a, a.at, sizeof(large_a));
    memcpy(&large_b, b.at, sizeof(large_b));
    return lmdb_compare_u64(large_a, large_b);
}

/* All others. Most are hashes, which differ in their first bytes. */
static inline int lmdb_compare_bytes(struct span a, struct span b)
{
    uint64_t leading_a, leading_b;

    if (a.len >= sizeof(leading_a) && b.len >= sizeof(leading_b)) {
        memcpy(&leading_a, a.at, sizeof(leading_a));
        memcpy(&leading_b, b.at, sizeof(leading_b));
        if (leading_a != leading_b) {
            return lmdb_compare_u64(be64toh(leading_a), be64toh(leading_b));
        }
    }
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : lmdb_compare_u64(a.len, b.len);
}

#endif
