/*
 * worker_pool - the workers of the redirector, each with a loop and a thread of its own, from the
 * opening of their sockets to the end. Belongs to the main thread.
 */
#ifndef LARDER_DNSREDIR_WORKER_POOL_H
#define LARDER_DNSREDIR_WORKER_POOL_H

#include "dnsredir/worker.h"

struct worker_pool;

/* What all workers use. It is borrowed, and must outlive the pool. */
struct worker_pool_shared {
    const struct settings *settings;
    struct publish *publish;
    struct querylog *log;    /* NULL: queries are not logged */
    struct updater *updater; /* NULL: no zone takes updates */
};

/* Opens the sockets of all workers, and then starts their threads, so that nobody answers before
 * all sockets are open. Returns 0, or the negative errno of the socket that could not be opened,
 * which is logged. Then, too, *out is a pool, whose threads run: end it as any other. */
int worker_pool_open(const struct worker_pool_shared *shared, struct worker_pool **out);
/* Has every loop turned since the last call that returned true? If so, asks all of them anew. Not
 * to be called after worker_pool_stop(). */
bool worker_pool_alive(struct worker_pool *pool);
/* Tells the workers to take nothing new: they answer what they have read, and keep connections
 * until these are idle. */
void worker_pool_drain(struct worker_pool *pool);
/* Tells the workers to end. Accepts NULL. */
void worker_pool_stop(struct worker_pool *pool);
/* Waits until the threads have ended. Accepts NULL. */
void worker_pool_join(struct worker_pool *pool);
/* Frees the pool. To be called after worker_pool_join(). Accepts NULL; sets *pool to NULL. */
void worker_pool_free(struct worker_pool **pool);

/* How many workers there are; 0 for NULL. */
size_t worker_pool_size(const struct worker_pool *pool);
/* The counters of worker `number`, which go on counting. */
const struct counters *worker_pool_counters(const struct worker_pool *pool, size_t number);

#endif
