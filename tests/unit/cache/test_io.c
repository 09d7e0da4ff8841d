#include "cache/store/io.h"

#include <criterion/criterion.h>
#include <semaphore.h>
#include <stdatomic.h>

struct task {
    struct io_job job;
    sem_t *started, *go;
    atomic_int ran, stopped;
};

static void run(struct io_job *job, bool stopped)
{
    struct task *task = container_of(job, struct task, job);

    if (!stopped && task->started) {
        sem_post(task->started);
        sem_wait(task->go);
    }
    atomic_fetch_add(stopped ? &task->stopped : &task->ran, 1);
}

Test(io, every_job_runs_once)
{
    static struct task tasks[500];
    struct io io;

    io_init(&io);
    cr_expect_eq(io.count, 0, "no thread before the first job");
    for (int i = 0; i < 500; i++) {
        tasks[i] = (struct task){.job.run = run};
        io_post(&io, &tasks[i].job);
    }
    while (io_queued(&io) > 0) {
    }
    io_stop(&io);
    for (int i = 0; i < 500; i++) {
        cr_expect_eq(atomic_load(&tasks[i].ran) + atomic_load(&tasks[i].stopped), 1, "%d", i);
    }
    io_fini(&io);
}

/* Jobs that wait take a thread each, up to the bound; what is still queued then is ended. */
Test(io, there_are_threads_for_those_that_wait)
{
    static struct task tasks[IO_THREADS + 3];
    struct io io;
    sem_t started, go;

    sem_init(&started, 0, 0);
    sem_init(&go, 0, 0);
    io_init(&io);
    for (int i = 0; i < IO_THREADS + 3; i++) {
        tasks[i] = (struct task){.job.run = run, .started = &started, .go = &go};
        io_post(&io, &tasks[i].job);
    }
    for (int i = 0; i < IO_THREADS; i++) {
        sem_wait(&started);
    }
    cr_expect_eq(io.count, IO_THREADS);
    cr_expect_eq(io_queued(&io), 3);
    for (int i = 0; i < IO_THREADS + 3; i++) {
        sem_post(&go);
    }
    io_stop(&io);
    for (int i = 0; i < IO_THREADS + 3; i++) {
        cr_expect_eq(atomic_load(&tasks[i].ran) + atomic_load(&tasks[i].stopped), 1, "%d", i);
    }
    struct task late = {.job.run = run};
    io_post(&io, &late.job);
    cr_expect_eq(atomic_load(&late.stopped), 1, "who comes later is told at once");
    io_fini(&io);
}
