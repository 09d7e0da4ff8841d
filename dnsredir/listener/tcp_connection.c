/* tcp_connection - one client's queries by TCP, and the answers, in whatever order they are made.
 */
#include "dnsredir/listener/tcp_parts.h"

#include "base/clock.h"
#include "base/mem.h"
#include "dnsredir/listener/listener.h"
#include "dnsredir/resolver/resolver.h"

#define LENGTH_LEN 2
/* A connection with this much unsent is not read from. */
#define UNSENT_MAX (64 << 10)
/* Most bytes held by all connections of a worker: queries that are incomplete, and answers that
 * were not read. A message may have 64 KiB, so either alone would be 64 MiB for the default number
 * of connections. */
#define HELD_MAX (8 << 20)

static void on_connection_closed(uv_handle_t *handle)
{
    struct connection *c = container_of(handle, struct connection, handle);
    struct tcp *tcp = c->tcp;

    free(c);
    tcp_handle_closed(tcp);
}

/* The way back to a connection that waits for the resolver, and may be closed by then. */
struct tcp_ticket {
    struct ticket ticket;
    struct list link;
    struct connection *connection; /* NULL: closed */
};

static void forget_tickets(struct connection *c)
{
    for (struct list *at = list_pop_front(&c->tickets); at; at = list_pop_front(&c->tickets)) {
        list_entry(at, struct tcp_ticket, link)->connection = NULL;
    }
}

void connection_close(struct connection *c)
{
    if (c->closing) {
        return;
    }
    c->closing = true;
    forget_tickets(c);
    if (c->job && c->job->done) {
        update_job_free(&c->job);
    } else if (c->job) {
        c->job->owner = NULL;
        c->job = NULL;
    }
    /* Now, not when the handle is closed: of a crowd all are closed in one turn of the loop. */
    buf_fini(&c->in);
    buf_fini(&c->out);
    buf_fini(&c->late);
    c->tcp->held -= c->held;
    c->held = 0;
    list_remove(&c->link);
    tcp_clients_leave(&c->tcp->clients, &c->client, &c->client_link);
    c->tcp->count--;
    c->tcp->worker->others--;
    metric_sub(&c->tcp->worker->counters.tcp_connections, 1);
    uv_close((uv_handle_t *)&c->handle, on_connection_closed);
}

static void connection_touch(struct connection *c)
{
    c->since = uv_now(&c->tcp->worker->loop);
    list_remove(&c->link);
    list_push_back(&c->tcp->connections, &c->link);
    list_remove(&c->client_link);
    list_push_back(&c->client->connections, &c->client_link);
}

/* A client that has closed its direction still gets the answers in progress, and then the end. */
static void connection_end_if_done(struct connection *c)
{
    if (c->ended && !c->closing && !c->job && !c->writing && list_empty(&c->tickets)) {
        connection_close(c);
    }
}

static void connection_read(struct connection *c);
static void connection_flush(struct connection *c);
static void connection_send_update_reply(struct connection *c);

static void on_written(uv_write_t *write, int status)
{
    struct connection *c = container_of(write, struct connection, write);

    c->writing = false;
    buf_clear(&c->out);
    if (c->closing) {
        return;
    }
    if (status < 0) {
        connection_close(c);
        return;
    }
    buf_release(&c->out);
    connection_touch(c);
    if (buf_len(&c->late)) {
        struct buf empty = c->out;
        c->out = c->late;
        c->late = empty;
        connection_flush(c);
        if (c->closing || c->writing) {
            return;
        }
    }
    if (c->job && c->job->done) {
        connection_send_update_reply(c);
    } else {
        connection_read(c);
    }
}

/* Counts what is kept for the connection. Too much in all: those go that have something kept, the
 * one that has made no progress for longest before the others; it has the least time left. */
static void connection_hold(struct connection *c)
{
    struct tcp *tcp = c->tcp;
    size_t held = c->closing ? 0 : c->in.cap + c->out.cap + c->late.cap;

    tcp->held = tcp->held - c->held + held;
    c->held = held;
    list_each_safe(link, &tcp->connections)
    {
        struct connection *other = list_entry(link, struct connection, link);
        if (tcp->held <= HELD_MAX) {
            break;
        }
        if (other->held) {
            metric_add(&tcp->worker->counters.tcp_evicted, 1);
            connection_close(other);
        }
    }
}

