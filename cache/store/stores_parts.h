/*
 * stores_parts - the inside of a set of stores, for the files it is made of: stores.c (who has
 * what, all of them together), stores_open.c (opening).
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
    _Atomic bool out;      /* nothing is looked for here, nothing is put */
    char cause[CAUSE_MAX]; /* why it is out; set before that */
};

/* What readers see of a placement. Replaced whole; old ones stay until the end. */
struct table {
    struct table *older;
    uint32_t shares[PLACEMENT_SHARES]; /* tenure << 8 | member */
};

struct stores {
    struct member *members;
    size_t count;
    struct sip_key secret;
    _Atomic bool ready;            /* opened: what goes wrong before is tried again */
    _Atomic(struct table *) table; /* NULL: the only member has had all of it since ever */
    pthread_mutex_t lock;          /* for what follows */
    struct placement *placement;   /* NULL with `table` */
};

/* Begins an era of those that are in, and tells each of their directories, before anything is
 * looked for by it; then readers go by it. Under the lock, or while nobody else has the set. */
void stores_begin_era(struct stores *stores, bool forget);
/* Readers go by the placement. */
void stores_publish(struct stores *stores);
/* As the placement knows it. */
void stores_describe(const struct member *member, struct placement_member *out);
/* The members that are in; returns how many. */
size_t stores_in(const struct stores *stores, struct placement_member out[PLACEMENT_MEMBERS]);
/* Writes the placement into the directories of all that are in. */
void stores_record(struct stores *stores);

/* For store_options. `arg` is the member. */
void stores_on_trouble(void *arg, const struct store_trouble *trouble);

#define PLACEMENT_FILE "placement"

#endif
