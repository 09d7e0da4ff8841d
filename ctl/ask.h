/*
 * ask - a question to the admin listener, and its answer shown: what the verbs that ask have in
 * common. Blocking.
 */
#ifndef LARDER_CTL_ASK_H
#define LARDER_CTL_ASK_H

#include "ctl/verbs.h"

struct question {
    const char *path;
    /* The JSON of the answer as text for people. Not 0: it is none of larder-proxy's. */
    int (*render)(struct span json, struct buf *out);
    const char *who; /* what answers then, as in "not larder-proxy" */
    /* It is worth asking again in a moment, for some seconds; NULL: never. */
    bool (*is_early)(struct span json);
};

/* Appends a parameter to the path of a question, percent-encoded; none when `value` is NULL. Pure.
 */
void question_add(struct buf *path, const char *name, const char *value);

/* Asks options->admin, and prints the answer, or with options->json as it comes; or why there is
 * none. CTL_GOOD, CTL_BAD, or CTL_USAGE: the proxy says what is wrong with the question. */
int ask(const struct ctl_options *options, const struct question *question);

#endif
