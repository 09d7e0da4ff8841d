#include "proxy/client/client.h"

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memory.h"
#include "base/network.h"
#include "proxy/client/accesslog.h"
#include "proxy/client/exchange.h"
#include "proxy/client/respond.h"
#include "proxy/client/tail.h"

#include <stdio.h>

enum { H2_STREAMS_MAX = 128 }; /* most concurrent streams of a connection */

/* ---- terms: settings that connections share ---- */

static struct h1_settings h1_settings_of(const struct settings *settings)
{
    return (struct h1_settings){
        .limits = {.target = settings->limits.target,
                   .head = settings->limits.head,
                   .fields = settings->limits.fields},
        .times = {.head_ms = settings->timeouts.client_head,
                  .idle_ms = settings->timeouts.client_idle,
                  .body_ms = settings->timeouts.client_body,
                  .tunnel_ms = settings->timeouts.tunnel_idle},
    };
}

static struct h2_settings h2_settings_of(const struct settings *settings)
{
    struct h1_settings h1 = h1_settings_of(settings);

    return (struct h2_settings){.limits = h1.limits, .times = h1.times, .streams = H2_STREAMS_MAX};
}

static void terms_unref(struct client_terms **slot)
{
    struct client_terms *terms = *slot;

    *slot = NULL;
    if (terms && --terms->refs == 0) {
        free(terms);
    }
}

/* The terms of the current settings, with a new reference. */
static struct client_terms *terms_of_today(struct worker *worker)
{
    if (worker->terms == NULL || worker->terms->number != worker->settings->number) {
        terms_unref(&worker->terms);
        worker->terms = xmalloc(sizeof(*worker->terms));
        *worker->terms = (struct client_terms){
            .refs = 1,
            .number = worker->settings->number,
            .h1 = h1_settings_of(worker->settings),
            .h2 = h2_settings_of(worker->settings),
        };
    }
    worker->terms->refs++;
    return worker->terms;
}

/* ---- one client ---- */

static void client_free(struct client *client)
{
    list_remove(&client->link);
    client->worker->client_count--;
    metric_sub(&client->worker->counters.clients_open, 1);
    metric_sub(&client->worker->counters.h2_open, client->speech == CLIENT_H2);
    metric_sub(&client->worker->counters.tls_open, client->https);
    terms_unref(&client->terms);
    memory_give(MEMORY_CONNECTIONS, sizeof(*client));
    free(client);
}

static void on_stream(void *owner, struct stream *stream)
{
    exchange_begin(owner, stream);
}

static void on_begun(void *owner)
{
    const struct client *client = owner;

    exchanges_look_up(client->worker);
}

enum { INCIDENT_MAX = 32 };

/* The incident id of the request that was refused last. */
static struct span incident_of(const struct worker *worker, char text[INCIDENT_MAX])
{
    snprintf(text, INCIDENT_MAX, "%u-%llx", worker->number, (unsigned long long)worker->serial);
    return span_str(text);
}

static void on_bad_head(void *owner, const struct h1_error *error, struct http_head *head,
                        struct buf *body)
{
    struct client *client = owner;
    struct worker *worker = client->worker;
    struct arena *arena = head->fields.arena;
    char incident[INCIDENT_MAX];
    struct span page;

    worker->serial++;
    struct respond_error refusal = {
        .status = error->status,
        .reason = REASON_BAD_REQUEST,
        .what = error->what,
        .name = span_str(worker->settings->name),
        .incident = incident_of(worker, incident),
        .now = loop_wall(worker->loop),
        .arena = arena,
    };

    respond_error(&refusal, head, &page);
    buf_append(body, page);
}

static void count_bad_head(struct worker *worker, const struct decision *decision, int status,
                           size_t sent)
{
    metric_add(&worker->counters.bad_heads, 1);
    counters_bytes(&worker->counters, &(struct byte_count){.decision = decision, .sent = sent});
    counters_exchange(&worker->counters, &(struct exchange_count){
                                             .decision = decision, .status = status, .sent = sent});
}

