/*
 * readers_file - the file beside one of LMDB's in which it notes who reads. Each transaction writes
 * to it, through a map, so it must have all of its blocks and stay in memory: on a full disk a hole
 * is SIGBUS, and where memory is scarce a loop that only begins to look something up would wait for
 * the disk.
 */
#ifndef LARDER_CACHE_STORE_READERS_FILE_H
#define LARDER_CACHE_STORE_READERS_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Zeroed: none. */
struct readers_file {
    void *pages; /* NULL: they may leave */
    size_t size;
};

/* Makes that of the file at `path`, before LMDB opens it: a descriptor closed later would take away
 * LMDB's locks. Keeping it in memory is tried (RLIMIT_MEMLOCK). 0 or an errno. */
int readers_file_make(const char *path, unsigned readers, mode_t mode, struct readers_file *out);
/* It need not stay in memory any more. */
void readers_file_release(struct readers_file *file);

#endif
