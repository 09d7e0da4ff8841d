#include "dnsredir/state/desk.h"

#include "base/check.h"
#include "base/mem.h"
#include "dnsredir/state/updater.h"
#include "dnsredir/worker.h"

#include <pthread.h>

struct desk {
    struct worker *worker;
    struct updater *updater;
    uv_async_t wake;
    pthread_mutex_t lock; /* for what follows */
    struct list returned;
    bool closed;
};

/* ---- what comes back ---- */

static void give(struct desk *desk, struct errand *errand)
{
    struct worker *worker = desk->worker;
    const struct world *world = publish_enter(worker->publish, worker->number);

    worker->others--;
    metric_add(&worker->counters.updates_made, errand->note.rcode == RCODE_NOERROR);
    worker_note(worker, world, &errand->asker, errand_packet(errand), &errand->note,
                errand->reply_len);
    publish_leave(worker->publish, worker->number);
    errand->done = true;
    if (errand->owner) {
        errand->give(errand);
    } else {
        errand_free(&errand);
    }
}

static struct errand *next_returned(struct desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    struct list *link = list_pop_front(&desk->returned);
    pthread_mutex_unlock(&desk->lock);
    return link ? list_entry(link, struct errand, link) : NULL;
}

void desk_deliver(struct desk *desk)
{
    for (struct errand *errand; desk && (errand = next_returned(desk));) {
        give(desk, errand);
    }
}

static void on_wake(uv_async_t *wake)
{
    desk_deliver(container_of(wake, struct desk, wake));
}

void desk_return(struct errand *errand)
{
    struct desk *desk = errand->desk;

    pthread_mutex_lock(&desk->lock);
    bool closed = desk->closed;
    if (!closed) {
        list_push_back(&desk->returned, &errand->link);
        uv_async_send(&desk->wake);
    }
    pthread_mutex_unlock(&desk->lock);
    if (closed) {
        errand_free(&errand);
    }
}

/* ---- life ---- */

struct desk *desk_open(struct worker *worker, struct updater *updater)
{
    struct desk *desk = xcalloc(1, sizeof(*desk));

    desk->worker = worker;
    desk->updater = updater;
    pthread_mutex_init(&desk->lock, NULL);
    list_init(&desk->returned);
    CHECK(uv_async_init(&worker->loop, &desk->wake, on_wake) == 0);
    return desk;
}

void desk_close(struct desk *desk)
{
    if (!desk) {
        return;
    }
    pthread_mutex_lock(&desk->lock);
    desk->closed = true;
    pthread_mutex_unlock(&desk->lock);
    for (struct errand *errand; (errand = next_returned(desk));) {
        errand_free(&errand);
    }
    uv_close((uv_handle_t *)&desk->wake, NULL);
}

void desk_free(struct desk **desk)
{
    if (*desk) {
        pthread_mutex_destroy(&(*desk)->lock);
        free(*desk);
        *desk = NULL;
    }
}

/* ---- what comes in ---- */

/* Whether it went; what it needs to find back is copied. */
static bool send_out(struct desk *desk, const struct asker *asker, const struct tsig_reply *tsig,
                     const struct errand_cookie *cookie, struct span packet, struct way_back *back)
{
    struct errand *errand = errand_new(asker, tsig, cookie, packet);

    errand->desk = desk;
    errand->give = back->give;
    errand->owner = back->owner;
    errand->note = (struct answer_note){.tsig = TSIG_GOOD, .cookie = cookie->state};
    if (back->from) {
        errand->peer_len = back->from->msg_namelen;
        memcpy(&errand->peer, back->from->msg_name, errand->peer_len);
        errand->control_len = back->from->msg_controllen;
        CHECK(errand->control_len <= sizeof(errand->control));
        memcpy(errand->control, back->from->msg_control, errand->control_len);
    }
    back->errand = errand; /* before it goes: it may come back at once */
    if (!updater_put(desk->updater, errand)) {
        back->errand = NULL;
        errand_free(&errand);
        return false;
    }
    desk->worker->others++;
    return true;
}

/* Everything that can be said at once. A code; RCODE_NOERROR: it must be written. */
static unsigned judge(const struct world *world, const struct asker *asker, struct span packet,
                      const struct update *update, struct tsig_reply *tsig)
{
    const struct view *view = &world->view;
    const struct query *query = &update->query;

    if (query->tsig_at) {
        unsigned rcode =
            tsig_check(&view->identity->keys, packet, query->tsig_at, asker->now, tsig);
        if (rcode != RCODE_NOERROR) {
            return rcode;
        }
    }
    if (query->edns.present && query->edns.version) {
        return RCODE_BADVERS;
    }
    return update_check(view->zones, packet, update, tsig->good ? tsig->key : NULL);
}

/* Who cannot sign may be somebody who writes another's address into packets. */
static enum limit_verdict limit(const struct world *world, const struct asker *asker,
                                enum cookie_state cookie)
{
    const struct limit_case what = {
        .client = &asker->ip, .class = LIMIT_ERROR, .now_us = asker->now_us, .turn = asker->turn};

    if (!asker->limiter || asker->tcp || cookie == COOKIE_GOOD) {
        return LIMIT_PASS;
    }
    return limiter_ask(asker->limiter, world->view.rates, &what);
}

/* What the asker has no room for is left out, as of other answers. */
static void fit(const struct query *query, bool tcp, struct tsig_reply *tsig,
                struct errand_cookie *cookie)
{
    size_t limit = answer_limit(query, tcp);

    tsig_reply_fit(tsig, limit - PACKET_ROOM_MIN);
    if (limit - tsig->len < DNS_UDP_PLAIN) {
        cookie->state = COOKIE_NONE;
    }
}

size_t desk_take(struct desk *desk, const struct world *world, struct asker *asker,
                 struct span packet, struct way_back *back, void *room)
{
    struct worker *worker = desk->worker;
    struct answer_note note = {0};
    struct tsig_reply tsig = {.len = 0};
    struct update update;
    int rcode = update_read(packet, &update);
    struct errand_cookie cookie = {.state = COOKIE_NONE};
    size_t len = 0;

    metric_add(&worker->counters.updates, 1);
    if (rcode >= 0) {
        cookie.state = note.cookie =
            cookie_check(&world->view.identity->cookies, update.query.edns.cookie, &asker->ip,
                         asker->now, cookie.half);
    }
    if (rcode == RCODE_NOERROR) {
        rcode = (int)judge(world, asker, packet, &update, &tsig);
        note.tsig = !update.query.tsig_at ? TSIG_NONE : tsig.good ? TSIG_GOOD : TSIG_BAD;
        fit(&update.query, asker->tcp, &tsig, &cookie);
    }
    if (rcode == RCODE_NOERROR) {
        if (send_out(desk, asker, &tsig, &cookie, packet, back)) {
            return 0;
        }
        metric_add(&worker->counters.updates_busy, 1);
        rcode = RCODE_SERVFAIL;
    }
    note.rcode = (uint16_t)(rcode < 0 ? 0 : rcode);
    note.limited = rcode < 0 || tsig.good ? LIMIT_PASS : limit(world, asker, note.cookie);
    if (rcode >= 0 && note.limited != LIMIT_DROP) {
        len = update_reply(&update, (unsigned)rcode, errand_cookie_half(&cookie), &tsig, asker->now,
                           room);
    }
    worker_note(worker, world, asker, packet, &note, len);
    return len;
}
