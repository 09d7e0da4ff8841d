/*
 * environment - numbers in environment variables. Not thread-safe: to be used before there are
 * threads that change them.
 */
#ifndef LARDER_BASE_ENVIRONMENT_H
#define LARDER_BASE_ENVIRONMENT_H

#include <stdbool.h>
#include <stdint.h>

/* Does the variable exist, and is it a decimal number of at most 64 bits? */
bool environment_number(const char *name, uint64_t *out);

#endif
