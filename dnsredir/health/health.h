/*
 * health - is a replica up? Probes with hysteresis: the judgement is pure, the probes run on the
 * control loop, and everything here belongs to that thread.
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

/* Takes the result of a probe; whether `up` changed. The first one decides alone, later ones only
 * `rise` or `fall` in a row. */
bool health_note(struct health *health, bool good, uint64_t rise, uint64_t fall);

/* A replica that dies right after a good probe is out within two intervals: one until the next
 * probe, and three quarters of another for `fall` probes that each take their whole timeout. The
 * rest is for a busy machine. 0: no such settings; else the largest timeout that allows it. */
uint64_t health_timeout_max(uint64_t interval, uint64_t fall);

/* The time from the beginning of one probe to that of the next. While a streak is running they
 * come faster. `timeout` is at most health_timeout_max(). */
uint64_t health_pause(const struct health *health, uint64_t interval, uint64_t timeout,
                      uint64_t fall);

/* ---- the probes ---- */

struct probes;

/* Probes every replica of `settings` that has an address for it, spread over the interval; `was`
 * (may be NULL) tells what is known from before about replicas of the same name and address.
 * `settings` must live until probes_close(). `on_change` is called when a replica goes up or
 * down or says that it drains or no longer does, from the loop, never from inside probes_new(). */
struct probes *probes_new(uv_loop_t *loop, const struct settings *settings,
                          const struct probes *was, void (*on_change)(void *arg), void *arg);
/* From now on replicas are asked for round-trip times, too, by the same connections between two
 * probes, every nearest.measured.interval; on_rtt is called with each that one of them tells.
 * `anew`: for all they know, not only what they have learnt since they were asked last. */
void probes_measure(struct probes *probes,
                    void (*on_rtt)(void *arg, size_t replica, const struct rtt_line *line),
                    void *arg, bool anew);
/* Ends them; the memory goes with the loop's next turns. Accepts NULL; sets *probes to NULL. */
void probes_close(struct probes **probes);

/* The state of one replica, and why. */
struct probe_report {
    bool probed; /* it has an address for it */
    struct health health;
    const char *fault; /* static text; NULL: the last probe was good */
    uint64_t since_ms; /* when it went up or down, by the loop's clock; 0: it never did */
    bool returned;     /* it is up and was down before */
    bool has_load;     /* `load` is from the last good probe */
    struct load_report load;
    struct load_meter meter;
    uint64_t connections;  /* opened to it */
    const char *rtt_fault; /* static text; NULL: it tells its round trips, or was not asked */
    uint64_t rtt_reports;
};
struct probe_report probes_report(const struct probes *probes, size_t replica);

#endif
