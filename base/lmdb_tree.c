#include "base/lmdb_tree.h"

bool lmdb_item_read(const struct lmdb_image *image, const char *at, const struct page *page,
                    unsigned i, struct lmdb_item *out)
{
    struct node *node = &out->node;
    uint16_t offset;

    memcpy(&offset, at + sizeof(*page) + (size_t)i * 2, sizeof(offset));
    if (offset < page->upper || offset + sizeof(*node) > image->page_size) {
        return false;
    }
    memcpy(node, at + offset, sizeof(*node));
    out->key = at + offset + sizeof(*node);
    uint64_t len = sizeof(*node) + (uint64_t)node->key_len;
    if (page->flags == PAGE_LEAF) {
        len += node->flags & NODE_BIG ? sizeof(uint64_t) : node_value_len(node);
    }
    out->size = (size_t)((len + 1) & ~UINT64_C(1));
    return node->key_len <= KEY_MAX && offset + len <= image->page_size;
}

bool lmdb_page_read(const struct lmdb_image *image, uint64_t number, bool leaf, struct page *page)
{
    memcpy(page, lmdb_page_at(image, number), sizeof(*page));
    return page->number == number && page->flags == (leaf ? PAGE_LEAF : PAGE_BRANCH) &&
           page->lower >= sizeof(*page) && page->lower % 2 == 0 && page->lower <= page->upper &&
           page->upper <= image->page_size && page_nodes(page) >= (leaf ? 1u : 2u);
}

bool lmdb_page_is_sound(const struct lmdb_image *image, uint64_t number, bool leaf,
                        struct page *page)
{
    const char *at = lmdb_page_at(image, number);
    size_t filled = 0;

    if (!lmdb_page_read(image, number, leaf, page)) {
        return false;
    }
    for (unsigned i = 0; i < page_nodes(page); i++) {
        struct lmdb_item item;
        if (!lmdb_item_read(image, at, page, i, &item)) {
            return false;
        }
        filled += item.size;
    }
    return filled == image->page_size - page->upper;
}
