/*
 * worker - what the listeners of one event loop share. Everything belongs to that loop's thread
 * but what the publisher points at, which is immutable.
 */
#ifndef LARDER_DNSREDIR_WORKER_H
#define LARDER_DNSREDIR_WORKER_H

#include "dnsredir/counters.h"
#include "dnsredir/directives.h"
#include "dnsredir/publish.h"

#include <uv.h>

/* What is published: settings, and the health of the moment. */
struct world {
    struct view view;
    struct replica_set up;
    struct settings *settings; /* kept alive by the control thread's count of worlds */
    unsigned *settings_worlds;
};

struct worker {
    uv_loop_t loop;
    struct publish *publish;
    size_t number; /* as a reader */
    uint32_t turn; /* queries answered, for rotation */
    struct counters counters;
};

/* Answers one packet, counted. 0: no answer is due. Inside publish_enter(). */
static inline size_t worker_answer(struct worker *worker, const struct world *world,
                                   struct asker *asker, struct span packet, void *room)
{
    struct answer_note note;

    asker->turn = worker->turn++;
    size_t len = answer(&world->view, asker, packet, room, &note);
    counters_note(&worker->counters, &note, len);
    return len;
}

#endif
