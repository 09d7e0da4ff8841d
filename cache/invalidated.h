/*
 * invalidated - which URLs were invalidated lately, each with the number of its last invalidation.
 *
 * Bounded: of URLs that had to make room only the largest number is known (`forgotten`), so
 * everything up to that number may have been invalidated. The answer may be a false yes, never a
 * false no. Thread-safe, except init and fini; numbers rise, and are given by one thread at a time.
 */
#ifndef LARDER_CACHE_INVALIDATED_H
#define LARDER_CACHE_INVALIDATED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct invalidation {
    uint64_t url; /* bits of its hash */
    uint64_t number;
};

struct invalidated {
    pthread_mutex_t lock; /* no other lock is taken under it */
    struct invalidation *at;
    size_t count, room, max; /* room grows up to `max` */
    uint64_t forgotten;
};

void invalidated_init(struct invalidated *set, size_t max);
void invalidated_fini(struct invalidated *set);

/* Adds an invalidation; `number` is larger than all before. */
void invalidated_add(struct invalidated *set, uint64_t url, uint64_t number);
/* Was the URL invalidated with a number above `since`? Also true when that is no longer known. */
bool invalidated_since(struct invalidated *set, uint64_t url, uint64_t since);

#endif
