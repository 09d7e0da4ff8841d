#include "cache/store/s3fifo.h"

#include "base/check.h"

#define PROBATION_SHARE 14 /* one part in so many */
#define KEPT_SHARE 5       /* of the bytes given up */
#define PRESSED_SHARE 20
#define WINDOW 4       /* a part of the capacity is given up while the scale forgets half */
#define BAR_PER_STEP 8 /* the bar is set so often while one segment is given up */

#define FADES 10      /* percent that a turn through the main log takes from a counter */
#define DEAD_FADES 90 /* and first of one that was idle, where all that is idle is dead */
#define HOT_SEEN 512  /* hot objects, of which the last ones say how many are idle */
#define IDLE_SEEN 128 /* and of those, how many stay so */

/* Percent. Where popularity lasts, a tenth to a half of what was hot and then idle is idle again by
 * chance, and up to 30 of what is hot. */
#define AGAIN_LEAST 55
#define AGAIN_MOST 100
#define IDLE_LEAST 30
#define IDLE_MOST 50
#define DYING_LEAST 12 /* hot ones that die in a turn: from here on probation is longer */
#define DYING_MOST 30
#define PROBATION_MORE 3 /* by up to one part in so many */

/* A counter of 1 of the largest size, and of S3_HITS_MAX of size 1, in sixteenths. */
#define WORTH_LEAST (-64 * 16 * 3 / 4)
#define WORTH_UNIT 4 /* sixteenths in a class */

void s3fifo_init(struct s3fifo *policy, uint64_t capacity, uint64_t step, enum s3_favor favor)
{
    *policy = (struct s3fifo){.capacity = capacity, .step = step, .favor = favor};
    policy->scale.credit = capacity / WINDOW; /* nothing was copied while the store became full */
}

void s3fifo_fini(struct s3fifo *policy)
{
    ghosts_fini(&policy->ghosts);
}

/* ---- what is dead ---- */

/* 0 to 100: where it is between the two. */
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
    return share->all ? 100 * share->these / share->all : 0;
}

/* Percent of what is idle. Until it is seen what becomes of that, it is dead if there is much. */
static unsigned dead(const struct s3_drift *drift)
{
    if (is_known(&drift->again, IDLE_SEEN)) {
        return part_between(percent_of(&drift->again), AGAIN_LEAST, AGAIN_MOST);
    }
    return is_known(&drift->idle, HOT_SEEN)
               ? part_between(percent_of(&drift->idle), IDLE_LEAST, IDLE_MOST)
               : 0;
}

static void see(struct s3fifo *policy, struct s3_share *share, bool counts, unsigned seen)
{
    share->all++;
    share->these += counts;
    if (share->all >= seen && policy->drift.passed - share->since > policy->capacity / WINDOW) {
        share->all /= 2;
        share->these /= 2;
        share->since = policy->drift.passed;
    }
}

/* An object of the main log is given up. */
static void watch(struct s3fifo *policy, const struct s3_object *object)
{
    struct s3_drift *drift = &policy->drift;
    bool idle = !(object->hits & S3_HITS_USED);

    drift->passed += object->size;
    if (s3_hits_was_idle(object->hits)) {
        see(policy, &drift->again, idle, IDLE_SEEN);
    } else if (object->hits >= S3_HITS_HOT) {
        see(policy, &drift->idle, idle, HOT_SEEN);
    }
}

/* ---- the counter ---- */

static bool is_idle(const struct s3_object *object)
{
    return object->log == S3_MAIN && !(object->hits & S3_HITS_USED);
}

/* Its count, for what it says of uses to come. */
static unsigned count_of(const struct s3_drift *drift, const struct s3_object *object)
{
    unsigned count = s3_hits_count(object->hits);

    return is_idle(object) ? count * (100 - DEAD_FADES * dead(drift) / 100) / 100 : count;
}

/* Below 100, another one for each object and each turn. */
static unsigned chance(const struct s3_drift *drift, uint32_t tag)
{
    uint32_t mixed = (tag ^ (uint32_t)drift->passed) * UINT32_C(2654435761);

    return (mixed >> 16) * 100 >> 16;
}

/* A multiple of `step` near it, by chance: so that in the mean it is what it was. */
static unsigned round_to(unsigned step, unsigned hundredths, unsigned chance)
{
    return (hundredths + chance * step) / (100 * step) * step;
}

/* What it begins its next turn with. */
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

/* 16 times the logarithm to base 2, of at least 1. */
static int log_of(uint64_t n)
{
    static const uint8_t part[16] = {0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15};
    int exponent = 63 - __builtin_clzll(n | 1);
    unsigned below = (unsigned)((n << (63 - exponent)) >> 59) & 15;

    return 16 * exponent + part[below];
}

/* 0 is worth nothing: a counter that has come down to 0. */
static unsigned class_of(const struct s3fifo *policy, unsigned count, uint64_t size)
{
    static const int quarters[] = {[S3_OBJECTS] = 3, [S3_BOTH] = 2, [S3_BYTES] = 0};
    int worth = log_of(count) - log_of(size) * quarters[policy->favor] / 4;

    return count ? 1 + (unsigned)((worth - WORTH_LEAST) / WORTH_UNIT) : 0;
}

/* The class above which at most one part in `share` of the bytes lies; at least 1, for with 0 the
 * scale knows nothing. */
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
        watch(policy, object);
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

/* What is popular for a short time is to be found soon, and where it is dead the main log is of no
 * use to it. */
static uint64_t probation_share(const struct s3fifo *policy)
{
    const struct s3_drift *drift = &policy->drift;
    unsigned dying = percent_of(&drift->idle) * dead(drift) / 100;
    uint64_t share =
        policy->capacity / PROBATION_SHARE +
        policy->capacity / (PROBATION_MORE * 100) * part_between(dying, DYING_LEAST, DYING_MOST);
    uint64_t least = 2 * policy->step; /* the one being written is never given up */

    return share > least ? share : least;
}

enum s3_log s3fifo_victim(const struct s3fifo *policy, uint64_t probation, uint64_t main)
{
    return probation > probation_share(policy) || main == 0 ? S3_PROBATION : S3_MAIN;
}

/* Much can be worth the same, and then it is the bar: of that what was used is kept as long as
 * there is less than a little under its share. */
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
    ghosts_put(&policy->ghosts, tag, objects);
}
