/* tail - one decision as a line for people. */
#ifndef LARDER_CTL_TAIL_H
#define LARDER_CTL_TAIL_H

#include "base/buf.h"

/* A line of /tail. ERR_AGAIN: it tells of others that are lost; ERR_SYNTAX: it is none, and nothing
 * is shown. Pure. */
int tail_render(struct span json, bool color, struct buf *out);

#endif
