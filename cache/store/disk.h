/*
 * disk - the parts of an open store that readers and the writer share.
 *
 * Readers use the index (lookup.h) and the table (pins) from any thread; everything else belongs
 * to the writer's thread. Counters are relaxed atomics.
 */
#ifndef LARDER_CACHE_STORE_DISK_H
#define LARDER_CACHE_STORE_DISK_H

#include "base/list.h"
#include "cache/store/index.h"
#include "cache/store/meter.h"
#include "cache/store/segments.h"
#include "cache/store/spare.h"

struct disk_counters {
    _Atomic uint64_t written_bytes, written_objects, commits, commit_errors, evicted_segments,
        kept_bytes, kept_objects, recycled_segments, corrupt;
    struct meter written; /* bytes of the last minute, copied ones included */
    /* Gauges, as of the last commit that could be looked at. */
    _Atomic uint64_t used, segments, spare_bytes, objects;
};

/* How far the segment that goes next has been looked through. */
struct eviction {
    uint32_t victim; /* its id; 0: none is chosen */
    bool walked;     /* to its end: it can be dropped once that is committed */
    bool copying;    /* now: a new segment must do with the room there is */
    uint32_t next_object, next_chunk;
    uint64_t kept;    /* bytes copied in this batch */
    unsigned reserve; /* so many more victims may want room for what is kept of them */
};

struct disk {
    struct segments segments;
    struct index *_Atomic index;
    struct index *lost;       /* the one found damaged: its last readers may still be in there */
    unsigned reopened;        /* so often the index was opened again; the older ones stay open */
    uint64_t reopened_ms;     /* and when the last time */
    bool damaged;             /* the index, and it is not replaced yet */
    bool checked;             /* LMDB may write to the files of an earlier run */
    bool pruned;              /* the index lists no segment that is not there */
    uint32_t newest[S3_LOGS]; /* the segments that run wrote to; 0 without */
    int dir;                  /* descriptor of the directory, with the exclusive lock on it */
    int crash_mark;           /* crashes.h's; -1 without */
    uint64_t size;            /* bytes to stay under */
    uint64_t object_max;      /* chunk bytes of one object */
    enum s3_favor favor;
    struct segment *open[S3_LOGS]; /* those that are written; NULL: the next write makes one */
    bool overflowed[S3_LOGS];      /* one was fuller than its account said */
    struct s3fifo policy;
    struct eviction eviction;
    unsigned unreadable; /* what an eviction could not read, until it is counted */
    struct spares spares;
    struct list puts; /* those under way that have chunks in segments */
    uint64_t uses_saved_ms;
    uint32_t uses_next; /* the slot to save next */
    struct disk_counters counters;
};

/* Makes or opens the store in options->path, alone: ERR_BUSY when another process has it. `wake` is
 * called with `arg` from any thread when a dropped segment can be closed. Segments are opened on
 * first use, and nothing is written. After a failure disk_close() still follows. */
int disk_open(struct disk *disk, const struct store_options *options, void (*wake)(void *arg),
              void *arg);
void disk_close(struct disk *disk);

/* Before the first write: looks at all of the index, and at the segment to go on with. A damaged
 * index is replaced and the store begins anew, while readers go on; a damaged segment is left. */
int disk_check(struct disk *disk);
/* When LMDB has given up on the index's environment: opens its file again, beside readers. ERR_IO
 * within a second of the last time, and when it has happened too often. */
int disk_reopen_index(struct disk *disk);

/* Unlists what the start found no file for; the index transaction is begun. Once: the caller sets
 * `pruned` when it is committed. */
int disk_prune(struct disk *disk);

/* Bytes on disk, files that lost their name but not their readers included, spares not. */
uint64_t disk_used(const struct disk *disk);

/* The writer's thread, outside of a transaction. */
void disk_update_gauges(struct disk *disk);

/* Every segment that holds a part of the object is there. Thread-safe. */
bool disk_has(const struct disk *disk, const struct location *location);

/* Lists it in the index, whose transaction is begun. */
int disk_list(struct disk *disk, const struct segment *segment);
bool disk_is_open(const struct disk *disk, const struct segment *segment);

/* Makes a new open segment of the log, evicting for it; the index transaction is begun. ERR_FULL
 * when readers pin so much that nothing can be evicted; ERR_AGAIN while an eviction copies and
 * there is no room for what it keeps. */
int disk_next_segment(struct disk *disk, enum s3_log log);

#endif
