/*
 * files - the process's file descriptors, and how many connections they allow. Counts are for the
 * whole process. Thread-safe.
 */
#ifndef LARDER_BASE_FILES_H
#define LARDER_BASE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Raises the limit of open files as far as allowed (RLIMIT_NOFILE) and returns it. From then on the
 * questions below are answered by it, and by what `folders` of the store and `workers` need. To be
 * called once at the start; before that the answer is always that there are enough. */
uint64_t files_raise(uint64_t workers, uint64_t folders);

/* Only raises the limit and returns it, when many descriptors are needed earlier. */
uint64_t files_raise_limit(void);

/* How many connections `files` descriptors allow. Those that the store, workers, logs and the admin
 * listener need are reserved, but at most half. Pure. */
uint64_t files_connections(uint64_t files, uint64_t workers, uint64_t folders);

/* How many of these connections may be from clients; the others are for origins. At least 1.
 * Pure. */
uint64_t files_clients(uint64_t connections);

/* How many clients the descriptors allow. */
uint64_t files_most_clients(void);

/* Count a connection that was opened or closed. */
void files_take(void);
void files_give(void);

/* Should no more clients be accepted, because those connected need the rest for their origins? */
bool files_run_short(void);

/* Should no connections be opened at all, because the store, the logs and the admin listener would
 * fail? */
bool files_are_out(void);

#endif
