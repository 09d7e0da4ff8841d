/*
 * writer - the one thread that writes: a bounded queue, gathered into batches.
 *
 * A drop hides its record from the moment it is posted, and until the index agrees, also when its
 * batch fails (refused.h). Whoever stops the writer waits for a few more tries, not for ever.
 *
 * A batch closes WRITER_DELAY_MS after its first operation came, when it holds batch_bytes or
 * WRITER_BATCH_OPS, when half of what may wait does so, or at once while a flush, a drop or
 * somebody in a hurry waits. writer_post() is thread-safe and never blocks on the disk. Answers
 * (done, release) come on the writer's thread, after the commit.
 */
#ifndef LARDER_CACHE_STORE_WRITER_H
#define LARDER_CACHE_STORE_WRITER_H

#include "cache/store/batch.h"
#include "cache/store/drops.h"

#define WRITER_DELAY_MS 200
/* LMDB keeps the memory of the single pages of its largest commit for good: in an index of some
 * size one for each record, so 4 MiB. */
#define WRITER_BATCH_OPS 1024
#define WRITER_HINTS 4096

/* What becomes of the disk. */
enum writer_state {
    WRITER_WRITES,
    WRITER_RETIRED, /* nothing is written any more: operations are told ERR_IO */
    WRITER_LOST,    /* the same; it broke off in the middle, and the disk must not be touched */
};

struct writer {
    struct disk *disk;
    uint64_t batch_bytes;
    uint64_t plenty; /* bytes that are not kept waiting for more */
    pthread_t thread;
    bool running;
    _Atomic uint64_t dirty;                  /* bytes queued or being written */
    _Atomic uint32_t bringing[WRITER_HINTS]; /* operations that put records, by some bits of the
                                                hash, until they have ended */
    _Atomic uint64_t retry_at;               /* clock_mono_ms() until which nothing new is taken */
    unsigned failures;                       /* in a row */

    _Atomic int state; /* enum writer_state; only forward */
    /* Called behind each batch, on the writer's thread; it may call writer_retire(). NULL: nobody
     */
    void (*on_batch)(void *arg, int err);
    void *on_batch_arg;

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t wake;
    struct list queue;
    struct drops drops; /* those that were refused are the first batch after retry_at */
    uint64_t queued_bytes;
    size_t queued_ops;
    uint64_t first_ms; /* when the oldest operation came */
    size_t urgent;     /* operations that somebody waits for */
    bool reap;         /* a dropped segment lost its last reader */
    bool hurry;        /* somebody waits for room in memory */
    bool stop;
    unsigned last_tries; /* so often what was refused was refused again since */
};

/* From here on operations may be posted. `disk` outlives the writer. */
void writer_init(struct writer *writer, struct disk *disk);
void writer_fini(struct writer *writer);
/* Starts the thread; the disk is open. `dirty_limit`: so many bytes may wait. */
int writer_start(struct writer *writer, uint64_t dirty_limit);
/* Writes what is queued and ends the thread, if there is one. */
void writer_stop(struct writer *writer);

/* Takes the operation over. */
void writer_post(struct writer *writer, struct op *op);
/* What is queued should be written now. Any thread. */
void writer_hurry(struct writer *writer);
/* A dropped segment can be closed. Any thread; `arg` is the writer. */
void writer_reap(void *arg);

/* Nothing is written from now on. The writer's thread. */
void writer_retire(struct writer *writer);
enum writer_state writer_state(const struct writer *writer);

/* True: an operation that puts a record under this key may be on its way. What ended before is in
 * the index by now, or has failed. Any thread, without a lock. */
bool writer_may_bring(const struct writer *writer, const uint8_t hash[STORE_HASH]);
/* Is a drop of this record pending? Any thread; takes no lock when none is. */
bool writer_is_dropping(struct writer *writer, const uint8_t hash[STORE_HASH]);

/* 0, or ERR_IO for a time after commits have failed. Any thread. */
int writer_health(const struct writer *writer);

#endif
