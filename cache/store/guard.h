/*
 * guard - files that are mapped, on a disk that may fail. Reading a page that the disk does not
 * give is SIGBUS; under a guard it is an error. So is what LMDB finds impossible, and would stop
 * the process for.
 *
 * A guarded call is left by a jump, and what it holds by then is lost: locks, memory, transactions.
 * So a lookup holds nothing, and who works on a store gives up the whole of it. Guards nest; each
 * thread has its own. Only faults inside the range of a guard are caught; all others end the
 * process as they always did.
 */
#ifndef LARDER_CACHE_STORE_GUARD_H
#define LARDER_CACHE_STORE_GUARD_H

#include "base/span.h"

/* Catches SIGBUS from now on. Once is enough. */
void guard_install(void);

enum guard_kind { GUARD_NONE, GUARD_LOOKUP, GUARD_WORK };

/* call(arg), and its result; or -EIO: a page of `range` could not be read; or ERR_CORRUPT:
 * guard_leave(). A range without a place is everything that is mapped from a file: for who reads
 * the maps of one store and no other. */
int guard_lookup(int (*call)(void *arg), void *arg, struct span range);
/* The same for who writes to the store, in the range of everything. */
int guard_work(int (*call)(void *arg), void *arg);

/* The innermost guard of this thread. */
enum guard_kind guard_kind(void);
/* Leaves it with ERR_CORRUPT; returns when there is none. */
void guard_leave(void);

/* 0 when all of the bytes can be read now, or -EIO. One load a page: with this done, what follows
 * at once may read them as if they were memory. */
int guard_touch(struct span bytes);

/* Keeps what must neither be touched nor given back any more, such as what a guarded call was
 * working on when it was left. */
void guard_bury(void *what);

#endif
