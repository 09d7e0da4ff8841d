/*
 * crew - the workers of the redirector, each with a loop and a thread of its own, from open sockets
 * to the end. Belongs to the main thread.
 */
#ifndef LARDER_DNSREDIR_CREW_H
#define LARDER_DNSREDIR_CREW_H

#include "dnsredir/worker.h"

struct crew;

/* What all of them share; it must outlive them. */
struct crew_order {
    const struct settings *settings;
    struct publish *publish;
    struct querylog *log;    /* may be NULL */
    struct updater *updater; /* NULL: nothing is updated */
};

/* All sockets are open before anybody answers. 0, or a negative errno after logging why: then those
 * that have begun are to be stopped all the same. *out is always made. */
int crew_open(const struct crew_order *order, struct crew **out);
/* Has every loop run since the last call? Then it asks them anew. Not after crew_stop(). */
bool crew_alive(struct crew *crew);
/* Tells them to take nothing new: what has been read is answered, connections go on until they are
 * idle. */
void crew_drain(struct crew *crew);
/* Tells them to end. Accepts NULL. */
void crew_stop(struct crew *crew);
/* Waits until their threads have ended. Accepts NULL. */
void crew_join(struct crew *crew);
/* After crew_join(). Accepts NULL; sets *crew to NULL. */
void crew_free(struct crew **crew);

size_t crew_size(const struct crew *crew);
const struct counters *crew_counters(const struct crew *crew, size_t number);

#endif
