#include "cache/store/evict.h"

#include "base/err.h"
#include "cache/store/forward.h"
#include "cache/store/put.h"

#include <stdatomic.h>

/* How much the index may grow until the next check: a batch copies at most every page of a small
 * tree, and LMDB reuses freed pages. */
#define INDEX_MARGIN (512u << 10)

/* A batch examines the next victim for this many times the bytes that it wrote, and some more. */
#define AHEAD_FACTOR 4u
#define AHEAD_MIN (1u << 20)

/* When room is needed at once, this many segments are examined completely: one for the bytes to be
 * written, one for the copies of the last. Then segments are dropped without copying. */
#define ROUNDS_CALM 2
#define ROUNDS_KEEPING 4

/* Room for copies is always reserved, except in a store of so few segments that the reserve would
 * be a large part of it: there only if one of the last victims had objects to keep. */
#define SEGMENTS_FEW 32
#define RESERVE_VICTIMS 16

/* While readers hold less than 1/8 of the store in dropped segments, pinned segments are expected
 * to be free soon, as most pins are short. With more, they are dropped last. */
#define HELD_PART 8

/* A segment of which at least half is dead is dropped before its turn. */
#define WASTE_PART 2

/* ---- giving up a segment ---- */

static void forget(struct disk *disk, struct segment *segment)
{
    uint32_t id = segment->id;

    for (enum s3_log log = 0; log < S3_LOGS; log++) {
        if (disk->open[log] == segment) {
            disk->open[log] = NULL;
        }
    }
    segment_close(segment);
    if (disk->index->txn) {
        /* if this fails, the next start removes the record, as it finds no file */
        index_drop_segment(disk->index, id);
    }
}

void evict_reap(struct disk *disk)
{
    for (uint32_t i = 0; i <= disk->segments.mask; i++) {
        struct segment *segment = &disk->segments.slots[i];
        if (segment_is_idle(segment)) {
            forget(disk, segment);
        } else {
            segment_shed(segment);
        }
    }
}

static void choose_none(struct eviction *eviction)
{
    *eviction = (struct eviction){
        .copying = eviction->copying, .kept = eviction->kept, .reserve = eviction->reserve};
}

/* `recycle`: its file may become a spare. It is unlinked at once in any case. */
static void drop(struct disk *disk, struct segment *segment, bool recycle)
{
    uint32_t id = segment->id;
    const struct segment_home *home = &disk->segments.home;

    if (disk->eviction.victim == id) {
        choose_none(&disk->eviction);
    }
    disk->eviction.reserve -= disk->eviction.reserve > 0;
    recycle = recycle && segment->capacity == disk->spares.capacity;
    segment_retire(segment);
    bool idle = segment_is_idle(segment);
    if (idle) {
        forget(disk, segment);
    }
    if (!idle || !recycle || !spare_keep(&disk->spares, home, id)) {
        segment_unlink(home, id);
    }
    atomic_fetch_add_explicit(&disk->counters.evicted_segments, 1, memory_order_relaxed);
}

/* ---- choosing the victim ---- */

static bool is_held(const struct disk *disk, const struct segment *segment)
{
    list_each(link, &disk->puts)
    {
        if (store_put_is_in(list_entry(link, struct store_put, link), segment->id)) {
            return true;
        }
    }
    return false;
}

/* Counts bytes of dropped segments that are still read, and of live ones that could be dropped. */
static void count_pinned(const struct disk *disk, uint64_t *held, uint64_t *loose)
{
    *held = *loose = 0;
    for (uint32_t i = 0; i <= disk->segments.mask; i++) {
        const struct segment *segment = &disk->segments.slots[i];
        bool live;
        uint32_t pins;
        if (segment_pins(segment, &live, &pins) == 0) {
            continue;
        }
        *held += !live && pins > 0 ? segment->capacity : 0;
        *loose += live && pins == 0 && !disk_is_open(disk, segment) ? segment->capacity : 0;
    }
}

/* Would dropping pinned segments free room too late? */
static bool pins_stay(const struct disk *disk)
{
    uint64_t held, loose;

    count_pinned(disk, &held, &loose);
    return held >= disk->size / HELD_PART;
}

