/*
 * askers - the clients of the resolver, and what each has open there: who has all that one may have
 * waits for nobody else's, and what is asked last is not refused for what nobody answers. Pure;
 * belongs to one thread.
 *
 * A question waits until its client has an answer, and is open until the recursor is through with
 * it. The oldest one that waits gives way to a new one once it had a fair time: names that nobody
 * answers are old soon, and all others are not.
 */
#ifndef LARDER_DNSREDIR_RESOLVER_ASKERS_H
#define LARDER_DNSREDIR_RESOLVER_ASKERS_H

#include "base/list.h"
#include "base/map.h"
#include "base/prefix.h"
#include "base/siphash.h"

/* So long nobody gives way: most names are resolved sooner. */
#define ASKERS_FAIR_MS 500

struct askers {
    struct map map;
    struct sip_key key;
};

/* What one client (IPv4 address or IPv6 /64) may have. */
struct askers_limits {
    uint64_t waiting;
    uint64_t open; /* those that wait included */
};

/* Of `outstanding` questions in all, `per_client` waiting ones: twice as many open, if some are
 * left for others then. */
struct askers_limits askers_limits(uint64_t outstanding, uint64_t per_client);

/* One question, embedded in whatever is more of it. Zeroed: it is nobody's. */
struct turn {
    struct list link;
    struct asking_client *client;
    uint64_t since_ms;
    bool waits;
};

void askers_init(struct askers *askers);
void askers_fini(struct askers *askers); /* all turns have left */

/* Counts a question that begins to wait. */
void askers_enter(struct askers *askers, const struct ip *ip, uint64_t now_ms, struct turn *turn);
/* May it, the last that entered, be asked? If so, and *instead is set, that one's client gets its
 * answer at once: call turn_answered(). */
bool turn_may(const struct turn *turn, const struct askers_limits *limits, uint64_t now_ms,
              struct turn **instead);
/* It waits no more, but is still open. Harmless when it did not wait. */
void turn_answered(struct turn *turn);
/* It is open no more. Harmless when it is nobody's. */
void askers_leave(struct askers *askers, struct turn *turn);

#endif
