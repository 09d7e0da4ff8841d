/*
 * openloop_options - what the command line of openloop wants; the comment of openloop.c explains
 * each. Set once, before anything else.
 */
#ifndef LARDER_BENCH_OPENLOOP_OPTIONS_H
#define LARDER_BENCH_OPENLOOP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers are doubles, as they are read. */
struct options {
    double rate; /* requests a second; 0: one after the other */
    double zipf, fresh, connections, objects, first_seed;
    const char *host;
    double seconds;
    const char *connect; /* HOST:PORT, or NULL */
    bool close;
    uint16_t port;
    const char *path;
};
extern struct options want;

/* Exits with a usage when it is wrong. */
void options_read(int argc, char **argv);

#endif
