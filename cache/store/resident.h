/*
 * resident - which pages of a mapped file are in memory, so that threads which must not wait do not
 * touch the others. Thread-safe.
 *
 * The kernel may evict a page after it was checked. Then touching it waits for the disk once;
 * nothing else is wrong. Recently used pages are evicted last (env.c makes uses count), so each
 * thread trusts what it has seen for a short time; for longer the longer no thread has found a page
 * missing, because then the kernel is not evicting, or what it evicts was not used for that long.
 */
#ifndef LARDER_CACHE_STORE_RESIDENT_H
#define LARDER_CACHE_STORE_RESIDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Are all pages of [at, at + len) in memory? One system call for each 512 pages. */
bool resident(const void *at, size_t len);

/* The same, or this thread has checked it from the same address lately: less than a
 * RESIDENT_CALM_PART of the time ago for which no thread has found a page missing, but at least
 * RESIDENT_MS, at most RESIDENT_CALM_MS. For pages that are used at once. */
#define RESIDENT_MS 16
#define RESIDENT_CALM_MS 2048
#define RESIDENT_CALM_PART 4
bool resident_lately(const void *at, size_t len, uint64_t now_ms);

/* Forgets everything that was seen. For tests. */
void resident_forget(void);

#endif
