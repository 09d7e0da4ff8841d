#include "bench/hitratio/shelf.h"

#include "base/mem.h"

void *shelf_make(const struct trace *trace, uint64_t capacity)
{
    struct shelf *shelf = xcalloc(1, sizeof(*shelf));

    items_init(&shelf->items, trace);
    queue_init(&shelf->queue);
    shelf->capacity = capacity;
    shelf->hand = TRACE_NONE;
    return shelf;
}

void shelf_drop(void *self)
{
    struct shelf *shelf = self;

    items_fini(&shelf->items);
    free(shelf);
}

void shelf_mark(struct shelf *shelf, uint32_t object)
{
    shelf->items.of[object].uses = 1;
}

bool shelf_request(struct shelf *shelf, size_t at,
                   void (*hit)(struct shelf *shelf, uint32_t object),
                   void (*evict)(struct shelf *shelf))
{
    uint32_t object = shelf->items.trace->requests[at];
    uint64_t size = shelf->items.trace->sizes[object];

    if (shelf->items.of[object].in) {
        hit(shelf, object);
        return true;
    }
    if (size > shelf->capacity) {
        return false;
    }
    while (shelf->queue.bytes + size > shelf->capacity) {
        evict(shelf);
    }
    queue_push(&shelf->items, &shelf->queue, object);
    shelf->items.of[object].uses = 0;
    return false;
}
