/*
 * directory - the folder of a store, locked by one process, and small files in it that are replaced
 * atomically.
 */
#ifndef LARDER_CACHE_STORE_DIRECTORY_H
#define LARDER_CACHE_STORE_DIRECTORY_H

#include "base/buf.h"

/* Creates the folder if it is missing, opens it and locks it; the lock ends with *fd. Returns 0;
 * ERR_BUSY, after logging who has the lock; or -errno. On errors *fd is -1. */
int directory_open(const char *path, int *fd);
/* Does a process hold the lock? */
bool directory_is_busy(const char *path);

/* Does it contain a store? Creates nothing. */
bool directory_has_store(const char *path);

/* Appends the content of the file `name`, at most `max` bytes. Returns 0, ERR_TOO_LARGE, or
 * -errno. */
int directory_read(const char *path, const char *name, size_t max, struct buf *out);
/* Replaces the file. If it returns 0, the new content is durable; otherwise the old one is
 * unchanged. */
int directory_write(const char *path, const char *name, struct span bytes);

#endif
