/*
 * segments - those that exist, found by id without a lock.
 *
 * A segment with id N lies in slot N & mask; an id whose slot is taken is skipped, so that a lookup
 * is one load. Slots live as long as they do. Lookups and pins are thread-safe; adding and
 * dropping are the writer's.
 */
#ifndef LARDER_CACHE_STORE_SEGMENTS_H
#define LARDER_CACHE_STORE_SEGMENTS_H

#include "cache/store/segment.h"

struct segments {
    struct segment_home home;
    struct segment *slots;
    uint32_t mask;
    uint32_t next_id;
    uint64_t segment_size; /* capacity of new segments */
    /* Called from any thread when a retired segment lost its last pin, or one was condemned. */
    void (*wake)(void *arg);
    void *wake_arg;
};

/* `count` segments and as many ids in between. Copies dir. */
void segments_init(struct segments *segments, const char *dir, uint64_t count);
/* Closes what is open. No pin may be left. Harmless on a zeroed table. */
void segments_fini(struct segments *segments);

/* The slot of this id, whatever it holds at the moment. */
static inline struct segment *segments_slot(const struct segments *segments, uint32_t id)
{
    return &segments->slots[id & segments->mask];
}

/* A live segment, pinned and open; NULL when it was dropped or its file is not right (then it is
 * condemned). Thread-safe. */
struct segment *segments_pin(struct segments *segments, uint32_t id);
/* The same, also when it was dropped but somebody still pins it. */
struct segment *segments_pin_any(struct segments *segments, uint32_t id);
void segments_unpin(struct segments *segments, struct segment *segment);
bool segments_is_live(const struct segments *segments, uint32_t id);

/* The next id, with a free slot. NULL when all slots are taken. */
struct segment *segments_next_free(struct segments *segments, uint32_t *id);

/* The live segment of this log with the lowest id from `id` on; NULL without. */
struct segment *segments_oldest(struct segments *segments, enum s3_log log, uint32_t id);
/* The live segment with the highest id that nobody has used yet; NULL without. */
struct segment *segments_newest_unopened(struct segments *segments);

/* Bytes of the files of a log's live segments; without `pinned`, of those that nobody reads. */
uint64_t segments_log_bytes(const struct segments *segments, enum s3_log log, bool pinned);
/* Bytes of all files, those without a name included; and how many are live. */
uint64_t segments_used(const struct segments *segments);
uint32_t segments_live(const struct segments *segments);

#endif
