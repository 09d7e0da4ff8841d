#include "bench/hitratio/larder.h"

#include "base/list.h"
#include "base/mem.h"
#include "cache/store/s3fifo.h"

/* Besides the segment that is opened: room for what is copied while another is given up. */
#define SPARE 1

struct segment {
    struct list link; /* in its log, the oldest first */
    enum s3_log log;
    uint64_t bytes;
    uint32_t *objects; /* those that begin here */
    size_t count, room;
};

struct held {
    struct segment *in; /* NULL: not in the store */
    uint8_t hits;
};

struct larder {
    const struct trace *trace;
    struct s3fifo policy;
    struct list logs[S3_LOGS];
    uint64_t bytes[S3_LOGS]; /* of their segments, each in full */
    uint64_t step;           /* bytes of a segment */
    uint64_t scale;          /* of sizes, so that a segment is not less than 1 */
    unsigned segments, segments_max;
    struct held *held; /* by object */
    uint64_t objects;
    struct policy_cost cost;
};

void *larder_make(const struct trace *trace, uint64_t capacity, unsigned segments,
                  enum s3_favor favor)
{
    struct larder *larder = xcalloc(1, sizeof(*larder));

    larder->trace = trace;
    larder->scale = trace_is_sized(trace) ? 1 : segments;
    larder->step = capacity * larder->scale / segments;
    larder->segments_max = segments;
    larder->held = xcalloc(trace->objects, sizeof(*larder->held));
    list_init(&larder->logs[S3_PROBATION]);
    list_init(&larder->logs[S3_MAIN]);
    s3fifo_init(&larder->policy, larder->step * segments, larder->step, favor);
    return larder;
}

static void *make(const struct trace *trace, uint64_t capacity)
{
    return larder_make(trace, capacity, LARDER_SEGMENTS, S3_OBJECTS);
}

static void *make_both(const struct trace *trace, uint64_t capacity)
{
    return larder_make(trace, capacity, LARDER_SEGMENTS, S3_BOTH);
}

static void *make_bytes(const struct trace *trace, uint64_t capacity)
{
    return larder_make(trace, capacity, LARDER_SEGMENTS, S3_BYTES);
}

/* ---- segments ---- */

static void segment_free(struct segment *segment)
{
    free(segment->objects);
    free(segment);
}

static void drop(void *self)
{
    struct larder *larder = self;

    for (unsigned log = 0; log < S3_LOGS; log++) {
        while (!list_empty(&larder->logs[log])) {
            struct segment *segment = list_entry(larder->logs[log].next, struct segment, link);
            list_remove(&segment->link);
            segment_free(segment);
        }
    }
    s3fifo_fini(&larder->policy);
    free(larder->held);
    free(larder);
}

static struct segment *newest(const struct larder *larder, enum s3_log log)
{
    const struct list *all = &larder->logs[log];

    return list_empty(all) ? NULL : list_entry(all->prev, struct segment, link);
}

static struct segment *open_segment(struct larder *larder, enum s3_log log)
{
    struct segment *segment = xcalloc(1, sizeof(*segment));

    segment->log = log;
    list_push_back(&larder->logs[log], &segment->link);
    larder->bytes[log] += larder->step;
    larder->segments++;
    return segment;
}

static void list_object(struct segment *segment, uint32_t object)
{
    if (segment->count == segment->room) {
        segment->room = segment->room ? 2 * segment->room : 16;
        segment->objects = xrealloc(segment->objects, segment->room * sizeof(*segment->objects));
    }
    segment->objects[segment->count++] = object;
}

static void give_up_one(struct larder *larder);

static struct segment *with_room(struct larder *larder, enum s3_log log, bool make_room)
{
    struct segment *segment = newest(larder, log);

    if (segment && segment->bytes < larder->step) {
        return segment;
    }
    while (make_room && larder->segments + SPARE >= larder->segments_max) {
        give_up_one(larder);
        segment = newest(larder, log);
        if (segment && segment->bytes < larder->step) {
            return segment; /* copying has opened one */
        }
    }
    return open_segment(larder, log);
}

