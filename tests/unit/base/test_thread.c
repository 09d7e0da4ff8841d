#include "base/thread.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

struct seen {
    char name[16];
    sigset_t mask;
};

static void *look(void *arg)
{
    struct seen *seen = arg;

    prctl(PR_GET_NAME, seen->name);
    pthread_sigmask(SIG_SETMASK, NULL, &seen->mask);
    return seen;
}

static struct seen start(const char *name)
{
    struct seen seen;
    void *end;
    pthread_t thread;

    cr_assert_eq(thread_start(&thread, name, look, &seen), 0);
    cr_assert_eq(pthread_join(thread, &end), 0);
    cr_assert_eq(end, &seen, "what it returns is passed on");
    return seen;
}

Test(thread, has_its_name)
{
    struct seen seen = start("store-io"), longer = start("a-name-that-is-too-long");

    cr_expect_str_eq(seen.name, "store-io");
    cr_expect_str_eq(longer.name, "a-name-that-is-");
}

Test(thread, is_for_no_signal_but_of_its_own_faults)
{
    static const int blocked[] = {SIGTERM, SIGHUP, SIGUSR1, SIGPIPE, SIGINT, SIGCHLD};
    static const int faults[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE};
    struct seen seen = start("x");
    sigset_t ours;

    for (size_t i = 0; i < sizeof(blocked) / sizeof(*blocked); i++) {
        cr_expect(sigismember(&seen.mask, blocked[i]), "%d", blocked[i]);
    }
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        cr_expect(!sigismember(&seen.mask, faults[i]), "%d", faults[i]);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &ours);
    cr_expect(!sigismember(&ours, SIGTERM), "who starts it stays as it was");
}

static void look_in_work(uv_work_t *work)
{
    look(work->data);
}

Test(thread, nor_are_those_of_libuv)
{
    struct seen seen = {0};
    uv_loop_t loop;
    uv_work_t work = {.data = &seen};
    sigset_t ours;

    cr_assert_eq(uv_loop_init(&loop), 0);
    cr_assert_eq(thread_queue_work(&loop, &work, look_in_work, NULL), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_eq(uv_loop_close(&loop), 0);
    cr_expect(sigismember(&seen.mask, SIGTERM) && !sigismember(&seen.mask, SIGSEGV));
    pthread_sigmask(SIG_SETMASK, NULL, &ours);
    cr_expect(!sigismember(&ours, SIGTERM), "who calls it stays as it was");
}
