#include "proxy/files.h"

#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <sys/resource.h>

enum {
    KEPT_BACK = 32, /* store, logs, listeners, DNS, the administrator */
    FOR_ONE_CLIENT = 2,
};

uint64_t files_raise(void)
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

size_t files_clients(uint64_t files, uint64_t workers)
{
    uint64_t free_files = files > KEPT_BACK ? files - KEPT_BACK : 0;
    uint64_t clients = free_files / FOR_ONE_CLIENT / (workers ? workers : 1);

    return clients ? (size_t)clients : 1;
}
