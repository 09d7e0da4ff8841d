#include "cache/store/evict.h"

#include "base/err.h"

#include <stdatomic.h>

/* What the index may grow by until the next look: a batch copies at most every page of a small
 * tree, and freed pages are used again from then on. */
#define INDEX_MARGIN (512u << 10)

static void forget(struct disk *disk, struct segment *segment)
{
    uint32_t id = segment->id;

    if (disk->open == segment) {
        disk->open = NULL;
    }
    segment_close(segment);
    if (disk->index->txn) {
        index_drop_segment(disk->index, id); /* if this fails, the next start finds no file */
    }
}

void evict_reap(struct disk *disk)
{
    for (uint32_t i = 0; i <= disk->segments.mask; i++) {
        if (segment_is_idle(&disk->segments.slots[i])) {
            forget(disk, &disk->segments.slots[i]);
        }
    }
}

bool evict_one(struct disk *disk)
{
    struct segment *oldest = segments_oldest(&disk->segments, disk->open);

    if (!oldest) {
        return false;
    }
    segment_retire(oldest);
    segment_unlink(&disk->segments.home, oldest->id);
    if (segment_is_idle(oldest)) {
        forget(disk, oldest);
    }
    atomic_fetch_add_explicit(&disk->counters.evicted_segments, 1, memory_order_relaxed);
    return true;
}

int evict_make_room(struct disk *disk, uint64_t need)
{
    uint64_t margin = INDEX_MARGIN + index_used(disk->index) / 8;

    while (disk_used(disk) + need + margin > disk->size) {
        if (!evict_one(disk)) {
            return ERR_FULL;
        }
    }
    return 0;
}

void evict_trim(struct disk *disk)
{
    while (disk_used(disk) > disk->size && evict_one(disk)) {
    }
}

static bool is_dead(void *arg, const struct location *location)
{
    return !disk_has(arg, location);
}

int evict_sweep(struct disk *disk, unsigned count)
{
    return index_sweep(disk->index, count, is_dead, disk);
}
