/*
 * SIEVE (Zhang et al., NSDI 2024): a hand goes from the oldest to the newest, again and again, and
 * takes the first that was not used. What was used loses its mark and stays where it is.
 */
#include "bench/hitratio/shelf.h"

static void evict(struct shelf *shelf)
{
    for (;;) {
        uint32_t at = shelf->hand != TRACE_NONE ? shelf->hand : shelf->queue.oldest;
        shelf->hand = shelf->items.of[at].newer;
        if (!shelf->items.of[at].uses) {
            queue_remove(&shelf->items, at);
            return;
        }
        shelf->items.of[at].uses = 0;
    }
}

static bool request(void *self, size_t at)
{
    return shelf_request(self, at, shelf_mark, evict);
}

const struct policy policy_sieve = {
    .name = "SIEVE", .make = shelf_make, .request = request, .drop = shelf_drop};
