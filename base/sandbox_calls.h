/* sandbox_calls - the list of allowed system calls. Only for sandbox.c and its test. */
#ifndef LARDER_BASE_SANDBOX_CALLS_H
#define LARDER_BASE_SANDBOX_CALLS_H

#include "base/sandbox.h"

/* Installs the filter on all threads of the process; needs no_new_privs or a capability. Returns 0,
 * or -errno: then no thread has it. Not for SANDBOX_OFF. */
int sandbox_filter(enum sandbox_mode mode);

#endif
