/*
 * environment - numbers that whoever started us has left in variables. Before there are threads
 * that change them.
 */
#ifndef LARDER_BASE_ENVIRONMENT_H
#define LARDER_BASE_ENVIRONMENT_H

#include <stdbool.h>
#include <stdint.h>

/* Is the variable there, and a decimal number of 64 bits and nothing else? */
bool environment_number(const char *name, uint64_t *out);

#endif
