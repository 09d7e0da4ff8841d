#include "bench/hitratio/queue.h"

#include "base/mem.h"

void items_init(struct items *items, const struct trace *trace)
{
    items->trace = trace;
    items->of = xcalloc(trace->objects, sizeof(*items->of));
}

void items_fini(struct items *items)
{
    free(items->of);
}

void queue_init(struct queue *queue)
{
    *queue = (struct queue){.newest = TRACE_NONE, .oldest = TRACE_NONE};
}

void queue_push(struct items *items, struct queue *queue, uint32_t object)
{
    struct item *item = &items->of[object];

    CHECK(!item->in);
    item->in = queue;
    item->newer = TRACE_NONE;
    item->older = queue->newest;
    if (queue->newest != TRACE_NONE) {
        items->of[queue->newest].newer = object;
    } else {
        queue->oldest = object;
    }
    queue->newest = object;
    queue->bytes += items->trace->sizes[object];
    queue->count++;
}

void queue_remove(struct items *items, uint32_t object)
{
    struct item *item = &items->of[object];
    struct queue *queue = item->in;

    CHECK(queue);
    if (item->newer != TRACE_NONE) {
        items->of[item->newer].older = item->older;
    } else {
        queue->newest = item->older;
    }
    if (item->older != TRACE_NONE) {
        items->of[item->older].newer = item->newer;
    } else {
        queue->oldest = item->newer;
    }
    queue->bytes -= items->trace->sizes[object];
    queue->count--;
    item->in = NULL;
}

uint32_t queue_pop(struct items *items, struct queue *queue)
{
    uint32_t oldest = queue->oldest;

    queue_remove(items, oldest);
    return oldest;
}
