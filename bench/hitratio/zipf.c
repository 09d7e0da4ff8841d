#include "bench/hitratio/zipf.h"

#include "base/mem.h"

#include <math.h>

#define SIZE_MEDIAN 8192.0
#define SIZE_SIGMA 1.7 /* so that the mean is 34 KiB */
#define SIZE_MAX_BYTES (16.0 * 1024 * 1024)

#define RINGS_MAX 8

#define STORY_LIVES 40 /* one after the other, in a trace */
#define STORY_OFFERS 1000

/* ---- what is wanted ---- */

static bool parse_number(struct span text, double max, double *out)
{
    uint64_t whole, part = 0;
    struct span rest = text;
    struct span digits = span_cut(&rest, '.');
    double unit = 1;

    if (!span_to_u64(digits, (uint64_t)max, &whole) || rest.len > 6) {
        return false;
    }
    if (rest.len && !span_to_u64(rest, 999999, &part)) {
        return false;
    }
    for (size_t i = 0; i < rest.len; i++) {
        unit *= 10;
    }
    *out = (double)whole + (double)part / unit;
    return *out <= max;
}

static bool set(struct zipf *zipf, struct span name, struct span text)
{
    const struct {
        struct span name;
        double *number;
        uint64_t *count;
        double max;
    } all[] = {
        {SPAN("objects"), NULL, &zipf->objects, 1e8},
        {SPAN("requests"), NULL, &zipf->requests, 1e9},
        {SPAN("alpha"), &zipf->alpha, NULL, 4},
        {SPAN("once"), &zipf->once, NULL, 100},
        {SPAN("drift"), &zipf->drift, NULL, 1e4},
        {SPAN("shifts"), NULL, &zipf->shifts, 1e6},
        {SPAN("days"), NULL, &zipf->days, 1e6},
        {SPAN("loop"), &zipf->loop, NULL, 100},
        {SPAN("ring"), NULL, &zipf->ring, 1e8},
        {SPAN("rings"), NULL, &zipf->rings, RINGS_MAX},
        {SPAN("scans"), NULL, &zipf->scans, 1e6},
        {SPAN("stories"), &zipf->stories, NULL, 100},
        {SPAN("seed"), NULL, &zipf->seed, 1e9},
    };

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (!span_eq(name, all[i].name)) {
            continue;
        }
        if (all[i].count) {
            return span_to_u64(text, (uint64_t)all[i].max, all[i].count);
        }
        return parse_number(text, all[i].max, all[i].number);
    }
    zipf->sized = span_eq(text, SPAN("1"));
    return span_eq(name, SPAN("sized")) && (zipf->sized || span_eq(text, SPAN("0")));
}

/* The length of a ring: 0 when there are too many. */
static uint64_t ring_length(const struct zipf *zipf, uint64_t ring)
{
    return zipf->ring >> (2 * ring);
}

bool zipf_parse(struct span text, struct zipf *out, struct span *wrong)
{
    *out = (struct zipf){.objects = 100000,
                         .requests = 1000000,
                         .alpha = 0.9,
                         .once = 20,
                         .ring = 50000,
                         .rings = 1,
                         .sized = true,
                         .seed = 1};
    while (text.len) {
        struct span one = span_cut(&text, ',');
        struct span value = one;
        struct span name = span_cut(&value, '=');
        if (!set(out, name, value)) {
            *wrong = one;
            return false;
        }
    }
    *wrong = SPAN("objects, requests, rings or the length of one is 0, or once, loop and stories "
                  "are over 100");
    return out->objects && out->requests && out->rings && ring_length(out, out->rings - 1) &&
           out->once + out->loop + out->stories <= 100;
}

/* ---- chance ---- */

struct dice {
    uint64_t state;
};

