#include "proxy/toplist.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/memory.h"
#include "cache/decision_text.h"
#include "http/put.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    PERIOD = 3600, /* seconds; the current period and the one before are shown */
    BYTES_AS_REQUEST = 16384,
    HOST_TEXT = 256 + 8,
};

static const size_t sets_of[TOPLIST_KINDS] = {
    [TOPLIST_HOSTS] = 32, [TOPLIST_CLIENTS] = 16, [TOPLIST_SAVABLE] = 16};

struct period {
    int64_t since;
    struct topk *at[TOPLIST_KINDS];
};

struct toplist {
    struct sip_key secret;
    struct period now; /* the current period; used by the worker only */
    bool changed;

    pthread_mutex_t lock;
    struct period shown, before; /* copies for readers; under the lock */
};

/* ---- creating and freeing ---- */

static void period_init(struct period *period, int64_t since)
{
    period->since = since;
    for (int i = 0; i < TOPLIST_KINDS; i++) {
        size_t size = topk_size(sets_of[i]);
        period->at[i] = xcalloc(1, size);
        topk_init(period->at[i], sets_of[i]);
        memory_take(MEMORY_DASHBOARD, size);
    }
}

static void period_fini(struct period *period)
{
    for (int i = 0; i < TOPLIST_KINDS; i++) {
        memory_give(MEMORY_DASHBOARD, topk_size(sets_of[i]));
        free(period->at[i]);
    }
}

static void period_clear(struct period *period, int64_t since)
{
    period->since = since;
    for (int i = 0; i < TOPLIST_KINDS; i++) {
        topk_init(period->at[i], sets_of[i]);
    }
}

struct toplist *toplist_new(int64_t now)
{
    struct toplist *toplist = xcalloc(1, sizeof(*toplist));

    toplist->secret = sip_key_random();
    pthread_mutex_init(&toplist->lock, NULL);
    period_init(&toplist->now, now);
    period_init(&toplist->shown, now);
    period_init(&toplist->before, now);
    return toplist;
}

void toplist_free(struct toplist **slot)
{
    struct toplist *toplist = *slot;

    *slot = NULL;
    if (toplist == NULL) {
        return;
    }
    period_fini(&toplist->now);
    period_fini(&toplist->shown);
    period_fini(&toplist->before);
    pthread_mutex_destroy(&toplist->lock);
    free(toplist);
}

/* ---- counting, on the worker's loop ---- */

static bool is_unreached(enum reason reason)
{
    return reason == REASON_DNS || reason == REASON_CONNECT || reason == REASON_TLS_HANDSHAKE ||
           reason == REASON_TLS_CERTIFICATE || reason == REASON_TLS_EXPIRED ||
           reason == REASON_TLS_NAME;
}

static bool is_failed(enum reason reason)
{
    return is_unreached(reason) || reason == REASON_ORIGIN_TIMEOUT ||
           reason == REASON_ORIGIN_CLOSED || reason == REASON_ORIGIN_BROKEN ||
           reason == REASON_STALE_IF_ERROR;
}

static struct span host_text(const struct uri *uri, char out[HOST_TEXT])
{
    bool usual = uri->port == (uri->https ? 443 : 80) || uri->port == 0;

    if (usual || uri->host.len > 255) {
        return uri->host;
    }
    char *at = put_span(out, uri->is_ipv6 ? SPAN("[") : SPAN_EMPTY);
    at = put_span(at, uri->host);
    at = put_span(at, uri->is_ipv6 ? SPAN("]:") : SPAN(":"));
    return span_from_to(out, put_number(at, uri->port));
}

static void note_failure(uint64_t *counts, const struct toplist_request *request)
{
    enum reason reason = request->decision->reason;
    int status = request->decision->fwd_status;

    if (!is_failed(reason) && status < 500) {
        return;
    }
    counts[is_unreached(reason) ? TOPLIST_UNREACHED : TOPLIST_FAILED]++;
    counts[TOPLIST_LAST_FAILED] = (uint64_t)request->when;
    counts[TOPLIST_LAST_REASON] =
        is_failed(reason) ? (uint64_t)reason : (uint64_t)(TOPLIST_STATUS + status);
}

