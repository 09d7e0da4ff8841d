/*
 * files - the descriptors of the process, and what they suffice for. Counts are those of the whole
 * process; any thread.
 */
#ifndef LARDER_BASE_FILES_H
#define LARDER_BASE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Raises the process's limit of open files to what it may have (RLIMIT_NOFILE) and returns it; what
 * is asked below goes by it from then on, and by the descriptors that `folders` of the store and
 * `workers` need. Once at the start; before that, nothing runs short. */
uint64_t files_raise(uint64_t workers, uint64_t folders);

/* Only raises the limit, and returns it: when many are needed before that. */
uint64_t files_raise_limit(void);

/* The connections that `files` descriptors suffice for: what the store, workers, logs and the
 * administrator need is kept back, but no more than half. Pure. */
uint64_t files_connections(uint64_t files, uint64_t workers, uint64_t folders);

/* How many of so many connections may be those of clients: the others are left to origins. At least
 * 1. Pure. */
uint64_t files_clients(uint64_t connections);

/* As many clients as there are descriptors for. */
uint64_t files_most_clients(void);

/* A connection is there, or gone. */
void files_take(void);
void files_give(void);

/* No more clients should be taken in: those that are here need the rest for their origins. */
bool files_run_short(void);

/* No more connections of any kind: the store, the log and the administrator would fail too. */
bool files_are_out(void);

#endif
