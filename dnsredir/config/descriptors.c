#include "dnsredir/config/descriptors.h"

#include "base/check.h"

#include <sys/resource.h>

/* Descriptors besides connections, probes and listeners: for loops, logs, files read by a reload,
 * and admin connections. */
#define DESCRIPTORS_OWN 128
#define DESCRIPTORS_PER_WORKER 16
/* Descriptors of one resolver. During a reload there may be two for a while. */
#define DESCRIPTORS_RESOLVER 300

/* Raises the limit of open files as far as allowed, and returns it. */
static size_t raise_descriptor_limit(void)
{
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    return limit.rlim_cur;
}

size_t descriptors_for_connections(const struct settings *settings)
{
    size_t limit = raise_descriptor_limit();
    size_t kept = DESCRIPTORS_OWN + settings->replica_count +
                  settings->workers * (DESCRIPTORS_PER_WORKER + 2 * settings->listen_count);
    kept += settings->recursion ? DESCRIPTORS_RESOLVER : 0;
    size_t most = limit > kept ? (limit - kept) / settings->workers : 0;

    if (settings->tcp.connections <= most) {
        return settings->tcp.connections;
    }
    most = most ? most : 1;
    log_warn("connections_limited", "connections=%zu reason=%s", most, "RLIMIT_NOFILE is too low");
    return most;
}
