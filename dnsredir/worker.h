/*
 * worker - what the listeners of one event loop share. It belongs to that loop's thread, but for
 * what is published, which is immutable.
 */
#ifndef LARDER_DNSREDIR_WORKER_H
#define LARDER_DNSREDIR_WORKER_H

#include "dnsredir/config/directives.h"
#include "dnsredir/counters.h"
#include "dnsredir/publish.h"
#include "dnsredir/querylog.h"

#include <uv.h>

struct inbox;
struct resolver;
struct update_intake;

/* Everything that answers are made from, as it is at one moment. It is published to the workers,
 * and replaced whole. */
struct snapshot {
    struct view view;
    struct standing standing;
    struct identity identity;
    uint16_t slots[REPLICAS_MAX];    /* the slot of each replica's counters */
    struct signatures *signatures;   /* counted by the control thread, or NULL */
    struct measured *measured;       /* counted by the control thread, or NULL */
    struct dynamic_records *dynamic; /* counted by the control thread */
    struct resolver *resolver;       /* NULL: none; lives as long as the workers */
    struct settings *settings;       /* kept alive by the control thread's count of snapshots */
    unsigned *settings_holders;
};

struct worker {
    uv_loop_t loop;
    struct publish *publish;
    size_t number;      /* also its number as a reader of `publish` */
    uint32_t turn;      /* queries answered, for rotation */
    size_t connections; /* how many TCP connections it may have */
    size_t udp_sockets;
    /* How many things the loop waits for beside UDP queries: TCP connections, and answers that
     * other threads make. */
    size_t others;
    struct limiter *limiter;
    struct signer *signer;
    struct update_intake *intake; /* NULL: updates are not implemented */
    struct querylog *log;         /* NULL: none. The worker has ring `number` */
    struct inbox *inbox;          /* for answers of the resolver */
    struct deferral deferral;
    struct counters counters;
};

/* Is the endpoint for IPv6 alone? "[::]:53" is, ":53" and "53" are for both families. */
static inline bool endpoint_v6only(const struct endpoint *endpoint)
{
    return endpoint->address.ss_family == AF_INET6 && endpoint->text[0] == '[';
}

/* Turns a counter into a number whose bits all vary. Clients send queries for A and AAAA in pairs:
 * with turns that count up, one of each pair would see only odd numbers. */
static inline uint32_t scatter(uint32_t turn)
{
    turn = (turn ^ turn >> 16) * UINT32_C(0x85ebca6b);
    turn = (turn ^ turn >> 13) * UINT32_C(0xc2b2ae35);
    return turn ^ turn >> 16;
}

/* Counts and logs one answer of `len` bytes. To be called inside publish_enter(). */
static inline void worker_note(struct worker *worker, const struct snapshot *snapshot,
                               const struct client *client, struct span packet,
                               const struct answer_note *note, size_t len)
{
    counters_note(&worker->counters, note, len);
    for (unsigned i = 0; note->policy && i < note->picked; i++) {
        metric_add(&worker->counters.replicas[snapshot->slots[note->ids[i]]], 1);
    }
    if (worker->log && (client->turn >> 7) % snapshot->settings->log.sample == 0 &&
        !querylog_put(worker->log, worker->number, client, note, packet, len)) {
        metric_add(&worker->counters.log_dropped, 1);
    }
}

#endif
