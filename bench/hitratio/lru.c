/* LRU: what was used longest ago leaves first. */
#include "bench/hitratio/shelf.h"

static void hit(struct shelf *shelf, uint32_t object)
{
    queue_remove(&shelf->items, object);
    queue_push(&shelf->items, &shelf->queue, object);
}

static void evict(struct shelf *shelf)
{
    queue_pop(&shelf->items, &shelf->queue);
}

static bool request(void *self, size_t at)
{
    return shelf_request(self, at, hit, evict);
}

const struct policy policy_lru = {
    .name = "LRU", .make = shelf_make, .request = request, .drop = shelf_drop};
