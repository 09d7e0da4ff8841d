#include "cache/store/s3fifo.h"

#include "base/check.h"

#define PROBATION_SHARE 14 /* one part in so many */
#define KEPT_SHARE 5       /* of the bytes given up */
#define PRESSED_SHARE 20
#define WINDOW 4       /* a part of the capacity is given up while the scale forgets half */
#define BAR_PER_STEP 8 /* the bar is set so often while one segment is given up */

#define FADES 10      /* percent that a turn through the main log takes from a counter */
#define FADES_PACE 12 /* and so many more with each pace */
#define PACE_SHARE 32 /* probation has (pace - 1)^2 parts more in so many of the store */
#define PACE_LEAST 8  /* percent of what was hot that goes unused: at pace 1 */
#define PACE_STEP 3   /* and so many more at the next */
#define SEEN 512      /* hot objects, of which the last ones say what the pace is */

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

/* ---- fading, and how much of it is right ---- */

/* What a turn through the main log leaves of a counter. Of a hot one it is always the same, and no
 * other has its remainder then: as uses do not change that, it tells in the end of the next turn
 * what was hot and how often it was used since. */
static uint8_t fade(const struct s3_drift *drift, uint8_t hits)
{
    unsigned percent = FADES + drift->pace * FADES_PACE;

    if (hits >= S3_HITS_HOT) {
        return S3_HITS_MARK;
    }
    unsigned left = hits - (hits * percent + 99) / 100;
    if (left >= S3_HITS_MARK) {
        left = S3_HITS_MARK - 1;
    }
    bool like_marked = left > 2 * S3_HITS_USE && s3_hits_marked((uint8_t)left); /* not if small */
    return (uint8_t)(like_marked ? left - 1 : left);
}

static unsigned pace_of(const struct s3_drift *drift)
{
    unsigned percent = 100 * drift->unused / (drift->used + drift->unused);
    unsigned pace = percent < PACE_LEAST ? 0 : 1 + (percent - PACE_LEAST) / PACE_STEP;

    return pace < S3_PACES ? pace : S3_PACES - 1;
}

/* An object of the main log is given up. */
static void watch(struct s3fifo *policy, const struct s3_object *object)
{
    struct s3_drift *drift = &policy->drift;

    drift->passed += object->size;
    if (object->hits < S3_HITS_MARK || !s3_hits_marked(object->hits)) {
        return;
    }
    drift->unused += object->hits == S3_HITS_MARK;
    drift->used += object->hits > S3_HITS_MARK;
    unsigned seen = drift->used + drift->unused;
    if (seen >= SEEN / 2) {
        drift->pace = pace_of(drift);
    }
    if (seen >= SEEN && drift->passed > policy->capacity / WINDOW) {
        drift->used /= 2;
        drift->unused /= 2;
        drift->passed = 0;
    }
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
static unsigned class_of(const struct s3fifo *policy, uint8_t hits, uint64_t size)
{
    static const int quarters[] = {[S3_OBJECTS] = 3, [S3_BOTH] = 2, [S3_BYTES] = 0};
    int worth = log_of(hits) - log_of(size) * quarters[policy->favor] / 4;

    return hits ? 1 + (unsigned)((worth - WORTH_LEAST) / WORTH_UNIT) : 0;
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

    scale->bytes[class_of(policy, object->hits, object->size)] += object->size;
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

/* Fading costs little where it was not called for. A long probation costs room that what lasts has
 * a use for, so it comes later. */
static uint64_t probation_share(const struct s3fifo *policy)
{
    unsigned above = policy->drift.pace ? policy->drift.pace - 1 : 0;
    uint64_t share = policy->capacity / PROBATION_SHARE +
                     (uint64_t)above * above * (policy->capacity / PACE_SHARE);
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
    unsigned class = class_of(policy, object->hits, object->size);

    return class > bar || (class == bar && object->hits > S3_HITS_NEW &&
                           scale->kept < (scale->total + scale->credit) / (share + 1));
}

static bool is_worth_it(const struct s3fifo *policy, const struct s3_object *object,
                        enum s3_pressure pressure)
{
    const struct s3_scale *scale = &policy->scale;

    switch (pressure) {
    case S3_CALM:
        return scale->bar ? is_above(policy, object, scale->bar, KEPT_SHARE)
                          : object->hits > S3_HITS_NEW;
    case S3_PRESSED:
        return scale->bar ? is_above(policy, object, scale->high_bar, PRESSED_SHARE)
                          : object->hits > S3_HITS_BACK;
    case S3_CRUSHED:
        return false;
    }
    UNREACHABLE();
}

enum s3_fate s3fifo_judge(const struct s3fifo *policy, const struct s3_object *object,
                          enum s3_pressure pressure, uint8_t *hits)
{
    *hits = object->log == S3_MAIN ? fade(&policy->drift, object->hits) : object->hits;
    return is_worth_it(policy, object, pressure) ? S3_KEEP : S3_REMEMBER;
}

void s3fifo_remember(struct s3fifo *policy, uint32_t tag, uint64_t objects)
{
    ghosts_put(&policy->ghosts, tag, objects);
}
