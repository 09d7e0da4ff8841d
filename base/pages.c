#include "base/pages.h"

#include "base/mem.h"
#include "base/memory.h"

#include <stdint.h>
#include <sys/mman.h>

/* With AddressSanitizer each block is allocated on the heap, so that it reports accesses outside
 * the block and after its release. */
#if defined(__SANITIZE_ADDRESS__)
#define ON_HEAP true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ON_HEAP true
#endif
#endif
#ifndef ON_HEAP
#define ON_HEAP false
#endif

enum {
    RUN_BLOCKS = 64,
    WARM_MOST = 256 << 10, /* most bytes in free blocks that keep their memory */
};

/* 64 adjacent blocks; bit i of the masks is block i. */
struct pages_run {
    struct list link;
    char *at;
    size_t block_size;
    uint64_t free;
    uint64_t warm; /* subset of `free`: blocks that keep their memory */
};

static struct list *list_of(struct pages *pages, size_t block_size)
{
    return &pages->runs[block_size / PAGES_SIZE - 1];
}

bool pages_are_heap(void)
{
    return ON_HEAP;
}

/* ---- runs ---- */

static struct pages_run *run_new(struct pages *pages, size_t block_size)
{
    size_t size = block_size * RUN_BLOCKS;
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED) {
        return NULL;
    }
    /* with huge pages one block in use would make its neighbours resident */
    madvise(at, size, MADV_NOHUGEPAGE);
    struct pages_run *run = xmalloc(sizeof(*run));
    *run = (struct pages_run){.at = at, .block_size = block_size, .free = UINT64_MAX};
    list_push_front(list_of(pages, block_size), &run->link);
    return run;
}

/* Accounts for the free blocks of the run as having no memory. */
static void cool(struct pages *pages, struct pages_run *run)
{
    size_t bytes = (size_t)__builtin_popcountll(run->warm) * run->block_size;

    run->warm = 0;
    pages->warm -= bytes;
    memory_give(MEMORY_BUFFERS, bytes);
}

static void run_free(struct pages *pages, struct pages_run *run)
{
    cool(pages, run);
    list_remove(&run->link);
    munmap(run->at, run->block_size * RUN_BLOCKS);
    free(run);
}

/* A run with a free block. NULL: there is no memory for a new one. */
static struct pages_run *run_with_room(struct pages *pages, size_t block_size)
{
    struct list *runs = list_of(pages, block_size);

    if (!list_empty(runs)) {
        struct pages_run *first = list_entry(runs->next, struct pages_run, link);
        if (first->free) {
            return first;
        }
    }
    return run_new(pages, block_size);
}

/* ---- blocks ---- */

static bool take_of_heap(size_t size, struct pages_block *block)
{
    *block = (struct pages_block){.at = aligned_alloc(PAGES_SIZE, size), .size = size};
    return block->at != NULL;
}

bool pages_take(struct pages *pages, size_t size, struct pages_block *block)
{
    size_t whole = (size + PAGES_SIZE - 1) / PAGES_SIZE * PAGES_SIZE;

    *block = (struct pages_block){NULL, 0, NULL};
    if (whole == 0 || size > (size_t)PAGES_MOST * PAGES_SIZE) {
        return false;
    }
    if (ON_HEAP) {
        return take_of_heap(whole, block);
    }
    struct pages_run *run = run_with_room(pages, whole);
    if (run == NULL) {
        return false;
    }
    int number = __builtin_ctzll(run->warm ? run->warm : run->free);
    uint64_t bit = UINT64_C(1) << number;
    if (run->warm & bit) {
        pages->warm -= whole;
        memory_give(MEMORY_BUFFERS, whole);
    }
    run->warm &= ~bit;
    run->free &= ~bit;
    if (run->free == 0) {
        list_remove(&run->link);
        list_push_back(list_of(pages, whole), &run->link);
    }
    *block = (struct pages_block){run->at + (size_t)number * whole, whole, run};
    return true;
}

void pages_give(struct pages *pages, struct pages_block *block)
{
    struct pages_run *run = block->run;

    if (run == NULL) {
        free(block->at);
        *block = (struct pages_block){NULL, 0, NULL};
        return;
    }
    uint64_t bit = UINT64_C(1) << ((size_t)((char *)block->at - run->at) / run->block_size);
    CHECK(!(run->free & bit));
    run->free |= bit;
    if (pages->warm + run->block_size <= WARM_MOST) {
        run->warm |= bit;
        pages->warm += run->block_size;
        memory_take(MEMORY_BUFFERS, run->block_size);
    } else {
        pages_rest(block);
    }
    list_remove(&run->link);
    list_push_front(list_of(pages, run->block_size), &run->link);
    if (run->free == UINT64_MAX && run->link.next != list_of(pages, run->block_size)) {
        run_free(pages, run);
    }
    *block = (struct pages_block){NULL, 0, NULL};
}

void pages_rest(const struct pages_block *block)
{
    madvise(block->at, block->size, MADV_DONTNEED);
}

/* ---- life ---- */

void pages_init(struct pages *pages)
{
    for (size_t i = 0; i < PAGES_MOST; i++) {
        list_init(&pages->runs[i]);
    }
    pages->warm = 0;
}

void pages_fini(struct pages *pages)
{
    for (size_t i = 0; i < PAGES_MOST; i++) {
        list_each_safe(link, &pages->runs[i])
        {
            struct pages_run *run = list_entry(link, struct pages_run, link);
            CHECK(run->free == UINT64_MAX);
            run_free(pages, run);
        }
    }
}
