/*
 * check - invariants of our own, checked in every build. CHECK() is for bugs of ours, never for
 * what a peer, a file or an operator controls: those get an error code. It is an expression, so it
 * can stand wherever a call can.
 */
#ifndef LARDER_BASE_CHECK_H
#define LARDER_BASE_CHECK_H

/* Prints the place and the expression, then aborts. Thread-safe. */
_Noreturn void check_failed(const char *expression, const char *file, int line,
                            const char *function);

#define CHECK(expression)                                                                          \
    (__builtin_expect(!!(expression), 1)                                                           \
         ? (void)0                                                                                 \
         : check_failed(#expression, __FILE__, __LINE__, __func__))

#define UNREACHABLE() check_failed("unreachable", __FILE__, __LINE__, __func__)

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* One bit, for sets of enum values. */
#define BIT(n) (1u << (n))

#endif
