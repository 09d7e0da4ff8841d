/*
 * spare - files of segments that were given up, kept to be written over: their blocks are there
 * already, which makes writing to them twice as fast as to new ones, and there is nothing to
 * unlink. The writer's thread.
 *
 * A trap: a socket that was given pages of a file (sendfile) goes on referring to them until the
 * peer's application has read them, long after the call has returned and, on one machine, after
 * everything was acknowledged. Written over, they are another object's bytes. So a file is kept
 * only with a proof that nobody refers to any page of it: told to let its cached pages go, the
 * kernel keeps just those that are in use somewhere, and mincore() shows them. When one is left,
 * the file is unlinked as if there were no spares; then the old pages live as long as they are
 * needed, and belong to nobody else.
 */
#ifndef LARDER_CACHE_STORE_SPARE_H
#define LARDER_CACHE_STORE_SPARE_H

#include "cache/store/segment.h"

#define SPARES_MAX 4
#define SPARE_BLANK 8192 /* two pages */

struct spares {
    uint32_t ids[SPARES_MAX]; /* of the segments they were */
    unsigned count;
    uint64_t capacity;       /* bytes of each; 0: none are kept */
    char blank[SPARE_BLANK]; /* how an empty file begins */
    bool has_blank;
};

/* For segments of this capacity. */
void spares_init(struct spares *spares, uint64_t capacity);

/* The file of a closed segment that nobody pins. True: it is a spare now. False: the caller unlinks
 * it, because there are enough, or pages of it are referred to. */
bool spare_keep(struct spares *spares, const struct segment_home *home, uint32_t id);

/* A spare becomes the file of segment `id`, empty. False: there is none, or it cannot be. */
bool spare_take(struct spares *spares, const struct segment_home *home, uint32_t id);

/* Unlinks one. False: there is none. */
bool spare_unlink(struct spares *spares, const struct segment_home *home);

/* Is this the name of a spare's file? Those found at the start are strays. */
bool spare_is_name(const char *name);

/* The proof: no page of the file is referred to by anything but the file system. Drops its cached
 * pages. */
bool spare_is_unreferenced(int fd, uint64_t size);

static inline uint64_t spares_bytes(const struct spares *spares)
{
    return spares->count * spares->capacity;
}

#endif
