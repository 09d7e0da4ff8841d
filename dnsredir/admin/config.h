/*
 * config - the administrative pages about the configuration: what is in force, and what became of
 * reloads. On the control loop.
 */
#ifndef LARDER_DNSREDIR_ADMIN_CONFIG_H
#define LARDER_DNSREDIR_ADMIN_CONFIG_H

#include "dnsredir/config/directives.h"

/* Of all reloads since the start. */
struct config_report {
    uint64_t taken, refused;
    struct buf errors;      /* of the last one, a line each; empty: it was taken over */
    struct conf_flat fixed; /* what only a restart changes, as it is in force since the start */
    struct arena memory;    /* of fixed */
};

void config_report_init(struct config_report *report, const struct settings *settings);
void config_report_fini(struct config_report *report);
/* What was noted about settings that are good is logged, too. */
void config_report_taken(struct config_report *report, struct span notes);
/* Its errors are logged, a line each. */
void config_report_refused(struct config_report *report, struct span errors);

/* Each appends a page and returns its media type. */

/* How it was started, and every setting in force: conf_read_command(), conf_read_settings(). */
const char *config_page_settings(const struct settings *settings,
                                 const struct config_report *report, int argc, char **argv,
                                 struct buf *out);
/* Is it a name server of one of the zones? These are names that somebody has written. */
bool config_is_nameserver(const struct settings *settings, struct span host);

/* {"reloading", "reloads", "refused", "errors": [TEXT]} */
const char *config_page_state(const struct config_report *report, bool reloading, struct buf *out);

#endif
