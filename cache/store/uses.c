#include "cache/store/uses.h"

#include "base/clock.h"
#include "base/minmax.h"

#define SAVE_EACH_MS 60000u
#define SAVE_BLOCKS 1024u /* most blocks written in that time: a megabyte */

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

/* Continues with the segment at disk->uses.block, until *room blocks have been written. */
static int save_segment(struct disk *disk, struct segment *segment, uint64_t *room)
{
    uint32_t *block = &disk->uses.block;
    int err = 0;

    uses_load(disk, segment);
    for (; *block < ledger_blocks(&segment->ledger) && *room > 0 && !err; ++*block) {
        uint8_t uses[LEDGER_BLOCK];
        if (ledger_save(&segment->ledger, *block, uses)) {
            bool written;
            err = index_put_uses(disk->index, segment->id, *block, span_of(uses, sizeof(uses)),
                                 &written);
            *room -= written;
        }
    }
    return err;
}

/* Continues with *slots segments, until *room blocks have been written; both are reduced. */
static int save_slots(struct disk *disk, uint64_t *slots, uint64_t *room)
{
    struct disk_uses *uses = &disk->uses;
    int err = 0;

    while (*slots > 0 && *room > 0 && !err) {
        struct segment *segment = segments_slot(&disk->segments, uses->slot);
        if (segment_is_live(segment, segment->id)) {
            err = save_segment(disk, segment, room);
        }
        if (*room > 0) {
            uses->slot++;
            uses->block = 0;
            --*slots;
        }
    }
    return err;
}

int uses_save(struct disk *disk)
{
    struct disk_uses *uses = &disk->uses;
    uint64_t now = clock_mono_ms();

    if (now - uses->began_ms >= SAVE_EACH_MS) {
        uses->began_ms = now;
        uses->slots_left = disk->segments.mask + UINT64_C(1);
        uses->blocks_left = SAVE_BLOCKS;
    }
    uint64_t room = min_u64(uses->blocks_left, USES_AT_ONCE), rest = room;
    int err = save_slots(disk, &uses->slots_left, &rest);
    uses->blocks_left -= room - rest;
    return err;
}

int uses_save_all(struct disk *disk)
{
    uint64_t slots = disk->segments.mask + UINT64_C(1), room = UINT64_MAX;

    disk->uses.block = 0;
    return save_slots(disk, &slots, &room);
}
