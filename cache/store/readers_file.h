/*
 * readers_file - LMDB's lock file, in which it notes its readers. Each transaction writes to it
 * through a mapping, so all its blocks must be allocated and stay in memory: on a full disk a hole
 * raises SIGBUS, and when memory is scarce a lookup on a loop would wait for the disk.
 */
#ifndef LARDER_CACHE_STORE_READERS_FILE_H
#define LARDER_CACHE_STORE_READERS_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Zeroed: none. */
struct readers_file {
    void *pages; /* NULL: not locked in memory */
    size_t size;
};

/* Makes the lock file for the file at `path`. To be called before LMDB opens it, since closing a
 * descriptor later would release LMDB's locks. Locking it in memory is tried (RLIMIT_MEMLOCK).
 * Returns 0 or an errno. */
int readers_file_make(const char *path, unsigned readers, mode_t mode, struct readers_file *out);
/* Unlocks it. */
void readers_file_release(struct readers_file *file);

#endif
