#include "base/lmdb_tree.h"

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
        if (!lmdb_item_read(image->page_size, at, page, i, &item)) {
            return false;
        }
        filled += lmdb_item_space(&item, leaf);
    }
    return filled == image->page_size - page->upper;
}
