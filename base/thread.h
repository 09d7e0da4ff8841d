/*
 * thread - starting a thread. It has a name, which top -H, perf and gdb show, and is for no signal
 * of the process: those are for the threads that know what to do with them. In it a broken pipe is
 * EPIPE. Only the signals that its own faults raise are let through. It has no capabilities, where
 * the process is to have none (sandbox.h).
 */
#ifndef LARDER_BASE_THREAD_H
#define LARDER_BASE_THREAD_H

#include <pthread.h>

/* The system keeps 15 bytes of the name. Returns 0 or -errno. The caller joins it. */
int thread_start(pthread_t *thread, const char *name, void *(*call)(void *arg), void *arg);
/* The calling thread's. */
void thread_name(const char *name);

#endif
