#include "dnsredir/config/directives_health.h"

#include "dnsredir/health/health.h"

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
        conf_complain(at, "path", 0, "not a path; expected one such as /readyz");
    }
}

/* clang-format off */
static const struct conf_directive health_directives[] = {
    {"interval", CONF_MSEC, FIELD(health.interval), "2s", "50ms", "1h", CONF_RELOAD,
     "Time between two probes of a replica."},
    {"timeout", CONF_MSEC, FIELD(health.timeout), "500ms", "10ms", "1min", CONF_RELOAD,
     "A probe without an answer by then has failed. At most 3/4 of interval, divided by fall."},
    {"rise", CONF_INT, FIELD(health.rise), "2", "1", "100", CONF_RELOAD,
     "Successful probes in a row that bring a replica back."},
    {"fall", CONF_INT, FIELD(health.fall), "2", "1", "100", CONF_RELOAD,
     "Failed probes in a row that take a replica out; after the first, probes follow faster."},
    {"path", CONF_STRING, FIELD(health.path), "/readyz", "1", "255", CONF_RELOAD,
     "Path requested with GET; a status of 200 to 299 is success."},
    {0},
};
const struct conf_table health_table = {
    .rows = health_directives, .finish = check_health};

static const struct conf_directive load_directives[] = {
    {"measure", CONF_ENUM(load_measure_words), FIELD(load.measure), "requests", NULL, NULL,
     CONF_RELOAD, "What is balanced by capacity: requests or bytes per second, or connections."},
    {"spill", CONF_PERCENT, FIELD(load.spill), "125%", "101%", "1000%", CONF_RELOAD,
     "A replica above this much of its fair share passes clients on to the next nearest."},
    {"easy", CONF_PERCENT, FIELD(load.easy), "0%", "0%", "100%", CONF_RELOAD,
     "A replica below this much of its capacity passes nobody on; capacity must be in the "
     "unit of measure."},
    {"least", CONF_INT, FIELD(load.least), "100", NULL, NULL, CONF_RELOAD,
     "Nobody is passed on while the load of all replicas together is below this."},
    {"period", CONF_MSEC, FIELD(load.period), "30s", "100ms", "1h", CONF_RELOAD,
     "Time between two adjustments; at least the TTL of the names, or they outrun their "
     "effect."},
    {"ramp", CONF_MSEC, FIELD(load.ramp), "30s", "0", "1h", CONF_RELOAD,
     "How long a replica that comes back takes to get all its clients."},
    {"leaf", CONF_LENGTHS, FIELD(load.leaf), "16/32", NULL, NULL, CONF_RELOAD,
     "Prefix lengths of client networks that are passed on together, and the shortest ECS "
     "scopes, if any replica has a capacity."},
    {0},
};
const struct conf_table load_table = {.rows = load_directives};
/* clang-format on */
