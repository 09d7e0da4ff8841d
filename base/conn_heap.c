/*
 * The block begins with a list of free chunks for each size class; then come the chunks, each with
 * its size in a word in front. Sizes are steps of 16 bytes up to 512, of 128 above. Free chunks are
 * never joined: an owner takes the same few sizes again and again.
 *
 * The packed form is a sequence of runs: a word with the number of zero words (16 bits) and the
 * number of other words (16 bits), and then those other words. A word of zero ends it.
 */
#include "base/conn_heap.h"

#include "base/mem.h"
#include "base/memory.h"

#include <malloc.h>
#include <stdint.h>

enum {
    BLOCK = PAGES_MOST * PAGES_SIZE,
    HEADER = 8,
    FINE = 16,
    FINE_MOST = 512,
    COARSE = 128,
    CLASSES = FINE_MOST / FINE + (4096 - FINE_MOST) / COARSE,
    RUN_MOST = UINT16_MAX,
};

/* At the block's beginning: the first free chunk of each class, as its offset in the block; 0:
 * none. */
struct lists {
    uint16_t free[CLASSES];
};

/* `next` is for free chunks: the offset of the next one of the class, or 0. */
struct chunk {
    uint64_t size; /* with the header */
    union {
        uint16_t next;
        char content[FINE];
    };
};

static struct lists *lists_of(const struct conn_heap *heap)
{
    return heap->block.at;
}

static struct chunk *chunk_at(const struct conn_heap *heap, size_t place)
{
    return (struct chunk *)(void *)((char *)heap->block.at + place);
}

static struct chunk *chunk_of(const void *content)
{
    return (struct chunk *)((uintptr_t)content - HEADER);
}

/* The size of a chunk for `size` bytes of content, with the header. */
static size_t whole(size_t size)
{
    size_t all = size + HEADER < FINE + HEADER ? FINE + HEADER : size + HEADER;
    size_t step = all <= FINE_MOST ? FINE : COARSE;

    return (all + step - 1) / step * step;
}

static size_t class_of(size_t all)
{
    size_t coarse = all > FINE_MOST ? (all - FINE_MOST) / COARSE : 0;

    return coarse ? FINE_MOST / FINE + coarse - 1 : all / FINE - 1;
}

/* ---- life ---- */

/* Reports to base/memory.h how many bytes the heap uses now: whole pages, up to the highest one
 * used so far. */
static void count(struct conn_heap *heap, size_t bytes)
{
    memory_take(MEMORY_CONNECTIONS, bytes);
    memory_give(MEMORY_CONNECTIONS, heap->counted);
    heap->counted = bytes;
}

static size_t pages_of(size_t bytes)
{
    return (bytes + PAGES_SIZE - 1) / PAGES_SIZE * PAGES_SIZE;
}

void conn_heap_init(struct conn_heap *heap, struct pages *pages)
{
    *heap = (struct conn_heap){.pages = pages};
    if (pages_are_heap() || !pages_take(pages, BLOCK, &heap->block)) {
        return;
    }
    memset(lists_of(heap), 0, sizeof(struct lists));
    heap->top = (sizeof(struct lists) + FINE - 1) / FINE * FINE + HEADER; /* contents are aligned */
    count(heap, pages_of(heap->top));
}

void conn_heap_fini(struct conn_heap *heap)
{
    if (heap->block.at) {
        pages_give(heap->pages, &heap->block);
    }
    free(heap->packed);
    count(heap, 0);
    heap->packed = NULL;
}

/* ---- chunks ---- */

void *conn_heap_alloc(struct conn_heap *heap, size_t size)
{
    if (heap->block.at == NULL || size > CONN_HEAP_MOST) {
        return NULL;
    }
    size_t all = whole(size);
    uint16_t *first_free = &lists_of(heap)->free[class_of(all)];
    struct chunk *chunk = chunk_at(heap, *first_free);
    if (*first_free) {
        *first_free = chunk->next;
        return chunk->content;
    }
    if (heap->top + all > BLOCK) {
        return NULL;
    }
    chunk = chunk_at(heap, heap->top);
    memset(chunk, 0, all); /* zeroed content that is never written need not be packed */
    chunk->size = all;
    heap->top += all;
    if (heap->top > heap->counted) {
        count(heap, pages_of(heap->top));
    }
    return chunk->content;
}

bool conn_heap_owns(const struct conn_heap *heap, const void *content)
{
    uintptr_t from = (uintptr_t)heap->block.at, at = (uintptr_t)content;

    return from && at >= from && at < from + BLOCK;
}

size_t conn_heap_size(const void *content)
{
    return chunk_of(content)->size - HEADER;
}

void conn_heap_free(struct conn_heap *heap, void *content)
{
    struct chunk *chunk = chunk_of(content);
    uint16_t *first_free = &lists_of(heap)->free[class_of(chunk->size)];

    chunk->next = *first_free;
    *first_free = (uint16_t)((uintptr_t)chunk - (uintptr_t)heap->block.at);
}

/* ---- packing ---- */

/* Zeros the content of free chunks, so that it need not be packed. */
static void forget_free(struct conn_heap *heap)
{
    const struct lists *lists = lists_of(heap);

    for (size_t i = 0; i < CLASSES; i++) {
        for (size_t place = lists->free[i]; place; place = chunk_at(heap, place)->next) {
            struct chunk *chunk = chunk_at(heap, place);
            uint16_t next = chunk->next;
            memset(chunk->content, 0, chunk->size - HEADER);
            chunk->next = next;
        }
    }
}

/* How many words from `at` on are zero (`zero`) or not zero, at most the longest run. */
static size_t run_of(const uint64_t *at, const uint64_t *end, bool zeros)
{
    size_t n = 0;

    while (at + n < end && n < RUN_MOST && (at[n] == 0) == zeros) {
        n++;
    }
    return n;
}

/* Writes the packed form to `out` unless that is NULL. Returns its number of words. */
static size_t pack(const struct conn_heap *heap, uint64_t *out)
{
    const uint64_t *at = heap->block.at, *end = at + (heap->top + HEADER - 1) / HEADER;
    size_t words = 1;

    while (at < end) {
        size_t zeros = run_of(at, end, true);
        size_t others = run_of(at + zeros, end, false);
        if (out) {
            *out++ = zeros << 16 | others;
            memcpy(out, at + zeros, others * sizeof(*out));
            out += others;
        }
        at += zeros + others;
        words += 1 + others;
    }
    if (out) {
        *out = 0; /* the terminating run */
    }
    return words;
}

void conn_heap_pack(struct conn_heap *heap)
{
    if (heap->block.at == NULL || heap->packed) {
        return;
    }
    forget_free(heap);
    heap->packed = xmalloc(pack(heap, NULL) * sizeof(uint64_t));
    pack(heap, (uint64_t *)(void *)heap->packed);
    pages_rest(&heap->block);
    count(heap, malloc_usable_size(heap->packed));
}

void conn_heap_unpack(struct conn_heap *heap)
{
    if (heap->packed == NULL) {
        return;
    }
    const uint64_t *from = (const uint64_t *)(const void *)heap->packed;
    uint64_t *to = heap->block.at;
    while (*from) {
        size_t zeros = (size_t)(*from >> 16), others = (size_t)(*from & RUN_MOST);
        memcpy(to + zeros, from + 1, others * sizeof(*to));
        to += zeros + others;
        from += 1 + others;
    }
    free(heap->packed);
    heap->packed = NULL;
    count(heap, pages_of(heap->top));
}
