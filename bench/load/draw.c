#include "bench/load/draw.h"

#include <math.h>
#include <stdlib.h>

static uint64_t seed = 1;
static double *sums; /* of the weights of ranks */
static unsigned ranks;

void draw_seed(uint64_t number)
{
    seed = number;
}

uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

double draw_uniform(void)
{
    return ((double)(draw() >> 11) + 0.5) / 9007199254740992.0;
}

bool draw_weigh(unsigned count, double alpha)
{
    double sum = 0;

    ranks = count;
    sums = calloc(count, sizeof(*sums));
    for (unsigned rank = 1; sums && rank <= count; rank++) {
        sum += pow(rank, -alpha);
        sums[rank - 1] = sum;
    }
    return sums != NULL;
}

unsigned draw_rank(void)
{
    double at = draw_uniform() * sums[ranks - 1];
    unsigned low = 0, high = ranks - 1;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (sums[middle] < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low + 1;
}
