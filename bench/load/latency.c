#include "bench/load/latency.h"

#include <math.h>

enum { FINE_BITS = 6, CLASSES = 42 << FINE_BITS };

static uint64_t classes[CLASSES], worst;
static double sum, count;

static unsigned class_of(uint64_t ns)
{
    unsigned power = ns < 1 << FINE_BITS ? 0 : 63u - FINE_BITS - (unsigned)__builtin_clzll(ns);
    uint64_t at = ((uint64_t)power << FINE_BITS) + (ns >> power);

    return at < CLASSES ? (unsigned)at : CLASSES - 1;
}

static double start_of(unsigned class)
{
    unsigned power = class < 2u << FINE_BITS ? 0 : (class >> FINE_BITS) - 1;

    return ldexp((double)(class - (power << FINE_BITS)), (int)power);
}

void latency_count(uint64_t ns)
{
    classes[class_of(ns)]++;
    sum += (double)ns;
    count++;
    worst = ns > worst ? ns : worst;
}

double latency_quantile_ms(double share)
{
    double seen = 0;

    for (unsigned i = 0; i < CLASSES; i++) {
        seen += (double)classes[i];
        if (count > 0 && seen >= count * share) {
            return start_of(i) / 1e6;
        }
    }
    return 0;
}

double latency_mean_ms(void)
{
    return count > 0 ? sum / count / 1e6 : 0;
}

double latency_worst_ms(void)
{
    return (double)worst / 1e6;
}
