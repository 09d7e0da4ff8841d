#include "proxy/tally.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/memory.h"
#include "cache/decision_text.h"
#include "http/put.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    PERIOD = 3600, /* seconds; this one and the one before are shown */
    BYTES_AS_REQUEST = 16384,
    HOST_TEXT = 256 + 8,
};

static const size_t sets_of[TALLY_KINDS] = {
    [TALLY_HOSTS] = 32, [TALLY_CLIENTS] = 16, [TALLY_SAVABLE] = 16};

struct period {
    int64_t since;
    struct topk *at[TALLY_KINDS];
};

struct tally {
    struct sip_key secret;
    struct period now; /* the worker's */
    bool changed;

    pthread_mutex_t lock;
    struct period shown, before; /* copies; under the lock */
};

/* ---- making and ending ---- */

static void period_init(struct period *period, int64_t since)
{
    period->since = since;
    for (int i = 0; i < TALLY_KINDS; i++) {
        size_t size = topk_size(sets_of[i]);
        period->at[i] = xcalloc(1, size);
        topk_init(period->at[i], sets_of[i]);
        memory_take(MEMORY_DASHBOARD, size);
    }
}

static void period_fini(struct period *period)
{
    for (int i = 0; i < TALLY_KINDS; i++) {
        memory_give(MEMORY_DASHBOARD, topk_size(sets_of[i]));
        free(period->at[i]);
    }
}

static void period_clear(struct period *period, int64_t since)
{
    period->since = since;
    for (int i = 0; i < TALLY_KINDS; i++) {
        topk_init(period->at[i], sets_of[i]);
    }
}

struct tally *tally_new(int64_t now)
{
    struct tally *tally = xcalloc(1, sizeof(*tally));

    tally->secret = sip_key_random();
    pthread_mutex_init(&tally->lock, NULL);
    period_init(&tally->now, now);
    period_init(&tally->shown, now);
    period_init(&tally->before, now);
    return tally;
}

void tally_free(struct tally **slot)
{
    struct tally *tally = *slot;

    *slot = NULL;
    if (tally == NULL) {
        return;
    }
    period_fini(&tally->now);
    period_fini(&tally->shown);
    period_fini(&tally->before);
    pthread_mutex_destroy(&tally->lock);
    free(tally);
}

/* ---- counting; on the worker's loop ---- */

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

static void note_failure(uint64_t *counts, const struct tally_request *request)
{
    enum reason reason = request->decision->reason;
    int status = request->decision->fwd_status;

    if (!is_failed(reason) && status < 500) {
        return;
    }
    counts[is_unreached(reason) ? TALLY_UNREACHED : TALLY_FAILED]++;
    counts[TALLY_LAST_FAILED] = (uint64_t)request->when;
    counts[TALLY_LAST_REASON] =
        is_failed(reason) ? (uint64_t)reason : (uint64_t)(TALLY_STATUS + status);
}

static void note_origin(uint64_t *counts, const struct tally_request *request)
{
    const struct decision *decision = request->decision;
    bool tunnel = decision->outcome == OUTCOME_TUNNEL;

    if (decision->collapsed || (decision->forward == FORWARD_NONE && !tunnel)) {
        return;
    }
    counts[TALLY_ASKED]++;
    if (!tunnel) {
        counts[TALLY_TIMED]++;
        counts[TALLY_ASKED_US] += request->elapsed_us;
    }
    note_failure(counts, request);
}

static void note_request(uint64_t *counts, const struct tally_request *request)
{
    bool hit = decision_is_hit(request->decision);

    counts[TALLY_REQUESTS]++;
    counts[TALLY_HITS] += hit;
    counts[TALLY_BYTES] += request->bytes;
    counts[TALLY_HIT_BYTES] += hit ? request->bytes : 0;
    counts[TALLY_DENIED] += request->decision->outcome == OUTCOME_DENIED;
}

static void add_savable(struct tally *tally, struct span host, const struct tally_request *request)
{
    char key[1 + HOST_TEXT];
    enum reason why;

    if (!decision_is_savable(request->decision, &why) || request->bytes == 0) {
        return;
    }
    struct span kept = span_take(host, HOST_TEXT);
    key[0] = (char)why;
    memcpy(key + 1, kept.at, kept.len);
    note_request(topk_add(tally->now.at[TALLY_SAVABLE], &tally->secret, span_of(key, 1 + kept.len),
                          request->bytes),
                 request);
}

void tally_add(struct tally *tally, const struct tally_request *request)
{
    char text[HOST_TEXT];
    struct span host = host_text(request->uri, text);
    /* Many small ones are as heavy as one that is large. */
    uint64_t weight = 1 + request->bytes / BYTES_AS_REQUEST;

    tally->changed = true;
    note_request(topk_add(tally->now.at[TALLY_CLIENTS], &tally->secret,
                          span_of((const char *)request->client->at, sizeof(request->client->at)),
                          weight),
                 request);
    if (host.len > 0) {
        uint64_t *counts = topk_add(tally->now.at[TALLY_HOSTS], &tally->secret, host, weight);
        note_request(counts, request);
        note_origin(counts, request);
        add_savable(tally, host, request);
    }
}

/* ---- showing ---- */

static void show(struct tally *tally)
{
    tally->shown.since = tally->now.since;
    for (int i = 0; i < TALLY_KINDS; i++) {
        memcpy(tally->shown.at[i], tally->now.at[i], topk_size(sets_of[i]));
    }
}

static void turn_over(struct tally *tally, int64_t now)
{
    struct period oldest = tally->before;

    tally->before = tally->shown;
    tally->shown = oldest;
    period_clear(&tally->shown, now);
    period_clear(&tally->now, now);
}

void tally_publish(struct tally *tally, int64_t now)
{
    bool over = now - tally->now.since >= PERIOD || now < tally->now.since;

    if (!tally->changed && !over) {
        return;
    }
    pthread_mutex_lock(&tally->lock);
    show(tally);
    if (over) {
        turn_over(tally, now);
    }
    pthread_mutex_unlock(&tally->lock);
    tally->changed = false;
}

int64_t tally_read(struct tally *tally, enum tally_kind kind, struct topk_rows *rows)
{
    pthread_mutex_lock(&tally->lock);
    topk_rows_add(rows, tally->shown.at[kind]);
    topk_rows_add(rows, tally->before.at[kind]);
    int64_t since = tally->before.since;
    pthread_mutex_unlock(&tally->lock);
    return since;
}

void tally_merge(uint64_t *into, const uint64_t *from)
{
    bool later = from[TALLY_LAST_FAILED] > into[TALLY_LAST_FAILED];

    if (later) {
        into[TALLY_LAST_FAILED] = from[TALLY_LAST_FAILED];
        into[TALLY_LAST_REASON] = from[TALLY_LAST_REASON];
    }
    for (int i = 0; i < TALLY_LAST_FAILED; i++) {
        into[i] += from[i];
    }
}
