/*
 * hot - which finished objects stay in memory. The policy alone: knows entries, bytes and uses.
 * Not thread-safe: one for each shard of the table.
 *
 * S3-FIFO (Yang et al., SOSP 2023): what is new waits in a short queue, a tenth of the bytes, and
 * leaves at its end unless it was used there; then it goes to the main queue, where each use buys
 * another round. So what is asked for once pushes out nothing but its like. What left unused is
 * remembered by 4 bytes, a ghost: when it comes again it goes to the main queue at once. What the
 * store has is not taken in at its first use at all, but remembered likewise.
 *
 * Size counts (there is always the disk behind it): the larger, the more uses it takes to stay.
 */
#ifndef LARDER_CACHE_HOT_H
#define LARDER_CACHE_HOT_H

#include "base/list.h"
#include "cache/store/ghosts.h"

enum hot_queue {
    HOT_OUT,  /* in none */
    HOT_HELD, /* must stay for now */
    HOT_NEW,  /* has to prove itself */
    HOT_MAIN, /* has done so */
    HOT_QUEUES,
};

/* Part of what is kept. Zeroed, then hot_entry_init(). */
struct hot_entry {
    uint32_t uses;  /* written at each; near the front, where who embeds it has his key */
    uint32_t tag;   /* any 32 bits of its key's hash, always the same ones */
    uint8_t hits;   /* since it was last judged */
    uint8_t untold; /* uses that the store does not know of */
    bool proven;    /* belongs to the main queue */
    enum hot_queue queue;
    size_t bytes;
    struct list link;
};

struct hot {
    struct list queues[HOT_QUEUES]; /* the newest first */
    size_t bytes[HOT_QUEUES];
    size_t count; /* entries in queues */
    struct ghosts ghosts;
};

void hot_init(struct hot *hot);
/* No entry may be in a queue. */
void hot_fini(struct hot *hot);

void hot_entry_init(struct hot_entry *entry, uint32_t tag);

/* Puts it in as the newest of its queue, or again with another size; then it keeps what it has
 * proven. `held`: it stays until it is put again without. */
void hot_put(struct hot *hot, struct hot_entry *entry, size_t bytes, bool held);
static inline bool hot_is_held(const struct hot_entry *entry)
{
    return entry->queue == HOT_HELD;
}

/* What was known of its uses is forgotten, too. Harmless when it is in no queue. */
void hot_remove(struct hot *hot, struct hot_entry *entry);

/* How many uses the store should be told of, or 0: with each doubling, and then of HOT_TELL at
 * once. Only if it `has` the object: else they are kept for later. */
#define HOT_TELL 32
unsigned hot_use(struct hot_entry *entry, bool has);

/* The queue that is to become shorter, by the bytes of all shards: HOT_NEW or HOT_MAIN. */
enum hot_queue hot_victim(size_t new_bytes, size_t all_bytes);
/* Takes out the one that should leave it; NULL when there is none. */
struct hot_entry *hot_evict(struct hot *hot, enum hot_queue from);

/* Has it left, or been seen, lately? A ghost is taken away by that. */
bool hot_was_seen(struct hot *hot, uint32_t tag);
void hot_remember(struct hot *hot, uint32_t tag);

/* Bytes in all queues. */
size_t hot_bytes(const struct hot *hot);

#endif
