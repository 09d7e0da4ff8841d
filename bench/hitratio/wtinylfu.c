/*
 * W-TinyLFU (Einziger et al., 2017), as in Caffeine: a window of 1 % in LRU order; what leaves it
 * must have been used more often than those that would leave the main part for it, together, when
 * sizes differ. The main part is segmented LRU, four fifths protected. The window is fixed.
 */
#include "base/mem.h"
#include "bench/hitratio/policy.h"
#include "bench/hitratio/queue.h"
#include "bench/hitratio/sketch.h"

#define WINDOW_SHARE 100
#define VICTIMS_MAX 64 /* looked at for one candidate */

struct lfu {
    struct items items;
    struct sketch sketch;
    struct queue window, trial, protected;
    uint64_t window_room, main_room, protected_room;
};

static void *make(const struct trace *trace, uint64_t capacity)
{
    struct lfu *lfu = xcalloc(1, sizeof(*lfu));
    uint64_t mean = trace->objects ? trace->bytes / trace->objects : 1;

    items_init(&lfu->items, trace);
    sketch_init(&lfu->sketch, 4 * (capacity / mean));
    queue_init(&lfu->window);
    queue_init(&lfu->trial);
    queue_init(&lfu->protected);
    lfu->window_room = capacity / WINDOW_SHARE;
    if (!trace_is_sized(trace) && lfu->window_room == 0) {
        lfu->window_room = 1;
    }
    lfu->main_room = capacity - lfu->window_room;
    lfu->protected_room = lfu->main_room / 5 * 4;
    return lfu;
}

static void drop(void *self)
{
    struct lfu *lfu = self;

    sketch_fini(&lfu->sketch);
    items_fini(&lfu->items);
    free(lfu);
}

static void move(struct lfu *lfu, struct queue *to, uint32_t object)
{
    queue_remove(&lfu->items, object);
    queue_push(&lfu->items, to, object);
}

static void hit(struct lfu *lfu, uint32_t object)
{
    const struct item *item = &lfu->items.of[object];

    if (item->in == &lfu->window) {
        move(lfu, &lfu->window, object);
        return;
    }
    move(lfu, &lfu->protected, object);
    while (lfu->protected.bytes > lfu->protected_room) {
        move(lfu, &lfu->trial, lfu->protected.oldest);
    }
}

/* The next to leave the main part after `object`, or the first. */
static uint32_t next_victim(const struct lfu *lfu, uint32_t object)
{
    uint32_t next = object == TRACE_NONE ? lfu->trial.oldest : lfu->items.of[object].newer;

    if (next == TRACE_NONE && (object == TRACE_NONE || lfu->items.of[object].in == &lfu->trial)) {
        next = lfu->protected.oldest;
    }
    return next;
}

/* Into the main part, or out. */
static void admit(struct lfu *lfu, uint32_t candidate)
{
    const uint64_t *sizes = lfu->items.trace->sizes;
    uint64_t used = lfu->trial.bytes + lfu->protected.bytes;
    uint32_t victims[VICTIMS_MAX], at = TRACE_NONE;
    unsigned against = 0, count = 0;

    while (used + sizes[candidate] > lfu->main_room) {
        at = next_victim(lfu, at);
        if (at == TRACE_NONE || count == VICTIMS_MAX) {
            return;
        }
        against += sketch_count(&lfu->sketch, at);
        used -= sizes[at];
        victims[count++] = at;
    }
    if (count && sketch_count(&lfu->sketch, candidate) <= against) {
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        queue_remove(&lfu->items, victims[i]);
    }
    queue_push(&lfu->items, &lfu->trial, candidate);
}

static bool request(void *self, size_t at)
{
    struct lfu *lfu = self;
    uint32_t object = lfu->items.trace->requests[at];

    sketch_see(&lfu->sketch, object);
    if (lfu->items.of[object].in) {
        hit(lfu, object);
        return true;
    }
    if (lfu->items.trace->sizes[object] > lfu->main_room) {
        return false;
    }
    queue_push(&lfu->items, &lfu->window, object);
    while (lfu->window.bytes > lfu->window_room) {
        admit(lfu, queue_pop(&lfu->items, &lfu->window));
    }
    return false;
}

const struct policy policy_wtinylfu = {
    .name = "W-TinyLFU", .make = make, .request = request, .drop = drop};
