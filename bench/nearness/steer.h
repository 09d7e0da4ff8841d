/*
 * steer - a redirector without sockets for a made-up world: its settings, its common map, its
 * answers. Everything that decides is larder-dns's own code.
 */
#ifndef LARDER_BENCH_NEARNESS_STEER_H
#define LARDER_BENCH_NEARNESS_STEER_H

#include "dnsredir/answer/answer.h"
#include "dnsredir/config/directives.h"
#include "world.h"

enum steer_mode {
    STEER_MAP,      /* each provider's networks are near the replica nearest to its home */
    STEER_DISTANCE, /* by the database */
    STEER_MEASURED, /* by the database and what is measured */
    STEER_MODES
};
extern const char *const steer_words[STEER_MODES];

struct steer {
    const struct world *world;
    struct settings *settings;
    struct nearest nearest;
    struct standing standing;
    struct view view;
};

/* All sites are up. */
void steer_init(struct steer *steer, const struct world *world, enum steer_mode mode);
void steer_fini(struct steer *steer);

/* The replica that a network's clients are given at a time, in seconds. */
unsigned steer_ask(const struct steer *steer, size_t network, uint32_t now);

#endif
