/*
 * writer - the one thread that writes: it takes operations from a bounded queue and groups them
 * into batches.
 *
 * A batch is closed WRITER_DELAY_MS after its first operation, when it has batch_bytes or
 * WRITER_BATCH_OPS, when half of the dirty limit is queued, or at once while a flush or a drop
 * waits, or after writer_hurry(). writer_post() is thread-safe and never waits for the disk.
 * Answers (done, release) come on the writer's thread, after the commit.
 *
 * A dropped record is hidden from the moment of posting until the index has deleted it, even if its
 * batch fails (refused.h). Stopping the writer waits for a few more tries, not for ever.
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

/* State of the writer. */
enum writer_state {
    WRITER_WRITES,
    WRITER_RETIRED, /* nothing is written any more: operations get ERR_IO */
    WRITER_LOST,    /* the same; it was interrupted in a batch, and the disk must not be touched */
};

struct writer {
    struct disk *disk;
    uint64_t batch_bytes;
    uint64_t plenty; /* bytes that are written without waiting for more */
    pthread_t thread;
    bool running;
    _Atomic uint64_t dirty;                  /* bytes queued or being written */
    _Atomic uint32_t bringing[WRITER_HINTS]; /* operations that put records and have not ended, by
                                                bits of the hash */
    _Atomic uint64_t retry_at; /* clock_mono_ms() until which nothing new is accepted */
    unsigned failures;         /* commits failed in a row */

    _Atomic int state; /* enum writer_state; only increases */
    /* Called after each batch on the writer's thread; may call writer_retire(). May be NULL. */
    void (*on_batch)(void *arg, int err);
    void *on_batch_arg;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    struct list queue;
    struct drops drops; /* refused ones are the first batch after retry_at */
    uint64_t queued_bytes;
    size_t queued_ops;
    uint64_t first_ms; /* when the oldest operation was posted */
    size_t urgent;     /* operations that somebody waits for */
    bool reap;         /* a dropped segment can be closed */
    bool hurry;        /* somebody waits for memory */
    bool stop;
    unsigned last_tries; /* how often refused operations failed again since `stop` */
};

/* Operations may be posted from now on. `disk` must outlive the writer. */
void writer_init(struct writer *writer, struct disk *disk);
void writer_fini(struct writer *writer);
/* Starts the thread; the disk must be open. `dirty_limit`: most queued bytes. */
int writer_start(struct writer *writer, uint64_t dirty_limit);
/* Writes what is queued and ends the thread, if there is one. */
void writer_stop(struct writer *writer);

/* Posts an operation, which is taken over. */
void writer_post(struct writer *writer, struct op *op);
/* Lets it write at once what is queued. Thread-safe. */
void writer_hurry(struct writer *writer);
/* A dropped segment can be closed. Thread-safe; `arg` is the writer. */
void writer_reap(void *arg);

/* Nothing is written from now on. Only for the writer's thread. */
void writer_retire(struct writer *writer);
enum writer_state writer_state(const struct writer *writer);

/* False: no operation is pending that puts a record under this key. What ended before is in the
 * index, or has failed. Thread-safe, lock-free. */
bool writer_may_bring(const struct writer *writer, const uint8_t hash[STORE_HASH]);
/* Is a drop of this record pending? Thread-safe; lock-free when there are none. */
bool writer_is_dropping(struct writer *writer, const uint8_t hash[STORE_HASH]);

/* The records whose deletion is not written yet: until it is, a crash brings them back. */
size_t writer_deletions(struct writer *writer);

/* Returns 0, or ERR_IO for a while after failed commits. Thread-safe. */
int writer_health(const struct writer *writer);

#endif
