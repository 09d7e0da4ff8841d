/*
 * disk - the parts of an open store that readers and the writer share. Readers use the index
 * (lookup.h) and the table of segments (pins) from any thread; all else belongs to the writer's
 * thread. Counters are relaxed atomics.
 */
#ifndef LARDER_CACHE_STORE_DISK_H
#define LARDER_CACHE_STORE_DISK_H

#include "base/buf.h"
#include "base/list.h"
#include "cache/store/index.h"
#include "cache/store/meter.h"
#include "cache/store/segments.h"
#include "cache/store/spare.h"

struct disk_counters {
    _Atomic uint64_t written_bytes, written_objects, commits, commit_errors, evicted_segments,
        kept_bytes, kept_objects, recycled_segments, corrupt;
    struct meter written; /* bytes of the last minute, including copied ones */
    /* Gauges, as of the last commit after which they could be read. */
    _Atomic uint64_t used, segments, spare_bytes, objects;
};

/* How far the next segment to be evicted was examined. */
struct eviction {
    uint32_t victim; /* its id; 0: none was chosen */
    bool walked;     /* it was examined to its end, and can be dropped after the next commit */
    bool copying;    /* it is being copied now: no further eviction may begin */
    uint32_t next_object, next_chunk;
    uint64_t kept;    /* bytes copied in this batch */
    unsigned reserve; /* how many more victims may need room for what is kept of them */
};

/* How far the use counters were saved (uses.h). */
struct disk_uses {
    uint64_t began_ms;                /* when this round began */
    uint64_t slots_left, blocks_left; /* of this round: to examine, to write at most */
    uint32_t slot, block;             /* the next ones */
};

struct disk {
    struct segments segments;
    struct index *_Atomic index;
    struct index *lost;       /* indexes that were found damaged; readers may still use them */
    unsigned losses;          /* how many were replaced */
    uint64_t lost_bytes;      /* on disk, of their files, until they are closed */
    unsigned reopened;        /* how often the index was reopened; older environments stay open */
    uint64_t reopened_ms;     /* when it was reopened last */
    bool damaged;             /* the index is damaged, and not replaced so far */
    bool checked;             /* checked: LMDB may write to the files of earlier runs */
    bool pruned;              /* the index lists no segment without a file */
    struct buf missing;       /* while it is pruned: the ids of those */
    uint32_t newest[S3_LOGS]; /* the segments that the last run wrote to; 0: none */
    int dir;                  /* descriptor of the locked directory */
    int crash_mark;           /* from crashes.h; -1: none */
    uint64_t size;            /* limit in bytes */
    uint64_t object_max;      /* most bytes in chunks of one object */
    enum s3_favor favor;
    struct segment *open[S3_LOGS]; /* being written; NULL: the next write makes one */
    bool spoiled[S3_LOGS];         /* one was fuller than accounted for, or is damaged */
    struct s3fifo policy;
    struct eviction eviction;
    struct transfer *transfer; /* while it is copying: what it holds (forward.c) */
    unsigned unreadable;       /* errors of evictions that were not counted so far */
    struct spares spares;
    struct list puts; /* in progress, with chunks in segments */
    struct disk_uses uses;
    struct disk_counters counters;
};

/* Creates or opens the store in options->path. ERR_BUSY: another process has it. `wake` is called
 * with `arg`, from any thread, when a dropped segment can be closed. Segments are opened at their
 * first use; nothing is written. Call disk_close() also after errors. */
int disk_open(struct disk *disk, const struct store_options *options, void (*wake)(void *arg),
              void *arg);
void disk_close(struct disk *disk);

/* To be called before the first write: checks the whole index and the segment to continue with. A
 * damaged index is replaced by an empty one, while readers go on; a damaged segment is not written
 * to. */
int disk_check(struct disk *disk);
/* A transaction has found the index damaged: the next disk_check() replaces it. */
void disk_lose_index(struct disk *disk);
/* After LMDB has given up the index's environment: opens the file again, while readers go on.
 * ERR_IO: less than a second after the last time, or too often. */
int disk_reopen_index(struct disk *disk);

/* Removes segments without files from the index, in the open index transaction. The caller sets
 * `pruned` once that is committed. */
int disk_prune(struct disk *disk);

/* Bytes on disk, including files that are unlinked but still read, without spare files. */
uint64_t disk_used(const struct disk *disk);

/* Only for the writer's thread, outside a transaction. */
void disk_update_gauges(struct disk *disk);

/* Do all segments with parts of the object exist? Thread-safe. */
bool disk_has(const struct disk *disk, const struct location *location);

/* Adds a segment to the index, in the open index transaction. */
int disk_list(struct disk *disk, const struct segment *segment);
bool disk_is_open(const struct disk *disk, const struct segment *segment);

/* Makes a new open segment for the log, evicting others if necessary, in the open index
 * transaction. ERR_FULL: readers pin so much that nothing can be evicted. ERR_AGAIN: an eviction is
 * copying, and there is no room for what it keeps. */
int disk_next_segment(struct disk *disk, enum s3_log log);

#endif
