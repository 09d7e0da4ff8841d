/*
 * store_parts - the inside of a store, for the files it is made of: store.c (its life, putting),
 * find.c (finding).
 */
#ifndef LARDER_CACHE_STORE_PARTS_H
#define LARDER_CACHE_STORE_PARTS_H

#include "cache/store/writer.h"

/* Counted by lane, so that readers do not fight for a cache line. */
struct find_counters {
    _Atomic uint64_t found, missed;
    char pad[48];
};

struct store {
    struct disk disk;
    struct writer writer;
    uint64_t dirty_limit;
    struct find_counters finds[ENV_LANES];
};

#endif
