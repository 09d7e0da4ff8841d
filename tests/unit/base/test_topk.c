#include "base/topk.h"

#include "base/mem.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static const struct sip_key secret = {1, 2};

static struct topk *topk_new(size_t sets)
{
    struct topk *topk = xcalloc(1, topk_size(sets));

    topk_init(topk, sets);
    return topk;
}

static void add_counts(uint64_t *into, const uint64_t *from)
{
    for (int i = 0; i < TOPK_COUNTS; i++) {
        into[i] += from[i];
    }
}

Test(topk, few_keys_are_counted_exactly)
{
    struct topk *topk = topk_new(1);
    struct topk_rows rows = {0};
    static const char *const keys[] = {"a", "b", "a", "c", "a", "b"};

    for (size_t i = 0; i < 6; i++) {
        topk_add(topk, &secret, span_str(keys[i]), 1)[0] += 10;
    }
    topk_rows_add(&rows, topk);
    topk_rows_merge(&rows, add_counts);
    cr_assert_eq(rows.count, 3);
    cr_expect(span_eq(topk_key(&rows.at[0]), SPAN("a")));
    cr_expect_eq(rows.at[0].weight, 3);
    cr_expect_eq(rows.at[0].over, 0);
    cr_expect_eq(rows.at[0].counts[0], 30);
    cr_expect(span_eq(topk_key(&rows.at[1]), SPAN("b")));
    cr_expect(span_eq(topk_key(&rows.at[2]), SPAN("c")));
    topk_rows_fini(&rows);
    free(topk);
}

/* Every seventh is the same, between strangers that never come again. */
Test(topk, what_is_heavy_stays_and_is_never_too_light)
{
    struct topk *topk = topk_new(4);
    struct topk_rows rows = {0};
    char text[32];

    for (unsigned i = 0; i < 70000; i++) {
        snprintf(text, sizeof(text), "stranger-%u", i);
        topk_add(topk, &secret, i % 7 ? span_str(text) : SPAN("heavy"), 1)[0]++;
    }
    topk_rows_add(&rows, topk);
    topk_rows_merge(&rows, add_counts);
    cr_expect_eq(rows.count, 4 * TOPK_WAYS);
    bool found = false;
    for (size_t i = 0; i < rows.count; i++) {
        if (span_eq(topk_key(&rows.at[i]), SPAN("heavy"))) {
            found = true;
            cr_expect_geq(rows.at[i].weight, 10000);
            cr_expect_leq(rows.at[i].counts[0], 10000);
            cr_expect_leq(rows.at[i].weight - rows.at[i].over, 10000);
        }
    }
    cr_expect(found);
    topk_rows_fini(&rows);
    free(topk);
}

Test(topk, long_keys_with_one_beginning_are_two)
{
    struct topk *topk = topk_new(1);
    struct topk_rows rows = {0};
    char a[200], b[200];

    memset(a, 'x', sizeof(a));
    memset(b, 'x', sizeof(b));
    b[199] = 'y';
    topk_add(topk, &secret, span_of(a, sizeof(a)), 1)[0]++;
    topk_add(topk, &secret, span_of(b, sizeof(b)), 1)[0]++;
    cr_expect_eq(topk_add(topk, &secret, span_of(a, sizeof(a)), 1)[0], 1);
    topk_rows_add(&rows, topk);
    cr_assert_eq(rows.count, 2);
    cr_expect_eq(rows.at[0].len, TOPK_KEY_MAX);
    topk_rows_fini(&rows);
    free(topk);
}

Test(topk, what_a_long_key_leaves_of_itself_is_another_key)
{
    struct topk *topk = topk_new(1);
    char text[200];

    memset(text, 'x', sizeof(text));
    topk_add(topk, &secret, span_of(text, sizeof(text)), 1)[0]++;
    cr_expect_eq(topk_add(topk, &secret, span_of(text, TOPK_KEY_MAX), 1)[0], 0);
    cr_expect_eq(topk_add(topk, &secret, span_of(text, sizeof(text)), 1)[0], 1);
    free(topk);
}

Test(topk, a_place_that_was_taken_over_is_not_found_again)
{
    struct topk *topk = topk_new(1);
    char text[2] = "a";

    for (int i = 0; i < TOPK_WAYS; i++, text[0]++) {
        topk_add(topk, &secret, span_str(text), i == 0 ? 1 : 2)[0] = 7;
    }
    topk_add(topk, &secret, SPAN("new"), 5)[0]++; /* where "a" was */
    cr_expect_eq(topk_add(topk, &secret, SPAN("new"), 5)[0], 1);
    cr_expect_eq(topk_add(topk, &secret, SPAN("a"), 1)[0], 0);
    cr_expect_eq(topk_add(topk, &secret, SPAN("new"), 1)[0], 1);
    free(topk);
}

Test(topk, rows_of_two_sketches_become_one)
{
    struct topk *one = topk_new(1), *two = topk_new(2);
    struct topk_rows rows = {0};

    topk_add(one, &secret, SPAN("a"), 5)[1] = 50;
    topk_add(one, &secret, SPAN("ab"), 6)[1] = 60;
    topk_add(two, &secret, SPAN("a"), 2)[1] = 20;
    topk_rows_add(&rows, one);
    topk_rows_add(&rows, two);
    topk_rows_merge(&rows, add_counts);
    cr_assert_eq(rows.count, 2);
    cr_expect(span_eq(topk_key(&rows.at[0]), SPAN("a")));
    cr_expect_eq(rows.at[0].weight, 7);
    cr_expect_eq(rows.at[0].counts[1], 70);
    topk_rows_fini(&rows);
    topk_rows_merge(&rows, add_counts); /* none at all */
    cr_expect_eq(rows.count, 0);
    free(one);
    free(two);
}
