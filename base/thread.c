#include "base/thread.h"

#include "base/mem.h"
#include "base/sandbox.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

enum { NAME = 16 };

struct start {
    char name[NAME];
    void *(*call)(void *arg);
    void *arg;
    bool gives_up;
};

void thread_name(const char *name)
{
    prctl(PR_SET_NAME, name);
}

static void *run(void *arg)
{
    struct start start = *(struct start *)arg;

    free(arg);
    thread_name(start.name);
    if (start.gives_up) {
        sandbox_thread();
    }
    return start.call(start.arg);
}

/* All signals except those that a fault of the thread itself raises. */
static sigset_t not_for_it(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGSYS};
    sigset_t mask;

    sigfillset(&mask);
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        sigdelset(&mask, faults[i]);
    }
    return mask;
}

#ifdef __SANITIZE_THREAD__
/* The sanitizer of GCC 12 makes a place for a thread's signals when the thread waits for the first
 * time, and loses a signal that comes in that moment: so the main thread waits before it has
 * handlers. The other threads get no signals. */
static __attribute__((constructor)) void wait_first(void)
{
    poll(NULL, 0, 0);
}
#endif

int thread_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb call, uv_after_work_cb done)
{
    sigset_t mask = not_for_it(), before;

    pthread_sigmask(SIG_SETMASK, &mask, &before);
    int err = uv_queue_work(loop, work, call, done);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

void thread_ignore_signals(void (*close_handlers)(void *arg), void *arg)
{
    static const int told[] = {SIGTERM, SIGHUP, SIGUSR1};
    sigset_t mask, before;

    sigemptyset(&mask);
    for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++) {
        sigaddset(&mask, told[i]);
    }
    pthread_sigmask(SIG_BLOCK, &mask, &before);
    close_handlers(arg);
    for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++) {
        signal(told[i], SIG_IGN);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int thread_start(pthread_t *thread, const char *name, void *(*call)(void *arg), void *arg)
{
    struct start *start = xmalloc(sizeof(*start));
    sigset_t mask = not_for_it(), before;

    *start = (struct start){.call = call, .arg = arg, .gives_up = sandbox_awaits_thread()};
    snprintf(start->name, sizeof(start->name), "%s", name);
    pthread_sigmask(SIG_SETMASK, &mask, &before);
    int err = pthread_create(thread, NULL, run, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err) {
        if (start->gives_up) {
            sandbox_no_thread();
        }
        free(start);
    }
    return -err;
}
