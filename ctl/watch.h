/*
 * watch - an answer of the admin listener that goes on: lines of JSON about requests, as they end.
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
    bool begun; /* the head has come */
    int status;
    struct buf raw;   /* received */
    struct buf lines; /* of the body */
    size_t shown;     /* of them, what watch_line() has given */
};

/* Asks for what the options' filters let through. 0, or negative and a sentence in *why. */
int watch_open(struct watch *watch, const struct ctl_options *options, struct buf *why);
void watch_close(struct watch *watch);
/* Receives once; waits when there is nothing. ERR_CLOSED: the proxy has ended. Else negative, and a
 * sentence in *why. */
int watch_more(struct watch *watch, struct buf *why);
/* The next whole line, without its end; valid until watch_more(). */
bool watch_line(struct watch *watch, struct span *line);

/* "/tail?host=..." of the filters, percent-encoded, ended by NUL. Pure. */
void watch_path(const struct ctl_options *options, struct buf *out);

/* A number on the command line; false, after saying so, when it is none. */
bool watch_count(const struct ctl_options *options, uint64_t *out);

#endif
