#include "cache/store/uses.h"

#include "base/clock.h"

#define SAVE_EACH_MS 60000u
#define SAVE_BLOCKS 1024u /* most blocks written at once: a megabyte */

static void load_block(void *arg, uint32_t block, struct span uses)
{
    struct segment *segment = arg;

    ledger_load(&segment->ledger, block, uses);
}

void uses_load(struct disk *disk, struct segment *segment)
{
    if (!segment->uses_loaded) {
        segment->uses_loaded = true;
        index_each_uses(disk->index, segment->id, load_block, segment); /* as far as possible */
    }
}

static int save_segment(struct disk *disk, struct segment *segment, unsigned *blocks)
{
    int err = 0;

    uses_load(disk, segment);
    for (uint32_t block = 0; block < ledger_blocks(&segment->ledger) && !err; block++) {
        uint8_t uses[LEDGER_BLOCK];
        if (ledger_save(&segment->ledger, block, uses)) {
            bool written;
            err = index_put_uses(disk->index, segment->id, block, span_of(uses, sizeof(uses)),
                                 &written);
            *blocks += written;
        }
    }
    return err;
}

int uses_save(struct disk *disk, bool all)
{
    struct segments *segments = &disk->segments;
    uint64_t now = clock_mono_ms();
    unsigned blocks = 0;
    int err = 0;

    if (!all && now - disk->uses_saved_ms < SAVE_EACH_MS) {
        return 0;
    }
    disk->uses_saved_ms = now;
    for (uint32_t i = 0; i <= segments->mask && !err && (all || blocks < SAVE_BLOCKS); i++) {
        struct segment *segment = segments_slot(segments, disk->uses_next++);
        if (segment_is_live(segment, segment->id)) {
            err = save_segment(disk, segment, &blocks);
        }
    }
    return err;
}
