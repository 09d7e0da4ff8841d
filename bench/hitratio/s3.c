/*
 * S3-FIFO (Yang et al., SOSP 2023), object by object: a small queue of a tenth, a main one, and
 * ghosts of what left the small one unused.
 */
#include "base/mem.h"
#include "bench/hitratio/policy.h"
#include "bench/hitratio/queue.h"

#define SMALL_SHARE 10
#define USES_MAX 3
#define USES_TO_STAY 1 /* to leave the small queue for the main one */

struct s3 {
    struct items items;
    struct queue small, main, ghosts;
    uint64_t capacity;
};

static void *make(const struct trace *trace, uint64_t capacity)
{
    struct s3 *s3 = xcalloc(1, sizeof(*s3));

    items_init(&s3->items, trace);
    queue_init(&s3->small);
    queue_init(&s3->main);
    queue_init(&s3->ghosts);
    s3->capacity = capacity;
    return s3;
}

static void drop(void *self)
{
    struct s3 *s3 = self;

    items_fini(&s3->items);
    free(s3);
}

static void push(struct s3 *s3, struct queue *queue, uint32_t object, uint8_t uses)
{
    queue_push(&s3->items, queue, object);
    s3->items.of[object].uses = uses;
}

static void evict_small(struct s3 *s3)
{
    uint32_t object = queue_pop(&s3->items, &s3->small);

    if (s3->items.of[object].uses >= USES_TO_STAY) {
        push(s3, &s3->main, object, 0);
        return;
    }
    push(s3, &s3->ghosts, object, 0);
    while (s3->ghosts.bytes > s3->capacity - s3->capacity / SMALL_SHARE) {
        queue_pop(&s3->items, &s3->ghosts);
    }
}

static void evict_main(struct s3 *s3)
{
    uint32_t object = queue_pop(&s3->items, &s3->main);
    uint8_t uses = s3->items.of[object].uses;

    if (uses) {
        push(s3, &s3->main, object, (uint8_t)(uses - 1));
    }
}

static bool request(void *self, size_t at)
{
    struct s3 *s3 = self;
    uint32_t object = s3->items.trace->requests[at];
    uint64_t size = s3->items.trace->sizes[object];
    struct item *item = &s3->items.of[object];

    if (item->in && item->in != &s3->ghosts) {
        item->uses = (uint8_t)(item->uses + (item->uses < USES_MAX));
        return true;
    }
    if (size > s3->capacity) {
        return false;
    }
    bool known = item->in;
    if (known) {
        queue_remove(&s3->items, object);
    }
    while (s3->small.bytes + s3->main.bytes + size > s3->capacity) {
        if (s3->small.bytes > s3->capacity / SMALL_SHARE || !s3->main.count) {
            evict_small(s3);
        } else {
            evict_main(s3);
        }
    }
    push(s3, known ? &s3->main : &s3->small, object, 0);
    return false;
}

const struct policy policy_s3fifo = {
    .name = "S3-FIFO", .make = make, .request = request, .drop = drop};
