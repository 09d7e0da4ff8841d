/*
 * lmdb_tree - pages of trees in an LMDB file (lmdb_page.h), read without LMDB: whatever a damaged
 * page says, every access stays inside it. Pure.
 */
#ifndef LARDER_BASE_LMDB_TREE_H
#define LARDER_BASE_LMDB_TREE_H

#include "base/lmdb_page.h"

#include <stdbool.h>

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
    size_t size; /* of the node with key and value, rounded up as in the page */
};

static inline const char *lmdb_page_at(const struct lmdb_image *image, uint64_t number)
{
    return image->at + number * image->page_size;
}

/* Reads node `i` of the page at `at` with the header *page. False: it is not inside the page. */
bool lmdb_item_read(const struct lmdb_image *image, const char *at, const struct page *page,
                    unsigned i, struct lmdb_item *out);

/* Reads the header of page `number`, which must be in the file. False: it is not that page, or no
 * page of a tree, or the bounds in it are outside. */
bool lmdb_page_read(const struct lmdb_image *image, uint64_t number, bool leaf, struct page *page);

/* The same, and do the nodes exactly fill the space behind the free space? */
bool lmdb_page_is_sound(const struct lmdb_image *image, uint64_t number, bool leaf,
                        struct page *page);

#endif