/* Sends what is in c->out: at once if the kernel takes it, else when it can. */
static void connection_flush(struct connection *c)
{
    uv_buf_t rest = uv_buf_init(c->out.data + c->out.start, (unsigned)buf_len(&c->out));
    int n = uv_try_write((uv_stream_t *)&c->handle, &rest, 1);

    if (n < 0 && n != UV_EAGAIN) {
        connection_close(c);
        return;
    }
    buf_consume(&c->out, n > 0 ? (size_t)n : 0);
    if (buf_len(&c->out) == 0) {
        buf_release(&c->out);
        return;
    }
    rest = uv_buf_init(c->out.data + c->out.start, (unsigned)buf_len(&c->out));
    c->writing = true;
    uv_read_stop((uv_stream_t *)&c->handle);
    if (uv_write(&c->write, (uv_stream_t *)&c->handle, &rest, 1, on_written) < 0) {
        c->writing = false;
        connection_close(c);
        return;
    }
    connection_hold(c);
}

static void put_message(struct buf *out, const uint8_t *bytes, size_t len)
{
    const uint8_t head[LENGTH_LEN] = {(uint8_t)(len >> 8), (uint8_t)len};

    buf_append(out, span_of(head, sizeof(head)));
    buf_append(out, span_of(bytes, len));
}

/* Sends the resolver's answer, perhaps out of order (RFC 7766 6.2.1.1). A connection whose peer
 * does not read is closed once too much waits for it. */
static void on_answered(struct ticket *base, struct span answer)
{
    struct tcp_ticket *ticket = container_of(base, struct tcp_ticket, ticket);
    struct connection *c = ticket->connection;

    if (c) {
        list_remove(&ticket->link);
        put_message(c->writing ? &c->late : &c->out, (const uint8_t *)answer.at, answer.len);
    }
    free(ticket);
    if (c && c->writing && buf_len(&c->late) > UNSENT_MAX) {
        connection_close(c);
    } else if (c && c->writing) {
        connection_hold(c);
    } else if (c) {
        connection_touch(c);
        connection_flush(c);
        connection_end_if_done(c);
    }
}

/* See defer_packet() in udp.c. */
static size_t defer_message(struct connection *c, const struct snapshot *snapshot,
                            struct span message, const struct client *client,
                            const struct answer_note *note)
{
    struct tcp *tcp = c->tcp;
    struct tcp_ticket *ticket = xcalloc(1, sizeof(*ticket));

    ticket->ticket = (struct ticket){tcp->worker, on_answered};
    ticket->connection = c;
    list_push_back(&c->tickets, &ticket->link);
    size_t len =
        resolver_take(snapshot->resolver, client, note, message, tcp->answer_room, &ticket->ticket);
    if (len) {
        list_remove(&ticket->link);
        free(ticket);
    } else {
        tcp->worker->others++;
    }
    return len;
}

/* The idle timeout for the client, in tenths of a second, rounded down (RFC 7828 3.1). */
static uint16_t keepalive_of(const struct tcp *tcp)
{
    uint64_t tenths = tcp->timeout_ms / 100;

    return (uint16_t)(tenths < UINT16_MAX ? tenths : UINT16_MAX);
}

/* Sends the answer to an update, which was committed meanwhile, and then reads on. */
static void connection_send_update_reply(struct connection *c)
{
    put_message(&c->out, c->job->reply, c->job->reply_len);
    update_job_free(&c->job);
    connection_touch(c);
    connection_flush(c);
    if (!c->closing) {
        connection_read(c);
    }
}

static void send_update_reply(struct update_job *job)
{
    struct connection *c = job->owner;

    if (!c->writing) {
        connection_send_update_reply(c);
    }
}

/* Answers one message into c->out. */
static void answer_message(struct connection *c, const struct snapshot *snapshot,
                           struct span message)
{
    struct tcp *tcp = c->tcp;
    struct client client = {
        .ip = c->peer,
        .tcp = true,
        .keepalive = keepalive_of(tcp),
        .now = (uint32_t)clock_wall(),
        .now_us = clock_mono_us(),
    };
    struct reply_route back = {.send_reply = send_update_reply, .owner = c};
    struct answer_note note;
    struct query_packet read;

    query_packet_read(message, &read);
    size_t len =
        listener_answer(tcp->worker, snapshot, &client, &read, &back, tcp->answer_room, &note);
    metric_add(&tcp->worker->counters.tcp_queries, 1);
    if (len == 0 && note.deferred) {
        len = defer_message(c, snapshot, message, &client, &note);
    }
    c->job = back.job;
    if (c->job) {
        uv_read_stop((uv_stream_t *)&c->handle);
    } else if (len) {
        put_message(&c->out, tcp->answer_room, len);
    }
}

