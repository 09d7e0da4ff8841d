/*
 * crashes - a store that the process dies of as soon as it is opened is moved aside.
 *
 * Each directory has a file `crashes`, a byte for each crash (SIGSEGV, SIGBUS, SIGABRT, SIGILL,
 * SIGFPE) that came within a minute of opening. It is emptied by a clean end, and by a run that has
 * lived for a minute. kill -9, a power loss and a lack of memory leave no mark, and take none away.
 * With two marks, what is in the directory goes to a folder aside-DATE-TIME in it, or is removed
 * when that would leave no room for the store; an older such folder is removed. It counts for
 * nothing and can be deleted at any time.
 */
#ifndef LARDER_CACHE_STORE_CRASHES_H
#define LARDER_CACHE_STORE_CRASHES_H

#include <stdint.h>

/* Marks crashes from now on, and then lets them go their way: core dump, exit status and what was
 * installed before stay. Once is enough. */
void crashes_install(void);

/* The directory, which is locked, is about to be opened: moves aside what is in it if need be, and
 * begins to count. `size` is what the store may take. Returns a mark. */
int crashes_open(const char *path, int dir, uint64_t size);
/* Takes the marks away once the minute is over. Cheap. */
void crashes_outlived(int mark);
/* A clean end. Harmless on -1. */
void crashes_close(int mark);

#endif
