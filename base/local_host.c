#include "base/local_host.h"

#include "base/prefix.h"

#include <limits.h>
#include <unistd.h>

bool local_host_is(struct span host)
{
    char machine[HOST_NAME_MAX + 1] = "";
    struct ip ip;

    gethostname(machine, HOST_NAME_MAX);
    return ip_parse(host, &ip) == 0 || span_ieq(host, SPAN("localhost")) ||
           (machine[0] && span_ieq(host, span_str(machine)));
}
