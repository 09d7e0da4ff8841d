/*
 * thread - starts threads. Each has a name, which top -H, perf and gdb show. All signals are
 * blocked in it except those that its own faults raise, so that the process's signals go to threads
 * that expect them, and a broken pipe is EPIPE. It has no capabilities if the process is to have
 * none (sandbox.h).
 */
#ifndef LARDER_BASE_THREAD_H
#define LARDER_BASE_THREAD_H

#include <pthread.h>

/* The system keeps 15 bytes of the name. Returns 0 or -errno. The caller must join the thread. */
int thread_start(pthread_t *thread, const char *name, void *(*call)(void *arg), void *arg);
/* Names the calling thread. */
void thread_name(const char *name);

#endif
