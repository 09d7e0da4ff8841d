/*
 * den - a heap of its own for one owner's small things, in one block of pages, where they can all
 * sleep: packed to what is not zero, and later back at the same addresses, so that pointers among
 * them stay good. While they sleep nobody may look at them. Not thread-safe.
 *
 * What is too large, or finds no room, the owner takes from elsewhere. Under AddressSanitizer that
 * is everything, so that it sees every block by itself.
 */
#ifndef LARDER_BASE_DEN_H
#define LARDER_BASE_DEN_H

#include "base/pages.h"

#include <stdbool.h>

#define DEN_MOST 4000 /* bytes of one thing */

struct den {
    struct pages *pages;
    struct pages_block block; /* empty: none was to be had */
    size_t top;               /* behind all that was ever taken */
    char *packed;             /* asleep: what they are, from the heap */
    size_t counted;           /* bytes of it that base/memory.h knows of, as MEMORY_CONNECTIONS */
};

void den_init(struct den *den, struct pages *pages);
/* Everything in it is gone, asleep or not. */
void den_fini(struct den *den);

/* Aligned to 16, not zeroed. NULL: there is no room for it. */
void *den_alloc(struct den *den, size_t size);
/* Whether it is from here. */
bool den_owns(const struct den *den, const void *thing);
/* What may be used of it: at least what was asked for. */
size_t den_size(const void *thing);
void den_free(struct den *den, void *thing);

void den_sleep(struct den *den);
/* A no-op when nothing is asleep. */
void den_wake(struct den *den);

#endif
