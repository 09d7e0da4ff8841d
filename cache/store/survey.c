#include "cache/store/survey.h"

#include "base/clock.h"
#include "cache/store/store_parts.h"

#include <stdatomic.h>
#include <stdlib.h>

/* The caller holds a pin, so none of this changes meanwhile. */
static void describe(struct segment *segment, struct store_segment *out)
{
    out->main = segment->log == S3_MAIN;
    out->open = !atomic_load(&segment->sealed);
    out->created = segment->created;
    out->capacity = segment->capacity;
    if (atomic_load_explicit(&segment->opened, memory_order_acquire)) {
        out->used = env_pages(&segment->env) * segment->env.page_size;
    }
    out->hot_objects = ledger_hot(&segment->ledger);
}

static bool look_at(struct store *store, uint32_t slot, struct store_segment *out)
{
    struct segments *segments = &store->disk.segments;
    struct segment *segment = &segments->slots[slot];
    struct live_count count;
    bool live;

    *out = (struct store_segment){0};
    out->id = segment_pins(segment, &live, &out->pins);
    if (out->id == 0 || !segment_pin(segment, out->id, true)) {
        return false;
    }
    out->dropped = !live;
    describe(segment, out);
    segments_unpin(segments, segment);
    if (tours_live_count(&store->tours, out->id, &count)) {
        out->counted = true;
        out->live_objects = count.objects;
        out->live_bytes = count.bytes;
    }
    return true;
}

static int by_id(const void *a, const void *b)
{
    const struct store_segment *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

size_t store_segments_max(const struct store *store)
{
    return (size_t)store->disk.segments.mask + 1;
}

size_t store_segments(struct store *store, struct store_segment *out, size_t max)
{
    size_t count = 0;

    for (uint32_t slot = 0; slot <= store->disk.segments.mask && count < max; slot++) {
        count += look_at(store, slot, &out[count]);
    }
    qsort(out, count, sizeof(*out), by_id);
    return count;
}

void store_spending(struct store *store, struct store_spending *out)
{
    struct disk *disk = &store->disk;

    *out = (struct store_spending){
        .index = index_used(disk->index),
        .spares = atomic_load(&disk->counters.spare_bytes),
        .written = meter_sum(&disk->counters.written, clock_mono_ms() / 1000),
        .seconds = METER_SECONDS,
    };
}
