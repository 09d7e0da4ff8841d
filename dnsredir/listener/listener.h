/*
 * listener - what UDP and TCP have in common: a packet comes in, and its answer goes out, now or
 * later. Belongs to the worker's thread.
 */
#ifndef LARDER_DNSREDIR_LISTENER_LISTENER_H
#define LARDER_DNSREDIR_LISTENER_LISTENER_H

#include "dnsredir/state/update_intake.h"
#include "dnsredir/worker.h"

/* Answers one packet that was read, and counts it. Returns the length of the answer in `room`; or
 * 0: no answer is due, or back->job brings it later, or note->deferred, and the caller hands the
 * query to the resolver. To be called inside publish_enter(). */
static inline size_t listener_answer(struct worker *worker, const struct snapshot *snapshot,
                                     struct client *client, const struct query_packet *read,
                                     struct reply_route *back, void *room, struct answer_note *note)
{
    struct span packet = read->packet;

    client->signer = worker->signer;
    client->turn = scatter(worker->turn++);
    client->deferral = snapshot->resolver ? &worker->deferral : NULL;
    if (worker->intake && update_is(packet)) {
        note->deferred = false;
        return update_intake_take(worker->intake, snapshot, client, packet, back, room);
    }
    size_t len = answer_read(&snapshot->view, client, read, room, note);
    if (note->deferred) {
        return 0;
    }
    worker_note(worker, snapshot, client, packet, note, len);
    return len;
}

#endif
