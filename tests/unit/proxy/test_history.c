#include "proxy/admin/history.h"

#include <criterion/criterion.h>
#include <jansson.h>

static json_t *read_points(const struct history *history, uint64_t step, uint64_t since,
                           uint64_t now)
{
    struct history_query query = {.step = step, .since = since, .now = now, .wall = 5000000};
    struct buf out = BUF_INIT;

    cr_assert(history_write(history, &query, &out));
    json_t *root = json_loadb(buf_span(&out).at, buf_len(&out), 0, NULL);
    cr_assert_not_null(root, "it is JSON: %.*s", SPAN_ARGS(buf_span(&out)));
    buf_fini(&out);
    return root;
}

static json_int_t number(const json_t *root, const char *name)
{
    return json_integer_value(json_object_get(root, name));
}

static const json_t *series(const json_t *root, const char *name)
{
    return json_object_get(json_object_get(root, "series"), name);
}

static json_int_t at(const json_t *root, const char *name, size_t i)
{
    return json_integer_value(json_array_get(series(root, name), i));
}

static json_int_t sum_of(const json_t *root, const char *name)
{
    json_int_t sum = 0;

    for (size_t i = 0; i < json_array_size(series(root, name)); i++) {
        sum += at(root, name, i);
    }
    return sum;
}

Test(history, a_point_is_what_was_added_in_its_second)
{
    struct history *history = history_new(100);
    struct history_totals totals = {.counts[HISTORY_REQUESTS] = 5, .gauges[HISTORY_OPEN] = 2};

    history_add(history, &totals, 101);
    totals.counts[HISTORY_REQUESTS] = 12;
    totals.gauges[HISTORY_OPEN] = 1;
    history_add(history, &totals, 101); /* the second is not over */
    history_add(history, &totals, 102);
    json_t *root = read_points(history, 1, 0, 102);
    cr_expect_eq(number(root, "first"), 100);
    cr_expect_eq(number(root, "next"), 102);
    cr_expect_eq(number(root, "end"), 5000000);
    cr_assert_eq(json_array_size(series(root, "requests")), 2);
    cr_expect_eq(at(root, "requests", 0), 5);
    cr_expect_eq(at(root, "requests", 1), 7);
    cr_expect_eq(at(root, "open", 1), 1);
    json_decref(root);
    root = read_points(history, 1, 101, 102);
    cr_expect_eq(number(root, "first"), 101);
    cr_assert_eq(json_array_size(series(root, "requests")), 1);
    json_decref(root);
    root = read_points(history, 1, 4711, 103); /* nothing yet; one second later */
    cr_expect_eq(json_array_size(series(root, "requests")), 0);
    cr_expect_eq(number(root, "next"), 102);
    cr_expect_eq(number(root, "end"), 4999999);
    json_decref(root);
    history_free(&history);
}

Test(history, seconds_that_were_missed_share_what_was_added)
{
    struct history *history = history_new(0);
    struct history_totals totals = {.counts[HISTORY_BYTES] = 11};

    history_add(history, &totals, 4);
    json_t *root = read_points(history, 1, 0, 4);
    cr_assert_eq(json_array_size(series(root, "bytes")), 4);
    cr_expect_eq(at(root, "bytes", 0), 2);
    cr_expect_eq(at(root, "bytes", 3), 5);
    json_decref(root);
    history_free(&history);
}

/* A day and a half, a request a second. */
Test(history, all_steps_are_bounded_and_say_the_same)
{
    static const struct {
        uint64_t step, points;
    } steps[] = {{1, 600}, {10, 720}, {120, 720}};
    struct history *history = history_new(7);
    struct history_totals totals = {0};
    uint64_t end = 129600;

    for (uint64_t now = 8; now <= end; now++) {
        totals.counts[HISTORY_REQUESTS]++;
        history_add(history, &totals, now);
    }
    for (size_t i = 0; i < 3; i++) {
        json_t *root = read_points(history, steps[i].step, 0, end);
        cr_expect_eq(json_array_size(series(root, "requests")), steps[i].points);
        cr_expect_eq(number(root, "next"), (json_int_t)(end / steps[i].step));
        cr_expect_eq(sum_of(root, "requests"), (json_int_t)(steps[i].points * steps[i].step));
        json_decref(root);
    }
    history_free(&history);
}

Test(history, a_long_sleep_fills_the_ring)
{
    struct history *history = history_new(1);
    struct history_totals totals = {.counts[HISTORY_REQUESTS] = 1000000};

    history_add(history, &totals, 1000001);
    json_t *root = read_points(history, 1, 0, 1000001);
    cr_expect_eq(json_array_size(series(root, "requests")), 600);
    cr_expect_eq(sum_of(root, "requests"), 600);
    json_decref(root);
    history_free(&history);
}

Test(history, durations_are_null_where_nothing_was_observed)
{
    struct history *history = history_new(0);
    struct history_totals totals = {.hits[0] = 10};

    history_add(history, &totals, 1);
    history_add(history, &totals, 2);
    json_t *root = read_points(history, 1, 0, 2);
    cr_expect_eq(at(root, "hits_us_p50", 0), 50); /* half of the first bucket's 100 µs */
    cr_expect_eq(at(root, "hits_us_p99", 0), 99);
    cr_expect(json_is_null(json_array_get(series(root, "hits_us_p50"), 1)));
    cr_expect(json_is_null(json_array_get(series(root, "misses_us_p50"), 0)));
    json_decref(root);
    history_free(&history);
}

Test(history, sums_of_what_was_lately)
{
    struct history *history = history_new(0);
    struct history_totals totals = {0};

    cr_expect_eq(history_sum(history, HISTORY_REFUSED, 600), 0);
    for (uint64_t now = 1; now <= 700; now++) {
        totals.counts[HISTORY_REFUSED] += now == 50 || now == 650 || now == 695;
        history_add(history, &totals, now);
    }
    cr_expect_eq(history_sum(history, HISTORY_REFUSED, 600), 2);
    cr_expect_eq(history_sum(history, HISTORY_REFUSED, 10), 1);
    cr_expect_eq(history_sum(history, HISTORY_REFUSED, 5), 0);
    history_free(&history);
}

Test(history, other_steps_are_none)
{
    struct history *history = history_new(0);
    struct history_query query = {.step = 2};
    struct buf out = BUF_INIT;

    cr_expect_not(history_write(history, &query, &out));
    buf_fini(&out);
    history_free(&history);
}
