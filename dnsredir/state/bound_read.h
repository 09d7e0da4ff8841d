/*
 * bound_read - what is bound (bound.h), read from the state. For the thread that has that open; db
 * as in statedb_work().
 */
#ifndef LARDER_DNSREDIR_STATE_BOUND_READ_H
#define LARDER_DNSREDIR_STATE_BOUND_READ_H

#include "base/list.h"
#include "dnsredir/state/statedb.h"
#include "dnsredir/zone/bound.h"

/* All of it, as far as it can be read: see bound_is_damaged(). *db NULL: nothing can be. */
struct bound *bound_read(struct statedb **db);

/* A copy of `was`, up to what errands of the list (errand.h) have changed since. 0, or an error:
 * then *out is NULL. */
int bound_reread(struct statedb **db, const struct bound *was, const struct list *errands,
                 struct bound **out);

#endif
