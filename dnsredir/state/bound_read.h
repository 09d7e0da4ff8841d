/*
 * bound_read - reads the records that updates have bound (bound.h) from the state file. For the
 * thread that has the file open; `db` as in statedb_work().
 */
#ifndef LARDER_DNSREDIR_STATE_BOUND_READ_H
#define LARDER_DNSREDIR_STATE_BOUND_READ_H

#include "base/list.h"
#include "dnsredir/state/statedb.h"
#include "dnsredir/zone/bound.h"

/* Returns a new table of everything that can be read; bound_is_damaged() tells whether something
 * could not. With *db NULL nothing can. */
struct bound *bound_read(struct statedb **db);

/* Makes a copy of `was` in which all names that the jobs of the list (update_job.h) have changed
 * are read anew. Returns 0, or an error with *out NULL. */
int bound_reread(struct statedb **db, const struct bound *was, const struct list *jobs,
                 struct bound **out);

#endif
