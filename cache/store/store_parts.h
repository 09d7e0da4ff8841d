/*
 * store_parts - the inside of a store, shared by store.c (life, putting), find.c (finding), lend.c
 * (lending) and read.c (reads for threads that must not wait).
 */
#ifndef LARDER_CACHE_STORE_PARTS_H
#define LARDER_CACHE_STORE_PARTS_H

#include "cache/store/io.h"
#include "cache/store/lookup.h"
#include "cache/store/tour.h"
#include "cache/store/writer.h"

/* One for each lane, so that readers do not share a cache line. */
struct find_counters {
    _Atomic uint64_t found, missed;
    char pad[48];
};

#define READ_BUCKETS 64

/* Reads in progress. */
struct reads {
    struct io io;
    pthread_mutex_t lock; /* of what follows */
    struct list under_way[READ_BUCKETS];
    uint64_t count, bytes, errors, shared, refused;
    uint64_t us; /* total time from request to completion */
};

struct store {
    struct disk disk;
    struct writer writer;
    struct reads reads;
    struct tours tours;
    uint64_t dirty_limit;
    struct find_counters finds[ENV_LANES];
    void (*on_trouble)(void *arg, const struct store_trouble *trouble);
    void *arg;
    _Atomic uint64_t unreadable;
    _Atomic uint64_t window;    /* began at this clock_mono_ms() */
    _Atomic unsigned in_window; /* read errors since then */
};

/* ---- store.c ---- */

/* Counts a page that the disk could not deliver. Thread-safe. */
void store_count_error(struct store *store);

/* ---- find.c ---- */

/* An object, and where and as of which commit the index had it. */
struct found_object {
    struct store_object object;
    struct location location;
    struct index *index;
    uint64_t commit;
};

/* ERR_CORRUPT: the record was deleted. Updates no counters. */
int find_object(struct store *store, const uint8_t hash[STORE_HASH], struct span key,
                enum walk_way way, struct found_object *out);
/* Deletes this location from the index, unless it was replaced meanwhile. */
void find_discard(struct store *store, const uint8_t hash[STORE_HASH],
                  const struct location *location);
/* Pins the segment with this id, with `retired` also one that is dropped but still pinned. Returns
 * 0; ERR_NOT_FOUND; or (WALK_NOW) ERR_AGAIN: it was not opened so far. */
int find_segment(struct segments *segments, uint32_t id, bool retired, enum walk_way way,
                 struct segment **out);

/* ---- read.c ---- */

void reads_init(struct reads *reads);
void reads_fini(struct reads *reads);
/* What a complete read of an object has brought, or its error. */
int read_object_result(const struct store_read *read, const struct found_object **out);
struct store_read *store_read_ref(struct store_read *read);
void store_read_unref(struct store_read *read);

#endif
