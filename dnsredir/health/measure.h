/*
 * measure - keeps what replicas tell of round-trip times, and makes the map of it anew when it has
 * changed: from a copy, in a thread of its own, for workers to see with the next world. Belongs to
 * the control loop.
 */
#ifndef LARDER_DNSREDIR_HEALTH_MEASURE_H
#define LARDER_DNSREDIR_HEALTH_MEASURE_H

#include "dnsredir/health/health.h"
#include "dnsredir/health/roster.h"
#include "dnsredir/worker.h"

struct measure;

/* `on_change` is called when there is a new map, from the loop. */
struct measure *measure_new(uv_loop_t *loop, void (*on_change)(void *arg), void *arg);
/* Once. Starts nothing any more. A map that is being made is finished first; then measure_free().
 */
void measure_stop(struct measure *measure);
/* After the loop has ended. Accepts NULL; sets *measure to NULL. */
void measure_free(struct measure **measure);

/* From now on these are the settings, counted by *worlds (see struct world), and `probes` asks for
 * round trips if they want it. What was measured stays, of replicas whose name and admin URL do;
 * the map does not. */
void measure_adopt(struct measure *measure, struct settings *settings, unsigned *worlds,
                   const struct roster *roster, struct probes *probes);
/* The map of now, for one more world: given back with measure_leave(). NULL: there is none. */
struct measured *measure_join(struct measure *measure);
void measure_leave(struct measured **map); /* accepts NULL; sets *map to NULL */

/* For people. */
struct measure_report {
    bool enabled;
    size_t networks; /* of which anything is known */
    uint64_t lines;  /* taken in all */
    uint64_t maps;   /* made in all */
    uint64_t map_ms; /* the last one took so long */
    size_t mapped;   /* networks in the map, and */
    size_t moved;    /* those where distance chose another replica */
    size_t rankings;
    size_t bytes; /* of the map and the table */
};
struct measure_report measure_report(const struct measure *measure);

#endif