/* A refused request never becomes an exchange, but is counted and logged like one. */
static void on_refused(void *owner, const struct h1_error *error, size_t sent)
{
    struct client *client = owner;
    struct worker *worker = client->worker;
    struct decision decision = DECISION_INIT;
    int64_t now_ms = loop_wall_ms(worker->loop);
    char incident[INCIDENT_MAX];

    decision.outcome = OUTCOME_ERROR;
    decision.reason = REASON_BAD_REQUEST;
    count_bad_head(worker, &decision, error->status, sent);
    struct accesslog_entry entry = {.when_ms = now_ms,
                                    .client = &client->ip,
                                    .decision = &decision,
                                    .status = error->status,
                                    .bytes = sent,
                                    .incident = incident_of(worker, incident)};
    accesslog_write(worker->log, &entry);
    tail_offer(&entry);
    recent_add(&worker->recent, &(struct recent_request){.when_ms = now_ms,
                                                         .bytes = sent,
                                                         .decision = &decision,
                                                         .client = &client->ip,
                                                         .status = error->status});
}

static void on_gone(void *owner)
{
    client_free(owner);
}

/* Most clients grow after they were accepted, and may do so all at once: by a handshake, a session
 * of HTTP/2, a part of a head. For that they need what newcomers need (listener.c). */
static bool may_grow(void *owner)
{
    struct client *client = owner;

    clients_seek_memory(client->worker);
    if (!memory_is_swamped()) {
        return true;
    }
    metric_add(&client->worker->counters.clients_refused, 1);
    log_warn("no_memory_for_clients", "limit=%zu used=%zu", memory_limit(), memory_used());
    return false;
}

static void on_offence(void *owner, enum h2_offence offence, struct span why)
{
    struct client *client = owner;
    char text[IP_TEXT_MAX];

    metric_add(&client->worker->counters.h2_offences[offence], 1);
    log_warn("h2_offence", "client=%s what=%s text=%s why=%.*s", ip_text(&client->ip, text),
             h2_offence_word(offence), h2_offence_text(offence), SPAN_ARGS(why));
}

static void on_broken(void *owner)
{
    struct client *client = owner;

    metric_add(&client->worker->counters.h2_streams_broken, 1);
}

static const struct h2_events h2_client_events = {
    .on_stream = on_stream,
    .on_begun = on_begun,
    .on_bad_head = on_bad_head,
    .may_keep = may_grow,
    .on_refused = on_refused,
    .on_offence = on_offence,
    .on_broken = on_broken,
    .on_gone = on_gone,
};

/* False: there is no room for it, and the client is gone. */
static bool start_h2(struct client *client, struct transport *transport, struct span received)
{
    if (!may_grow(client)) {
        transport_close(&transport, true);
        client_free(client);
        return false;
    }
    metric_add(&client->worker->counters.h2_connections, 1);
    metric_add(&client->worker->counters.h2_open, 1);
    client->speech = CLIENT_H2;
    client->speaker.h2 =
        h2_serve(transport, received, &client->terms->h2, &h2_client_events, client);
    return true;
}

static void on_preface(void *owner, struct transport *transport, struct span received)
{
    struct client *client = owner;

    client->speaker.h2 = NULL;
    if (start_h2(client, transport, received) && client->worker->draining) {
        h2_drain(client->speaker.h2);
    }
}

static const struct h1_events client_events = {
    .on_stream = on_stream,
    .on_bad_head = on_bad_head,
    .on_refused = on_refused,
    .may_keep = may_grow,
    .on_preface = on_preface,
    .on_gone = on_gone,
};

/* Over TLS the protocol was negotiated before (RFC 9113 3.2), so there is no on_preface. */
static const struct h1_events tls_client_events = {
    .on_stream = on_stream,
    .on_bad_head = on_bad_head,
    .on_refused = on_refused,
    .may_keep = may_grow,
    .on_gone = on_gone,
};

/* Begins to drain a client. A connection in its TLS handshake goes on if `kindly`, else it is
 * closed. */
