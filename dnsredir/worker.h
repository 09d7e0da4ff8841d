/*
 * worker - what the listeners of one event loop share. Everything belongs to that loop's thread
 * but what the publisher points at, which is immutable.
 */
#ifndef LARDER_DNSREDIR_WORKER_H
#define LARDER_DNSREDIR_WORKER_H

#include "dnsredir/config/directives.h"
#include "dnsredir/counters.h"
#include "dnsredir/publish.h"
#include "dnsredir/querylog.h"
#include "dnsredir/state/update_intake.h"

#include <uv.h>

struct inbox;
struct resolver;

/* What is published: settings, and the standing of the moment. */
struct world {
    struct view view;
    struct standing standing;
    struct identity identity;
    uint16_t slots[REPLICAS_MAX];  /* of the counters, by replica */
    struct signatures *signatures; /* of the moment; counted */
    struct measured *measured;     /* counted by the control thread, or NULL */
    struct bound *bound;           /* counted by the control thread */
    struct resolver *resolver;     /* NULL: none; lives as long as the workers */
    struct settings *settings;     /* kept alive by the control thread's count of worlds */
    unsigned *settings_worlds;
};

struct worker {
    uv_loop_t loop;
    struct publish *publish;
    size_t number;      /* as a reader */
    uint32_t turn;      /* queries answered, for rotation */
    size_t connections; /* by TCP, at most */
    size_t udp_sockets;
    /* Who waits for something else than queries by UDP: TCP connections, and answers that are made
     * elsewhere. */
    size_t others;
    struct limiter *limiter;
    struct signer *signer;
    struct update_intake *intake; /* takes updates; NULL: they are not implemented */
    struct querylog *log;         /* NULL: none; ring `number` is ours */
    struct inbox *inbox;          /* of answers by the resolver */
    struct deferral deferral;
    struct counters counters;
};

/* "[::]:53" is IPv6 alone, beside a socket for IPv4; ":53" and "53" are both families. */
static inline bool endpoint_v6only(const struct endpoint *endpoint)
{
    return endpoint->address.ss_family == AF_INET6 && endpoint->text[0] == '[';
}

/* Clients send their queries for A and AAAA in pairs: with turns that count up, one of each pair
 * would see only the odd ones. Scattered, every kind of query sees all of them. */
static inline uint32_t scatter(uint32_t turn)
{
    turn = (turn ^ turn >> 16) * UINT32_C(0x85ebca6b);
    turn = (turn ^ turn >> 13) * UINT32_C(0xc2b2ae35);
    return turn ^ turn >> 16;
}

/* Counts and logs one answer of `len` bytes. Inside publish_enter(). */
static inline void worker_note(struct worker *worker, const struct world *world,
                               const struct asker *asker, struct span packet,
                               const struct answer_note *note, size_t len)
{
    counters_note(&worker->counters, note, len);
    for (unsigned i = 0; note->policy && i < note->picked; i++) {
        metric_add(&worker->counters.replicas[world->slots[note->ids[i]]], 1);
    }
    if (worker->log && (asker->turn >> 7) % world->settings->log.sample == 0 &&
        !querylog_put(worker->log, worker->number, asker, note, packet, len)) {
        metric_add(&worker->counters.log_dropped, 1);
    }
}

/* Answers one packet, counted. 0: no answer is due, or note->deferred: the caller hands it to the
 * resolver, or back->job brings one later. Inside publish_enter(). */
static inline size_t worker_answer(struct worker *worker, const struct world *world,
                                   struct asker *asker, struct span packet,
                                   struct reply_route *back, void *room, struct answer_note *note)
{
    asker->signer = worker->signer;
    asker->turn = scatter(worker->turn++);
    asker->deferral = world->resolver ? &worker->deferral : NULL;
    if (worker->intake && update_is(packet)) {
        note->deferred = false;
        return update_intake_take(worker->intake, world, asker, packet, back, room);
    }
    size_t len = answer(&world->view, asker, packet, room, note);
    if (note->deferred) {
        return 0;
    }
    worker_note(worker, world, asker, packet, note, len);
    return len;
}

#endif
