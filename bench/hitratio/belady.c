/*
 * Belady's optimum: it knows when each object is asked for next.
 *
 * With sizes all the same it is exact (MIN, and what comes again later than all that is there is
 * not inserted). With different sizes the optimum cannot be computed for traces of any length; then
 * this is Belady-Size: what leaves is what occupies the most bytes for the longest time until it is
 * used next, the worst of a sample. It is neither a bound nor far from one.
 */
#include "base/mem.h"
#include "bench/hitratio/heap.h"
#include "bench/hitratio/policy.h"

#include <math.h>

#define SAMPLE 256

struct belady {
    const struct trace *trace;
    uint64_t capacity, bytes;
    double *next;     /* by request: when its object is asked for again; INFINITY: never */
    struct heap heap; /* by minus the time of the next use */
    bool sized;
    uint64_t random;
};

static void look_ahead(struct belady *belady)
{
    const struct trace *trace = belady->trace;
    double *soonest = xcalloc(trace->objects, sizeof(*soonest));

    for (size_t i = 0; i < trace->objects; i++) {
        soonest[i] = INFINITY;
    }
    for (size_t i = trace->count; i-- > 0;) {
        belady->next[i] = soonest[trace->requests[i]];
        soonest[trace->requests[i]] = (double)i;
    }
    free(soonest);
}

static void *make(const struct trace *trace, uint64_t capacity)
{
    struct belady *belady = xcalloc(1, sizeof(*belady));

    belady->trace = trace;
    belady->capacity = capacity;
    belady->sized = trace_is_sized(trace);
    belady->next = xcalloc(trace->count, sizeof(*belady->next));
    belady->random = 88172645463325252u;
    heap_init(&belady->heap, trace->objects);
    look_ahead(belady);
    return belady;
}

static void drop(void *self)
{
    struct belady *belady = self;

    heap_fini(&belady->heap);
    free(belady->next);
    free(belady);
}

/* ---- how bad it is to have that object, used next at `next`, in the cache ---- */

static double badness(const struct belady *belady, uint32_t object, double next, size_t at)
{
    return belady->sized ? (next - (double)at) * (double)belady->trace->sizes[object] : next;
}

static size_t random_below(struct belady *belady, size_t n)
{
    belady->random ^= belady->random << 13;
    belady->random ^= belady->random >> 7;
    belady->random ^= belady->random << 17;
    return belady->random % n;
}

static uint32_t worst(struct belady *belady, size_t at, double *how)
{
    const struct heap *heap = &belady->heap;
    uint32_t found = heap_least(heap);

    *how = badness(belady, found, -heap->value[found], at);
    for (size_t i = 0; belady->sized && i < SAMPLE; i++) {
        uint32_t object = heap->objects[random_below(belady, heap->count)];
        double bad = badness(belady, object, -heap->value[object], at);
        if (bad > *how) {
            *how = bad;
            found = object;
        }
    }
    return found;
}

static bool request(void *self, size_t at)
{
    struct belady *belady = self;
    uint32_t object = belady->trace->requests[at];
    uint64_t size = belady->trace->sizes[object];
    double next = belady->next[at], how;

    if (heap_has(&belady->heap, object)) {
        if (isinf(next)) {
            belady->bytes -= size;
            heap_remove(&belady->heap, object);
        } else {
            heap_set(&belady->heap, object, -next);
        }
        return true;
    }
    if (size > belady->capacity || isinf(next)) {
        return false;
    }
    while (belady->bytes + size > belady->capacity) {
        uint32_t victim = worst(belady, at, &how);
        if (badness(belady, object, next, at) >= how) {
            return false;
        }
        belady->bytes -= belady->trace->sizes[victim];
        heap_remove(&belady->heap, victim);
    }
    belady->bytes += size;
    heap_set(&belady->heap, object, -next);
    return false;
}

const struct policy policy_belady = {
    .name = "Belady", .offline = true, .make = make, .request = request, .drop = drop};
