/*
 * hot - decides which finished objects stay in memory. Knows only entries, sizes and uses. Not
 * thread-safe: each shard of the table has one.
 *
 * S3-FIFO (Yang et al., SOSP 2023): new objects go to a small queue with a tenth of the bytes, and
 * leave at its end unless they were used there; then they go to the main queue, where each use buys
 * another round. So objects used once only displace each other. Evicted ones are remembered in 4
 * bytes as ghosts, and go to the main queue at once when they come again. Objects that the store
 * has do not enter memory at their first use, but are remembered in the same way. Size counts,
 * since the disk has them anyway: the larger an object, the more uses it needs to stay.
 */
#ifndef LARDER_CACHE_HOT_H
#define LARDER_CACHE_HOT_H

#include "base/list.h"
#include "cache/store/ghosts.h"

enum hot_queue {
    HOT_OUT,  /* in no queue */
    HOT_HELD, /* must stay for now */
    HOT_NEW,  /* the small queue */
    HOT_MAIN, /* the main queue */
    HOT_QUEUES,
};

/* Part of what is kept. Zero it, then call hot_entry_init(). */
struct hot_entry {
    uint32_t uses;  /* changes with each use; near the front, where the owner has its key */
    uint32_t tag;   /* 32 bits of the key's hash */
    uint8_t hits;   /* uses since eviction last looked at it */
    uint8_t untold; /* uses that the store was not told of */
    bool proven;    /* belongs in the main queue */
    enum hot_queue queue;
    size_t bytes;
    struct list link;
};

struct hot {
    struct list queues[HOT_QUEUES]; /* newest first */
    size_t bytes[HOT_QUEUES];
    size_t count; /* entries in all queues */
    struct ghosts ghosts;
};

void hot_init(struct hot *hot);
/* All queues must be empty. */
void hot_fini(struct hot *hot);

void hot_entry_init(struct hot_entry *entry, uint32_t tag);

/* Adds an entry as the newest of its queue, or adds it again with another size. `held`: it stays
 * until it is added again without. */
void hot_put(struct hot *hot, struct hot_entry *entry, size_t bytes, bool held);
static inline bool hot_is_held(const struct hot_entry *entry)
{
    return entry->queue == HOT_HELD;
}

/* Removes an entry and forgets its uses. Does nothing when it is in no queue. */
void hot_remove(struct hot *hot, struct hot_entry *entry);

/* Counts a use. Returns how many uses to tell the store, or 0: it is told at each doubling, later
 * of HOT_TELL uses at once. If the store does not have (`has`) the object, the uses are kept for
 * later. */
#define HOT_TELL 32
unsigned hot_use(struct hot_entry *entry, bool has);

/* Which queue should shrink (HOT_NEW or HOT_MAIN), by the bytes of all shards: of the small queue,
 * and of both. */
enum hot_queue hot_victim(size_t new_bytes, size_t both_bytes);
/* Removes the entry to evict from a queue; NULL: there is none. */
struct hot_entry *hot_evict(struct hot *hot, enum hot_queue from);

/* Was it evicted or remembered lately? Its ghost is removed by this. */
bool hot_was_seen(struct hot *hot, uint32_t tag);
void hot_remember(struct hot *hot, uint32_t tag);

/* Bytes in all queues. */
size_t hot_bytes(const struct hot *hot);

#endif
