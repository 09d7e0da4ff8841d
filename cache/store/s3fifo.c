#include "cache/store/s3fifo.h"

#include "base/check.h"
#include "base/memory.h"

#define PROBATION_SHARE 14 /* the probation log has 1/14 of the store, or more */
#define KEPT_SHARE 5       /* 1/5 of the evicted bytes is kept */
#define PRESSED_SHARE 20   /* the same for S3_PRESSED */
#define WINDOW 4           /* the histogram is halved when it has counted 1/4 of the capacity */
#define BAR_PER_STEP 8     /* how often the bar is set while one segment is evicted */

#define FADES 10      /* percent of its count that an object loses with each turn */
#define DEAD_FADES 90 /* percent that an idle object loses before, where all idle ones are dead */
#define HOT_SEEN 512  /* drift.idle is halved at this number of hot objects */
#define IDLE_SEEN 128 /* drift.again is halved at this number of hot and idle objects */

/* Percent: limits between which the shares of struct s3_drift mean something. Where popularity is
 * stable, a tenth to a half of the hot and idle objects is idle again by chance, and up to 30 % of
 * the hot ones are idle. */
#define AGAIN_LEAST 55
#define AGAIN_MOST 100
#define IDLE_LEAST 30
#define IDLE_MOST 50
#define DYING_LEAST 12 /* if more of the hot objects die in a turn, the probation log grows */
#define DYING_MOST 30
#define PROBATION_MORE 3 /* it grows by up to 1/3 of the store */

/* The lowest worth (count 1, largest size) as a logarithm, in sixteenths of a power of two. */
#define WORTH_LEAST (-64 * 16 * 3 / 4)
#define WORTH_UNIT 4 /* sixteenths in a class */

void s3fifo_init(struct s3fifo *policy, uint64_t capacity, uint64_t step, enum s3_favor favor)
{
    *policy = (struct s3fifo){.capacity = capacity, .step = step, .favor = favor};
    policy->scale.credit = capacity / WINDOW; /* nothing was kept while the store filled up */
}

void s3fifo_fini(struct s3fifo *policy)
{
    memory_give(MEMORY_STORE, ghosts_bytes(&policy->ghosts));
    ghosts_fini(&policy->ghosts);
}

/* ---- drift of popularity ---- */

/* Where `percent` lies between `least` (0) and `most` (100). */
static unsigned part_between(unsigned percent, unsigned least, unsigned most)
{
    unsigned part = percent > least ? 100 * (percent - least) / (most - least) : 0;

    return part < 100 ? part : 100;
}

static bool is_known(const struct s3_share *share, unsigned seen)
{
    return share->all >= seen / 2;
}

static unsigned percent_of(const struct s3_share *share)
{
    return share->all ? 100 * share->matching / share->all : 0;
}

/* How many percent of the idle objects are dead, that is, will probably not be used again. As long
 * as too few were seen a turn later, this follows from how many hot objects become idle. */
static unsigned dead_percent(const struct s3_drift *drift)
{
    if (is_known(&drift->again, IDLE_SEEN)) {
        return part_between(percent_of(&drift->again), AGAIN_LEAST, AGAIN_MOST);
    }
    return is_known(&drift->idle, HOT_SEEN)
               ? part_between(percent_of(&drift->idle), IDLE_LEAST, IDLE_MOST)
               : 0;
}

/* Counts one object. Halves the share when it has `seen` objects and a part of the capacity has
 * passed, so that older objects count less. */
static void share_count(struct s3fifo *policy, struct s3_share *share, bool matches, unsigned seen)
{
    share->all++;
    share->matching += matches;
    if (share->all >= seen && policy->drift.passed - share->since > policy->capacity / WINDOW) {
        share->all /= 2;
        share->matching /= 2;
        share->since = policy->drift.passed;
    }
}

