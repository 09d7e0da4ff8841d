#include "dnsredir/directives_measured.h"

#define FIELD(member) CONF_FIELD(struct settings, measured.member)

static void check_measured(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct settings *s = bound;

    s->measured.share = (uint32_t)(s->measured.explore * STANDING_ALL / 100);
}

/* clang-format off */
static const struct conf_directive directives[] = {
    {"enabled", CONF_BOOL, FIELD(enabled), "no", NULL, NULL, CONF_RELOAD,
     "Ask the replicas' admin URLs for /rtt, and rank by what they have measured."},
    {"interval", CONF_MSEC, FIELD(interval), "10s", "100ms", "1h", CONF_RELOAD,
     "Between two questions to a replica; they follow a probe, so not more often than these."},
    {"period", CONF_MSEC, FIELD(period), "5s", "100ms", "1h", CONF_RELOAD,
     "Between two new maps, at least, while measurements change."},
    {"samples", CONF_INT, FIELD(samples), "3", "1", "1000", CONF_RELOAD,
     "Connections from a network that a replica must have seen before its time counts."},
    {"max-age", CONF_SEC, FIELD(max_age), "1d", "1min", "30d", CONF_RELOAD,
     "What was measured longer ago is forgotten; after half of it, it is measured again."},
    {"explore", CONF_PERCENT, FIELD(explore), "5%", "0", "50%", CONF_RELOAD,
     "Answers, of networks with measurements, that are for a replica that may be nearer but has not "
     "been measured from there lately."},
    {"networks", CONF_INT, FIELD(networks), "50000", "8", "2000000", CONF_RELOAD,
     "Networks (IPv4 /24, IPv6 /48) that are remembered, of some 450 bytes each."},
    {0},
};
const struct conf_table measured_table = {
    .rows = directives, .shorthand = "enabled", .finish = check_measured};
/* clang-format on */
