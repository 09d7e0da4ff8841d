/*
 * pattern - names with number ranges: "v[1-24].lscache[1-8]" stands for 192 names. Pure.
 */
#ifndef LARDER_DNSREDIR_CONFIG_PATTERN_H
#define LARDER_DNSREDIR_CONFIG_PATTERN_H

#include "base/span.h"

#define PATTERN_RANGES 8
#define PATTERN_NAMES_MAX 65536
#define PATTERN_TEXT_MAX 1100 /* a name as text, and its ranges */

struct pattern_range {
    size_t at;  /* where the range stands in the text */
    size_t len; /* with its brackets */
    uint32_t first, last;
    uint8_t width; /* digits to write, with leading zeros: [01-24] */
};

struct pattern {
    struct span text;
    unsigned range_count;
    struct pattern_range ranges[PATTERN_RANGES];
    uint32_t name_count; /* 1 when there are no ranges */
};

/* Parses a pattern; `text` must outlive it. Returns 0, or ERR_SYNTAX with a description of the
 * fault, which is static text, in *what. */
int pattern_parse(struct span text, struct pattern *out, const char **what);

/* Writes the name with this number, 0..name_count-1, to `out`, which has PATTERN_TEXT_MAX bytes,
 * and returns it. The last range counts fastest. */
struct span pattern_name(const struct pattern *pattern, uint32_t number, char *out);

#endif
