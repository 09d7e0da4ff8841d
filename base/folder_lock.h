/*
 * folder_lock - a folder that one process at a time may use: a lock on a file in it, which goes
 * with the process however that ends. Thread-safe.
 */
#ifndef LARDER_BASE_FOLDER_LOCK_H
#define LARDER_BASE_FOLDER_LOCK_H

/* Creates the folder (mode 0750; its parent must exist) if it is missing, and locks the file `name`
 * in it, which is created, too. Returns 0 with a descriptor in *fd, which the caller closes to give
 * up the lock; ERR_BUSY: another process has it; or -errno. */
int folder_lock(const char *folder, const char *name, int *fd);

#endif
