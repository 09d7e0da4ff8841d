/*
 * status - what the admin listener shows: /metrics, /status, /healthz.
 */
#ifndef LARDER_DNSREDIR_ADMIN_STATUS_H
#define LARDER_DNSREDIR_ADMIN_STATUS_H

#include "dnsredir/counters.h"
#include "dnsredir/health/measure.h"
#include "dnsredir/health/roster.h"
#include "dnsredir/publish.h"
#include "dnsredir/resolver/resolver.h"
#include "dnsredir/state/updater.h"

struct status {
    const struct settings *settings;
    struct span refusal; /* the first error of the last reload; empty: it was not refused */
    const struct probes *probes;
    const struct roster *roster;
    const struct roster_report *replicas;  /* what the roster reports of each replica */
    const struct resolver *resolver;       /* NULL: none */
    const struct standing *standing;       /* by which workers choose */
    const struct dynamic_records *dynamic; /* NULL: no state */
    const struct updater *updater;         /* likewise */
    struct publish_report snapshots;       /* those that were replaced, and are still held */
    size_t settings_held; /* how many settings are in memory: the current ones, and older ones */
    const struct signatures *signatures; /* NULL: no zone is signed */
    uint64_t now;                        /* the loop's time, ms */
    const void *const *counters;         /* the struct counters of every worker */
    struct measure_report measured;
    size_t counter_count;
};

/* Writes the page at `path` to `out`. Returns its media type, admin_refused (admin.h), or NULL:
 * there is no such page. */
const char *status_page(const struct status *status, struct span path, struct span query,
                        struct buf *out);

/* The state of a replica: "up", "down" and so on; *reason is static text, or NULL. */
const char *status_state(const struct status *status, size_t replica, const char **reason);

#endif
