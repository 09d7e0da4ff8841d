/*
 * io - threads that read from the disk on behalf of event loops. Not libuv's pool, where names are
 * resolved: a slow disk must not delay those.
 *
 * Jobs are part of their owners, and run in the order they were posted. Threads are started as
 * needed, up to IO_THREADS, and stay.
 */
#ifndef LARDER_CACHE_STORE_IO_H
#define LARDER_CACHE_STORE_IO_H

#include "base/list.h"

#include <pthread.h>
#include <stdint.h>

#define IO_THREADS 16

struct io_job {
    struct list link;
    /* Runs on a thread of the pool; or, with `stopped`, on the thread that stops the pool: then the
     * job must end without waiting. It may free itself. */
    void (*run)(struct io_job *job, bool stopped);
};

struct io {
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    struct list queue;
    size_t queued, idle, count;
    pthread_t threads[IO_THREADS];
    bool stop;
};

void io_init(struct io *io);
/* Thread-safe. After io_stop() the job is run at once, as stopped. */
void io_post(struct io *io, struct io_job *job);
/* Jobs that wait for a thread. Thread-safe. */
size_t io_queued(struct io *io);
/* Runs waiting jobs as stopped, waits for running ones, and ends the threads. */
void io_stop(struct io *io);
/* Only after io_stop(). */
void io_fini(struct io *io);

#endif
