#include "base/sandbox_calls.h"
#include "base/thread.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <stdlib.h>
#include <unistd.h>

/* In a process of its own, which gets the filter: a filter is for ever. Its wait status. */
static int in_child(void (*act)(void))
{
    int status = -1;
    pid_t child = fork();

    cr_assert_geq(child, 0);
    if (child == 0) {
        act();
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

/* Of a child that found everything as it should be. A line's number tells where it did not. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            _exit(__LINE__ % 255 + 1);                                                             \
        }                                                                                          \
    } while (0)

static void expect_good(int status)
{
    cr_assert(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
    cr_assert_eq(WEXITSTATUS(status), 0, "line %d (modulo 255)", WEXITSTATUS(status) - 1);
}

static void become_true(void)
{
    char name[] = "true";
    char *arguments[] = {name, NULL}, *environment[] = {NULL};

    syscall(SYS_execve, "/bin/true", arguments, environment);
}

static void attack(void)
{
    HOLDS(sandbox_filter(SANDBOX_ON) == 0);
    become_true();
}

Test(sandbox, an_attack_ends_the_process)
{
    int status = in_child(attack);

    cr_assert(WIFSIGNALED(status));
    cr_assert_eq(WTERMSIG(status), SIGSYS);
}

static void only_log(void)
{
    HOLDS(sandbox_filter(SANDBOX_LOG) == 0);
    become_true();
    HOLDS(false);
}

Test(sandbox, log_forbids_nothing)
{
    expect_good(in_child(only_log));
}

static bool fails(long result)
{
    return result == -1 && errno == ENOSYS;
}

static void forbidden(void)
{
    HOLDS(sandbox_filter(SANDBOX_ON) == 0);
    HOLDS(fails(syscall(4000))); /* of the future */
    HOLDS(fails(syscall(SYS_fchownat, -1, "", 0, 0, 0)));
    HOLDS(fails(syscall(SYS_setuid, 0)));
    HOLDS(fails(syscall(SYS_kill, getppid(), 0)));
    HOLDS(fails(syscall(SYS_tgkill, getppid(), getppid(), 0)));
    HOLDS(fails(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)));
    HOLDS(fails(syscall(SYS_clone3, NULL, 0)));
    HOLDS(fails(socket(AF_PACKET, SOCK_RAW, 0)));
    HOLDS(fails(prctl(PR_SET_DUMPABLE, 1)));
    HOLDS(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
               0) == MAP_FAILED);
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    HOLDS(page != MAP_FAILED);
    HOLDS(fails(mprotect(page, 4096, PROT_READ | PROT_EXEC)));
}

Test(sandbox, what_is_not_needed_fails_as_on_an_old_kernel)
{
    expect_good(in_child(forbidden));
}

static atomic_int phase;

static void *try_in_thread(void *result)
{
    while (atomic_load(&phase) == 0) {
        sched_yield();
    }
    *(bool *)result = fails(syscall(SYS_setuid, 0));
    return NULL;
}

static void with_threads(void)
{
    bool early = false, late = false;
    pthread_t first, second;

    HOLDS(thread_start(&first, "early", try_in_thread, &early) == 0);
    HOLDS(sandbox_filter(SANDBOX_ON) == 0);
    atomic_store(&phase, 1);
    HOLDS(thread_start(&second, "late", try_in_thread, &late) == 0);
    HOLDS(pthread_join(first, NULL) == 0 && pthread_join(second, NULL) == 0);
    HOLDS(early);
    HOLDS(late);
}

Test(sandbox, threads_of_before_and_after_have_it)
{
    expect_good(in_child(with_threads));
}

static uint32_t capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3] = {{0}};

    return syscall(SYS_capget, &header, have)
               ? UINT32_MAX
               : have[0].permitted | have[0].effective | have[1].permitted | have[1].effective;
}

static void *look_at_thread(void *seen)
{
    *(uint32_t *)seen = capabilities();
    return NULL;
}

static void give_up(void)
{
    uint32_t of_thread = 1;
    pthread_t thread;

    sandbox_begin(SANDBOX_ON);
    uint32_t before = capabilities();
    HOLDS(thread_start(&thread, "none", look_at_thread, &of_thread) == 0);
    HOLDS(pthread_join(thread, NULL) == 0 && of_thread == 0);
    HOLDS(capabilities() == before); /* it may still bind to port 53 */
    sandbox_enter();
    HOLDS(capabilities() == 0);
    struct sandbox_report report = sandbox_report();
    HOLDS(report.no_capabilities && report.no_new_privs);
    HOLDS(sandbox_is_tight() == (report.why == NULL));
}

Test(sandbox, capabilities_go_when_everything_is_open)
{
    expect_good(in_child(give_up));
}

static void *look_late(void *seen)
{
    while (atomic_load(&phase) == 0) {
        sched_yield();
    }
    return look_at_thread(seen);
}

/* One that the kernel has not let run until then has none either. */
static void give_up_with_many(void)
{
    enum { MANY = 50 };
    uint32_t seen[MANY];
    pthread_t threads[MANY];

    sandbox_begin(SANDBOX_ON);
    for (size_t i = 0; i < MANY; i++) {
        seen[i] = 1;
        HOLDS(thread_start(&threads[i], "many", look_late, &seen[i]) == 0);
    }
    sandbox_enter();
    atomic_store(&phase, 1);
    for (size_t i = 0; i < MANY; i++) {
        HOLDS(pthread_join(threads[i], NULL) == 0 && seen[i] == 0);
    }
}

Test(sandbox, no_thread_is_late)
{
    for (int i = 0; i < 20; i++) {
        expect_good(in_child(give_up_with_many));
    }
}

static void stay_as_it_is(void)
{
    uint32_t before = capabilities();

    sandbox_begin(SANDBOX_OFF);
    sandbox_enter();
    HOLDS(capabilities() == before && !sandbox_is_tight() && sandbox_report().why);
    become_true();
    HOLDS(false);
}

Test(sandbox, off_changes_nothing)
{
    expect_good(in_child(stay_as_it_is));
}

static void strictly(void)
{
    sandbox_begin(SANDBOX_STRICT);
    sandbox_enter();
    if (sandbox_report().why) {
        abort(); /* no filter in this build: nothing to be strict about */
    }
    (void)syscall(SYS_setuid, 0);
}

Test(sandbox, strict_ends_at_the_first)
{
    int status = in_child(strictly);

    cr_assert(WIFSIGNALED(status));
    cr_assert_eq(WTERMSIG(status), SIGABRT);
}
