/*
 * den - a small heap inside one block of pages, all of which can be put to sleep: it is compressed
 * by leaving out zeros, and later restored at the same addresses, so that pointers stay valid.
 * Nobody may access it meanwhile. Not thread-safe.
 *
 * What is too large, or finds no room, has to be allocated elsewhere. Under AddressSanitizer that
 * is everything, so that it can check every block.
 */
#ifndef LARDER_BASE_DEN_H
#define LARDER_BASE_DEN_H

#include "base/pages.h"

#include <stdbool.h>

#define DEN_MOST 4000 /* bytes of one thing */

struct den {
    struct pages *pages;
    struct pages_block block; /* empty: allocation failed */
    size_t top;               /* end of everything ever allocated */
    char *packed;             /* asleep: the compressed content, on the heap */
    size_t counted;           /* bytes of it counted in base/memory.h as MEMORY_CONNECTIONS */
};

void den_init(struct den *den, struct pages *pages);
/* Frees everything in it, asleep or not. */
void den_fini(struct den *den);

/* Aligned to 16, not zeroed. NULL: there is no room. */
void *den_alloc(struct den *den, size_t size);
/* Was it allocated here? */
bool den_owns(const struct den *den, const void *thing);
/* Usable size, at least the one asked for. */
size_t den_size(const void *thing);
void den_free(struct den *den, void *thing);

void den_sleep(struct den *den);
/* Does nothing when it is awake. */
void den_wake(struct den *den);

#endif
