/*
 * guard - turns failures in mapped files into errors. Reading a page that the disk cannot deliver
 * raises SIGBUS; under a guard that is an error. So is damage for which LMDB would abort the
 * process.
 *
 * A guarded call is left by a jump, and loses what it holds: locks, memory, transactions. So a
 * lookup must hold nothing, and a writer gives up its whole store. Guards nest; each thread has its
 * own. Only faults inside a guard's range are caught; all others end the process as usual.
 */
#ifndef LARDER_BASE_GUARD_H
#define LARDER_BASE_GUARD_H

#include "base/span.h"

/* Starts to catch SIGBUS. Does nothing after the first call. */
void guard_install(void);

enum guard_kind { GUARD_NONE, GUARD_LOOKUP, GUARD_WORK };

/* Returns call(arg); or -EIO: a page of `range` could not be read; or ERR_CORRUPT: guard_leave()
 * was called. An empty range means everything mapped from files, for threads that read only one
 * store. */
int guard_lookup(int (*call)(void *arg), void *arg, struct span range);
/* The same for the writer of a store, with a range of everything. */
int guard_work(int (*call)(void *arg), void *arg);

/* The kind of this thread's innermost guard. */
enum guard_kind guard_kind(void);
/* Leaves that guard with ERR_CORRUPT; returns if there is none. */
void guard_leave(void);

/* Reads one byte of each page. Returns 0 or -EIO. After 0 the bytes may be read like memory for the
 * moment. */
int guard_touch(struct span bytes);

/* Leaks something on purpose that must neither be used nor freed any more, such as what a guarded
 * call was working on. */
void guard_bury(void *what);

#endif
