/*
 * thread - starting a thread that is for no signal of the process: those are for the threads that
 * know what to do with them. In it a broken pipe is EPIPE.
 */
#ifndef LARDER_BASE_THREAD_H
#define LARDER_BASE_THREAD_H

#include <pthread.h>
#include <signal.h>

/* 0 or -errno. The caller joins it. */
static inline int thread_start(pthread_t *thread, void *(*call)(void *arg), void *arg)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(thread, NULL, call, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -err;
}

#endif