static void note_origin(uint64_t *counts, const struct toplist_request *request)
{
    const struct decision *decision = request->decision;
    bool tunnel = decision->outcome == OUTCOME_TUNNEL;

    if (decision->collapsed || (decision->forward == FORWARD_NONE && !tunnel)) {
        return;
    }
    counts[TOPLIST_ASKED]++;
    if (!tunnel) {
        counts[TOPLIST_TIMED]++;
        counts[TOPLIST_ASKED_US] += request->elapsed_us;
    }
    note_failure(counts, request);
}

static void note_request(uint64_t *counts, const struct toplist_request *request)
{
    bool hit = decision_is_hit(request->decision);

    counts[TOPLIST_REQUESTS]++;
    counts[TOPLIST_HITS] += hit;
    counts[TOPLIST_BYTES] += request->bytes;
    counts[TOPLIST_HIT_BYTES] += hit ? request->bytes : 0;
    counts[TOPLIST_DENIED] += request->decision->outcome == OUTCOME_DENIED;
}

static void add_savable(struct toplist *toplist, struct span host,
                        const struct toplist_request *request)
{
    char key[1 + HOST_TEXT];
    enum reason why;

    if (!decision_is_savable(request->decision, &why) || request->bytes == 0) {
        return;
    }
    struct span kept = span_take(host, HOST_TEXT);
    key[0] = (char)why;
    memcpy(key + 1, kept.at, kept.len);
    note_request(topk_add(toplist->now.at[TOPLIST_SAVABLE], &toplist->secret,
                          span_of(key, 1 + kept.len), request->bytes),
                 request);
}

void toplist_add(struct toplist *toplist, const struct toplist_request *request)
{
    char text[HOST_TEXT];
    struct span host = host_text(request->uri, text);
    /* counts requests and bytes: many small responses weigh as much as a large one */
    uint64_t weight = 1 + request->bytes / BYTES_AS_REQUEST;

    toplist->changed = true;
    note_request(topk_add(toplist->now.at[TOPLIST_CLIENTS], &toplist->secret,
                          span_of((const char *)request->client->at, sizeof(request->client->at)),
                          weight),
                 request);
    if (host.len > 0) {
        uint64_t *counts = topk_add(toplist->now.at[TOPLIST_HOSTS], &toplist->secret, host, weight);
        note_request(counts, request);
        note_origin(counts, request);
        add_savable(toplist, host, request);
    }
}

/* ---- output ---- */

static void show(struct toplist *toplist)
{
    toplist->shown.since = toplist->now.since;
    for (int i = 0; i < TOPLIST_KINDS; i++) {
        memcpy(toplist->shown.at[i], toplist->now.at[i], topk_size(sets_of[i]));
    }
}

static void turn_over(struct toplist *toplist, int64_t now)
{
    struct period oldest = toplist->before;

    toplist->before = toplist->shown;
    toplist->shown = oldest;
    period_clear(&toplist->shown, now);
    period_clear(&toplist->now, now);
}

void toplist_publish(struct toplist *toplist, int64_t now)
{
    bool over = now - toplist->now.since >= PERIOD || now < toplist->now.since;

    if (!toplist->changed && !over) {
        return;
    }
    pthread_mutex_lock(&toplist->lock);
    show(toplist);
    if (over) {
        turn_over(toplist, now);
    }
    pthread_mutex_unlock(&toplist->lock);
    toplist->changed = false;
}

int64_t toplist_read(struct toplist *toplist, enum toplist_kind kind, struct topk_rows *rows)
{
    pthread_mutex_lock(&toplist->lock);
    topk_rows_add(rows, toplist->shown.at[kind]);
    topk_rows_add(rows, toplist->before.at[kind]);
    int64_t since = toplist->before.since;
    pthread_mutex_unlock(&toplist->lock);
    return since;
}

void toplist_merge(uint64_t *into, const uint64_t *from)
{
    bool later = from[TOPLIST_LAST_FAILED] > into[TOPLIST_LAST_FAILED];

    if (later) {
        into[TOPLIST_LAST_FAILED] = from[TOPLIST_LAST_FAILED];
        into[TOPLIST_LAST_REASON] = from[TOPLIST_LAST_REASON];
    }
    for (int i = 0; i < TOPLIST_LAST_FAILED; i++) {
        into[i] += from[i];
    }
}
