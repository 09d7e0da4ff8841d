#include "dnsredir/config/directives_measured.h"

#define FIELD(member) CONF_FIELD(struct settings, measured.member)

static void check_measured(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct settings *s = bound;

    s->measured.share = (uint32_t)(s->measured.explore * STANDING_ALL / 100);
}

/* clang-format off */
static const struct conf_directive directives[] = {
    {"enabled", CONF_BOOL, FIELD(enabled), "no", NULL, NULL, CONF_RELOAD,
     "Fetch /rtt from the replicas' admin URLs and rank by it."},
    {"interval", CONF_MSEC, FIELD(interval), "10s", "100ms", "1h", CONF_RELOAD,
     "Time between two fetches from a replica; they follow a health probe, so not more often "
     "than those. A new map is made at most twice in it."},
    {"max-age", CONF_SEC, FIELD(max_age), "1d", "1min", "30d", CONF_RELOAD,
     "Measurements older than this are dropped; at half of it they are renewed."},
    {"explore", CONF_PERCENT, FIELD(explore), "5%", "0", "50%", CONF_RELOAD,
     "Share of answers to measured networks that try a possibly nearer replica without a "
     "recent measurement."},
    {"networks", CONF_INT, FIELD(networks), "50000", "8", "2000000", CONF_RELOAD,
     "Networks (IPv4 /24, IPv6 /48) to remember, about 450 bytes each."},
    {0},
};
const struct conf_table measured_table = {
    .rows = directives, .shorthand = "enabled", .finish = check_measured};
/* clang-format on */
