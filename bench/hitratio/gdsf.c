/*
 * GDSF (Cherkasova 1998): the least of clock + uses / size leaves, and the clock is set to what it
 * had. So a small object needs few uses to stay, and old uses count less and less. With sizes all
 * the same it is LFU with ageing.
 */
#include "base/mem.h"
#include "bench/hitratio/heap.h"
#include "bench/hitratio/policy.h"

struct gdsf {
    const struct trace *trace;
    struct heap heap;
    uint32_t *uses;
    uint64_t capacity, bytes;
    double clock;
};

static void *make(const struct trace *trace, uint64_t capacity)
{
    struct gdsf *gdsf = xcalloc(1, sizeof(*gdsf));

    gdsf->trace = trace;
    gdsf->capacity = capacity;
    gdsf->uses = xcalloc(trace->objects, sizeof(*gdsf->uses));
    heap_init(&gdsf->heap, trace->objects);
    return gdsf;
}

static void drop(void *self)
{
    struct gdsf *gdsf = self;

    heap_fini(&gdsf->heap);
    free(gdsf->uses);
    free(gdsf);
}

static void evict(struct gdsf *gdsf)
{
    uint32_t object = heap_least(&gdsf->heap);

    gdsf->clock = gdsf->heap.value[object];
    gdsf->bytes -= gdsf->trace->sizes[object];
    heap_remove(&gdsf->heap, object);
}

static bool request(void *self, size_t at)
{
    struct gdsf *gdsf = self;
    uint32_t object = gdsf->trace->requests[at];
    uint64_t size = gdsf->trace->sizes[object];
    bool hit = heap_has(&gdsf->heap, object);

    if (size > gdsf->capacity) {
        return false;
    }
    if (!hit) {
        while (gdsf->bytes + size > gdsf->capacity) {
            evict(gdsf);
        }
        gdsf->uses[object] = 0;
        gdsf->bytes += size;
    }
    gdsf->uses[object]++;
    heap_set(&gdsf->heap, object, gdsf->clock + (double)gdsf->uses[object] / (double)size);
    return hit;
}

const struct policy policy_gdsf = {.name = "GDSF", .make = make, .request = request, .drop = drop};
