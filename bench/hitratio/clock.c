/* CLOCK: FIFO, but what was used since it was looked at last goes round once more. */
#include "bench/hitratio/shelf.h"

static void evict(struct shelf *shelf)
{
    for (;;) {
        uint32_t oldest = queue_pop(&shelf->items, &shelf->queue);
        if (!shelf->items.of[oldest].uses) {
            return;
        }
        shelf->items.of[oldest].uses = 0;
        queue_push(&shelf->items, &shelf->queue, oldest);
    }
}

static bool request(void *self, size_t at)
{
    return shelf_request(self, at, shelf_mark, evict);
}

const struct policy policy_clock = {
    .name = "CLOCK", .make = shelf_make, .request = request, .drop = shelf_drop};
