/*
 * program - runs the daemons' programs, which alone know whether a configuration is valid and what
 * is in it. They are found beside larderctl, as installed or in a build folder, or in PATH. Blocks
 * until they have ended.
 */
#ifndef LARDER_CTL_PROGRAM_H
#define LARDER_CTL_PROGRAM_H

#include "ctl/verbs.h"

enum { PROGRAM_PATH_MAX = 1200 };

/* Finds its path, or else its bare name; `out` has PROGRAM_PATH_MAX bytes. */
void program_find(enum ctl_program program, char *out);

/* Runs it in `folder` (NULL: the current one) with `count` arguments; appends what it writes to
 * standard output and standard error. Returns its exit status, or a negative code: it could not be
 * run. */
int program_run(const char *program, const char *folder, const char *const *words, size_t count,
                struct buf *output, struct buf *errors);

#endif
