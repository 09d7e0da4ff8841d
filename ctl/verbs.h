/*
 * verbs - the commands of larderctl. Each takes the parsed command line and returns the exit
 * status: 0 good, 1 not good (nothing answers, the file has errors), 2 wrong usage.
 */
#ifndef LARDER_CTL_VERBS_H
#define LARDER_CTL_VERBS_H

#include "base/buf.h"
#include "base/check.h"

enum { CTL_GOOD = 0, CTL_BAD = 1, CTL_USAGE = 2 };

enum { CTL_FIELDS_MAX = 64, CTL_OPERANDS_MAX = 64 };

enum ctl_program { CTL_DETECT, CTL_PROXY, CTL_DNS };

struct ctl_options {
    const char *verb;
    const char *admin;   /* of the daemon that the verb asks; complete when the verb runs */
    const char *operand; /* FILE or URL: the first operand */
    const char *operands[CTL_OPERANDS_MAX];
    size_t operand_count;
    bool json, help;
    bool segments;                      /* of `store` */
    bool online;                        /* of `verify` */
    const char *config;                 /* of `verify`; NULL: the default */
    const char *wait;                   /* of `upgrade`, seconds; NULL: the default */
    const char *rate;                   /* of `verify`, as it is written; NULL: the default */
    const char *method, *client, *user; /* of `explain`; NULL: GET, nobody in particular */
    const char *type;                   /* of `dns explain`; NULL: A */
    /* Of `tail` and `top`, with `client`; NULL: any. */
    const char *host, *outcome, *reason, *status, *path, *slower;
    const char *count;                  /* end after so many; NULL: never */
    const char *by;                     /* of `top`; NULL: host */
    bool once;                          /* of `top` */
    const char *prefix;                 /* of `purge`, with `host` */
    bool all;                           /* of `purge` */
    const char *lists, *root;           /* of `import-squid` */
    const char *fields[CTL_FIELDS_MAX]; /* "Name: value" */
    size_t field_count;
    enum ctl_program program; /* of which daemon the configuration is */
};

int verb_status(const struct ctl_options *options);
int verb_store(const struct ctl_options *options);
/* Exit status: 0 intact, 1 damaged, 2 could not be checked. */
int verb_verify(const struct ctl_options *options);
int verb_check(const struct ctl_options *options);
/* Exit status: 0 no difference, 1 differences, 2 could not be compared. */
int verb_diff(const struct ctl_options *options);
int verb_reload(const struct ctl_options *options);
/* Starts a newer process that takes over from the running one. */
int verb_upgrade(const struct ctl_options *options);
/* Show decisions as they are made, and the most frequent values. */
int verb_tail(const struct ctl_options *options);
int verb_top(const struct ctl_options *options);
/* Makes log files be opened again after a rotation. */
int verb_reopen(const struct ctl_options *options);
/* Exit status: 0 everything was translated, 1 not everything, 2 the file cannot be read. */
int verb_import(const struct ctl_options *options);
int verb_explain(const struct ctl_options *options);
/* Exit status: 0 purged, 1 not, or not durably, 2 wrong usage. */
int verb_purge(const struct ctl_options *options);
int verb_dns(const struct ctl_options *options);
int verb_drain(const struct ctl_options *options); /* and undrain */

/* `dns explain NAME`; the name is the second operand. */
int verb_dns_explain(const struct ctl_options *options);
/* Renders the JSON of larder-dns. ERR_SYNTAX: it is malformed. Pure. */
int dns_explain_render(struct span json, struct buf *out);
/* The path to ask, percent-encoded, ended by NUL. Pure. */
void dns_explain_path(const struct ctl_options *options, const char *name, struct buf *out);

/* Renders the table of `dns` from the JSON of larder-dns. ERR_SYNTAX: it is malformed. Pure. */
int dns_render(struct span json, struct buf *out);

/* Renders `status` from the JSON of /status. Missing members are left out, so that versions may
 * differ. ERR_SYNTAX: it is malformed. Pure. */
int status_render(struct span json, struct buf *out);

/* Renders `store` from the JSON of /store. ERR_SYNTAX: it is malformed. Pure, except for the
 * time. */
int store_render(struct span json, struct buf *out);

/* Renders `explain` from the JSON of /explain. ERR_SYNTAX: it is malformed. Pure. */
int explain_render(struct span json, struct buf *out);
/* The path "/explain?url=…", percent-encoded, ended by NUL. Pure. */
void explain_path(const struct ctl_options *options, struct buf *out);

/* Renders a line of `purge` about `what` (may be NULL) from the JSON of /purge. ERR_SYNTAX: it is
 * malformed. Pure. */
int purge_render(struct span json, const char *what, struct buf *out);
/* The path "/purge?url=…" and the like, percent-encoded, ended by NUL. Pure. */
void purge_path(const struct ctl_options *options, const char *name, const char *value,
                struct buf *out);

/* Renders `diff` or (`done`) `reload` from the JSON of /config/diff or /reload. *count: how many
 * changes. ERR_SYNTAX: it is malformed. Pure. */
int reload_render(struct span json, bool done, struct buf *out, size_t *count);

/* Turns the lines of a program's --check into JSON. Pure. */
void check_json(const char *file, bool good, struct span lines, struct buf *out);
/* Guesses which daemon a configuration is for: larder-dns if a line begins with one of its
 * directives. */
enum ctl_program check_detect(struct span yaml);

#endif
