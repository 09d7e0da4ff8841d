/*
 * touch - can bytes that may be mapped from a file be read now, although the disk may fail? Whoever
 * maps files installs the check; whoever reads bytes of others calls it. Thread-safe.
 */
#ifndef LARDER_BASE_TOUCH_H
#define LARDER_BASE_TOUCH_H

#include "base/span.h"

/* Installs the check; once, before the first touch(). */
void touch_set(int (*call)(struct span bytes));
/* 0: the bytes may be read now. Otherwise the disk's negative error. */
int touch(struct span bytes);

#endif