/* `make_room` is false while a segment is being given up. */
static void append(struct larder *larder, enum s3_log log, uint32_t object, uint8_t hits,
                   bool make_room)
{
    uint64_t left = larder->trace->sizes[object] * larder->scale;
    struct segment *segment = with_room(larder, log, make_room);

    larder->held[object] = (struct held){.in = segment, .hits = hits};
    larder->objects++;
    list_object(segment, object);
    while (left > larder->step - segment->bytes) {
        left -= larder->step - segment->bytes;
        segment->bytes = larder->step;
        segment = with_room(larder, log, make_room);
    }
    segment->bytes += left;
}

/* ---- eviction ---- */

static void judge(struct larder *larder, const struct segment *segment, uint32_t object)
{
    struct s3_object about = {
        .log = segment->log,
        .tag = (uint32_t)trace_hash(span_of(&object, sizeof(object)), 0),
        .hits = larder->held[object].hits,
        .size = larder->trace->sizes[object] * larder->scale,
    };
    uint8_t hits;
    enum s3_fate fate = s3fifo_judge(&larder->policy, &about, S3_CALM, &hits);

    s3fifo_weigh(&larder->policy, &about, fate);

    larder->held[object].in = NULL;
    larder->objects--;
    if (fate == S3_KEEP) {
        append(larder, S3_MAIN, object, hits, false);
        larder->cost.copied += larder->trace->sizes[object];
    } else if (fate == S3_REMEMBER) {
        s3fifo_remember(&larder->policy, about.tag, larder->objects);
    }
}

/* The oldest of a log, but never the one that is being written. */
static struct segment *oldest(const struct larder *larder, enum s3_log log)
{
    const struct list *all = &larder->logs[log];

    return all->next == all->prev ? NULL : list_entry(all->next, struct segment, link);
}

static void give_up_one(struct larder *larder)
{
    enum s3_log log =
        s3fifo_victim(&larder->policy, larder->bytes[S3_PROBATION], larder->bytes[S3_MAIN]);
    struct segment *segment = oldest(larder, log);

    if (!segment) {
        segment = oldest(larder, log == S3_MAIN ? S3_PROBATION : S3_MAIN);
    }
    CHECK(segment);
    list_remove(&segment->link);
    for (size_t i = 0; i < segment->count; i++) {
        if (larder->held[segment->objects[i]].in == segment) {
            judge(larder, segment, segment->objects[i]);
        }
    }
    larder->bytes[segment->log] -= larder->step;
    larder->segments--;
    segment_free(segment);
}

static bool request(void *self, size_t at)
{
    struct larder *larder = self;
    uint32_t object = larder->trace->requests[at];
    uint64_t size = larder->trace->sizes[object];
    uint32_t tag = (uint32_t)trace_hash(span_of(&object, sizeof(object)), 0);
    uint8_t hits;

    if (larder->held[object].in) {
        larder->held[object].hits = s3_hit(larder->held[object].hits);
        return true;
    }
    if (size * larder->scale > larder->policy.capacity / 2) {
        return false;
    }
    enum s3_log log = s3fifo_place(&larder->policy, tag, size * larder->scale, &hits);
    append(larder, log, object, hits, true);
    larder->cost.inserted += size;
    return false;
}

static struct policy_cost cost(const void *self)
{
    const struct larder *larder = self;

    return larder->cost;
}

const struct policy policy_larder = {
    .name = "Larder", .ours = true, .make = make, .request = request, .drop = drop, .cost = cost};
const struct policy policy_larder_both = {.name = "Larder, both",
                                          .ours = true,
                                          .make = make_both,
                                          .request = request,
                                          .drop = drop,
                                          .cost = cost};
const struct policy policy_larder_bytes = {.name = "Larder, bytes",
                                           .ours = true,
                                           .make = make_bytes,
                                           .request = request,
                                           .drop = drop,
                                           .cost = cost};
