/* tail - shows one decision as a line. */
#ifndef LARDER_CTL_TAIL_H
#define LARDER_CTL_TAIL_H

#include "base/buf.h"

/* Renders a line of /tail. ERR_AGAIN: it reports lost lines; ERR_SYNTAX: it is malformed, and
 * nothing was written. Pure. */
int tail_render(struct span json, bool color, struct buf *out);

#endif
