/*
 * askers - how many questions each client of the resolver has open, and whether it may ask one
 * more. A client that has all it may have keeps nobody else from asking, and new questions are not
 * refused because of old ones that nobody answers. Pure; belongs to one thread.
 *
 * A question waits until its client has an answer, and is open until the recursor has finished with
 * it. When a client asks too much, its oldest waiting question gives way to the new one, if it has
 * waited for ASKERS_FAIR_MS: questions that nobody answers soon are that old, all others are not.
 */
#ifndef LARDER_DNSREDIR_RESOLVER_ASKERS_H
#define LARDER_DNSREDIR_RESOLVER_ASKERS_H

#include "base/list.h"
#include "base/map.h"
#include "base/prefix.h"
#include "base/siphash.h"

/* No question gives way before it has waited so long: most names are resolved sooner. */
#define ASKERS_FAIR_MS 500

struct askers {
    struct map map;
    struct sip_key key;
};

/* What one client (IPv4 address or IPv6 /64) may have. */
struct askers_limits {
    uint64_t waiting;
    uint64_t open; /* including those that wait */
};

/* The limits of one client, where `outstanding` questions may be open in all and `per_client` of
 * one client may wait. Twice as many may be open, if that leaves some for others. */
struct askers_limits askers_limits(uint64_t outstanding, uint64_t per_client);

/* One question, to be embedded. Zeroed it belongs to no client. */
struct turn {
    struct list link;
    struct asking_client *client;
    uint64_t since_ms;
    bool waits;
};

void askers_init(struct askers *askers);
/* All turns must have left. */
void askers_fini(struct askers *askers);

/* Counts a question of the client at `ip`, which begins to wait. */
void askers_enter(struct askers *askers, const struct ip *ip, uint64_t now_ms, struct turn *turn);
/* May the question that entered last be asked? If so, and *instead is set, that question gives way
 * to it: answer its client at once, and call turn_answered(). */
bool turn_may(const struct turn *turn, const struct askers_limits *limits, uint64_t now_ms,
              struct turn **instead);
/* The question waits no more, but is still open. Does nothing if it did not wait. */
void turn_answered(struct turn *turn);
/* The question is open no more. Does nothing if it belongs to no client. */
void askers_leave(struct askers *askers, struct turn *turn);

#endif
