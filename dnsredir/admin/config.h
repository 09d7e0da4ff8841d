/*
 * config - the administrative pages about the configuration: what is in force, and what became of
 * reloads. On the control loop.
 */
#ifndef LARDER_DNSREDIR_ADMIN_CONFIG_H
#define LARDER_DNSREDIR_ADMIN_CONFIG_H

#include "dnsredir/config/directives.h"

#include <jansson.h>

/* What became of all reloads since the start. */
struct config_report {
    uint64_t taken, refused;
    struct buf errors; /* of the last reload, a line each; empty: it succeeded */
    struct conf_flat
        fixed;           /* the settings that only a restart changes, with their values in force */
    struct arena memory; /* of fixed */
};

void config_report_init(struct config_report *report, const struct settings *settings);
void config_report_fini(struct config_report *report);
/* Counts a reload that succeeded, and logs what was noted about the settings. */
void config_report_taken(struct config_report *report, struct span notes);
/* Counts a reload that was refused, and logs its errors, a line each. */
void config_report_refused(struct config_report *report, struct span errors);

/* The pages: each function appends one to `out` and returns its media type. */

/* The command line, and every setting in force, as conf_read_command() and conf_read_settings()
 * read them. */
const char *config_page_settings(const struct settings *settings,
                                 const struct config_report *report, int argc, char **argv,
                                 struct buf *out);
/* Is `host` a name server of one of the zones? These names are written in the configuration. */
bool config_is_nameserver(const struct settings *settings, struct span host);

/* The first error of the last reload; empty: it was not refused. Borrowed. */
struct span config_refusal(const struct config_report *report);
/* A line about the configuration. */
json_t *config_line_json(struct span line);

/* {"reloading", "reloads", "refused", "errors": [TEXT]} */
const char *config_page_state(const struct config_report *report, bool reloading, struct buf *out);

#endif
