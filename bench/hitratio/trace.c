#include "bench/hitratio/trace.h"

#include "base/mem.h"
#include "base/siphash.h"

#define IDS_MIN 1024

void trace_init(struct trace *trace)
{
    *trace = (struct trace){0};
}

void trace_ids_fini(struct trace_ids *ids)
{
    free(ids->hashes);
    free(ids->numbers);
    *ids = (struct trace_ids){0};
}

void trace_fini(struct trace *trace)
{
    trace_ids_fini(&trace->ids);
    free(trace->requests);
    free(trace->sizes);
    *trace = (struct trace){0};
}

uint64_t trace_hash(struct span name, uint64_t size)
{
    struct sip_key key = {UINT64_C(0x6c617264), size}; /* fixed: every run is the same */
    uint64_t hash = sip_hash64(&key, name);

    return hash ? hash : 1;
}

static size_t place_of(const struct trace_ids *ids, uint64_t hash)
{
    size_t at = hash & ids->mask;

    while (ids->hashes[at] && ids->hashes[at] != hash) {
        at = (at + 1) & ids->mask;
    }
    return at;
}

static void grow_ids(struct trace_ids *ids)
{
    struct trace_ids old = *ids;
    size_t places = old.hashes ? 2 * (old.mask + 1) : IDS_MIN;

    ids->hashes = xcalloc(places, sizeof(*ids->hashes));
    ids->numbers = xcalloc(places, sizeof(*ids->numbers));
    ids->mask = places - 1;
    for (size_t i = 0; old.hashes && i <= old.mask; i++) {
        if (old.hashes[i]) {
            size_t at = place_of(ids, old.hashes[i]);
            ids->hashes[at] = old.hashes[i];
            ids->numbers[at] = old.numbers[i];
        }
    }
    free(old.hashes);
    free(old.numbers);
}

uint32_t *trace_ids_at(struct trace_ids *ids, uint64_t hash)
{
    if (!ids->hashes || ids->count * 2 > ids->mask) {
        grow_ids(ids);
    }
    size_t at = place_of(ids, hash);
    if (!ids->hashes[at]) {
        ids->hashes[at] = hash;
        ids->numbers[at] = TRACE_NONE;
        ids->count++;
    }
    return &ids->numbers[at];
}

uint32_t trace_add_object(struct trace *trace, uint64_t size)
{
    CHECK(trace->objects < TRACE_NONE);
    if (trace->objects == trace->objects_room) {
        trace->objects_room = trace->objects_room ? 2 * trace->objects_room : 1024;
        trace->sizes = xrealloc(trace->sizes, trace->objects_room * sizeof(*trace->sizes));
    }
    trace->sizes[trace->objects] = size ? size : 1;
    trace->bytes += size ? size : 1;
    return (uint32_t)trace->objects++;
}

uint32_t trace_object(struct trace *trace, struct span name, uint64_t size)
{
    uint32_t *number = trace_ids_at(&trace->ids, trace_hash(name, size));

    if (*number == TRACE_NONE) {
        *number = trace_add_object(trace, size);
    }
    return *number;
}

void trace_add(struct trace *trace, uint32_t object)
{
    if (trace->count == trace->room) {
        trace->room = trace->room ? 2 * trace->room : 1024;
        trace->requests = xrealloc(trace->requests, trace->room * sizeof(*trace->requests));
    }
    trace->requests[trace->count++] = object;
}

bool trace_is_sized(const struct trace *trace)
{
    return trace->bytes != trace->objects;
}
