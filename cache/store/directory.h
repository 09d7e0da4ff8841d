/*
 * directory - the folder of a store: made, and held by one process; and small files in it that are
 * replaced whole.
 */
#ifndef LARDER_CACHE_STORE_DIRECTORY_H
#define LARDER_CACHE_STORE_DIRECTORY_H

#include "base/buf.h"

/* Makes the folder, opens it and takes an exclusive lock on it, which goes with *fd. ERR_BUSY, with
 * a line in the log that says who has it, or -errno. *fd is -1 then. */
int directory_open(const char *path, int *fd);
/* Somebody has that lock. */
bool directory_is_busy(const char *path);

/* Is there a store in it? Makes nothing. */
bool directory_has_store(const char *path);

/* Appends what the file `name` holds, at most `max` bytes. 0, ERR_TOO_LARGE, or -errno. */
int directory_read(const char *path, const char *name, size_t max, struct buf *out);
/* Replaces the file; durable when it returns 0, and unchanged otherwise. */
int directory_write(const char *path, const char *name, struct span bytes);

#endif