/* Answers all complete messages in `bytes`, as long as the peer reads; returns what is left. */
static struct span answer_messages(struct connection *c, struct span bytes)
{
    struct worker *worker = c->tcp->worker;
    const struct snapshot *snapshot = publish_enter(worker->publish, worker->number);

    while (bytes.len >= LENGTH_LEN && buf_len(&c->out) < UNSENT_MAX && !c->job) {
        struct wire_in in = wire_in_of(bytes.at, bytes.len);
        struct span message = wire_get_span(&in, wire_get_u16(&in));
        if (in.failed) {
            break;
        }
        answer_message(c, snapshot, message);
        bytes = span_skip(bytes, message.len + LENGTH_LEN);
    }
    publish_leave(worker->publish, worker->number);
    return bytes;
}

/* Handles bytes that have arrived, or that were held while the peer did not read. */
static void take_bytes(struct connection *c, struct span bytes)
{
    while (!c->closing && !c->writing && !c->job) {
        struct span rest;
        if (buf_len(&c->in)) {
            buf_append(&c->in, bytes);
            rest = answer_messages(c, buf_span(&c->in));
            buf_consume(&c->in, buf_len(&c->in) - rest.len);
            buf_release(&c->in);
        } else {
            rest = answer_messages(c, bytes);
            buf_append(&c->in, rest);
        }
        bytes = SPAN_EMPTY;
        if (buf_len(&c->out) == 0) {
            return;
        }
        connection_touch(c);
        connection_flush(c);
    }
}

static void connection_take(struct connection *c, struct span bytes)
{
    take_bytes(c, bytes);
    connection_hold(c);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct connection *c = container_of(handle, struct connection, handle);
    *out = uv_buf_init((char *)c->tcp->read_room, sizeof(c->tcp->read_room));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *c = container_of(stream, struct connection, handle);

    if (n > 0) {
        if (buf_len(&c->in) == 0) {
            connection_touch(c);
        }
        connection_take(c, span_of(buf->base, (size_t)n));
    } else if (n == UV_EOF) {
        c->ended = true;
        uv_read_stop(stream);
        connection_end_if_done(c);
    } else if (n < 0) {
        connection_close(c);
    }
}

static void connection_read(struct connection *c)
{
    connection_take(c, SPAN_EMPTY);
    connection_end_if_done(c);
    if (!c->closing && !c->writing && !c->job && !c->ended &&
        uv_read_start((uv_stream_t *)&c->handle, on_room, on_read) < 0) {
        connection_close(c);
    }
}

/* If there are too many connections, of one network or in all, closes the one that has been idle
 * longest. */
static void make_room(struct tcp *tcp, const struct tcp_client *client)
{
    if (client->count > tcp->client_limit) {
        metric_add(&tcp->worker->counters.tcp_client_evicted, 1);
        connection_close(list_entry(client->connections.next, struct connection, client_link));
    } else if (tcp->count > tcp->limit) {
        metric_add(&tcp->worker->counters.tcp_evicted, 1);
        connection_close(list_entry(tcp->connections.next, struct connection, link));
    }
}

void connection_open(struct tcp *tcp, uv_stream_t *server)
{
    struct connection *c = xcalloc(1, sizeof(*c));
    struct sockaddr_storage peer = {0};
    int len = sizeof(peer);

    c->tcp = tcp;
    list_init(&c->link);
    list_init(&c->client_link);
    list_init(&c->tickets);
    uv_tcp_init(&tcp->worker->loop, &c->handle);
    tcp->handles++;
    tcp->count++;
    tcp->worker->others++;
    list_push_back(&tcp->connections, &c->link);
    metric_add(&tcp->worker->counters.tcp_connections, 1);
    if (uv_accept(server, (uv_stream_t *)&c->handle) < 0 ||
        uv_tcp_getpeername(&c->handle, (struct sockaddr *)&peer, &len) < 0) {
        connection_close(c);
        return;
    }
    metric_add(&tcp->worker->counters.tcp_accepted, 1);
    c->peer = ip_of_sockaddr((const struct sockaddr *)&peer);
    c->client = tcp_clients_enter(&tcp->clients, &c->peer, &c->client_link);
    uv_tcp_nodelay(&c->handle, 1);
    connection_touch(c);
    make_room(tcp, c->client);
    connection_read(c);
}