static uint64_t roll(struct dice *dice) /* splitmix64 */
{
    uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* In [0, 1). */
static double share(struct dice *dice)
{
    return (double)(roll(dice) >> 11) * 0x1p-53;
}

static double normal(struct dice *dice) /* Box-Muller */
{
    double radius = sqrt(-2 * log(1 - share(dice)));

    return radius * cos(2 * M_PI * share(dice));
}

/* ---- the trace ---- */

struct story {
    uint32_t object;
    double interest; /* in it, up to 1 */
};

struct maker {
    const struct zipf *zipf;
    struct trace *trace;
    struct dice dice;
    double *up_to;     /* by rank: the chance of that rank or a lower one */
    uint32_t *at_rank; /* the object, of the population that is asked for */
    uint32_t *resting; /* the other one, if there are two */
    struct {
        uint32_t *objects;
        uint64_t turn;
    } rings[RINGS_MAX];
    uint64_t to_scan;      /* so many of the first ring come next */
    struct story *stories; /* those that are alive; they are born in turn */
    uint64_t alive, born;
};

static uint32_t new_object(struct maker *maker)
{
    double size = 1;

    if (maker->zipf->sized) {
        size = SIZE_MEDIAN * exp(SIZE_SIGMA * normal(&maker->dice));
        size = size < SIZE_MAX_BYTES ? size : SIZE_MAX_BYTES;
    }
    return trace_add_object(maker->trace, (uint64_t)size);
}

/* Few stories interest many. */
static void bear_story(struct maker *maker)
{
    double interest = share(&maker->dice);

    maker->stories[maker->born++ % maker->alive] =
        (struct story){.object = new_object(maker), .interest = interest * interest * interest};
}

static void begin_stories(struct maker *maker)
{
    maker->alive = 1 + maker->zipf->objects / STORY_LIVES;
    maker->stories = xcalloc(maker->alive, sizeof(*maker->stories));
    while (maker->born < maker->alive) {
        bear_story(maker);
    }
}

static uint32_t *new_objects(struct maker *maker, uint64_t count)
{
    uint32_t *objects = xcalloc(count, sizeof(*objects));

    for (uint64_t i = 0; i < count; i++) {
        objects[i] = new_object(maker);
    }
    return objects;
}

static double *chances(const struct zipf *zipf)
{
    double *up_to = xcalloc(zipf->objects, sizeof(*up_to));
    double sum = 0;

    for (uint64_t i = 0; i < zipf->objects; i++) {
        sum += pow((double)i + 1, -zipf->alpha);
        up_to[i] = sum;
    }
    for (uint64_t i = 0; i < zipf->objects; i++) {
        up_to[i] /= sum;
    }
    return up_to;
}

static void populate(struct maker *maker)
{
    const struct zipf *zipf = maker->zipf;
    bool goes_round = zipf->loop > 0 || zipf->scans > 0;

    maker->up_to = chances(zipf);
    maker->at_rank = new_objects(maker, zipf->objects);
    maker->resting = zipf->days ? new_objects(maker, zipf->objects) : NULL;
    for (uint64_t i = 0; goes_round && i < zipf->rings; i++) {
        maker->rings[i].objects = new_objects(maker, ring_length(zipf, i));
    }
    if (zipf->stories > 0) {
        begin_stories(maker);
    }
}

/* Of an age, the less likely the older; after many offers whatever it is. */
static uint32_t read_story(struct maker *maker)
{
    const struct story *story;
    unsigned offers = 0;

    do {
        double age = share(&maker->dice);
        uint64_t at = maker->born - 1 - (uint64_t)(age * age * (double)maker->alive);
        story = &maker->stories[at % maker->alive];
    } while (share(&maker->dice) >= story->interest && ++offers < STORY_OFFERS);
    return story->object;
}

static uint64_t rank(struct maker *maker)
{
    double chance = share(&maker->dice);
    uint64_t low = 0, high = maker->zipf->objects - 1;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (maker->up_to[middle] > chance) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static uint32_t next_of_ring(struct maker *maker, uint64_t ring)
{
    return maker->rings[ring].objects[maker->rings[ring].turn++ % ring_length(maker->zipf, ring)];
}

static uint32_t next_of_loop(struct maker *maker)
{
    uint64_t rings = maker->zipf->rings;

    return next_of_ring(maker, rings > 1 ? roll(&maker->dice) % rings : 0);
}

static uint32_t next_request(struct maker *maker)
{
    const struct zipf *zipf = maker->zipf;

    if (maker->to_scan > 0) {
        maker->to_scan--;
        return next_of_ring(maker, 0);
    }
    double kind = 100 * share(&maker->dice);
    if (kind < zipf->once) {
        return new_object(maker);
    }
    if (kind < zipf->once + zipf->loop) {
        return next_of_loop(maker);
    }
    if (kind < zipf->once + zipf->loop + zipf->stories) {
        return read_story(maker);
    }
    return maker->at_rank[rank(maker)];
}

static void drift(struct maker *maker, double change)
{
    for (double due = change; due > share(&maker->dice); due -= 1) {
        maker->at_rank[roll(&maker->dice) % maker->zipf->objects] = new_object(maker);
    }
}

static void bear_stories(struct maker *maker, double births)
{
    for (double due = births; maker->stories && due > share(&maker->dice); due -= 1) {
        bear_story(maker);
    }
}

/* Whether what comes `times` in the course of the trace comes at request `i`; not at the first. */
static bool is_time(const struct zipf *zipf, uint64_t times, uint64_t i)
{
    double step = (double)times / (double)zipf->requests;

    return i > 0 && (uint64_t)((double)i * step) != (uint64_t)((double)(i - 1) * step);
}

/* What happens all at once. */
static void turn_over(struct maker *maker, uint64_t i)
{
    const struct zipf *zipf = maker->zipf;

    if (is_time(zipf, zipf->shifts + 1, i)) {
        free(maker->at_rank);
        maker->at_rank = new_objects(maker, zipf->objects);
    }
    if (is_time(zipf, 2 * zipf->days, i)) {
        uint32_t *other = maker->resting;
        maker->resting = maker->at_rank;
        maker->at_rank = other;
    }
    if (is_time(zipf, zipf->scans + 1, i)) {
        maker->to_scan = zipf->ring;
    }
}

void zipf_make(const struct zipf *zipf, struct trace *trace)
{
    struct maker maker = {.zipf = zipf, .trace = trace, .dice = {zipf->seed}};
    double births = (double)zipf->objects / (double)zipf->requests;

    populate(&maker);
    for (uint64_t i = 0; i < zipf->requests; i++) {
        turn_over(&maker, i);
        drift(&maker, zipf->drift / 100 * births);
        bear_stories(&maker, births);
        trace_add(trace, next_request(&maker));
    }
    for (uint64_t i = 0; i < zipf->rings; i++) {
        free(maker.rings[i].objects);
    }
    free(maker.stories);
    free(maker.up_to);
    free(maker.at_rank);
    free(maker.resting);
}