static void client_drain(struct client *client, bool kindly)
{
    switch (client->speech) {
    case CLIENT_SECURING:
        if (!kindly) {
            transport_close(&client->speaker.securing, false);
            client_free(client);
        }
        break;
    case CLIENT_H1:
        if (kindly) {
            h1_drain_kindly(client->speaker.h1);
        } else {
            h1_drain(client->speaker.h1);
        }
        break;
    case CLIENT_H2:
        h2_drain(client->speaker.h2);
        break;
    }
}

static void start_protocol(struct client *client, struct transport *transport)
{
    bool draining = client->worker->draining; /* draining may have begun during the handshake */

    if (transport_alpn(transport) != ALPN_H2) {
        const struct h1_events *events = client->https ? &tls_client_events : &client_events;
        client->speech = CLIENT_H1;
        client->speaker.h1 = h1_serve(transport, &client->terms->h1, events, client);
    } else if (!start_h2(client, transport, SPAN_EMPTY)) {
        return;
    }
    if (draining) {
        client_drain(client, true);
    }
}

static struct client *client_new(struct worker *worker, const struct ip *ip, uint16_t port)
{
    struct client *client = xcalloc(1, sizeof(*client));

    memory_take(MEMORY_CONNECTIONS, sizeof(*client));
    client->worker = worker;
    client->terms = terms_of_today(worker);
    client->ip = *ip;
    client->port = port;
    client->since = loop_now_ms(worker->loop);
    list_push_back(&worker->clients, &client->link);
    worker->client_count++;
    metric_add(&worker->counters.client_connections, 1);
    metric_add(&worker->counters.clients_open, 1);
    return client;
}

/* ---- TLS ---- */

static void count_handshake(struct counters *counters, const struct tls *tls, int err)
{
    if (err == ERR_FULL) {
        return; /* counted as a refused client */
    }
    if (err) {
        metric_add(&counters->tls_failures[tls_failure_of(err)], 1);
    } else if (tls_is_resumed(tls)) {
        metric_add(&counters->tls_resumed, 1);
    } else {
        metric_add(&counters->tls_handshakes, 1);
    }
}

static void on_secured(void *owner, int err)
{
    struct client *client = owner;
    struct transport *transport = client->speaker.securing;

    count_handshake(&client->worker->counters, transport_tls(transport), err);
    client->speaker.securing = NULL;
    if (!err) {
        start_protocol(client, transport);
        return;
    }
    char text[IP_TEXT_MAX];
    log_debug("tls_failed", "client=%s err=%s why=%s", ip_text(&client->ip, text), err_text(err),
              tls_why(transport_tls(transport)));
    transport_close(&transport, false);
    client_free(client);
}

void client_start(struct worker *worker, struct transport *transport, struct tls_context *tls)
{
    uint16_t port;
    struct ip ip = transport_peer(transport, &port);

    if (port ==
        0) { /* the connection was reset before it was accepted, so its address is unknown */
        transport_close(&transport, true);
        return;
    }
    struct client *client = client_new(worker, &ip, port);
    transport_tell_rtt(transport, &worker->rtts, network_of(&ip));
    if (!tls) {
        start_protocol(client, transport);
        return;
    }
    client->https = true;
    metric_add(&worker->counters.tls_open, 1);
    client->speaker.securing = transport;
    transport_start_tls(transport, tls,
                        &(struct handshake){.limit_ms = worker->settings->timeouts.client_head,
                                            .may_begin = may_grow,
                                            .done = on_secured,
                                            .owner = client});
}

/* ---- all clients of a worker ---- */

void client_end(struct client *client)
{
    switch (client->speech) {
    case CLIENT_SECURING:
        transport_close(&client->speaker.securing, false);
        break;
    case CLIENT_H1:
        h1_close(&client->speaker.h1);
        break;
    case CLIENT_H2:
        h2_close(&client->speaker.h2);
        break;
    }
    client_free(client);
}

void clients_drain(struct worker *worker, bool kindly)
{
    list_each_safe(link, &worker->clients)
    {
        client_drain(list_entry(link, struct client, link), kindly);
    }
}

void clients_close(struct worker *worker)
{
    exchange_abort_all(worker);
    list_each_safe(link, &worker->clients)
    {
        client_end(list_entry(link, struct client, link));
    }
    terms_unref(&worker->terms);
}
