/*
 * ask - asks the admin listener and shows the answer: what many verbs have in common. Blocking.
 */
#ifndef LARDER_CTL_ASK_H
#define LARDER_CTL_ASK_H

#include "ctl/verbs.h"

struct question {
    const char *path;
    /* Turns the JSON of an answer into text for people. Not 0: it is not an answer of
     * larder-proxy. */
    int (*render)(struct span json, struct buf *out);
    const char *who; /* which program was expected to answer, for "not larder-proxy" */
    /* Is the answer incomplete, so that it is worth asking again for some seconds? NULL: never. */
    bool (*is_early)(struct span json);
};

/* Appends a parameter to the path, percent-encoded; nothing when `value` is NULL. Pure. */
void question_add(struct buf *path, const char *name, const char *value);

/* Asks options->admin and prints the answer (with options->json unchanged), or why there is none.
 * Returns CTL_GOOD, CTL_BAD, or CTL_USAGE if the proxy rejects the question. */
int ask(const struct ctl_options *options, const struct question *question);

#endif
