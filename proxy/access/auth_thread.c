/* auth_thread - compares passwords, which takes long on purpose, on threads with a bounded
 * queue. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "proxy/access/auth_parts.h"

#include <unistd.h>

static struct auth_job *take_job(struct auth *auth)
{
    struct auth_job *job = NULL;

    pthread_mutex_lock(&auth->queue_lock);
    while (list_empty(&auth->queue) && !auth->ending) {
        pthread_cond_wait(&auth->work, &auth->queue_lock);
    }
    if (!auth->ending) {
        job = list_entry(list_pop_front(&auth->queue), struct auth_job, link);
    }
    pthread_mutex_unlock(&auth->queue_lock);
    return job;
}

void auth_job_free(struct auth_job *job)
{
    explicit_bzero(job, sizeof(*job));
    free(job);
}

static void do_job(struct auth *auth, struct password_room *room, struct auth_job *job)
{
    struct auth_shard *shard = job->entry->shard;
    bool right = password_check(room, span_of(job->password, job->password_len),
                                span_of(job->hash, job->hash_len)) &&
                 !job->nobody;
    uint64_t now_ms = clock_mono_ms();

    atomic_fetch_add_explicit(&auth->checked, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(right ? &auth->right : &auth->wrong, 1, memory_order_relaxed);
    auth_client_done(auth, job->client, !right, now_ms);
    pthread_mutex_lock(&auth->queue_lock);
    auth->queued--;
    pthread_mutex_unlock(&auth->queue_lock);
    pthread_mutex_lock(&shard->lock);
    auth_entry_answer(job->entry, right, now_ms);
    pthread_mutex_unlock(&shard->lock);
    auth_job_free(job);
}

static void *thread_main(void *arg)
{
    struct auth *auth = arg;
    struct password_room *room = password_room_new();

    for (struct auth_job *job; (job = take_job(auth));) {
        do_job(auth, room, job);
    }
    password_room_free(&room);
    return NULL;
}

/* Under the queue's lock. Few threads, so that requests are served meanwhile. */
static void start_threads(struct auth *auth)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = cpus < 2                      ? 1
                    : cpus / 2 < AUTH_THREADS_MAX ? (size_t)cpus / 2
                                                  : AUTH_THREADS_MAX;

    while (auth->thread_count < wanted) {
        int err = thread_start(&auth->threads[auth->thread_count], "password", thread_main, auth);
        if (err) {
            log_warn("password_thread_failed", "err=%d", err);
            return;
        }
        auth->thread_count++;
    }
}

bool auth_job_put(struct auth *auth, struct auth_job *job)
{
    pthread_mutex_lock(&auth->queue_lock);
    if (auth->thread_count == 0) {
        start_threads(auth);
    }
    bool room = auth->queued < AUTH_QUEUE_MAX && auth->thread_count > 0 && !auth->ending;
    if (room) {
        auth->queued++;
        list_push_back(&auth->queue, &job->link);
        pthread_cond_signal(&auth->work);
    }
    pthread_mutex_unlock(&auth->queue_lock);
    return room;
}

void auth_threads_end(struct auth *auth)
{
    pthread_mutex_lock(&auth->queue_lock);
    auth->ending = true;
    pthread_cond_broadcast(&auth->work);
    pthread_mutex_unlock(&auth->queue_lock);
    for (size_t i = 0; i < auth->thread_count; i++) {
        pthread_join(auth->threads[i], NULL);
    }
    for (struct list *link; (link = list_pop_front(&auth->queue));) {
        auth_job_free(list_entry(link, struct auth_job, link));
    }
}
