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
    uint64_t idle_ms, message_ms;
    size_t limit, client_limit;
    size_t count;
    size_t handles; /* open or closing; the last one frees */
    size_t held;    /* bytes in `in` of all connections */
    bool closing;
    struct list connections; /* the one that was last active is the last */
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
    struct buf in;   /* a query that is not complete, and what waits behind one */
    size_t held;     /* bytes of it that are counted */
    struct buf out;  /* answers not yet handed to the kernel */
    struct buf late; /* those that the resolver brought while `out` was being written */
    struct list tickets;
    uv_write_t write; /* of `out`, when `writing` */
    bool writing;
    bool ended; /* the peer has said all, and may still listen */
    bool closing;
    struct update_job *job; /* an update is being written: what follows waits for its answer */
    uint64_t since;         /* of the last progress, ms of the loop */
};

/* A client has come. */
void connection_open(struct tcp *tcp, uv_stream_t *server);
/* Harmless on one that closes already; the memory goes with the loop's next turns. */
void connection_close(struct connection *c);
/* One of tcp->handles has closed: the last one frees all. */
void tcp_handle_closed(struct tcp *tcp);

#endif
