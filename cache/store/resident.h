/*
 * resident - which pages of a mapped file are in memory, so that who must not wait does not touch
 * the others. Any thread.
 *
 * The kernel may take a page away after it was looked at. Then touching it waits for the disk once;
 * nothing else is wrong. A page used a moment ago is the last to go (env.c sees to it that use
 * counts), so for a short time each thread believes what it has seen; for longer while all that
 * anybody looks at is there, for then the kernel has not even begun with what is used less.
 */
#ifndef LARDER_CACHE_STORE_RESIDENT_H
#define LARDER_CACHE_STORE_RESIDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All pages of [at, at + len). A system call for each 512 pages. */
bool resident(const void *at, size_t len);

/* The same, looked at by this thread, from the same address on, less than RESIDENT_MS ago or now:
 * for who uses what is there at once. Less than RESIDENT_CALM_MS ago when no thread has found a
 * page missing for RESIDENT_UNREST_MS. */
#define RESIDENT_MS 16
#define RESIDENT_CALM_MS 256
#define RESIDENT_UNREST_MS 1000
bool resident_lately(const void *at, size_t len, uint64_t now_ms);

/* Forgets what this thread has seen, and that something was missing. For tests. */
void resident_forget(void);

#endif
