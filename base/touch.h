/*
 * touch - bytes that may be mapped from a file on a disk that fails: can they be read now? Who maps
 * files says how to find out; who is about to read bytes that others own asks. Any thread.
 */
#ifndef LARDER_BASE_TOUCH_H
#define LARDER_BASE_TOUCH_H

#include "base/span.h"

/* Once, before there is anything to be touched. */
void touch_set(int (*call)(struct span bytes));
/* 0: what follows at once may read them. Otherwise the negative error of the disk. */
int touch(struct span bytes);

#endif
