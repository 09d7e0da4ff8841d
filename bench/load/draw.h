/*
 * draw - random numbers of a program that makes load: fast, and the same for the same seed. One
 * thread.
 */
#ifndef LARDER_BENCH_DRAW_H
#define LARDER_BENCH_DRAW_H

#include <stdbool.h>
#include <stdint.h>

/* Not 0. */
void draw_seed(uint64_t seed);

uint64_t draw(void);
/* Above 0 and below 1. */
double draw_uniform(void);

/* Before draw_rank(): ranks from 1 to `count`, as often as 1/rank^alpha. False without memory. */
bool draw_weigh(unsigned count, double alpha);
unsigned draw_rank(void);

#endif
