/* FIFO: what came first leaves first. */
#include "bench/hitratio/shelf.h"

static void hit(struct shelf *shelf, uint32_t object)
{
}

static void evict(struct shelf *shelf)
{
    queue_pop(&shelf->items, &shelf->queue);
}

static bool request(void *self, size_t at)
{
    return shelf_request(self, at, hit, evict);
}

const struct policy policy_fifo = {
    .name = "FIFO", .make = shelf_make, .request = request, .drop = shelf_drop};
