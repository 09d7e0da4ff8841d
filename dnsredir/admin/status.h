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
    const struct probes *probes;
    const struct roster *roster;
    const struct resolver *resolver;     /* NULL: none */
    const struct standing *standing;     /* by which workers choose */
    const struct bound *bound;           /* NULL: no state */
    const struct updater *updater;       /* likewise */
    struct publish_report worlds;        /* that are replaced, and still held */
    size_t settings_held;                /* the current ones, and those of before */
    const struct signatures *signatures; /* NULL: no zone is signed */
    uint64_t now;                        /* the loop's, ms */
    const void *const *counters;         /* of every worker */
    struct measure_report measured;
    size_t counter_count;
};

/* Writes a page; its media type, admin_refused (admin.h), or NULL: no such page. */
const char *status_page(const struct status *status, struct span path, struct span query,
                        struct buf *out);

/* "up", "down", ..., and why (static text; NULL: there is nothing to say). */
const char *status_state(const struct status *status, size_t replica, const char **reason);

#endif
