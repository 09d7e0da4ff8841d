/*
 * reload - what differs between configurations, for the verbs diff and reload.
 */
#ifndef LARDER_CTL_RELOAD_H
#define LARDER_CTL_RELOAD_H

#include "ctl/verbs.h"

/* Two lists of settings (conf_write_settings()) as the JSON of /config/diff. ERR_SYNTAX. Pure. */
int diff_settings(struct span before, struct span after, struct buf *out);

/* What `file` (whole path; NULL: what it was started with) would change in the daemon whose admin
 * listener that is, as the JSON of /config/diff. Else negative, and lines for people in *why. */
int diff_by_program(enum ctl_program which, const char *admin, const char *file, struct buf *out,
                    struct buf *why);

/* Has larder-dns reload, and waits until it has: as diff_by_program(), of what has changed. */
int reload_dns(const char *admin, struct buf *out, struct buf *why);

#endif
