#include "base/pages.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { BLOCKS = 300 }; /* several runs */

/* Whether any of its pages is in memory. */
static bool is_there(const struct pages_block *block)
{
    unsigned char there[PAGES_MOST];

    cr_assert_eq(mincore(block->at, block->size, there), 0);
    for (size_t i = 0; i < block->size / PAGES_SIZE; i++) {
        if (there[i] & 1) {
            return true;
        }
    }
    return false;
}

Test(pages, sizes_are_whole_pages)
{
    static const struct {
        size_t asked, given;
    } rows[] = {{1, 4096}, {4096, 4096}, {4097, 8192}, {16394, 20480}, {32768, 32768}};
    struct pages pages;
    struct pages_block block;

    pages_init(&pages);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        cr_assert(pages_take(&pages, rows[i].asked, &block));
        cr_expect_eq(block.size, rows[i].given);
        cr_expect_eq((uintptr_t)block.at % PAGES_SIZE, 0);
        memset(block.at, 'x', block.size);
        pages_give(&pages, &block);
        cr_expect_null(block.at);
    }
    cr_expect_not(pages_take(&pages, 32769, &block));
    cr_expect_null(block.at);
    cr_expect_not(pages_take(&pages, 0, &block));
    pages_fini(&pages);
}

Test(pages, blocks_are_apart)
{
    static struct pages_block blocks[BLOCKS];
    struct pages pages;

    pages_init(&pages);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            if (blocks[i].at == NULL) {
                cr_assert(pages_take(&pages, 8192, &blocks[i]));
                memset(blocks[i].at, (int)(i % 251), blocks[i].size);
            }
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            const char *at = blocks[i].at;
            cr_expect_eq(*(const unsigned char *)at, i % 251);
            cr_expect_eq(memcmp(at, at + 1, blocks[i].size - 1), 0);
        }
        for (size_t i = (size_t)round; i < BLOCKS; i += 2) {
            pages_give(&pages, &blocks[i]);
        }
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        if (blocks[i].at) {
            pages_give(&pages, &blocks[i]);
        }
    }
    pages_fini(&pages);
}

Test(pages, what_rests_has_no_memory_and_is_zero)
{
    struct pages pages;
    struct pages_block block;

    pages_init(&pages);
    cr_assert(pages_take(&pages, 20480, &block));
    memset(block.at, 'x', block.size);
    cr_expect(is_there(&block));
    pages_rest(&block);
    cr_expect_not(is_there(&block));
    for (size_t i = 0; i < block.size; i++) {
        cr_assert_eq(((const char *)block.at)[i], 0);
    }
    pages_give(&pages, &block);
    pages_fini(&pages);
}

Test(pages, few_keep_their_memory_and_these_are_counted)
{
    static struct pages_block blocks[BLOCKS];
    uint64_t before = memory_sum(MEMORY_BUFFERS);
    struct pages pages;

    pages_init(&pages);
    for (size_t i = 0; i < BLOCKS; i++) {
        cr_assert(pages_take(&pages, 32768, &blocks[i]));
        memset(blocks[i].at, 'x', blocks[i].size);
    }
    cr_expect_eq(memory_sum(MEMORY_BUFFERS), before);
    for (size_t i = 0; i < BLOCKS; i++) {
        pages_give(&pages, &blocks[i]);
    }
    cr_expect_leq(pages.warm, 256 << 10);
    cr_expect_eq(memory_sum(MEMORY_BUFFERS), before + pages.warm);
    pages_fini(&pages);
    cr_expect_eq(memory_sum(MEMORY_BUFFERS), before);
}
