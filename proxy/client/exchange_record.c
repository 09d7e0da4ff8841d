/*
 * exchange_record - counts an exchange while it goes on, and counts, logs and remembers it at its
 * end.
 */
#include "proxy/client/exchange_parts.h"

#include "proxy/client/accesslog.h"
#include "proxy/client/tail.h"
#include "proxy/toplist.h"

/* Counts bytes received and sent since the last call. */
static void count_bytes(struct exchange *x)
{
    const struct stream *stream = x->stream;
    struct byte_count all = {&x->decision, stream->sent, stream->sent_from_files, stream->received};

    counters_bytes(&x->worker->counters,
                   &(struct byte_count){
                       .decision = &x->decision,
                       .sent = all.sent - x->counted.sent,
                       .sent_from_files = all.sent_from_files - x->counted.sent_from_files,
                       .received = all.received - x->counted.received,
                   });
    x->counted = all;
}

void exchanges_count(struct worker *worker)
{
    list_each(link, &worker->exchanges)
    {
        struct exchange *x = list_entry(link, struct exchange, link);
        if (x->sent && x->stream) { /* before the head was sent the outcome is unknown */
            count_bytes(x);
        }
    }
}

/* Values that several records of an ended exchange need. */
struct ended {
    uint64_t elapsed_us, sent;
    struct span user, mirror;
};

static void count(struct exchange *x, const struct ended *ended)
{
    count_bytes(x);
    counters_exchange(&x->worker->counters, &(struct exchange_count){
                                                .decision = &x->decision,
                                                .status = x->status,
                                                .elapsed_us = ended->elapsed_us,
                                                .sent = ended->sent,
                                            });
    if (ended->mirror.len) {
        mirror_counts_add(&x->worker->mirrors, ended->mirror, decision_is_hit(&x->decision),
                          ended->sent);
    }
    toplist_add(x->worker->toplist, &(struct toplist_request){
                                        .decision = &x->decision,
                                        .uri = &x->uri,
                                        .client = &x->client->ip,
                                        .status = x->status,
                                        .bytes = ended->sent,
                                        .elapsed_us = ended->elapsed_us,
                                        .when = loop_wall(x->worker->loop),
                                    });
}

static const struct ip *peer_of(const struct exchange *x)
{
    return x->has_peer && !ip_eq(&x->peer, &(struct ip){0}) ? &x->peer : NULL;
}

static void write_log(struct exchange *x, const struct ended *ended)
{
    struct accesslog_entry entry = {
        .when_ms = loop_wall_ms(x->worker->loop),
        .elapsed_us = ended->elapsed_us,
        .client = &x->client->ip,
        .decision = &x->decision,
        .status = x->status,
        .bytes = ended->sent,
        .request = &x->request,
        .uri = &x->uri,
        .peer = peer_of(x),
        .user = ended->user,
        .incident = x->incident,
        .mirror = ended->mirror,
        .content_type = x->object ? fields_get(&x->object->fields, FIELD_CONTENT_TYPE) : SPAN_EMPTY,
    };

    accesslog_write(x->worker->log, &entry);
    tail_offer(&entry);
}

static void remember(struct exchange *x, const struct ended *ended)
{
    recent_add(&x->worker->recent, &(struct recent_request){
                                       .when_ms = loop_wall_ms(x->worker->loop),
                                       .elapsed_us = ended->elapsed_us,
                                       .bytes = ended->sent,
                                       .decision = &x->decision,
                                       .client = &x->client->ip,
                                       .status = x->status,
                                       .request = &x->request,
                                       .uri = &x->uri,
                                       .user = ended->user,
                                       .mirror = ended->mirror,
                                   });
}

void exchange_record(struct exchange *x)
{
    struct ended ended = {
        .elapsed_us = loop_now_us(x->worker->loop) - x->started_us,
        .sent = x->stream->sent,
        .user = x->user ? x->user->name : SPAN_EMPTY,
        .mirror = exchange_mirror(x),
    };

    disk_wait_end(&x->waited); /* it may have been aborted while waiting */
    disk_wait_end(&x->reader.waited);
    exchange_note_disk(x);
    count(x, &ended);
    write_log(x, &ended);
    remember(x, &ended);
}
