#include "dnsredir/config/descriptors.h"

#include "base/check.h"

#include <sys/resource.h>

/* Descriptors beside those of connections, probes and listeners: loops, logs, files of a reload,
 * administrators. */
#define DESCRIPTORS_OWN 128
#define DESCRIPTORS_PER_WORKER 16
#define DESCRIPTORS_RESOLVER 300 /* two at work at a reload would be twice as many, for a while */

/* Takes as many descriptors as the system gives; returns how many these are. */
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
