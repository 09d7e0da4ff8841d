/*
 * server_parts - the inside of the server, for the files it is made of: server.c (its life, what
 * the workers answer from), server_reload.c (settings anew), server_pages.c (the admin's pages).
 * All of it belongs to the control loop.
 */
#ifndef LARDER_DNSREDIR_SERVER_PARTS_H
#define LARDER_DNSREDIR_SERVER_PARTS_H

#include "base/takeover.h"
#include "dnsredir/admin/admin.h"
#include "dnsredir/admin/config.h"
#include "dnsredir/health/measure.h"
#include "dnsredir/health/roster.h"
#include "dnsredir/resolver/resolver.h"
#include "dnsredir/server.h"
#include "dnsredir/server_sign.h"
#include "dnsredir/server_state.h"
#include "dnsredir/worker_pool.h"

struct server {
    uv_loop_t loop;
    int argc;
    char **argv;
    bool watchdog;              /* the service manager expects a sign of life from all loops */
    struct settings *settings;  /* of the current snapshot */
    unsigned *settings_holders; /* references to them (settings_release()) */
    size_t settings_held;       /* how many settings are in memory: these, and older ones */
    struct server_sign signing;
    struct publish *publish;
    struct probes *probes;
    struct roster *roster;
    struct measure *measure;
    struct standing standing; /* of the current snapshot */
    uv_timer_t load, drain;
    struct sip_key cookie_key; /* used where the settings have none */
    struct worker_pool *workers;
    struct server_state state;
    struct admin *admin;
    struct takeover *takeover; /* NULL: no newer process can take over */
    struct querylog *log;
    struct resolver *resolver; /* NULL until settings want one */
    uv_timer_t collect;
    uv_signal_t signals[4];

    uv_work_t work; /* a reload; while it runs, what is loaded belongs to its thread */
    bool reloading, reload_again, stopping;
    struct settings *loaded;
    struct signatures *loaded_signatures, *loaded_from;
    struct buf errors;

    struct config_report reports; /* what became of reloads */
};

/* Publishes a new snapshot: workers answer from the present settings and health from now on. `arg`
 * is the server, because its parts call this when something has changed. */
void server_publish(void *arg);
/* Takes over settings and signatures: starts new probes, which go on with what the old ones knew,
 * and publishes a new snapshot. */
void server_adopt(struct server *s, struct settings *settings, struct signatures *signatures);

/* Loads the settings anew, on a thread of the pool, and takes them over if they are valid. If a
 * reload is running another one follows it. */
void server_reload(struct server *s);

extern const struct admin_pages server_pages; /* their argument is the server */

#endif
