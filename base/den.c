/*
 * The block begins with a list of free things for each size; then come the things, each behind a
 * word with its size. Sizes are steps of 16 bytes up to 512, of 128 above. Things are never joined:
 * an owner takes the same few sizes again and again.
 *
 * Packed it is runs of words: how many zeros come first (16 bits), how many others (16 bits), and
 * these.
 */
#include "base/den.h"

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

/* At the block's beginning. Places of things in the block; 0: none. */
struct lists {
    uint16_t free[CLASSES];
};

/* A thing. What is free has the place of the next free one in `next`. */
struct thing {
    uint64_t size; /* with the header */
    union {
        uint16_t next;
        char content[FINE];
    };
};

static struct lists *lists_of(const struct den *den)
{
    return den->block.at;
}

static struct thing *thing_at(const struct den *den, size_t place)
{
    return (struct thing *)(void *)((char *)den->block.at + place);
}

static struct thing *thing_of(const void *content)
{
    return (struct thing *)((uintptr_t)content - HEADER);
}

/* With the header. */
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

/* The pages that have been used are in memory. */
static void count(struct den *den, size_t bytes)
{
    memory_take(MEMORY_CONNECTIONS, bytes);
    memory_give(MEMORY_CONNECTIONS, den->counted);
    den->counted = bytes;
}

static size_t pages_of(size_t bytes)
{
    return (bytes + PAGES_SIZE - 1) / PAGES_SIZE * PAGES_SIZE;
}

void den_init(struct den *den, struct pages *pages)
{
    *den = (struct den){.pages = pages};
    if (pages_are_heap() || !pages_take(pages, BLOCK, &den->block)) {
        return;
    }
    memset(lists_of(den), 0, sizeof(struct lists));
    den->top = (sizeof(struct lists) + FINE - 1) / FINE * FINE + HEADER; /* contents are aligned */
    count(den, pages_of(den->top));
}

void den_fini(struct den *den)
{
    if (den->block.at) {
        pages_give(den->pages, &den->block);
    }
    free(den->packed);
    count(den, 0);
    den->packed = NULL;
}

/* ---- things ---- */

void *den_alloc(struct den *den, size_t size)
{
    if (den->block.at == NULL || size > DEN_MOST) {
        return NULL;
    }
    size_t all = whole(size);
    uint16_t *free_one = &lists_of(den)->free[class_of(all)];
    struct thing *thing = thing_at(den, *free_one);
    if (*free_one) {
        *free_one = thing->next;
        return thing->content;
    }
    if (den->top + all > BLOCK) {
        return NULL;
    }
    thing = thing_at(den, den->top);
    memset(thing, 0, all); /* what nobody writes need not be packed */
    thing->size = all;
    den->top += all;
    if (den->top > den->counted) {
        count(den, pages_of(den->top));
    }
    return thing->content;
}

bool den_owns(const struct den *den, const void *thing)
{
    uintptr_t from = (uintptr_t)den->block.at, at = (uintptr_t)thing;

    return from && at >= from && at < from + BLOCK;
}

size_t den_size(const void *thing)
{
    return thing_of(thing)->size - HEADER;
}

void den_free(struct den *den, void *content)
{
    struct thing *thing = thing_of(content);
    uint16_t *free_one = &lists_of(den)->free[class_of(thing->size)];

    thing->next = *free_one;
    *free_one = (uint16_t)((uintptr_t)thing - (uintptr_t)den->block.at);
}

/* ---- sleep ---- */

/* What was in things that are free is not kept. */
static void forget_free(struct den *den)
{
    const struct lists *lists = lists_of(den);

    for (size_t i = 0; i < CLASSES; i++) {
        for (size_t place = lists->free[i]; place; place = thing_at(den, place)->next) {
            struct thing *thing = thing_at(den, place);
            uint16_t next = thing->next;
            memset(thing->content, 0, thing->size - HEADER);
            thing->next = next;
        }
    }
}

/* How many words from `at` on are zeros, or are none: no more than a run may have. */
static size_t run_of(const uint64_t *at, const uint64_t *end, bool zeros)
{
    size_t n = 0;

    while (at + n < end && n < RUN_MOST && (at[n] == 0) == zeros) {
        n++;
    }
    return n;
}

/* Packs to `out`, unless that is NULL. Returns how many words it takes. */
static size_t pack(const struct den *den, uint64_t *out)
{
    const uint64_t *at = den->block.at, *end = at + (den->top + HEADER - 1) / HEADER;
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
        *out = 0; /* the end */
    }
    return words;
}

void den_sleep(struct den *den)
{
    if (den->block.at == NULL || den->packed) {
        return;
    }
    forget_free(den);
    den->packed = xmalloc(pack(den, NULL) * sizeof(uint64_t));
    pack(den, (uint64_t *)(void *)den->packed);
    pages_rest(&den->block);
    count(den, malloc_usable_size(den->packed));
}

void den_wake(struct den *den)
{
    if (den->packed == NULL) {
        return;
    }
    const uint64_t *from = (const uint64_t *)(const void *)den->packed;
    uint64_t *to = den->block.at;
    while (*from) {
        size_t zeros = (size_t)(*from >> 16), others = (size_t)(*from & RUN_MOST);
        memcpy(to + zeros, from + 1, others * sizeof(*to));
        to += zeros + others;
        from += 1 + others;
    }
    free(den->packed);
    den->packed = NULL;
    count(den, pages_of(den->top));
}
