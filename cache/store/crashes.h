/*
 * crashes - moves a store aside that makes the process crash whenever it is opened.
 *
 * Each directory has a file `crashes` with one byte for each crash (SIGSEGV, SIGBUS, SIGABRT,
 * SIGILL, SIGFPE) within a minute of opening. A clean end, or a run of more than a minute, empties
 * it. kill -9, power loss and lack of memory are neither counted nor reset it.
 *
 * After two crashes the content of the directory is moved to a folder aside-DATE-TIME in it, or
 * removed if that would leave no room for the store; an older such folder is removed. The folder
 * does not count as used space, and can be deleted at any time.
 */
#ifndef LARDER_CACHE_STORE_CRASHES_H
#define LARDER_CACHE_STORE_CRASHES_H

#include <stdint.h>

/* Counts crashes from now on. They still end the process as before: core dump, exit status and
 * earlier handlers stay. To be called once. */
void crashes_install(void);

/* To be called before opening a locked directory: moves its content aside if necessary, and begins
 * to count. `size` is what the store may use. Returns a mark. */
int crashes_open(const char *path, int dir, uint64_t size);
/* Resets the count once the minute is over. Cheap. */
void crashes_outlived(int mark);
/* When that will reset it, by clock_mono_ms(). UINT64_MAX: there is nothing to reset. */
uint64_t crashes_due(int mark);
/* A clean end: resets the count. Does nothing for mark -1. */
void crashes_close(int mark);

#endif
