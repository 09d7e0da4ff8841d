/*
 * verify - checks a store that no process uses. Reads it without LMDB; nothing is written, repaired
 * or removed.
 */
#ifndef LARDER_CACHE_STORE_VERIFY_H
#define LARDER_CACHE_STORE_VERIFY_H

#include "cache/store/store.h"

struct verify_report {
    uint64_t segments;      /* listed in the index, with a file */
    uint64_t lost_segments; /* listed, without a file: their objects are misses */
    uint64_t bad_files;     /* index or segments with wrong structure or identity */
    uint64_t right;         /* intact objects */
    uint64_t dead;          /* records whose segment was dropped: misses, no errors */
    uint64_t damaged;       /* objects with a wrong checksum, or in a bad file */
    uint64_t unreadable;    /* objects that the disk could not deliver */
    uint64_t strays;        /* leftover files, which the next start removes */
    uint64_t bytes;         /* bytes of objects read */
};

struct verify_options {
    const char *path;
    /* Called with a line for each fault. */
    void (*complain)(void *arg, const char *what);
    /* Called now and then. */
    void (*progress)(void *arg, const struct verify_report *so_far);
    void *arg;
};

/* Returns 0 with the result in *out; ERR_BUSY: a process has it; ERR_NOT_FOUND: there is no store;
 * or -errno. Meanwhile no process can open it. */
int verify_directory(const struct verify_options *options, struct verify_report *out);

#endif
