/*
 * origin_parts - the inside of origin, for the files it is made of: origin.c (routes, connections,
 * life) and origin_counts.c (what came).
 */
#ifndef LARDER_TESTS_ORIGIN_PARTS_H
#define LARDER_TESTS_ORIGIN_PARTS_H

#include "base/list.h"
#include "base/map.h"
#include "base/siphash.h"
#include "tests/lib/origin.h"

#include <pthread.h>

/* A path: what it answers, and how often it was asked for. */
struct route {
    struct map_link link;
    bool set;
    bool released;
    struct origin_reply reply;
    unsigned count;
    size_t len;
    char path[];
};

struct record {
    struct route *route;
    struct origin_request request;
};

struct origin {
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t changed;
    int listener;
    uint16_t port;
    pthread_t accepting;
    bool stopping;
    struct list connections;
    struct sip_key key;
    struct map routes;
    origin_handler *handler;
    struct record *records;
    size_t record_count, record_cap, keep;
    unsigned requests, accepted;
    uint64_t bytes;
};

/* Both under origin->lock. NULL: nobody asked for that path, and no reply was set. */
struct route *origin_find_route(struct origin *origin, struct span path);
/* Frees the requests that were kept. */
void origin_forget_records(struct origin *origin);

#endif
