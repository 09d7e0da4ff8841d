/*
 * page - how LMDB 0.9 lays out a data file (format version 1, 64-bit machines): two meta pages,
 * then trees of pages. Read by lmdb_tree.h. Pure.
 */
#ifndef LARDER_BASE_LMDB_PAGE_H
#define LARDER_BASE_LMDB_PAGE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define META_MAGIC 0xBEEFC0DEu
#define META_VERSION 1
#define NO_PAGE UINT64_MAX
#define KEY_MAX 511
#define DEPTH_MAX 32

enum page_flags { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4 };
enum tree_flags { TREE_INTEGER_KEYS = 8 };
enum node_flags { NODE_BIG = 1, NODE_TREE = 2 };

struct page {
    uint64_t number;
    uint16_t pad;
    uint16_t flags;
    uint16_t lower, upper; /* bounds of the free space; of an overflow run: its length */
};
static_assert(sizeof(struct page) == 16, "page header");

struct node {
    uint16_t low, high, flags, key_len; /* followed by key and value */
};
static_assert(sizeof(struct node) == 8, "node header");

struct tree {
    uint32_t pad; /* in the first tree of a meta page: the page size */
    uint16_t flags;
    uint16_t depth;
    uint64_t branch_pages, leaf_pages, overflow_pages, entries;
    uint64_t root;
};
static_assert(sizeof(struct tree) == 48, "tree record");

struct meta {
    uint32_t magic, version;
    uint64_t address, map_size;
    struct tree free, main;
    uint64_t last_page, transaction;
};

/* Only for pages whose `lower` is not below their header. */
static inline unsigned page_nodes(const struct page *page)
{
    return (page->lower - (unsigned)sizeof(*page)) / 2;
}

/* Length of a value in a leaf. */
static inline uint32_t node_value_len(const struct node *node)
{
    return node->low | (uint32_t)node->high << 16;
}

/* Page that a node in a branch refers to. */
static inline uint64_t node_child(const struct node *node)
{
    return node->low | (uint64_t)node->high << 16 | (uint64_t)node->flags << 32;
}

/* Pages that a large value needs, and the length in the header of an overflow run. */
static inline uint64_t run_pages(uint64_t len, size_t page_size)
{
    return (len + sizeof(struct page) + page_size - 1) / page_size;
}

static inline uint32_t run_length(const struct page *page)
{
    return page->lower | (uint32_t)page->upper << 16;
}

#endif
