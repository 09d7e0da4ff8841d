#include "bench/hitratio/run.h"
#include "bench/hitratio/zipf.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void make(const char *spec, struct trace *trace)
{
    struct zipf zipf;
    struct span wrong;

    cr_assert(zipf_parse(span_str(spec), &zipf, &wrong), "%s", spec);
    trace_init(trace);
    zipf_make(&zipf, trace);
}

Test(hitratio_zipf, the_same_every_time_and_another_with_another_seed)
{
    struct trace a, b, c;

    make("objects=1000,requests=5000", &a);
    make("objects=1000,requests=5000", &b);
    make("objects=1000,requests=5000,seed=2", &c);
    cr_assert_eq(a.count, 5000);
    cr_assert_eq(b.count, 5000);
    cr_expect_eq(memcmp(a.requests, b.requests, 5000 * sizeof(*a.requests)), 0);
    cr_expect_eq(a.bytes, b.bytes);
    cr_expect_neq(memcmp(a.requests, c.requests, 5000 * sizeof(*a.requests)), 0);
    trace_fini(&a);
    trace_fini(&b);
    trace_fini(&c);
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

Test(hitratio_zipf, sizes_are_those_of_the_web)
{
    struct trace trace;

    make("objects=200000,requests=1,once=0", &trace);
    double mean = (double)trace.bytes / (double)trace.objects;
    cr_expect(mean > 32e3 && mean < 38e3, "mean %g", mean);
    qsort(trace.sizes, trace.objects, sizeof(*trace.sizes), by_size);
    double median = (double)trace.sizes[trace.objects / 2];
    cr_expect(median > 8000 && median < 8400, "median %g", median);
    cr_expect_leq(trace.sizes[trace.objects - 1], 16u << 20);
    trace_fini(&trace);
}

/* How many of the requests are for the commonest object, and objects that came once. */
static size_t of_object(const struct trace *trace, uint32_t object)
{
    size_t count = 0;

    for (size_t i = 0; i < trace->count; i++) {
        count += trace->requests[i] == object;
    }
    return count;
}

Test(hitratio_zipf, popularity_and_objects_that_come_once)
{
    struct trace trace;

    /* The sum of 1/r up to 1000 is 7.485: rank 1 has 13.4 % of what is not for once. */
    make("objects=1000,requests=100000,alpha=1,once=50,sized=0", &trace);
    double first = (double)of_object(&trace, 0) / 50000;
    cr_expect(first > 0.129 && first < 0.139, "%g", first);
    double second = (double)of_object(&trace, 1) / (double)of_object(&trace, 0);
    cr_expect(second > 0.46 && second < 0.54, "%g", second);
    cr_expect(trace.objects > 50500 && trace.objects < 51500, "%zu", trace.objects);
    cr_expect_not(trace_is_sized(&trace));
    trace_fini(&trace);
}

Test(hitratio_zipf, a_loop_goes_round)
{
    struct trace trace;

    make("objects=1,requests=10,once=0,loop=100,ring=4,sized=0", &trace);
    for (size_t i = 0; i < 10; i++) {
        cr_expect_eq(trace.requests[i], 1 + i % 4);
    }
    trace_fini(&trace);
}

Test(hitratio_zipf, rings_are_gone_round_at_their_own_pace)
{
    uint64_t next[3] = {0};
    const uint64_t length[] = {64, 16, 4}, begins[] = {1, 65, 81};
    struct trace trace;

    make("objects=1,requests=3000,once=0,loop=100,ring=64,rings=3,sized=0", &trace);
    cr_expect_eq(trace.objects, 1 + 64 + 16 + 4);
    for (size_t i = 0; i < 3000; i++) {
        size_t ring = trace.requests[i] >= 81 ? 2 : trace.requests[i] >= 65;
        cr_assert_eq(trace.requests[i], begins[ring] + next[ring]++ % length[ring]);
    }
    for (size_t ring = 0; ring < 3; ring++) {
        cr_expect(next[ring] > 900 && next[ring] < 1100, "%zu", next[ring]);
    }
    trace_fini(&trace);
}

Test(hitratio_zipf, a_scan_comes_all_at_once)
{
    struct trace trace;

    make("objects=1,requests=90,once=0,scans=2,ring=10,sized=0", &trace);
    for (size_t i = 0; i < 90; i++) {
        bool scanned = (i >= 30 && i < 40) || (i >= 60 && i < 70);
        cr_expect_eq(trace.requests[i], scanned ? 1 + i % 10 : 0, "%zu", i);
    }
    trace_fini(&trace);
}

Test(hitratio_zipf, a_shift_replaces_all_objects)
{
    struct trace trace;

    make("objects=100,requests=9000,once=0,shifts=2,sized=0", &trace);
    cr_expect_eq(trace.objects, 300);
    for (size_t i = 0; i < 9000; i++) {
        cr_assert_eq(trace.requests[i] / 100, i / 3000);
    }
    trace_fini(&trace);
}

Test(hitratio_zipf, day_and_night_have_objects_of_their_own)
{
    struct trace trace;

    make("objects=100,requests=8000,once=0,days=2,sized=0", &trace);
    cr_expect_eq(trace.objects, 200);
    for (size_t i = 0; i < 8000; i++) {
        cr_assert_eq(trace.requests[i] / 100, i / 2000 % 2, "%zu", i);
    }
    trace_fini(&trace);
}

Test(hitratio_zipf, drift_replaces_objects)
{
    struct trace trace;

    make("objects=1000,requests=10000,once=0,drift=200,sized=0", &trace);
    cr_expect(trace.objects > 2850 && trace.objects < 3150, "%zu", trace.objects);
    trace_fini(&trace);
}

Test(hitratio_zipf, stories_are_read_less_and_less_and_then_no_more)
{
    enum { REQUESTS = 200000, LIFE = REQUESTS / 40 };
    static uint32_t first[200000];
    size_t early = 0, late = 0;
    struct trace trace;

    make("objects=4000,requests=200000,once=0,stories=100,sized=0", &trace);
    cr_expect(trace.objects > 7900 && trace.objects < 8300, "%zu", trace.objects); /* and 4000 */
    for (size_t i = 0; i < REQUESTS; i++) {
        uint32_t *begun = &first[trace.requests[i]];
        *begun = *begun ? *begun : (uint32_t)i + 1;
        size_t age = i + 1 - *begun;
        cr_expect_lt(age, LIFE * 3 / 2, "of what is born by chance");
        early += age < LIFE / 4;
        late += age >= LIFE / 2;
    }
    cr_expect_gt(early, late);
    trace_fini(&trace);
}

Test(hitratio_zipf, says_what_it_does_not_understand)
{
    static const struct {
        const char *spec, *wrong;
    } cases[] = {
        {"objects=10,once=x", "once=x"}, {"alpha=5", "alpha=5"},
        {"alpha=0.1.2", "alpha=0.1.2"},  {"size=1", "size=1"},
        {"sized=2", "sized=2"},          {"rings=9", "rings=9"},
        {"objects", "objects"},          {"objects=200000000", "objects=200000000"},
    };
    struct zipf zipf;
    struct span wrong;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_not(zipf_parse(span_str(cases[i].spec), &zipf, &wrong), "%s", cases[i].spec);
        cr_expect(span_eq(wrong, span_str(cases[i].wrong)), "%s", cases[i].spec);
    }
    cr_expect_not(zipf_parse(SPAN("once=60,loop=50"), &zipf, &wrong));
    cr_expect_not(zipf_parse(SPAN("once=30,loop=30,stories=41"), &zipf, &wrong));
    cr_expect_not(zipf_parse(SPAN("objects=0"), &zipf, &wrong));
    cr_expect_not(zipf_parse(SPAN("ring=15,rings=3"), &zipf, &wrong));
}

Test(hitratio_zipf, the_warm_up_is_not_counted)
{
    struct trace trace;

    make("objects=1,requests=10,once=0,sized=0", &trace);
    cr_expect_float_eq(run(&policy_fifo, &trace, 1, 0).objects, 90.0, 1e-9);
    cr_expect_float_eq(run(&policy_fifo, &trace, 1, 1).objects, 100.0, 1e-9);
    trace_fini(&trace);
}
