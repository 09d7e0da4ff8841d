/*
 * spare - files of dropped segments, kept to be overwritten: their blocks are allocated already,
 * which makes writing to them twice as fast, and nothing has to be unlinked. For the writer's
 * thread.
 *
 * Danger: a socket that was given pages of a file (sendfile) refers to them until the peer's
 * application has read them, long after the call has returned; on one machine even after everything
 * was acknowledged. When overwritten, they are another object's bytes. So a file is kept only with
 * proof that nothing refers to its pages: told to drop its cached pages, the kernel keeps just
 * those in use, and mincore() shows them. If one is left, the file is unlinked; its pages then live
 * as long as needed, and belong to nobody else.
 */
#ifndef LARDER_CACHE_STORE_SPARE_H
#define LARDER_CACHE_STORE_SPARE_H

#include "cache/store/segment.h"

#define SPARES_MAX 4
#define SPARE_BLANK 8192 /* two pages */

struct spares {
    uint32_t ids[SPARES_MAX]; /* ids of their former segments */
    unsigned count;
    uint64_t capacity;       /* size of each; 0: none are kept */
    char blank[SPARE_BLANK]; /* the beginning of an empty file */
    bool has_blank;
};

/* For segments of this capacity. */
void spares_init(struct spares *spares, uint64_t capacity);

/* Keeps the file of a closed segment without pins. False: there are enough, or its pages are in
 * use; the caller unlinks it. */
bool spare_keep(struct spares *spares, const struct segment_home *home, uint32_t id);

/* Makes a spare the empty file of segment `id`. False: there is none, or it failed. */
bool spare_take(struct spares *spares, const struct segment_home *home, uint32_t id);

/* Unlinks one. False: there is none. */
bool spare_unlink(struct spares *spares, const struct segment_home *home);

/* Is this, to the letter, the name of a spare's file, or of the empty one that is made for a moment
 * to begin it with? Those found at the start are leftovers. */
bool spare_is_name(const char *name);

/* The proof: does only the file system refer to pages of the file? Drops its cached pages. */
bool spare_is_unreferenced(int fd, uint64_t size);

static inline uint64_t spares_bytes(const struct spares *spares)
{
    return spares->count * spares->capacity;
}

#endif
