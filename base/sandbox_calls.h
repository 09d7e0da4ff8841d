/* sandbox_calls - the list of system calls, for sandbox.c and its test. */
#ifndef LARDER_BASE_SANDBOX_CALLS_H
#define LARDER_BASE_SANDBOX_CALLS_H

#include "base/sandbox.h"

/* Puts the filter on all threads of the process, which need no_new_privs or a capability for that.
 * 0 or -errno: then none has it. Not for SANDBOX_OFF. */
int sandbox_filter(enum sandbox_mode mode);

#endif
