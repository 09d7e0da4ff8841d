/* letters - traces written as words, for the tests of policies. */
#ifndef LARDER_TESTS_UNIT_BENCH_LETTERS_H
#define LARDER_TESTS_UNIT_BENCH_LETTERS_H

#include "bench/hitratio/policy.h"

/* Each letter is an object. `sizes` are digits, those of a, b, c...; NULL: all 1. */
void letters_trace(struct trace *trace, const char *requests, const char *sizes);

/* Plays `requests`; `want` has an h for each hit and a . for each miss. `cache` is dropped. */
void letters_play(const struct policy *policy, void *cache, const struct trace *trace,
                  const char *want);

/* Both, with a new cache. */
void letters_expect(const struct policy *policy, uint64_t capacity, const char *requests,
                    const char *sizes, const char *want);

#endif
