#include "cache/store/io.h"

#include "base/check.h"
#include "base/thread.h"

static void *run(void *arg)
{
    struct io *io = arg;

    pthread_mutex_lock(&io->lock);
    while (!io->stop) {
        struct list *link = list_pop_front(&io->queue);
        if (link == NULL) {
            io->idle++;
            pthread_cond_wait(&io->wake, &io->lock);
            io->idle--;
            continue;
        }
        io->queued--;
        pthread_mutex_unlock(&io->lock);
        struct io_job *job = list_entry(link, struct io_job, link);
        job->run(job, false);
        pthread_mutex_lock(&io->lock);
    }
    pthread_mutex_unlock(&io->lock);
    return NULL;
}

/* Under the lock. If no thread can be started, the others do the work. */
static bool add_thread(struct io *io)
{
    int err = thread_start(&io->threads[io->count], "store-io", run, io);

    io->count += err == 0;
    return err == 0;
}

void io_init(struct io *io)
{
    *io = (struct io){0};
    list_init(&io->queue);
    CHECK(pthread_mutex_init(&io->lock, NULL) == 0);
    CHECK(pthread_cond_init(&io->wake, NULL) == 0);
}

void io_post(struct io *io, struct io_job *job)
{
    pthread_mutex_lock(&io->lock);
    bool taken = !io->stop;
    if (taken) {
        list_push_back(&io->queue, &job->link);
        io->queued++;
        if (io->queued > io->idle && io->count < IO_THREADS && !add_thread(io) && io->count == 0) {
            list_remove(&job->link);
            io->queued--;
            taken = false; /* otherwise nobody would ever do it */
        }
        pthread_cond_signal(&io->wake);
    }
    pthread_mutex_unlock(&io->lock);
    if (!taken) {
        job->run(job, true);
    }
}

size_t io_queued(struct io *io)
{
    pthread_mutex_lock(&io->lock);
    size_t queued = io->queued;
    pthread_mutex_unlock(&io->lock);
    return queued;
}

static struct io_job *take(struct io *io)
{
    pthread_mutex_lock(&io->lock);
    io->stop = true;
    pthread_cond_broadcast(&io->wake);
    struct list *link = list_pop_front(&io->queue);
    io->queued -= link != NULL;
    pthread_mutex_unlock(&io->lock);
    return link ? list_entry(link, struct io_job, link) : NULL;
}

void io_stop(struct io *io)
{
    for (struct io_job *job; (job = take(io)) != NULL;) {
        job->run(job, true);
    }
    for (size_t i = 0; i < io->count; i++) {
        pthread_join(io->threads[i], NULL);
    }
    io->count = 0;
}

void io_fini(struct io *io)
{
    CHECK(io->count == 0 && list_empty(&io->queue));
    pthread_mutex_destroy(&io->lock);
    pthread_cond_destroy(&io->wake);
}
