/*
 * verify - is the store in a directory as it was written? For one that no process has: it is looked
 * at from outside, without LMDB, and nothing in it is written, mended or removed.
 */
#ifndef LARDER_CACHE_STORE_VERIFY_H
#define LARDER_CACHE_STORE_VERIFY_H

#include "cache/store/store.h"

struct verify_report {
    uint64_t segments;      /* that the index lists and that are there */
    uint64_t lost_segments; /* listed, and there is no file: what they held are misses */
    uint64_t bad_files;     /* index or segments whose structure, or whose owner, is wrong */
    uint64_t right;         /* objects that are as they were written */
    uint64_t dead;          /* records whose segment was given up: misses, no faults */
    uint64_t damaged;       /* objects with a wrong checksum, or in a bad file */
    uint64_t unreadable;    /* objects that the disk did not give */
    uint64_t strays;        /* files that are left over; the next start removes them */
    uint64_t bytes;         /* read of objects */
};

struct verify_options {
    const char *path;
    /* A line about each thing that is wrong. */
    void (*complain)(void *arg, const char *what);
    /* Now and then. */
    void (*progress)(void *arg, const struct verify_report *so_far);
    void *arg;
};

/* 0: it could be looked at, and *out says how it is; ERR_BUSY: a process has it; ERR_NOT_FOUND:
 * there is no store; or -errno. While it is looked at, no process can open it. */
int verify_directory(const struct verify_options *options, struct verify_report *out);

#endif
