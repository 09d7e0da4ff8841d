/*
 * stores_parts - the inside of a set of stores, shared by stores.c (who has what, sums) and
 * stores_open.c (opening).
 */
#ifndef LARDER_CACHE_STORE_STORES_PARTS_H
#define LARDER_CACHE_STORE_STORES_PARTS_H

#include "cache/store/placement.h"
#include "cache/store/stores.h"

#include <pthread.h>

#define CAUSE_MAX 96

struct member {
    struct stores *stores;
    char *path;
    uint64_t size;
    struct store *store;   /* NULL: could not be opened. Constant after opening */
    _Atomic bool out;      /* it is no longer used */
    char cause[CAUSE_MAX]; /* why; set before `out` */
};

/* The part of a placement that readers use. Replaced as a whole; old ones are kept until the
 * end. */
struct table {
    struct table *older;
    uint32_t shares[PLACEMENT_SHARES]; /* tenure << 8 | member */
};

struct stores {
    struct member *members;
    size_t count;
    struct sip_key secret;
    _Atomic bool ready;            /* opened; errors before that are tried again */
    _Atomic(struct table *) table; /* NULL: the only member has always had everything */
    pthread_mutex_t lock;          /* of what follows */
    struct placement *placement;   /* NULL together with `table` */
};

/* Begins an era with the members in use, and writes it to their directories before readers use it.
 * Under the lock, or while nobody else uses the set. */
void stores_begin_era(struct stores *stores, bool forget);
/* Makes readers use the placement. */
void stores_publish(struct stores *stores);
/* A member in the form of the placement. */
void stores_describe(const struct member *member, struct placement_member *out);
/* The members in use; returns how many. */
size_t stores_in(const struct stores *stores, struct placement_member out[PLACEMENT_MEMBERS]);
/* Writes the placement to the directories of all members in use. */
void stores_record(struct stores *stores);

/* For store_options; `arg` is the member. */
void stores_on_trouble(void *arg, const struct store_trouble *trouble);

#define PLACEMENT_FILE "placement"

#endif
