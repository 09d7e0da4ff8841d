/*
 * dynamic_read - reads the dynamic records (dynamic.h) from the state file. For the
 * thread that has the file open; `db` as in statedb_work().
 */
#ifndef LARDER_DNSREDIR_STATE_DYNAMIC_READ_H
#define LARDER_DNSREDIR_STATE_DYNAMIC_READ_H

#include "base/list.h"
#include "dnsredir/state/statedb.h"
#include "dnsredir/zone/dynamic.h"

/* Returns a new table of everything that can be read; dynamic_is_damaged() tells whether something
 * could not. With *db NULL nothing can. */
struct dynamic_records *dynamic_read(struct statedb **db);

/* Makes a copy of `was` in which all names that the jobs of the list (update_job.h) have changed
 * are read anew. Returns 0, or an error with *out NULL. */
int dynamic_reread(struct statedb **db, const struct dynamic_records *was, const struct list *jobs,
                   struct dynamic_records **out);

#endif
