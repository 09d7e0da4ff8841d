/*
 * measure - keeps the round-trip times that replicas report, and rebuilds the map of them when they
 * have changed. The map is made from a copy, in a thread of the pool, and workers see it with the
 * next snapshot. Belongs to the control loop.
 */
#ifndef LARDER_DNSREDIR_HEALTH_MEASURE_H
#define LARDER_DNSREDIR_HEALTH_MEASURE_H

#include "dnsredir/health/health.h"
#include "dnsredir/health/roster.h"
#include "dnsredir/worker.h"

struct measure;

/* `on_change` is called from the loop when there is a new map. */
struct measure *measure_new(uv_loop_t *loop, void (*on_change)(void *arg), void *arg);
/* Starts no new map; one that is being made is finished. To be called once, before measure_free().
 */
void measure_stop(struct measure *measure);
/* To be called after the loop has ended. Accepts NULL; sets *measure to NULL. */
void measure_free(struct measure **measure);

/* Takes over new settings, of which *holders counts the references (settings_release()); `probes`
 * asks for round trips if the settings want it. What was measured stays for the replicas that keep
 * their name and admin URL; the map is dropped. */
void measure_adopt(struct measure *measure, struct settings *settings, unsigned *holders,
                   const struct roster *roster, struct probes *probes);
/* The current map, for one more snapshot; to be given back with measure_leave(). NULL: there is
 * none. */
struct measured *measure_join(struct measure *measure);
void measure_leave(struct measured **map); /* accepts NULL; sets *map to NULL */

/* What is shown to operators. */
struct measure_report {
    bool enabled;
    size_t networks; /* networks of which anything is known */
    uint64_t lines;  /* lines of reports, since the start */
    uint64_t maps;   /* maps made since the start */
    uint64_t map_ms; /* how long the last one took, in ms */
    size_t mapped;   /* networks in the map, and */
    size_t moved;    /* those where distance chose another replica */
    size_t rankings;
    size_t bytes; /* of the map and the table */
};
struct measure_report measure_report(const struct measure *measure);

#endif
