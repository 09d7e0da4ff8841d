#include "dnsredir/resolver/inbox.h"

#include "base/check.h"
#include "base/mem.h"

#include <pthread.h>

struct inbox {
    struct worker *worker;
    uint32_t delivered; /* for the sample of the query log */
    uv_async_t wake;
    pthread_mutex_t lock; /* over the next two */
    struct list replies;
    bool closed;
};

void inbox_reply_free(struct reply *reply)
{
    free(reply->ticket);
    free(reply->query);
    free(reply);
}

/* Counts, logs and delivers one answer. */
static void deliver(struct inbox *inbox, uint32_t sample, struct reply *reply)
{
    struct worker *worker = inbox->worker;
    const struct unresolved *query = reply->query;
    struct client client = {.ip = query->client, .tcp = query->tcp};

    worker->others--;
    counters_note(&worker->counters, &reply->note, reply->len);
    if (worker->log && inbox->delivered++ % sample == 0 &&
        !querylog_put(worker->log, worker->number, &client, &reply->note, unresolved_packet(query),
                      reply->len)) {
        metric_add(&worker->counters.log_dropped, 1);
    }
    reply->ticket->answered(reply->ticket, span_of(reply->bytes, reply->len));
    reply->ticket = NULL;
    inbox_reply_free(reply);
}

static void take_all(struct inbox *inbox, struct list *out)
{
    list_init(out);
    pthread_mutex_lock(&inbox->lock);
    for (struct list *link = list_pop_front(&inbox->replies); link;
         link = list_pop_front(&inbox->replies)) {
        list_push_back(out, link);
    }
    pthread_mutex_unlock(&inbox->lock);
}

static void on_wake(uv_async_t *async)
{
    struct inbox *inbox = container_of(async, struct inbox, wake);
    struct worker *worker = inbox->worker;
    struct list replies;
    const struct snapshot *snapshot = publish_enter(worker->publish, worker->number);
    uint32_t sample = snapshot->settings->log.sample;

    publish_leave(worker->publish, worker->number);
    take_all(inbox, &replies);
    for (struct list *link = list_pop_front(&replies); link; link = list_pop_front(&replies)) {
        deliver(inbox, sample, list_entry(link, struct reply, link));
    }
}

void inbox_post(struct inbox *inbox, struct reply *reply)
{
    pthread_mutex_lock(&inbox->lock);
    bool closed = inbox->closed;
    if (!closed) {
        list_push_back(&inbox->replies, &reply->link);
        uv_async_send(&inbox->wake);
    }
    pthread_mutex_unlock(&inbox->lock);
    if (closed) {
        inbox_reply_free(reply);
    }
}

struct inbox *inbox_open(struct worker *worker)
{
    struct inbox *inbox = xcalloc(1, sizeof(*inbox));

    inbox->worker = worker;
    list_init(&inbox->replies);
    CHECK(pthread_mutex_init(&inbox->lock, NULL) == 0);
    CHECK(uv_async_init(&worker->loop, &inbox->wake, on_wake) == 0);
    return inbox;
}

void inbox_close(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    inbox->closed = true;
    pthread_mutex_unlock(&inbox->lock);
    uv_close((uv_handle_t *)&inbox->wake, NULL);
}

void inbox_free(struct inbox **inbox)
{
    struct list replies;

    if (!*inbox) {
        return;
    }
    take_all(*inbox, &replies);
    for (struct list *link = list_pop_front(&replies); link; link = list_pop_front(&replies)) {
        inbox_reply_free(list_entry(link, struct reply, link));
    }
    pthread_mutex_destroy(&(*inbox)->lock);
    free(*inbox);
    *inbox = NULL;
}
