#include "base/guard.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/touch.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <ucontext.h>
#include <unistd.h>

enum { LEFT_UNREADABLE = 1, LEFT_IMPOSSIBLE };

struct guard {
    struct guard *outer;
    enum guard_kind kind;
    struct span range;
    jmp_buf here;
};

static _Thread_local struct guard *innermost;

/* ---- the signal ---- */

static struct sigaction before;

static bool covers(const struct guard *guard, const char *address)
{
    uintptr_t offset = (uintptr_t)address - (uintptr_t)guard->range.at;

    return guard->range.at == NULL || offset < guard->range.len;
}

/* The signal was raised by the reading instruction on its own thread, so no lock of the C library
 * is held. Returning repeats the instruction, with the former handler. */
static void on_sigbus(int number, siginfo_t *info, void *context)
{
    const ucontext_t *was = context;

    for (struct guard *guard = innermost; guard && info->si_code == BUS_ADRERR;
         guard = guard->outer) {
        if (covers(guard, info->si_addr)) {
            innermost = guard;
            /* a jump restores no signal mask, and a sanitizer may have blocked everything */
            pthread_sigmask(SIG_SETMASK, &was->uc_sigmask, NULL);
            longjmp(guard->here, LEFT_UNREADABLE);
        }
    }
    sigaction(number, &before, NULL);
    if (info->si_code <= 0) { /* sent by another process */
        raise(number);
    }
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &before);
    touch_set(guard_touch);
}

void guard_install(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, install);
}

/* ---- guarded calls ---- */

static int run(int (*call)(void *arg), void *arg, enum guard_kind kind, struct span range)
{
    struct guard guard = {.outer = innermost, .kind = kind, .range = range};
    int err;

    switch (setjmp(guard.here)) {
    case 0:
        innermost = &guard;
        err = call(arg);
        break;
    case LEFT_UNREADABLE:
        err = -EIO;
        break;
    default:
        err = ERR_CORRUPT;
        break;
    }
    innermost = guard.outer;
    return err;
}

int guard_lookup(int (*call)(void *arg), void *arg, struct span range)
{
    return run(call, arg, GUARD_LOOKUP, range);
}

int guard_work(int (*call)(void *arg), void *arg)
{
    return run(call, arg, GUARD_WORK, SPAN_EMPTY);
}

enum guard_kind guard_kind(void)
{
    return innermost ? innermost->kind : GUARD_NONE;
}

void guard_leave(void)
{
    if (innermost) {
        longjmp(innermost->here, LEFT_IMPOSSIBLE);
    }
}

/* The smallest page size; larger pages are touched more often than needed. */
enum { PAGE = 4096 };

static int touch_pages(void *arg)
{
    const struct span *bytes = arg;

    for (size_t at = 0; at < bytes->len; at += PAGE) {
        (void)*(const volatile char *)(bytes->at + at);
    }
    (void)*(const volatile char *)(bytes->at + bytes->len - 1);
    return 0;
}

int guard_touch(struct span bytes)
{
    return bytes.len ? guard_lookup(touch_pages, &bytes, bytes) : 0;
}

/* ---- leaks on purpose ---- */

struct grave {
    struct grave *next;
    void *what;
};

void guard_bury(void *what)
{
    static _Atomic(struct grave *) graves; /* kept reachable, so that leak checkers ignore it */
    struct grave *grave = xmalloc(sizeof(*grave));

    grave->what = what;
    grave->next = atomic_load(&graves);
    while (!atomic_compare_exchange_weak(&graves, &grave->next, grave)) {
    }
}
