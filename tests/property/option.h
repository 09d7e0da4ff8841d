/* option - the numbers on the command line of a property test. */
#ifndef LARDER_TESTS_PROPERTY_OPTION_H
#define LARDER_TESTS_PROPERTY_OPTION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The number behind `name`; "fresh" is one that nobody has tried. */
static inline uint64_t option(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], name) == 0) {
            bool fresh = strcmp(argv[i + 1], "fresh") == 0;
            return fresh ? (uint64_t)time(NULL) : strtoull(argv[i + 1], NULL, 10);
        }
    }
    return otherwise;
}

#endif
