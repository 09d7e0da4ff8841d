/*
 * files - how many descriptors there are, and how many clients they suffice for.
 */
#ifndef LARDER_PROXY_FILES_H
#define LARDER_PROXY_FILES_H

#include <stddef.h>
#include <stdint.h>

/* Raises the process's limit of open files to what it may have (RLIMIT_NOFILE) and returns it. Once
 * at the start. */
uint64_t files_raise(void);

/* The clients that each of `workers` can have at once with `files` descriptors: each client may
 * need a second one for its origin, and some are kept for the store, the logs, listeners and the
 * administrator. At least 1. Pure. */
size_t files_clients(uint64_t files, uint64_t workers);

#endif
