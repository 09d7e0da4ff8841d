#include "bench/hitratio/sketch.h"

#include "base/mem.h"

#define ROWS 4
#define COUNTER_MAX 15
#define PERIOD 10

void sketch_init(struct sketch *sketch, uint64_t things)
{
    uint64_t width = 64;

    while (width < things) {
        width *= 2;
    }
    *sketch = (struct sketch){.mask = width - 1, .period = PERIOD * (things ? things : 1)};
    sketch->counters = xcalloc(ROWS, width);
}

void sketch_fini(struct sketch *sketch)
{
    free(sketch->counters);
}

static uint8_t *counter(const struct sketch *sketch, uint32_t thing, unsigned row)
{
    uint64_t hash = (thing + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);

    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93) + 2 * (uint64_t)row * UINT64_C(0x9fb21c651e98df25);
    hash ^= hash >> 32;
    return sketch->counters + row * (sketch->mask + 1) + (hash & sketch->mask);
}

void sketch_see(struct sketch *sketch, uint32_t thing)
{
    unsigned count = sketch_count(sketch, thing);

    for (unsigned row = 0; row < ROWS; row++) { /* only the least: fewer errors */
        uint8_t *at = counter(sketch, thing, row);
        *at = (uint8_t)(*at + (*at == count && *at < COUNTER_MAX));
    }
    if (++sketch->seen >= sketch->period) {
        for (uint64_t i = 0; i < ROWS * (sketch->mask + 1); i++) {
            sketch->counters[i] /= 2;
        }
        sketch->seen /= 2;
    }
}

unsigned sketch_count(const struct sketch *sketch, uint32_t thing)
{
    unsigned least = COUNTER_MAX;

    for (unsigned row = 0; row < ROWS; row++) {
        unsigned count = *counter(sketch, thing, row);
        least = count < least ? count : least;
    }
    return least;
}
