/*
 * formats - traces as they are found: read from a stream, appended to a trace.
 *
 * What is read is not trusted: a line that is not of the format, or too long, is counted and passed
 * over.
 */
#ifndef LARDER_BENCH_HITRATIO_FORMATS_H
#define LARDER_BENCH_HITRATIO_FORMATS_H

#include "bench/hitratio/trace.h"

#include <stdio.h>

enum format {
    FORMAT_U32,   /* object numbers, 32 bits, big-endian; without sizes, so each counts as 1 */
    FORMAT_TEXT,  /* lines `time id size` */
    FORMAT_SQUID, /* Squid's native access log */
};

struct format_counts {
    uint64_t taken;   /* requests */
    uint64_t skipped; /* requests a cache has nothing to do with: not GET, an error, cut off */
    uint64_t bad;     /* lines that are not of the format */
};

/* At most `limit` requests; 0 is no limit. A read error is one of `from`: ferror(). */
struct format_counts format_read(enum format format, FILE *from, uint64_t limit,
                                 struct trace *trace);

#endif
