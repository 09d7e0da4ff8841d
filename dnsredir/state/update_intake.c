#include "dnsredir/state/update_intake.h"

#include "base/check.h"
#include "base/mem.h"
#include "dnsredir/state/updater.h"
#include "dnsredir/worker.h"

#include <pthread.h>

struct update_intake {
    struct worker *worker;
    struct updater *updater;
    uv_async_t wake;
    pthread_mutex_t lock; /* for what follows */
    struct list returned;
    bool closed;
};

/* ---- what comes back ---- */

static void return_to_owner(struct update_intake *intake, struct update_job *job)
{
    struct worker *worker = intake->worker;
    const struct snapshot *snapshot = publish_enter(worker->publish, worker->number);

    worker->others--;
    metric_add(&worker->counters.updates_made, job->note.rcode == RCODE_NOERROR);
    worker_note(worker, snapshot, &job->client, update_job_packet(job), &job->note, job->reply_len);
    publish_leave(worker->publish, worker->number);
    job->done = true;
    if (job->owner) {
        job->send_reply(job);
    } else {
        update_job_free(&job);
    }
}

static struct update_job *next_returned(struct update_intake *intake)
{
    pthread_mutex_lock(&intake->lock);
    struct list *link = list_pop_front(&intake->returned);
    pthread_mutex_unlock(&intake->lock);
    return link ? list_entry(link, struct update_job, link) : NULL;
}

void update_intake_deliver(struct update_intake *intake)
{
    for (struct update_job *job; intake && (job = next_returned(intake));) {
        return_to_owner(intake, job);
    }
}

static void on_wake(uv_async_t *wake)
{
    update_intake_deliver(container_of(wake, struct update_intake, wake));
}

void update_intake_return(struct update_job *job)
{
    struct update_intake *intake = job->intake;

    pthread_mutex_lock(&intake->lock);
    bool closed = intake->closed;
    if (!closed) {
        list_push_back(&intake->returned, &job->link);
        uv_async_send(&intake->wake);
    }
    pthread_mutex_unlock(&intake->lock);
    if (closed) {
        update_job_free(&job);
    }
}

/* ---- life ---- */

struct update_intake *update_intake_open(struct worker *worker, struct updater *updater)
{
    struct update_intake *intake = xcalloc(1, sizeof(*intake));

    intake->worker = worker;
    intake->updater = updater;
    pthread_mutex_init(&intake->lock, NULL);
    list_init(&intake->returned);
    CHECK(uv_async_init(&worker->loop, &intake->wake, on_wake) == 0);
    return intake;
}

void update_intake_close(struct update_intake *intake)
{
    if (!intake) {
        return;
    }
    pthread_mutex_lock(&intake->lock);
    intake->closed = true;
    pthread_mutex_unlock(&intake->lock);
    for (struct update_job *job; (job = next_returned(intake));) {
        update_job_free(&job);
    }
    uv_close((uv_handle_t *)&intake->wake, NULL);
}

void update_intake_free(struct update_intake **intake)
{
    if (*intake) {
        pthread_mutex_destroy(&(*intake)->lock);
        free(*intake);
        *intake = NULL;
    }
}

/* ---- what comes in ---- */

/* Hands the update to the updater, with a copy of everything that its answer needs. Returns false
 * if too many are waiting. */
static bool send_out(struct update_intake *intake, const struct client *client,
                     const struct tsig_reply *tsig, const struct update_job_cookie *cookie,
                     struct span packet, struct reply_route *back)
{
    struct update_job *job = update_job_new(client, tsig, cookie, packet);

    job->intake = intake;
    job->send_reply = back->send_reply;
    job->owner = back->owner;
    job->note = (struct answer_note){.tsig = TSIG_GOOD, .cookie = cookie->state};
    if (back->from) {
        job->peer_len = back->from->msg_namelen;
        memcpy(&job->peer, back->from->msg_name, job->peer_len);
        job->control_len = back->from->msg_controllen;
        CHECK(job->control_len <= sizeof(job->control));
        memcpy(job->control, back->from->msg_control, job->control_len);
    }
    back->job = job; /* before it goes: it may come back at once */
    if (!updater_put(intake->updater, job)) {
        back->job = NULL;
        update_job_free(&job);
        return false;
    }
    intake->worker->others++;
    return true;
}

