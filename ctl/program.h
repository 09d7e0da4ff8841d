/*
 * program - the daemons' own programs, run for what only they know: whether a configuration is
 * good, and what is in it. They stand beside larderctl, as installed or in a build folder, or in
 * PATH. Blocks until they have ended.
 */
#ifndef LARDER_CTL_PROGRAM_H
#define LARDER_CTL_PROGRAM_H

#include "ctl/verbs.h"

enum { PROGRAM_PATH_MAX = 1200 };

/* Where it is, or its bare name; `out` has PROGRAM_PATH_MAX bytes. */
void program_find(enum ctl_program program, char *out);

/* Runs it in `folder` (NULL: here) with `count` words behind its name; what it writes to standard
 * output and standard error is appended. Its exit status, or negative: it cannot run. */
int program_run(const char *program, const char *folder, const char *const *words, size_t count,
                struct buf *output, struct buf *errors);

#endif
