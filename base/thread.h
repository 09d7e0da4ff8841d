/*
 * thread - starts threads. Each has a name, which top -H, perf and gdb show. All signals are
 * blocked in it except those that its own faults raise, so that the process's signals go to threads
 * that expect them, and a broken pipe is EPIPE. It has no capabilities if the process is to have
 * none (sandbox.h).
 */
#ifndef LARDER_BASE_THREAD_H
#define LARDER_BASE_THREAD_H

#include <pthread.h>
#include <uv.h>

/* The system keeps 15 bytes of the name. Returns 0 or -errno. The caller must join the thread. */
int thread_start(pthread_t *thread, const char *name, void *(*call)(void *arg), void *arg);
/* uv_queue_work(): libuv's own threads, which the first call starts, take no signals either. */
int thread_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb call, uv_after_work_cb done);
/* For the main thread of a process that is ending: SIGTERM, SIGHUP and SIGUSR1 would kill it once
 * the handlers are closed, so `close_handlers` is called with them blocked, and then they are
 * ignored. SIGINT is not, for who does not want to wait. */
void thread_ignore_signals(void (*close_handlers)(void *arg), void *arg);
/* Names the calling thread. */
void thread_name(const char *name);

#endif
