#include "bench/hitratio/heap.h"

#include "base/mem.h"

void heap_init(struct heap *heap, size_t objects)
{
    heap->objects = xcalloc(objects, sizeof(*heap->objects));
    heap->place = xcalloc(objects, sizeof(*heap->place));
    heap->value = xcalloc(objects, sizeof(*heap->value));
    heap->count = 0;
}

void heap_fini(struct heap *heap)
{
    free(heap->objects);
    free(heap->place);
    free(heap->value);
}

static double value_at(const struct heap *heap, size_t at)
{
    return heap->value[heap->objects[at]];
}

static void put(struct heap *heap, size_t at, uint32_t object)
{
    heap->objects[at] = object;
    heap->place[object] = (uint32_t)at + 1;
}

static void up(struct heap *heap, size_t at)
{
    uint32_t object = heap->objects[at];

    while (at && heap->value[object] < value_at(heap, (at - 1) / 2)) {
        put(heap, at, heap->objects[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(heap, at, object);
}

static void down(struct heap *heap, size_t at)
{
    uint32_t object = heap->objects[at];

    for (;;) {
        size_t least = 2 * at + 1;
        if (least + 1 < heap->count && value_at(heap, least + 1) < value_at(heap, least)) {
            least++;
        }
        if (least >= heap->count || value_at(heap, least) >= heap->value[object]) {
            break;
        }
        put(heap, at, heap->objects[least]);
        at = least;
    }
    put(heap, at, object);
}

void heap_set(struct heap *heap, uint32_t object, double value)
{
    heap->value[object] = value;
    if (!heap_has(heap, object)) {
        put(heap, heap->count++, object);
    }
    up(heap, heap->place[object] - 1);
    down(heap, heap->place[object] - 1);
}

void heap_remove(struct heap *heap, uint32_t object)
{
    size_t at = heap->place[object] - 1;
    uint32_t last = heap->objects[--heap->count];

    CHECK(heap_has(heap, object));
    heap->place[object] = 0;
    if (last != object) {
        put(heap, at, last);
        up(heap, at);
        down(heap, heap->place[last] - 1);
    }
}

uint32_t heap_least(const struct heap *heap)
{
    CHECK(heap->count);
    return heap->objects[0];
}
