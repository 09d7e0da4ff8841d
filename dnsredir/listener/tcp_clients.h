/*
 * tcp_clients - which client network has which TCP connections, so that none can take all of them.
 * Belongs to one worker's thread; the connections belong to their owner.
 */
#ifndef LARDER_DNSREDIR_LISTENER_TCP_CLIENTS_H
#define LARDER_DNSREDIR_LISTENER_TCP_CLIENTS_H

#include "base/list.h"
#include "base/map.h"
#include "base/prefix.h"
#include "base/siphash.h"

struct tcp_clients {
    struct map map;
    struct sip_key key;
};

/* One network (IPv4 /24, IPv6 /56); exists while it has a connection. */
struct tcp_client {
    struct map_link link;
    uint8_t net[16];
    size_t count;
    struct list connections; /* the most recently active one is last */
};

void tcp_clients_init(struct tcp_clients *clients);
/* All connections must have left. */
void tcp_clients_fini(struct tcp_clients *clients);

/* Counts a new connection from `ip`; `link` is its place in the list. */
struct tcp_client *tcp_clients_enter(struct tcp_clients *clients, const struct ip *ip,
                                     struct list *link);
/* Counts a connection that ends; the last one frees *client. Accepts NULL; sets *client to NULL. */
void tcp_clients_leave(struct tcp_clients *clients, struct tcp_client **client, struct list *link);

#endif