/* Is most of it chunks of objects that were never completed? */
static bool is_waste(const struct disk *disk, const struct segment *segment)
{
    return segment_is_live(segment, segment->id) && !disk_is_open(disk, segment) &&
           segment->dead >= segment->capacity / WASTE_PART && !segment_is_pinned(segment) &&
           !is_held(disk, segment);
}

static struct segment *waste(struct disk *disk)
{
    for (uint32_t i = 0; i <= disk->segments.mask; i++) {
        if (is_waste(disk, &disk->segments.slots[i])) {
            return &disk->segments.slots[i];
        }
    }
    return NULL;
}

/* Segments that are passed over while there are others: those with chunks of objects being stored
 * and, before that, those that would free no room. */
enum { OVER_HELD = 1, OVER_PINNED = 2 };

static bool is_passed_over(const struct disk *disk, const struct segment *segment, int over)
{
    return disk_is_open(disk, segment) || (over & OVER_PINNED && segment_is_pinned(segment)) ||
           (over & OVER_HELD && is_held(disk, segment));
}

/* The oldest segment of a log that is not being written. */
static struct segment *oldest_of(struct disk *disk, enum s3_log log, int over)
{
    struct segment *segment = segments_oldest(&disk->segments, log, 0);

    while (segment && is_passed_over(disk, segment, over)) {
        segment = segments_oldest(&disk->segments, log, segment->id + 1);
    }
    return segment;
}

/* Chooses the log by the bytes that could be freed in each. With `stay` pinned segments come
 * last. */
static struct segment *choose(struct disk *disk, bool stay)
{
    enum s3_log first =
        s3fifo_victim(&disk->policy, segments_log_bytes(&disk->segments, S3_PROBATION, !stay),
                      segments_log_bytes(&disk->segments, S3_MAIN, !stay));
    enum s3_log other = first == S3_MAIN ? S3_PROBATION : S3_MAIN;
    struct segment *segment = waste(disk);

    for (int over = OVER_HELD | (stay ? OVER_PINNED : 0); over >= 0 && !segment; over--) {
        segment = oldest_of(disk, first, over);
        segment = segment ? segment : oldest_of(disk, other, over);
    }
    return segment;
}

/* Would the segment being examined still be chosen as the next victim? */
static bool is_victim(const struct disk *disk, const struct segment *segment)
{
    uint32_t id = disk->eviction.victim;

    return id && segment_is_live(segment, id) &&
           !is_passed_over(disk, segment, pins_stay(disk) ? OVER_PINNED : 0);
}

/* The segment being examined; a new one if there is none, or if another one would be chosen now. */
static struct segment *victim_of(struct disk *disk)
{
    struct eviction *at = &disk->eviction;
    struct segment *segment = segments_slot(&disk->segments, at->victim);

    if (is_victim(disk, segment)) {
        return segment;
    }
    segment = choose(disk, pins_stay(disk));
    choose_none(at);
    if (segment) {
        at->victim = segment->id;
        at->next_object = at->next_chunk = 1;
        at->walked = !forward_begin(disk, segment);
    }
    return segment;
}

void evict_discard(struct disk *disk, struct segment *segment)
{
    drop(disk, segment, false);
}

bool evict_one(struct disk *disk)
{
    if (spare_unlink(&disk->spares, &disk->segments.home)) {
        return true;
    }
    struct segment *segment = choose(disk, true); /* room is needed at once */
    if (segment) {
        drop(disk, segment, false);
    }
    return segment != NULL;
}

/* ---- room ---- */

/* Room for the index to grow. */
static uint64_t margin(const struct disk *disk)
{
    return INDEX_MARGIN + index_used(disk->index) / 8;
}

static bool has_room(const struct disk *disk, uint64_t need)
{
    return disk_used(disk) + need + margin(disk) <= disk->size;
}

/* Room that should be free before it is needed. */
static uint64_t ahead(const struct disk *disk)
{
    uint64_t count = disk->size / disk->segments.segment_size;

    return count < 64 ? 0 : count < 128 ? 1 : 2;
}

static uint64_t reserve_of(const struct disk *disk)
{
    uint64_t step = disk->segments.segment_size;

    return disk->size / step >= SEGMENTS_FEW || disk->eviction.reserve ? step : 0;
}