/* Checks everything that does not depend on the state. Returns the rcode to answer with, or
 * RCODE_NOERROR: the update has to be carried out. */
static unsigned judge(const struct snapshot *snapshot, const struct client *client,
                      struct span packet, const struct update *update, struct tsig_reply *tsig)
{
    const struct view *view = &snapshot->view;
    const struct query *query = &update->query;

    if (query->tsig_at) {
        unsigned rcode =
            tsig_check(&view->identity->keys, packet, query->tsig_at, client->now, tsig);
        if (rcode != RCODE_NOERROR) {
            return rcode;
        }
    }
    if (query->edns.present && query->edns.version) {
        return RCODE_BADVERS;
    }
    return update_check(view->zones, packet, update, tsig->good ? tsig->key : NULL);
}

/* An unsigned request may come from somebody who forges the sender's address. */
static enum limit_verdict limit(const struct snapshot *snapshot, const struct client *client,
                                enum cookie_state cookie)
{
    const struct limit_case what = {.client = &client->ip,
                                    .class = LIMIT_ERROR,
                                    .now_us = client->now_us,
                                    .turn = client->turn};

    if (!client->limiter || client->tcp || cookie == COOKIE_GOOD) {
        return LIMIT_PASS;
    }
    return limiter_ask(client->limiter, snapshot->view.rates, &what);
}

/* Parts for which the client has no room are left out, as in other answers. */
static void fit(const struct query *query, bool tcp, struct tsig_reply *tsig,
                struct update_job_cookie *cookie)
{
    size_t limit = answer_limit(query, tcp);

    tsig_reply_fit(tsig, limit - PACKET_ROOM_MIN);
    if (limit - tsig->len < DNS_UDP_PLAIN) {
        cookie->state = COOKIE_NONE;
    }
}

size_t update_intake_take(struct update_intake *intake, const struct snapshot *snapshot,
                          struct client *client, struct span packet, struct reply_route *back,
                          void *room)
{
    struct worker *worker = intake->worker;
    struct answer_note note = {0};
    struct tsig_reply tsig = {.len = 0};
    struct update update;
    int rcode = update_read(packet, &update);
    struct update_job_cookie cookie = {.state = COOKIE_NONE};
    size_t len = 0;

    metric_add(&worker->counters.updates, 1);
    if (rcode >= 0) {
        cookie.state = note.cookie =
            cookie_check(&snapshot->view.identity->cookies, update.query.edns.cookie, &client->ip,
                         client->now, cookie.half);
    }
    if (rcode == RCODE_NOERROR) {
        rcode = (int)judge(snapshot, client, packet, &update, &tsig);
        note.tsig = !update.query.tsig_at ? TSIG_NONE : tsig.good ? TSIG_GOOD : TSIG_BAD;
        fit(&update.query, client->tcp, &tsig, &cookie);
    }
    if (rcode == RCODE_NOERROR) {
        if (send_out(intake, client, &tsig, &cookie, packet, back)) {
            return 0;
        }
        metric_add(&worker->counters.updates_busy, 1);
        rcode = RCODE_SERVFAIL;
    }
    note.rcode = (uint16_t)(rcode < 0 ? 0 : rcode);
    note.limited = rcode < 0 || tsig.good ? LIMIT_PASS : limit(snapshot, client, note.cookie);
    if (rcode >= 0 && note.limited != LIMIT_DROP) {
        len = update_reply(&update, (unsigned)rcode, update_job_cookie_half(&cookie), &tsig,
                           client->now, room);
    }
    worker_note(worker, snapshot, client, packet, &note, len);
    return len;
}
