#include "letters.h"

#include <criterion/criterion.h>

void letters_trace(struct trace *trace, const char *requests, const char *sizes)
{
    trace_init(trace);
    for (const char *at = requests; *at; at++) {
        uint64_t size = sizes ? (uint64_t)(sizes[*at - 'a'] - '0') : 1;
        trace_add(trace, trace_object(trace, span_of(at, 1), size));
    }
}

void letters_play(const struct policy *policy, void *cache, const struct trace *trace,
                  const char *want)
{
    char got[256] = "";

    cr_assert_lt(trace->count, sizeof(got));
    for (size_t i = 0; i < trace->count; i++) {
        got[i] = policy->request(cache, i) ? 'h' : '.';
    }
    policy->drop(cache);
    cr_expect_str_eq(got, want, "%s:\n%s instead of\n%s", policy->name, got, want);
}

void letters_expect(const struct policy *policy, uint64_t capacity, const char *requests,
                    const char *sizes, const char *want)
{
    struct trace trace;

    letters_trace(&trace, requests, sizes);
    letters_play(policy, policy->make(&trace, capacity), &trace, want);
    trace_fini(&trace);
}