/* Examines the victim for `budget` bytes. */
static int walk(struct disk *disk, struct segment *victim, uint64_t budget,
                enum s3_pressure pressure)
{
    uint64_t before = disk->eviction.kept;
    bool no_room = false;
    int err = forward_walk(disk, victim, budget, pressure, &no_room);

    if (no_room || disk->eviction.kept > before) {
        disk->eviction.reserve = RESERVE_VICTIMS;
    }
    return err;
}

static int walk_and_drop(struct disk *disk, int round)
{
    struct segment *victim = victim_of(disk);

    if (!victim) {
        return ERR_NOT_FOUND;
    }
    if (!disk->eviction.walked && round < ROUNDS_KEEPING && disk->eviction.kept < FORWARD_MAX) {
        int err = walk(disk, victim, UINT64_MAX, round < ROUNDS_CALM ? S3_CALM : S3_PRESSED);
        if (err) {
            return err;
        }
    }
    drop(disk, victim, true);
    return 0;
}

/* Would dropping all segments without readers still not make enough room, because readers hold
 * dropped segments? Then dropping them is useless. */
static bool is_in_vain(const struct disk *disk, uint64_t need)
{
    uint64_t held, loose;

    count_pinned(disk, &held, &loose);
    return held >= disk->size / HELD_PART &&
           disk_used(disk) - loose + need + margin(disk) > disk->size;
}

int evict_make_room(struct disk *disk, uint64_t need)
{
    if (disk->eviction.copying) { /* the reserve exists for this case */
        return has_room(disk, need) ? 0 : ERR_AGAIN;
    }
    int err = 0;

    for (int round = 0; !err && !has_room(disk, need + reserve_of(disk)); round++) {
        uint64_t wanted = has_room(disk, need) ? need + reserve_of(disk) : need;
        err = is_in_vain(disk, wanted) ? ERR_NOT_FOUND : walk_and_drop(disk, round);
    }
    /* nothing is left to drop, and perhaps only the reserve is missing */
    if (err == ERR_NOT_FOUND) {
        err = has_room(disk, need) ? 0 : ERR_FULL;
    }
    return err;
}

int evict_trim(struct disk *disk)
{
    struct segment *walked = segments_slot(&disk->segments, disk->eviction.victim);

    disk->eviction.kept = 0;
    if (disk->eviction.walked && segment_is_live(walked, disk->eviction.victim)) {
        drop(disk, walked, true); /* the copies of its objects are committed by now */
    }
    int err = 0;
    for (int round = 0; !err && disk_used(disk) > disk->size && !is_in_vain(disk, 0); round++) {
        err = walk_and_drop(disk, round);
    }
    /* last, as files of what was just dropped are spares, too */
    while (disk_used(disk) + spares_bytes(&disk->spares) > disk->size &&
           spare_unlink(&disk->spares, &disk->segments.home)) {
    }
    return err == ERR_NOT_FOUND ? 0 : err;
}

int evict_ahead(struct disk *disk, uint64_t written)
{
    uint64_t want = ahead(disk) * disk->segments.segment_size + reserve_of(disk);

    if (disk->eviction.walked || has_room(disk, want) || disk->eviction.kept >= FORWARD_MAX / 2 ||
        is_in_vain(disk, want)) {
        return 0;
    }
    struct segment *victim = victim_of(disk);
    if (!victim || disk->eviction.walked) {
        return 0;
    }
    bool pressed = disk->eviction.kept > written;
    return walk(disk, victim, AHEAD_MIN + AHEAD_FACTOR * written, pressed ? S3_PRESSED : S3_CALM);
}

void evict_restore(struct disk *disk, const struct eviction *before)
{
    disk->eviction = *before;
    if (!segments_is_live(&disk->segments, before->victim)) {
        choose_none(&disk->eviction);
    }
}

/* ---- the index ---- */

static bool is_dead(void *arg, const struct location *location)
{
    return !disk_has(arg, location);
}

int evict_sweep(struct disk *disk, unsigned count)
{
    return index_sweep(disk->index, count, is_dead, disk);
}
