#include "dnsredir/steering/load.h"

#include "base/check.h"
#include "base/err.h"

/* A limit is missed by this much before a replica comes back. */
#define ROOM 0.9
/* Limits of one step: least and largest rise of a level, and the factor by which it may fall. */
#define STEP_LEAST 0.02
#define STEP_UP 0.1
#define STEP_DOWN 0.5
/* The weight of the newest report in a smoothed rate. */
#define SMOOTH 0.5
/* Level of a replica that has just come back, so that its load can be measured at all. */
#define RAMP_FIRST 0.1
/* No machine serves more than this per second, or at once. A replica that reported more would raise
 * the fair share of all others so far that none of them was ever too full. */
#define REQUESTS_MAX 1e9
#define BYTES_MAX 1e14
#define CONNECTIONS_MAX (UINT64_C(1) << 32)

const char *const load_measure_words[] = {
    [LOAD_REQUESTS] = "requests", [LOAD_BYTES] = "bytes", [LOAD_CONNECTIONS] = "connections", NULL};

int load_report_parse(struct span text, struct load_report *out)
{
    *out = (struct load_report){0};
    if (text.len == 0) {
        return ERR_SYNTAX;
    }
    while (text.len) {
        struct span value = span_trim(span_cut(&text, ','));
        struct span name = span_cut(&value, '=');
        uint64_t number;
        if (!span_to_u64(value, UINT64_MAX, &number)) {
            return ERR_SYNTAX;
        }
        if (span_eq(name, SPAN("requests"))) {
            out->requests = number;
        } else if (span_eq(name, SPAN("bytes"))) {
            out->bytes = number;
        } else if (span_eq(name, SPAN("connections"))) {
            if (number > CONNECTIONS_MAX) {
                return ERR_SYNTAX;
            }
            out->connections = number;
        } else if (span_eq(name, SPAN("draining"))) {
            out->draining = number != 0;
        } else if (span_eq(name, SPAN("overload"))) {
            out->overload = number != 0;
        }
    }
    return 0;
}

static double smoothed(const struct load_meter *meter, double was, double now)
{
    return meter->known ? was + SMOOTH * (now - was) : now;
}

/* Can the difference of two successive reports be used? Totals that fell are those of a new
 * process, and totals that leapt are wrong. */
static bool is_continued(const struct load_report *last, const struct load_report *report,
                         double seconds)
{
    return report->requests >= last->requests && report->bytes >= last->bytes &&
           (double)(report->requests - last->requests) <= REQUESTS_MAX * seconds &&
           (double)(report->bytes - last->bytes) <= BYTES_MAX * seconds;
}

void load_meter_note(struct load_meter *meter, const struct load_report *report, uint64_t now)
{
    if (meter->has_last && now <= meter->last_ms) {
        return;
    }
    double seconds = (double)(now - meter->last_ms) / 1000;
    if (meter->has_last && is_continued(&meter->last, report, seconds)) {
        double requests = (double)(report->requests - meter->last.requests) / seconds;
        double bytes = (double)(report->bytes - meter->last.bytes) / seconds;
        meter->requests = smoothed(meter, meter->requests, requests);
        meter->bytes = smoothed(meter, meter->bytes, bytes);
        meter->known = true;
    }
    meter->has_last = true;
    meter->last_ms = now;
    meter->last = *report;
}

void load_meter_forget(struct load_meter *meter)
{
    *meter = (struct load_meter){0};
}

double load_meter_read(const struct load_meter *meter, enum load_measure measure)
{
    switch (measure) {
    case LOAD_REQUESTS:
        return meter->requests;
    case LOAD_BYTES:
        return meter->bytes;
    case LOAD_CONNECTIONS:
        return (double)meter->last.connections;
    }
    UNREACHABLE();
}

static bool counts(const struct load_state *state)
{
    return state->open && state->known && !state->overload && state->capacity > 0;
}

/* The load of all, and their capacity. */
static void add_up(const struct load_state *states, size_t count, double *load, double *capacity)
{
    *load = *capacity = 0;
    for (size_t i = 0; i < count; i++) {
        if (counts(&states[i])) {
            *load += states[i].load;
            *capacity += states[i].capacity;
        }
    }
}

void load_fair(const struct load_state *states, size_t count, double *fair)
{
    double load, capacity;

    add_up(states, count, &load, &capacity);
    for (size_t i = 0; i < count; i++) {
        fair[i] = counts(&states[i]) ? load * states[i].capacity / capacity : 0;
    }
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* `over`: the load in parts of the limit, above 1. Of what it takes from others twice as much goes
 * as would if it were all it has: the rest, its own, is not known. */
static double lowered(double level, double over)
{
    if (level > 1) {
        level = 1 + (level - 1) * clamp(1 - 2 * (over - 1), STEP_DOWN, 0.98);
        return level < 1 + STEP_LEAST ? 1 : level;
    }
    return level * clamp(1 / over, STEP_DOWN, 0.98);
}

/* `room`: the part of the limit that is free. Half of it is used, if demand follows the level. */
static double raised(double level, double room)
{
    double part = level > 1 ? level - 1 : level;

    return clamp(level + clamp(part * room / 2, STEP_LEAST, STEP_UP), 0, LOAD_LEVEL_MAX);
}

/* The load that a replica may have while all together have this fraction of their capacity. */
static double limit_of(const struct load_state *state, const struct load_rules *rules, double part)
{
    double share = rules->spill * part;

    return state->capacity * (share > rules->easy ? share : rules->easy);
}

void load_step(struct load_state *states, size_t count, const struct load_rules *rules)
{
    double load, capacity;

    add_up(states, count, &load, &capacity);
    for (size_t i = 0; i < count; i++) {
        struct load_state *state = &states[i];
        double limit = counts(state) ? limit_of(state, rules, load / capacity) : 0;
        bool matters = counts(state) && load > 0 && load >= rules->least;
        if (state->open && state->overload) {
            state->level = lowered(state->level, 1.25);
        } else if (matters && state->load > limit) {
            state->level = lowered(state->level, state->load / limit);
        } else if (!matters) {
            state->level = clamp(state->level + STEP_UP, 0, LOAD_LEVEL_MAX);
        } else if (state->load < ROOM * limit) {
            state->level = raised(state->level, 1 - state->load / limit);
        }
    }
}

double load_ramp(double level, uint64_t since, uint64_t ramp)
{
    if (since >= ramp) {
        return level;
    }
    double most = clamp((double)since / (double)ramp, RAMP_FIRST, 1);
    return level < most ? level : most;
}

void load_put_level(struct standing *standing, unsigned replica, double level)
{
    if (level >= LOAD_LEVEL_MAX) {
        return;
    }
    replica_set_put(&standing->throttled, replica, true);
    standing->any_throttled = true;
    standing->keep[replica] = (uint32_t)(clamp(level, 0, 1) * STANDING_ALL);
    standing->take[replica] = (uint32_t)(clamp(level - 1, 0, 1) * STANDING_ALL);
}
