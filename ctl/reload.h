/*
 * reload - what differs between configurations, for the verbs diff and reload.
 */
#ifndef LARDER_CTL_RELOAD_H
#define LARDER_CTL_RELOAD_H

#include "ctl/verbs.h"

/* Compares two lists of settings (conf_write_settings()) and writes the JSON of /config/diff.
 * ERR_SYNTAX. Pure. */
int diff_settings(struct span before, struct span after, struct buf *out);

/* Writes what `file` (an absolute path; NULL: the one it was started with) would change in the
 * daemon with this admin listener, as the JSON of /config/diff. Otherwise returns a negative code
 * with lines in *why. */
int diff_by_program(enum ctl_program which, const char *admin, const char *file, struct buf *out,
                    struct buf *why);

/* Makes larder-dns reload, waits for it, and writes what has changed. Returns as
 * diff_by_program(). */
int reload_dns(const char *admin, struct buf *out, struct buf *why);

#endif
