#include "dnsredir/directives_health.h"

#include "dnsredir/health.h"

#include <inttypes.h>

#define FIELD(member) CONF_FIELD(struct settings, member)

static void check_health(void *bound, struct arena *arena, const struct conf_at *at)
{
    const struct settings *s = bound;
    uint64_t most = health_timeout_max(s->health.interval, s->health.fall);

    if (s->health.timeout > most) {
        conf_complain(at, "timeout", 0,
                      "%" PRIu64 "ms is too long: a dead replica would stay for more than two "
                      "intervals; expected at most %" PRIu64
                      "ms (3/4 of interval, divided by fall)",
                      s->health.timeout, most);
    }
    if (s->health.path[0] != '/' || strchr(s->health.path, ' ')) {
        conf_complain(at, "path", 0, "not a path; expected such as /readyz");
    }
}

/* clang-format off */
static const struct conf_directive health_directives[] = {
    {"interval", CONF_MSEC, FIELD(health.interval), "2s", "50ms", "1h", CONF_RELOAD,
     "Between two probes of a replica."},
    {"timeout", CONF_MSEC, FIELD(health.timeout), "500ms", "10ms", "1min", CONF_RELOAD,
     "A probe without an answer by then has failed. At most 3/4 of interval, divided by fall."},
    {"rise", CONF_INT, FIELD(health.rise), "2", "1", "100", CONF_RELOAD,
     "Good probes in a row that bring a replica back."},
    {"fall", CONF_INT, FIELD(health.fall), "2", "1", "100", CONF_RELOAD,
     "Failed probes in a row that take it out; after the first, the next follow faster."},
    {"path", CONF_STRING, FIELD(health.path), "/readyz", "1", "255", CONF_RELOAD,
     "What is asked for by GET; a status of 200 to 299 is good."},
    {0},
};
const struct conf_table health_table = {
    .rows = health_directives, .finish = check_health};

static const struct conf_directive load_directives[] = {
    {"measure", CONF_ENUM(load_measure_words), FIELD(load.measure), "requests", NULL, NULL,
     CONF_RELOAD, "What is shared by capacity: requests or bytes a second, or connections."},
    {"spill", CONF_PERCENT, FIELD(load.spill), "125%", "101%", "1000%", CONF_RELOAD,
     "Of its fair share: a replica with more gives clients to the next nearest."},
    {"easy", CONF_PERCENT, FIELD(load.easy), "0%", "0%", "100%", CONF_RELOAD,
     "Of its capacity, where that is in the unit of measure: a replica with less gives nobody away."},
    {"least", CONF_INT, FIELD(load.least), "100", NULL, NULL, CONF_RELOAD,
     "While all have less than this together, nothing spills."},
    {"period", CONF_MSEC, FIELD(load.period), "30s", "100ms", "1h", CONF_RELOAD,
     "Between two steps; not less than the ttl of names, or steps outrun their effect."},
    {"ramp", CONF_MSEC, FIELD(load.ramp), "30s", "0", "1h", CONF_RELOAD,
     "How long a replica that comes back takes to get all its clients again."},
    {"leaf-v4", CONF_INT, FIELD(load.leaf_v4), "16", "0", "32", CONF_RELOAD,
     "Clients with so many equal bits spill together; scopes are at least so long. Once any replica has a capacity."},
    {"leaf-v6", CONF_INT, FIELD(load.leaf_v6), "32", "0", "128", CONF_RELOAD,
     "The same for IPv6."},
    {0},
};
const struct conf_table load_table = {.rows = load_directives};
/* clang-format on */
