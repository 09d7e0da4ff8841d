#include "cache/store/crashes.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/span.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define MARKS_FILE "crashes"
#define ASIDE "aside-"
#define MINUTE_MS 60000
#define CRASHES_BEAR 2

enum { MARKS_MAX = 256 };

/* One entry for each open store. Read by a signal handler, so accessed without locks. */
static struct mark {
    atomic_int file; /* descriptor of the file `crashes`; 0: unused */
    _Atomic uint64_t opened_ms;
    atomic_bool outlived;
} marks[MARKS_MAX];

/* ---- the signals ---- */

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE};
static struct sigaction before[ARRAY_LEN(crash_signals)];

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now); /* async-signal-safe */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Runs only once: a handler that runs after ours (a sanitizer's) may raise another signal. */
static void leave_marks(void)
{
    static atomic_flag left = ATOMIC_FLAG_INIT;

    if (atomic_flag_test_and_set(&left)) {
        return;
    }
    uint64_t now = now_ms();

    for (size_t i = 0; i < MARKS_MAX; i++) {
        int file = atomic_load(&marks[i].file);
        if (file > 0 && now - atomic_load(&marks[i].opened_ms) < MINUTE_MS) {
            ssize_t written = write(file, "x", 1);
            (void)written; /* a signal handler cannot report errors */
        }
    }
}

/* Notes the crash, restores the former handler and returns: the faulting instruction then raises
 * the signal again. */
static void on_crash(int number, siginfo_t *info, void *context)
{
    int saved = errno;

    (void)context;
    leave_marks();
    for (size_t i = 0; i < ARRAY_LEN(crash_signals); i++) {
        if (crash_signals[i] == number) {
            sigaction(number, &before[i], NULL);
        }
    }
    if (info->si_code <= 0) { /* sent by abort() or kill(): no instruction raises it again */
        raise(number);
    }
    errno = saved;
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_LEN(crash_signals); i++) {
        sigaction(crash_signals[i], &action, &before[i]);
    }
}

void crashes_install(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, install);
}

/* ---- moving aside ---- */

static bool is_ours(const char *name)
{
    static const char *const prefixes[] = {"index.mdb", "seg-",      "spare-",
                                           "blank.mdb", "placement", MARKS_FILE};

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}

/* Calls `each` for every file of the store in the folder `name` of `dir`. */
static void each_file(int dir, const char *name, void (*each)(int in, const char *file, int to),
                      int to)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (list == NULL) {
        return;
    }
    while ((entry = readdir(list)) != NULL) {
        if (is_ours(entry->d_name)) {
            each(fd, entry->d_name, to);
        }
    }
    closedir(list);
}

static void remove_file(int in, const char *file, int to)
{
    (void)to;
    unlinkat(in, file, 0);
}

/* A file that cannot be moved is removed. */
static void move_file(int in, const char *file, int to)
{
    if (to < 0 || renameat(in, file, to, file) != 0) {
        unlinkat(in, file, 0);
    }
}

static void remove_aside(int dir, const char *name)
{
    each_file(dir, name, remove_file, -1);
    unlinkat(dir, name, AT_REMOVEDIR);
}

static void remove_older(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (list == NULL) {
        return;
    }
    while ((entry = readdir(list)) != NULL) {
        if (strncmp(entry->d_name, ASIDE, strlen(ASIDE)) == 0) {
            remove_aside(dir, entry->d_name);
        }
    }
    closedir(list);
}

static bool has_room(int dir, uint64_t size)
{
    struct statvfs fs;

    return fstatvfs(dir, &fs) != 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= size;
}

static void move_aside(const char *path, int dir, uint64_t size)
{
    char name[64];
    time_t now = clock_wall();
    struct tm parts;

    gmtime_r(&now, &parts);
    strftime(name, sizeof(name), ASIDE "%Y%m%d-%H%M%S", &parts);
    remove_older(dir);
    int made = mkdirat(dir, name, 0750);
    int to = made == 0 ? openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    each_file(dir, ".", move_file, to);
    if (to >= 0) {
        close(to);
    }
    if (to >= 0 && has_room(dir, size)) {
        log_error("store_moved_aside", "dir=%s aside=%s/%s why=%s next=%s", path, path, name,
                  "the process crashed twice within a minute of opening it",
                  "the cache starts empty; examine what was moved aside, or delete it: rm -r");
    } else {
        remove_aside(dir, name);
        log_error("store_moved_aside", "dir=%s aside= why=%s next=%s", path,
                  "the process crashed twice within a minute of opening it",
                  "the cache starts empty; there was no room to keep what was there");
    }
}

/* ---- the marks ---- */

static int open_marks(int dir)
{
    return openat(dir, MARKS_FILE, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

static uint64_t count_marks(int file)
{
    struct stat status;

    return file >= 0 && fstat(file, &status) == 0 ? (uint64_t)status.st_size : 0;
}

static void clear(int file)
{
    if (ftruncate(file, 0) != 0) {
        log_warn("store_marks_stay", "err=%s", strerror(errno));
    }
}

/* -1: the file could not be opened, or there is no free mark; then nothing is counted. */
static int take_mark(int file, bool outlived)
{
    for (int i = 0; file > 0 && i < MARKS_MAX; i++) {
        int none = 0;
        if (atomic_compare_exchange_strong(&marks[i].file, &none, file)) {
            atomic_store(&marks[i].opened_ms, now_ms());
            atomic_store(&marks[i].outlived, outlived);
            return i;
        }
    }
    return -1;
}

int crashes_open(const char *path, int dir, uint64_t size)
{
    int file = open_marks(dir);
    uint64_t count = count_marks(file);

    if (count >= CRASHES_BEAR) {
        close(file);
        move_aside(path, dir, size);
        file = open_marks(dir);
        count = 0;
    } else if (count) {
        log_warn("store_crashed", "dir=%s what=%s", path,
                 "the last run crashed within a minute of opening it; once more, and it is moved "
                 "aside");
    }
    int mark = take_mark(file, count == 0);
    if (mark < 0 && file >= 0) {
        close(file);
    }
    return mark;
}

uint64_t crashes_due(int mark)
{
    bool counts = mark >= 0 && !atomic_load_explicit(&marks[mark].outlived, memory_order_relaxed);

    return counts ? atomic_load(&marks[mark].opened_ms) + MINUTE_MS : UINT64_MAX;
}

void crashes_outlived(int mark)
{
    if (crashes_due(mark) <= now_ms()) {
        atomic_store(&marks[mark].outlived, true);
        clear(atomic_load(&marks[mark].file));
    }
}

void crashes_close(int mark)
{
    if (mark >= 0) {
        int file = atomic_exchange(&marks[mark].file, 0);
        clear(file);
        close(file);
    }
}
