/*
 * verbs - what larderctl can do. Each takes the parsed command line and returns the exit status:
 * 0 good, 1 not (nothing answers, the file has errors), 2 the question itself is wrong.
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
    const char *admin;   /* NULL: the default */
    const char *operand; /* FILE or URL: the first of them */
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
    enum ctl_program program; /* whose configuration */
};

int verb_status(const struct ctl_options *options);
int verb_store(const struct ctl_options *options);
/* 0 all is right, 1 something is damaged, 2 it could not be looked at. */
int verb_verify(const struct ctl_options *options);
int verb_check(const struct ctl_options *options);
/* 0 no difference, 1 some, 2 it could not be looked at. */
int verb_diff(const struct ctl_options *options);
int verb_reload(const struct ctl_options *options);
/* A newer process in place of the running one. */
int verb_upgrade(const struct ctl_options *options);
/* Decisions as they are made, one a line, and the most frequent ones, on the screen. */
int verb_tail(const struct ctl_options *options);
int verb_top(const struct ctl_options *options);
/* The logs' files were moved away. */
int verb_reopen(const struct ctl_options *options);
/* 0 all is translated, 1 not all, 2 the file cannot be read. */
int verb_import(const struct ctl_options *options);
int verb_explain(const struct ctl_options *options);
/* 0 it is gone, 1 it could not be asked or is not durably so, 2 a question was wrong. */
int verb_purge(const struct ctl_options *options);
int verb_dns(const struct ctl_options *options);
int verb_drain(const struct ctl_options *options); /* and undrain */

/* `dns explain NAME`: the name is the second operand. */
int verb_dns_explain(const struct ctl_options *options, const char *admin);
/* What it shows, from the JSON of larder-dns. ERR_SYNTAX: it is none. Pure. */
int dns_explain_render(struct span json, struct buf *out);
/* The question, percent-encoded and ended by NUL. Pure. */
void dns_explain_path(const struct ctl_options *options, const char *name, struct buf *out);

/* The table that `dns` shows, from the JSON of larder-dns. ERR_SYNTAX: it is none. Pure. */
int dns_render(struct span json, struct buf *out);

/* The table that `status` shows, from the admin listener's JSON. ERR_SYNTAX: it is none. Missing
 * members are left out, so that versions may differ. Pure. */
int status_render(struct span json, struct buf *out);

/* What `store` shows, from the JSON of /store. ERR_SYNTAX: it is none. Pure but for the time. */
int store_render(struct span json, struct buf *out);

/* What `explain` shows, from the JSON of /explain. ERR_SYNTAX: it is none. Pure. */
int explain_render(struct span json, struct buf *out);
/* The question: "/explain?url=…", percent-encoded and ended by NUL. Pure. */
void explain_path(const struct ctl_options *options, struct buf *out);

/* A line of `purge`, about `what` (NULL: not said), from the JSON of /purge. ERR_SYNTAX: it is
 * none. Pure. */
int purge_render(struct span json, const char *what, struct buf *out);
/* The question: "/purge?url=…" and so on, percent-encoded and ended by NUL. Pure. */
void purge_path(const struct ctl_options *options, const char *name, const char *value,
                struct buf *out);

/* What `diff` and, when it is done, `reload` show, from the JSON of /config/diff and /reload;
 * *count: how many changes. ERR_SYNTAX: it is none. Pure. */
int reload_render(struct span json, bool done, struct buf *out, size_t *count);

/* The lines that a program's --check wrote, as JSON. Pure. */
void check_json(const char *file, bool good, struct span lines, struct buf *out);
/* Whose configuration is this text: larder-dns's when a line begins with one of its directives. */
enum ctl_program check_detect(struct span yaml);

#endif
