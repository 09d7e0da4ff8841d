/*
 * case - one random case: a request that was answered and stored, its response, a later request,
 * and moments at which to ask whether the stored response may answer. All of it is plain text, so
 * that the model and the code under test each read it their own way.
 */
#ifndef LARDER_TESTS_PROPERTY_CASE_H
#define LARDER_TESTS_PROPERTY_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_MAX 256
#define LINES_MAX 24
#define STEPS 8

struct line {
    char name[32];
    char value[VALUE_MAX];
};

struct message {
    const char *method; /* of a request */
    bool body;          /* a request with a body */
    int status;         /* of a response */
    size_t count;
    struct line lines[LINES_MAX];
};

struct policy_case {
    struct message storing; /* the request whose response is seen */
    struct message response;
    struct message asking;  /* a later one for the same URL */
    int64_t sent, received; /* of `storing` and of `response`, in seconds since 1970 */
    int64_t steps[STEPS];   /* seconds after `received` */
    bool targeted;          /* Larder-Cache-Control and CDN-Cache-Control count, in this order */
    bool ignore_client_control;
    bool refuse_set_cookie;
    int64_t stale_if_error; /* -1: without limit */
};

/* The same case for the same seed, on every machine. */
void case_make(struct policy_case *out, uint64_t seed);
void case_print(const struct policy_case *c);

#endif
