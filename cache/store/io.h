/*
 * io - threads of the store's own that wait for the disk, so that event loops need not. Not libuv's
 * pool: names are resolved there, and a slow disk must not hold those up.
 *
 * Jobs are embedded in their owners and run in the order they were posted. The first one starts the
 * first thread; there are more as they are needed, up to IO_THREADS, and they stay.
 */
#ifndef LARDER_CACHE_STORE_IO_H
#define LARDER_CACHE_STORE_IO_H

#include "base/list.h"

#include <pthread.h>
#include <stdint.h>

#define IO_THREADS 16

struct io_job {
    struct list link;
    /* On a thread of the pool. `stopped`: there is no time for it any more; then on the thread
     * that stops the pool. The job may free itself. */
    void (*run)(struct io_job *job, bool stopped);
};

struct io {
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t wake;
    struct list queue;
    size_t queued, idle, count;
    pthread_t threads[IO_THREADS];
    bool stop;
};

void io_init(struct io *io);
/* Any thread, also after io_stop(): then the job is run at once, as stopped. */
void io_post(struct io *io, struct io_job *job);
/* Jobs that wait for a thread. Any thread. */
size_t io_queued(struct io *io);
/* Ends the jobs that have not begun, waits for the others, and ends the threads. */
void io_stop(struct io *io);
/* After io_stop(). */
void io_fini(struct io *io);

#endif
