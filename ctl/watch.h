/*
 * watch - reads an endless response of the admin listener: a line of JSON for each request that
 * ends.
 */
#ifndef LARDER_CTL_WATCH_H
#define LARDER_CTL_WATCH_H

#include "ctl/verbs.h"
#include "http/h1_body.h"
#include "http/h1_parse.h"

struct watch {
    int fd; /* readable when there is more */
    const char *admin;
    struct h1_scan scan;
    struct h1_body body;
    bool begun; /* the response head was received */
    int status;
    struct buf raw;   /* received */
    struct buf lines; /* of the body */
    size_t shown;     /* bytes of `lines` that watch_line() has returned */
};

/* Begins to watch what the options' filters match. Returns 0, or a negative code with a sentence in
 * *why. */
int watch_open(struct watch *watch, const struct ctl_options *options, struct buf *why);
void watch_close(struct watch *watch);
/* Receives once, waiting if necessary. ERR_CLOSED: the proxy has ended. Otherwise a negative code
 * with a sentence in *why. */
int watch_more(struct watch *watch, struct buf *why);
/* Returns the next complete line without its end; valid until watch_more(). */
bool watch_line(struct watch *watch, struct span *line);

/* Writes the path "/tail?host=…" for the filters, percent-encoded, ended by NUL. Pure. */
void watch_path(const struct ctl_options *options, struct buf *out);

/* Parses the number of --count. False: it is none, which was reported. */
bool watch_count(const struct ctl_options *options, uint64_t *out);

#endif
