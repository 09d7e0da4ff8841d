/*
 * segments - the table of segments, found by id without a lock. The segment with id N is in slot N
 * & mask; an id whose slot is taken is skipped, so that a lookup is one load. Slots are never
 * freed. Lookups and pins are thread-safe; adding and dropping is for the writer.
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
    /* Called from any thread when a retired segment has lost its last pin, and when one was
     * condemned. */
    void (*wake)(void *arg);
    void *wake_arg;
};

/* Room for `count` segments, and as many ids in between. Copies dir. */
void segments_init(struct segments *segments, const char *dir, uint64_t count);
/* Closes open segments. There may be no pins. Accepts a zeroed table. */
void segments_fini(struct segments *segments);

/* The slot for this id, whatever is in it. */
static inline struct segment *segments_slot(const struct segments *segments, uint32_t id)
{
    return &segments->slots[id & segments->mask];
}

/* A live segment, pinned and open. NULL: it was dropped, or its file is wrong (then it is
 * condemned). Thread-safe. */
struct segment *segments_pin(struct segments *segments, uint32_t id);
/* The same, also for a dropped segment that is still pinned. */
struct segment *segments_pin_any(struct segments *segments, uint32_t id);
void segments_unpin(struct segments *segments, struct segment *segment);
bool segments_is_live(const struct segments *segments, uint32_t id);

/* The next id that has a free slot. NULL: all slots are taken. */
struct segment *segments_next_free(struct segments *segments, uint32_t *id);

/* The live segment of this log with the lowest id that is at least `id`; NULL: none. */
struct segment *segments_oldest(struct segments *segments, enum s3_log log, uint32_t id);
/* The live segment with the highest id that was not opened so far; NULL: none. */
struct segment *segments_newest_unopened(struct segments *segments);

/* Size of the files of a log's live segments; without `pinned` only of those without readers. */
uint64_t segments_log_bytes(const struct segments *segments, enum s3_log log, bool pinned);
/* Size of all files, including unlinked ones; and the number of live segments. */
uint64_t segments_used(const struct segments *segments);
uint32_t segments_live(const struct segments *segments);

#endif
