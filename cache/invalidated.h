/*
 * invalidated - which URLs were invalidated lately, each with the number of its last invalidation.
 * There is room for so many URLs; of one that had to make room for others it is only known that its
 * number is not above `forgotten`, and everything up to there may have been invalidated. So there
 * may be a yes too many, but no false no.
 *
 * Thread-safe, but for init and fini; numbers are given by one thread at a time, and rise.
 */
#ifndef LARDER_CACHE_INVALIDATED_H
#define LARDER_CACHE_INVALIDATED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct invalidation {
    uint64_t url; /* some bits of its hash */
    uint64_t number;
};

struct invalidated {
    pthread_mutex_t lock; /* held by nobody who takes another lock */
    struct invalidation *at;
    size_t count, room, max; /* room grows to `max` */
    uint64_t forgotten;
};

void invalidated_init(struct invalidated *set, size_t max);
void invalidated_fini(struct invalidated *set);

/* The URL was invalidated for the number-th time that any was; above all numbers before. */
void invalidated_add(struct invalidated *set, uint64_t url, uint64_t number);
/* Was the URL invalidated by a number above `since`? True also when that is not known any more. */
bool invalidated_since(struct invalidated *set, uint64_t url, uint64_t since);

#endif
