#include "base/sandbox.h"

#include "base/err.h"
#include "base/log.h"
#include "base/sandbox_calls.h"

#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sanitizers make other system calls at any time, and start a program to symbolise their
 * reports. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

const char *const sandbox_words[] = {"on", "off", "log", "strict", NULL};

static enum sandbox_mode wanted = SANDBOX_OFF;
static bool drops; /* new threads must drop their capabilities themselves; under the lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t begun = PTHREAD_COND_INITIALIZER;
static unsigned awaited; /* started threads that have not dropped them yet; under the lock */
static struct sandbox_report report = {.filter = "off", .why = "the process has not started"};

/* ---- capabilities: they are a thread's own ---- */

/* The bounding set limits what a program started by exec could gain. The filter forbids exec
 * anyway, but lowering the set costs nothing. It needs CAP_SETPCAP. */
static void drop_bounding_set(void)
{
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
         capability++) {
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
            return;
        }
    }
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    drop_bounding_set();
    return syscall(SYS_capset, &header, none) == 0 ? 0 : -1;
}

static bool give_up(void)
{
    bool privs = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;

    return drop_capabilities() == 0 && privs;
}

bool sandbox_awaits_thread(void)
{
    pthread_mutex_lock(&lock);
    bool awaits = drops;
    awaited += awaits;
    pthread_mutex_unlock(&lock);
    return awaits;
}

void sandbox_no_thread(void)
{
    pthread_mutex_lock(&lock);
    awaited--;
    pthread_cond_signal(&begun);
    pthread_mutex_unlock(&lock);
}

void sandbox_thread(void)
{
    (void)give_up();
    sandbox_no_thread();
}

/* Waits until all threads have dropped their capabilities. Threads started later inherit the
 * reduced set of this one. */
static void await_threads(void)
{
    pthread_mutex_lock(&lock);
    drops = false;
    while (awaited > 0) {
        pthread_cond_wait(&begun, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static bool has_none(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3] = {{0}};

    return syscall(SYS_capget, &header, have) == 0 && have[0].permitted == 0 &&
           have[1].permitted == 0;
}

/* ---- the filter ---- */

static void on_forbidden(int number, siginfo_t *info, void *context)
{
    char text[64];
    int len =
        snprintf(text, sizeof(text), "sandbox: system call %d is forbidden\n", info->si_syscall);

    (void)number;
    (void)context;
    if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0) {
        _exit(1);
    }
    abort();
}

static void watch_forbidden(void)
{
    struct sigaction action = {.sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO};

    sigaction(SIGSYS, &action, NULL);
}

/* Returns NULL, or why there is no filter. */
static const char *put_filter(enum sandbox_mode mode)
{
    if (SANITIZED) {
        return "this build has a sanitizer, which makes calls of its own";
    }
    if (mode == SANDBOX_STRICT) {
        watch_forbidden();
    }
    int err = sandbox_filter(mode);
    return err ? err_text(err) : NULL;
}

void sandbox_begin(enum sandbox_mode mode)
{
    wanted = mode;
    drops = mode != SANDBOX_OFF; /* no other thread exists yet */
}

static void tell(void)
{
    if (report.why && wanted != SANDBOX_OFF) {
        log_warn("sandbox_filter_off", "why=%s", report.why);
    }
    log_info("sandbox", "filter=%s no_new_privs=%d no_capabilities=%d", report.filter,
             report.no_new_privs, report.no_capabilities);
}

void sandbox_enter(void)
{
    const char *why = "the configuration says so";

    if (wanted != SANDBOX_OFF) {
        (void)give_up();
        await_threads();
    }
    report.no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    report.no_capabilities = has_none();
    if (wanted != SANDBOX_OFF) {
        why = put_filter(wanted);
    }
    report.filter = sandbox_words[why ? SANDBOX_OFF : wanted];
    report.why = why;
    tell();
}

struct sandbox_report sandbox_report(void)
{
    return report;
}

bool sandbox_is_tight(void)
{
    return report.filter == sandbox_words[SANDBOX_ON] ||
           report.filter == sandbox_words[SANDBOX_STRICT];
}