/* Learns from an object that is evicted from the main log. */
static void learn_drift(struct s3fifo *policy, const struct s3_object *object)
{
    struct s3_drift *drift = &policy->drift;
    bool idle = !(object->hits & S3_HITS_USED);

    drift->passed += object->size;
    if (s3_hits_was_idle(object->hits)) {
        share_count(policy, &drift->again, idle, IDLE_SEEN);
    } else if (object->hits >= S3_HITS_HOT) {
        share_count(policy, &drift->idle, idle, HOT_SEEN);
    }
}

/* ---- the counter ---- */

static bool is_idle(const struct s3_object *object)
{
    return object->log == S3_MAIN && !(object->hits & S3_HITS_USED);
}

/* The count as an estimate of future uses: that of an idle object is reduced. */
static unsigned count_of(const struct s3_drift *drift, const struct s3_object *object)
{
    unsigned count = s3_hits_count(object->hits);

    return is_idle(object) ? count * (100 - DEAD_FADES * dead_percent(drift) / 100) / 100 : count;
}

/* A pseudo-random number below 100, a different one for each object and each turn. */
static unsigned chance(const struct s3_drift *drift, uint32_t tag)
{
    uint32_t mixed = (tag ^ (uint32_t)drift->passed) * UINT32_C(2654435761);

    return (mixed >> 16) * 100 >> 16;
}

/* Rounds to a multiple of `step`, up or down at random, so that the mean does not change. */
static unsigned round_to(unsigned step, unsigned hundredths, unsigned chance)
{
    return (hundredths + chance * step) / (100 * step) * step;
}

/* The counter of a kept object of the main log at the beginning of its next turn. */
static uint8_t fade(const struct s3_drift *drift, const struct s3_object *object)
{
    unsigned left = count_of(drift, object) * (100 - FADES);
    unsigned dice = chance(drift, object->tag);

    if (is_idle(object) && object->hits >= S3_HITS_HOT) {
        return (uint8_t)(round_to(S3_HITS_USE, left + 100 * S3_HITS_IDLE, dice) - S3_HITS_IDLE);
    }
    uint8_t count = (uint8_t)round_to(2, left, dice);
    return s3_hits_was_idle(count) ? (uint8_t)(dice % 2 ? count + 2 : count - 2) : count;
}

/* ---- worth ---- */

/* 16 times the binary logarithm of max(n, 1). */
static int log_of(uint64_t n)
{
    static const uint8_t part[16] = {0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15};
    int exponent = 63 - __builtin_clzll(n | 1);
    unsigned below = (unsigned)((n << (63 - exponent)) >> 59) & 15;

    return 16 * exponent + part[below];
}

/* The class of an object's worth. 0: its count has fallen to 0. */
static unsigned class_of(const struct s3fifo *policy, unsigned count, uint64_t size)
{
    static const int quarters[] = {[S3_OBJECTS] = 3, [S3_BOTH] = 2, [S3_BYTES] = 0};
    int worth = log_of(count) - log_of(size) * quarters[policy->favor] / 4;

    return count ? 1 + (unsigned)((worth - WORTH_LEAST) / WORTH_UNIT) : 0;
}

/* The lowest class above which at most 1/`share` of the counted bytes lie; at least 1, as 0 means
 * that no bar is known. */
static unsigned bar_for(const struct s3_scale *scale, uint64_t share)
{
    uint64_t above = 0;
    unsigned class = S3_CLASSES - 1;

    while (class > 1 && above + scale->bytes[class] <= scale->total / share) {
        above += scale->bytes[class --];
    }
    return class;
}

static void halve(struct s3_scale *scale)
{
    scale->total = 0;
    for (unsigned i = 0; i < S3_CLASSES; i++) {
        scale->bytes[i] /= 2;
        scale->total += scale->bytes[i];
    }
    scale->kept /= 2;
    scale->credit /= 2;
}

