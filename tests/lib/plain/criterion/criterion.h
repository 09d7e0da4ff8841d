/*
 * criterion - as much of Criterion's face as our scenarios use, for builds in which the library
 * does not start (ThreadSanitizer). Each test runs in a process of its own; see plain/runner.c.
 */
#ifndef LARDER_TESTS_PLAIN_CRITERION_H
#define LARDER_TESTS_PLAIN_CRITERION_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct plain_test {
    const char *suite, *name;
    void (*run)(void);
    struct plain_test *next;
};

void plain_register(struct plain_test *test);
/* Counts a failed expectation and prints where; `fatal` ends the test. */
__attribute__((format(printf, 5, 6))) void plain_failed(const char *file, int line,
                                                        const char *expression, bool fatal,
                                                        const char *format, ...);

#define Test(suite_, name_)                                                                        \
    static void suite_##_##name_##_body(void);                                                     \
    __attribute__((constructor)) static void suite_##_##name_##_register(void)                     \
    {                                                                                              \
        static struct plain_test test = {#suite_, #name_, suite_##_##name_##_body, NULL};          \
        plain_register(&test);                                                                     \
    }                                                                                              \
    static void suite_##_##name_##_body(void)

#define PLAIN_CHECK(fatal, expression, ...)                                                        \
    ((expression) ? (void)0 : plain_failed(__FILE__, __LINE__, #expression, fatal, " " __VA_ARGS__))

#define cr_assert(expression, ...) PLAIN_CHECK(true, (expression), __VA_ARGS__)
#define cr_expect(expression, ...) PLAIN_CHECK(false, (expression), __VA_ARGS__)
#define cr_expect_not(expression, ...) PLAIN_CHECK(false, !(expression), __VA_ARGS__)
#define cr_assert_eq(a, b, ...) PLAIN_CHECK(true, (a) == (b), __VA_ARGS__)
#define cr_expect_eq(a, b, ...) PLAIN_CHECK(false, (a) == (b), __VA_ARGS__)
#define cr_assert_neq(a, b, ...) PLAIN_CHECK(true, (a) != (b), __VA_ARGS__)
#define cr_expect_neq(a, b, ...) PLAIN_CHECK(false, (a) != (b), __VA_ARGS__)
#define cr_assert_lt(a, b, ...) PLAIN_CHECK(true, (a) < (b), __VA_ARGS__)
#define cr_expect_lt(a, b, ...) PLAIN_CHECK(false, (a) < (b), __VA_ARGS__)
#define cr_assert_leq(a, b, ...) PLAIN_CHECK(true, (a) <= (b), __VA_ARGS__)
#define cr_expect_leq(a, b, ...) PLAIN_CHECK(false, (a) <= (b), __VA_ARGS__)
#define cr_assert_gt(a, b, ...) PLAIN_CHECK(true, (a) > (b), __VA_ARGS__)
#define cr_expect_gt(a, b, ...) PLAIN_CHECK(false, (a) > (b), __VA_ARGS__)
#define cr_assert_geq(a, b, ...) PLAIN_CHECK(true, (a) >= (b), __VA_ARGS__)
#define cr_expect_geq(a, b, ...) PLAIN_CHECK(false, (a) >= (b), __VA_ARGS__)
#define cr_assert_null(a, ...) PLAIN_CHECK(true, (a) == NULL, __VA_ARGS__)
#define cr_expect_null(a, ...) PLAIN_CHECK(false, (a) == NULL, __VA_ARGS__)
#define cr_assert_not_null(a, ...) PLAIN_CHECK(true, (a) != NULL, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) PLAIN_CHECK(false, strcmp((a), (b)) == 0, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) PLAIN_CHECK(true, strcmp((a), (b)) == 0, __VA_ARGS__)

#endif
