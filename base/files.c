#include "base/files.h"

#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/resource.h>

enum {
    KEPT_BACK = 32, /* for logs, listeners, DNS and the admin listener */
    FOR_WORKER = 8, /* for each worker: its loop and its wake-ups */
    /* for each folder of the store: 128 segments, and files being opened or replaced */
    FOR_FOLDER = 160,
    ORIGINS_SHARE = 8, /* one in so many connections is kept for origins */
};

/* written before other threads start */
static uint64_t most_clients = UINT64_MAX, most = UINT64_MAX;
static _Atomic uint64_t taken;

uint64_t files_connections(uint64_t files, uint64_t workers, uint64_t folders)
{
    uint64_t kept = KEPT_BACK + FOR_WORKER * workers + FOR_FOLDER * folders;

    return files - (kept < files / 2 ? kept : files / 2);
}

uint64_t files_clients(uint64_t connections)
{
    uint64_t clients = connections - connections / ORIGINS_SHARE;

    return clients ? clients : 1;
}

uint64_t files_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        log_warn("files_limit_unknown", "err=%s", err_text(-errno));
        return UINT64_MAX;
    }
    rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (soft != limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        log_warn("files_limit_kept", "limit=%llu err=%s", (unsigned long long)soft,
                 err_text(-errno));
        return soft;
    }
    return limit.rlim_max;
}

uint64_t files_raise(uint64_t workers, uint64_t folders)
{
    uint64_t files = files_raise_limit();

    most = files_connections(files, workers, folders);
    most_clients = files_clients(most);
    return files;
}

uint64_t files_most_clients(void)
{
    return most_clients;
}

void files_take(void)
{
    atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed);
}

void files_give(void)
{
    atomic_fetch_sub_explicit(&taken, 1, memory_order_relaxed);
}

bool files_run_short(void)
{
    return atomic_load_explicit(&taken, memory_order_relaxed) > most_clients;
}

bool files_are_out(void)
{
    return atomic_load_explicit(&taken, memory_order_relaxed) >= most;
}
