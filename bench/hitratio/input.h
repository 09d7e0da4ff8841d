/*
 * input - a trace from a file, through xz or gzip where its name says so.
 */
#ifndef LARDER_BENCH_HITRATIO_INPUT_H
#define LARDER_BENCH_HITRATIO_INPUT_H

#include "bench/hitratio/formats.h"

/* What a name says: *.log is Squid's, *.trace object numbers, all else text; .xz and .gz aside. */
enum format input_format(struct span path);

/* 0; else a negative ERR_ (the file, or the program that unpacks it). `-` is standard input. */
int input_read(const char *path, enum format format, uint64_t limit, struct trace *trace,
               struct format_counts *counts);

#endif
