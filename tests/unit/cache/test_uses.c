#include "store_kit.h"

#include "cache/store/batch.h"
#include "cache/store/disk.h"
#include "cache/store/uses.h"

#include <criterion/criterion.h>

enum { BLOCKS = 3 * USES_AT_ONCE / 2 };

static void wake_nobody(void *arg)
{
    (void)arg;
}

static void count_block(void *arg, uint32_t block, struct span uses)
{
    unsigned *blocks = arg;

    (void)block, (void)uses;
    ++*blocks;
}

/* In one commit; returns how many blocks the index has then. */
static unsigned save(struct disk *disk, int (*call)(struct disk *disk))
{
    unsigned blocks = 0;

    cr_assert_eq(index_begin(disk->index), 0);
    cr_assert_eq(call(disk), 0);
    cr_assert_eq(index_commit(disk->index), 0);
    cr_assert_eq(index_each_uses(disk->index, disk->open[S3_PROBATION]->id, count_block, &blocks),
                 0);
    return blocks;
}

/* A disk with one segment, of which an object of each block was used. */
static void setup(struct kit *kit, struct disk *disk)
{
    kit_init(kit, UINT64_C(1) << 30);
    store_close(&kit->store);
    struct store_options options = {.path = kit->dir, .size = kit->size};
    cr_assert_eq(disk_open(disk, &options, wake_nobody, NULL), 0);
    cr_assert_eq(disk_check(disk), 0);
    cr_assert_eq(index_begin(disk->index), 0);
    cr_assert_eq(disk_next_segment(disk, S3_PROBATION), 0);
    cr_assert_eq(index_commit(disk->index), 0);
    struct ledger *ledger = &disk->open[S3_PROBATION]->ledger;
    cr_assert_geq(ledger_blocks(ledger), BLOCKS);
    for (uint32_t block = 0; block < BLOCKS; block++) {
        ledger_use(ledger, block * LEDGER_BLOCK, 1);
    }
}

static void teardown(struct kit *kit, struct disk *disk)
{
    disk_close(disk);
    kit_fini(kit);
}

/* LMDB keeps the pages of its largest commit: what all objects need would grow with them. */
Test(uses, a_commit_saves_some_and_the_next_one_goes_on)
{
    struct kit kit;
    struct disk disk;

    setup(&kit, &disk);
    cr_expect_eq(save(&disk, uses_save), USES_AT_ONCE);
    cr_expect_eq(save(&disk, uses_save), BLOCKS);
    teardown(&kit, &disk);
}

static void note_first(void *arg, uint32_t block, struct span uses)
{
    if (block == 0) {
        *(uint8_t *)arg = (uint8_t)uses.at[0];
    }
}

Test(uses, all_are_saved_at_the_end)
{
    struct kit kit;
    struct disk disk;
    uint8_t first = 0;

    setup(&kit, &disk);
    struct segment *segment = disk.open[S3_PROBATION];
    cr_expect_eq(save(&disk, uses_save), USES_AT_ONCE);
    ledger_use(&segment->ledger, 0, 1); /* in a block that was saved */
    cr_expect_eq(save(&disk, uses_save_all), BLOCKS);
    cr_assert_eq(index_each_uses(disk.index, segment->id, note_first, &first), 0);
    cr_expect_eq(first, ledger_uses(&segment->ledger, 0));
    teardown(&kit, &disk);
}

/* A batch that has nothing to write; returns whether the disk has accepted writes. */
static bool flush(struct disk *disk)
{
    struct op *op = op_new(OP_FLUSH, NULL, 0);
    struct list ops;
    bool wrote;

    list_init(&ops);
    list_push_back(&ops, &op->link);
    cr_assert_eq(batch_write(disk, &ops, &wrote), 0);
    op_end(list_entry(list_pop_front(&ops), struct op, link));
    return wrote;
}

/* Otherwise a disk that takes counts, but no objects, would seem to have recovered. */
Test(uses, counts_alone_are_no_reason_for_a_commit)
{
    struct kit kit;
    struct disk disk;
    unsigned blocks = 0;

    setup(&kit, &disk);
    flush(&disk); /* the segment is listed */
    cr_expect_not(flush(&disk));
    cr_assert_eq(index_each_uses(disk.index, disk.open[S3_PROBATION]->id, count_block, &blocks), 0);
    cr_expect_eq(blocks, 0);
    teardown(&kit, &disk);
}
