/* The store's policy over segments of one object each; a segment is always kept free. */
#include "bench/hitratio/larder.h"
#include "letters.h"

#include <criterion/criterion.h>

static void expect(unsigned segments, const char *requests, const char *sizes, uint64_t capacity,
                   const char *want)
{
    struct trace trace;

    letters_trace(&trace, requests, sizes);
    letters_play(&policy_larder, larder_make(&trace, capacity, segments, S3_OBJECTS), &trace, want);
    trace_fini(&trace);
}

Test(hitratio_larder, what_is_not_used_leaves_in_order)
{
    /* Seven of eight segments are in use: h takes the place of a, i that of b. */
    expect(8, "abcdefghia", NULL, 8, "..........");
    expect(8, "abcdefghih", NULL, 8, ".........h");
    expect(8, "abcdefghic", NULL, 8, ".........h");
}

Test(hitratio_larder, what_is_used_is_copied_and_counted)
{
    struct trace trace;

    letters_trace(&trace, "abcdefgaahijkla", NULL);
    void *cache = larder_make(&trace, 8, 8, S3_OBJECTS);
    for (size_t i = 0; i < trace.count; i++) {
        bool hit = policy_larder.request(cache, i);
        cr_expect_eq(hit, i == 7 || i == 8 || i == 14, "request %zu", i);
    }
    struct policy_cost cost = policy_larder.cost(cache);
    cr_expect_eq(cost.inserted, 12);
    cr_expect_eq(cost.copied, 1);
    policy_larder.drop(cache);
    trace_fini(&trace);
}

Test(hitratio_larder, an_object_goes_on_in_the_next_segment)
{
    /* Segments of 2: a has one and a half, b begins in the second and is gone only with that. */
    expect(8, "abcdeb", "33333", 16, ".....h");
    expect(8, "abcdea", "33333", 16, "......");
}

Test(hitratio_larder, an_object_of_more_than_half_the_store_is_refused)
{
    expect(8, "aabb", "98", 16, "...h");
}
