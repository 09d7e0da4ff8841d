/*
 * health - is a replica up? The judgement has hysteresis and is pure; the probes run on the control
 * loop, to which everything here belongs.
 */
#ifndef LARDER_DNSREDIR_HEALTH_HEALTH_H
#define LARDER_DNSREDIR_HEALTH_HEALTH_H

#include "dnsredir/config/directives.h"
#include "dnsredir/steering/load.h"
#include "dnsredir/steering/rttreport.h"

#include <uv.h>

/* ---- the judgement: pure; times in ms ---- */

struct health {
    bool known; /* probed at least once; before that it counts as up */
    bool up;
    uint32_t streak; /* probes in a row that said otherwise than `up` */
};

#define HEALTH_INIT ((struct health){.up = true})

/* Notes the result of a probe. Returns whether `up` has changed. The first probe decides alone;
 * later on it takes `rise` good or `fall` bad ones in a row. */
bool health_note(struct health *health, bool good, uint64_t rise, uint64_t fall);

/* The largest timeout of a probe with which a replica that dies right after a good probe is out
 * within two intervals: one until the next probe, and three quarters of another for `fall` probes
 * that each take their whole timeout; the rest is for a busy machine. 0: there is none. */
uint64_t health_timeout_max(uint64_t interval, uint64_t fall);

/* The time from the beginning of one probe to that of the next, which is shorter while a streak
 * runs. `timeout` is at most health_timeout_max(). */
uint64_t health_pause(const struct health *health, uint64_t interval, uint64_t timeout,
                      uint64_t fall);

/* ---- the probes ---- */

struct probes;

/* Starts to probe every replica of `settings` that has an address for it, spread over the interval.
 * Replicas that `was` (may be NULL) has under the same name and address go on with what is known of
 * them. `settings` must live until probes_close(). `on_change` is called from the loop, never
 * inside probes_new(), when a replica goes up or down, or begins or ends to drain. */
struct probes *probes_new(uv_loop_t *loop, const struct settings *settings,
                          const struct probes *was, void (*on_change)(void *arg), void *arg);
/* From now on asks the replicas for round-trip times, too, every nearest.measured.interval, between
 * two probes and on the same connections. on_rtt is called with each time that a replica reports.
 * `anew`: they are asked for everything they know, instead of what is new since the last time. */
void probes_measure(struct probes *probes,
                    void (*on_rtt)(void *arg, size_t replica, const struct rtt_line *line),
                    void *arg, bool anew);
/* Ends the probes. Their memory is freed by the next turns of the loop. Accepts NULL; sets *probes
 * to NULL. */
void probes_close(struct probes **probes);

/* The state of one replica, and the reason. */
struct probe_report {
    bool probed; /* it has an address for probes */
    struct health health;
    const char *fault; /* static text; NULL: the last probe was good */
    uint64_t since_ms; /* when it went up or down, by the loop's clock; 0: it never did */
    bool returned;     /* it is up and was down before */
    bool has_load;     /* `load` is from the last good probe */
    struct load_report load;
    struct load_meter meter;
    uint64_t connections;  /* opened to it */
    const char *rtt_fault; /* static text; NULL: the last report was good, or none was asked for */
    uint64_t rtt_reports;
};
struct probe_report probes_report(const struct probes *probes, size_t replica);

#endif
