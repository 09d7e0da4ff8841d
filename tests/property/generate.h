/*
 * generate - what the files that make a random case share. Nobody else includes it.
 */
#ifndef LARDER_TESTS_PROPERTY_GENERATE_H
#define LARDER_TESTS_PROPERTY_GENERATE_H

#include "case.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PICK(g, array) ((array)[gen_below((g), COUNT(array))])

enum { NUMBERS_MAX = 64 };

struct generator {
    uint64_t state;
    struct policy_case *c;
    int64_t numbers[NUMBERS_MAX]; /* those written into fields */
    size_t number_count;
};

size_t gen_below(struct generator *g, size_t limit);
bool gen_chance(struct generator *g, unsigned percent);
/* Mostly small, written down as one of the numbers of the case. */
int64_t gen_number(struct generator *g);

/* Appends a line; its name comes in any case of letters. */
__attribute__((format(printf, 4, 5))) void gen_add(struct generator *g, struct message *m,
                                                   const char *name, const char *format, ...);
/* To a text of VALUE_MAX bytes. */
__attribute__((format(printf, 2, 3))) void gen_append(char *text, const char *format, ...);
/* Now and then changes the case of letters. */
void gen_vary_case(struct generator *g, char *text);
void gen_shuffle(struct generator *g, struct message *m);

/* generate_control.c: one or more lines of these fields. */
void gen_request_control(struct generator *g, struct message *m);
void gen_response_control(struct generator *g, struct message *m);
void gen_add_targeted(struct generator *g, struct message *m, const char *name);

/* generate_response.c */
void gen_response(struct generator *g);

#endif
