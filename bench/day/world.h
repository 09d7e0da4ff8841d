/*
 * world - twelve replicas and a thousand and a half networks of clients on four continents, and
 * what they ask for at each time of a day. The same at each run.
 */
#ifndef LARDER_BENCH_DAY_WORLD_H
#define LARDER_BENCH_DAY_WORLD_H

#include <stdbool.h>
#include <stddef.h>

#define REPLICAS 12
#define CLIENTS 1600
#define NAMES 2
#define CAPACITY 10000.0 /* requests a second that a replica can serve */
#define DAY 86400        /* seconds */

/* What goes wrong: one replica is away, and one name is asked for by all of a continent. Seconds
 * since midnight, UTC. */
#define AWAY_REPLICA 5
#define AWAY_FROM (12 * 3600)
#define AWAY_TO (14 * 3600)
#define FLASH_NAME 1
#define FLASH_FROM (19 * 3600)
#define FLASH_TO (20 * 3600)

struct place {
    const char *name;
    double latitude, longitude; /* degrees */
};

extern const struct place world_replicas[REPLICAS];
extern const char *const world_names[NAMES];

struct world {
    struct place clients[CLIENTS]; /* each a network: 20.0.0.0/16 and those behind it */
    double people[CLIENTS];
    double hours[CLIENTS]; /* before UTC */
    bool flashes[CLIENTS]; /* on the continent of the crowd */
    double scale;
};

void world_make(struct world *world);
/* Requests a second of a client's network for a name, `at` seconds since midnight UTC. */
double world_demand(const struct world *world, size_t client, size_t name, int at);
/* The time of a request to and fro, without waiting, in ms. */
double world_distance(const struct world *world, size_t client, size_t replica);

#endif
