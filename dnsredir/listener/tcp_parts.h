/*
 * tcp_parts - the inside of the TCP side of a worker, for the files it is made of: tcp.c
 * (listeners, time) and tcp_connection.c (queries and answers).
 */
#ifndef LARDER_DNSREDIR_LISTENER_TCP_PARTS_H
#define LARDER_DNSREDIR_LISTENER_TCP_PARTS_H

#include "base/buf.h"
#include "base/list.h"
#include "dnsredir/listener/tcp.h"
#include "dnsredir/listener/tcp_clients.h"

struct tcp {
    struct worker *worker;
    uint64_t timeout_ms;
    size_t limit, client_limit;
    size_t count;
    size_t handles; /* handles that are open or closing; the last one frees all */
    size_t held;    /* bytes in the buffers of all connections */
    bool closing;
    struct list connections; /* the most recently active one is last */
    struct tcp_clients clients;
    uv_timer_t tick;
    struct listener *listeners;
    size_t listener_count;
    uint8_t read_room[64 << 10];
    uint8_t answer_room[DNS_MESSAGE_MAX];
};

struct listener {
    struct tcp *tcp;
    uv_tcp_t handle;
};

struct connection {
    struct list link;
    struct tcp *tcp;
    uv_tcp_t handle;
    struct ip peer;
    struct tcp_client *client; /* the peer's network */
    struct list client_link;
    struct buf in;   /* an incomplete query, and what came behind one that waits */
    size_t held;     /* bytes in the buffers that are counted in tcp->held */
    struct buf out;  /* answers not yet handed to the kernel */
    struct buf late; /* those that the resolver brought while `out` was being written */
    struct list tickets;
    uv_write_t write; /* the write of `out`, while `writing` */
    bool writing;
    bool ended; /* the peer has closed its side, and may still read */
    bool closing;
    struct update_job *job; /* an update is being written: what follows waits for its answer */
    uint64_t since;         /* when it last made progress: the loop's time, ms */
};

/* Accepts a connection from `server`. */
void connection_open(struct tcp *tcp, uv_stream_t *server);
/* Closes the connection; does nothing if it is closing. Its memory is freed by the next turns of
 * the loop. */
void connection_close(struct connection *c);
/* To be called when one of tcp->handles has closed; the last one frees all. */
void tcp_handle_closed(struct tcp *tcp);

#endif