void s3fifo_weigh(struct s3fifo *policy, const struct s3_object *object, enum s3_fate fate)
{
    struct s3_scale *scale = &policy->scale;

    unsigned class = class_of(policy, count_of(&policy->drift, object), object->size);

    scale->bytes[class] += object->size;
    scale->total += object->size;
    scale->kept += fate == S3_KEEP ? object->size : 0;
    scale->since += object->size;
    if (object->log == S3_MAIN) {
        learn_drift(policy, object);
    }
    if (scale->total > policy->capacity / WINDOW) {
        halve(scale);
    }
    if (scale->since > policy->step / BAR_PER_STEP) {
        scale->since = 0;
        scale->bar = bar_for(scale, KEPT_SHARE);
        scale->high_bar = bar_for(scale, PRESSED_SHARE);
    }
}

/* ---- decisions ---- */

enum s3_log s3fifo_place(struct s3fifo *policy, uint32_t tag, uint64_t size, uint8_t *hits)
{
    bool back = ghosts_take(&policy->ghosts, tag);

    *hits = back ? S3_HITS_BACK : S3_HITS_NEW;
    return back && class_of(policy, *hits, size) >= policy->scale.bar ? S3_MAIN : S3_PROBATION;
}

/* Bytes of the probation log. It grows where objects are popular for a short time only: they have
 * to be in the store during that time, and afterwards a main log would hold them in vain. */
static uint64_t probation_share(const struct s3fifo *policy)
{
    const struct s3_drift *drift = &policy->drift;
    unsigned dying = percent_of(&drift->idle) * dead_percent(drift) / 100;
    uint64_t share =
        policy->capacity / PROBATION_SHARE +
        policy->capacity / (PROBATION_MORE * 100) * part_between(dying, DYING_LEAST, DYING_MOST);
    uint64_t least = 2 * policy->step; /* the segment being written is never evicted */

    return share > least ? share : least;
}

enum s3_log s3fifo_victim(const struct s3fifo *policy, uint64_t probation, uint64_t main)
{
    return probation > probation_share(policy) || main == 0 ? S3_PROBATION : S3_MAIN;
}

/* Is the object worth more than the bar? The class of the bar itself may hold many bytes, if many
 * objects have the same worth. Of these, used objects are kept while less than 1/(share + 1) of all
 * bytes was kept. */
static bool is_above(const struct s3fifo *policy, const struct s3_object *object, unsigned bar,
                     uint64_t share)
{
    const struct s3_scale *scale = &policy->scale;
    unsigned class = class_of(policy, count_of(&policy->drift, object), object->size);

    return class > bar || (class == bar && s3_hits_count(object->hits) > S3_HITS_NEW &&
                           scale->kept < (scale->total + scale->credit) / (share + 1));
}

static bool is_worth_it(const struct s3fifo *policy, const struct s3_object *object,
                        enum s3_pressure pressure)
{
    const struct s3_scale *scale = &policy->scale;

    switch (pressure) {
    case S3_CALM:
        return scale->bar ? is_above(policy, object, scale->bar, KEPT_SHARE)
                          : s3_hits_count(object->hits) > S3_HITS_NEW;
    case S3_PRESSED:
        return scale->bar ? is_above(policy, object, scale->high_bar, PRESSED_SHARE)
                          : s3_hits_count(object->hits) > S3_HITS_BACK;
    case S3_CRUSHED:
        return false;
    }
    UNREACHABLE();
}

enum s3_fate s3fifo_judge(const struct s3fifo *policy, const struct s3_object *object,
                          enum s3_pressure pressure, uint8_t *hits)
{
    *hits = object->log == S3_MAIN ? fade(&policy->drift, object) : s3_hits_count(object->hits);
    return is_worth_it(policy, object, pressure) ? S3_KEEP : S3_REMEMBER;
}

void s3fifo_remember(struct s3fifo *policy, uint32_t tag, uint64_t objects)
{
    size_t before = ghosts_bytes(&policy->ghosts);

    ghosts_put(&policy->ghosts, tag, objects);
    memory_take(MEMORY_STORE, ghosts_bytes(&policy->ghosts) - before);
}
