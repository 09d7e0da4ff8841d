/*
 * A job is: take an idle connection, or resolve, then attempt one address after the other until
 * one connects (RFC 8305 section 5). It starts when the handler that asked for it has returned, so
 * `done` may be called from wherever it ends.
 */
#include "proxy/origin/upstream_parts.h"

#include "base/err.h"
#include "base/files.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"

#include <errno.h>

/* A connection attempt, including TLS. After it was given up it lives until libuv has released
 * `request`. */
struct attempt {
    uv_connect_t request;
    struct list link;
    struct upstream_job *job; /* NULL: given up */
    struct transport *transport;
    struct ip ip;
    bool is_connected; /* libuv has released it */
};

static struct span host_of(const struct upstream_job *job)
{
    return span_of(job->host, job->host_len);
}

static struct origin_at origin_of(const struct upstream_job *job)
{
    return (struct origin_at){host_of(job), job->port, job->tls ? tls_context_serial(job->tls) : 0};
}

/* --- the end of a job ------------------------------------------------------------------------ */

static void give_up_attempts(struct upstream_job *job)
{
    struct list *link;

    while ((link = list_pop_front(&job->attempts)) != NULL) {
        struct attempt *attempt = list_entry(link, struct attempt, link);
        attempt->job = NULL;
        transport_close(&attempt->transport, false);
        if (attempt->is_connected) {
            free(attempt);
        }
    }
}

/* Lets the jobs that wait for this one begin: with its connection, or each with one of its own. */
static void let_follow(struct upstream_job *job, bool may_follow)
{
    struct list *link;

    while ((link = list_pop_front(&job->followers)) != NULL) {
        struct upstream_job *follower = list_entry(link, struct upstream_job, follow);
        follower->may_follow = may_follow;
        timeout_set(job->upstreams->loop, &follower->step, 0);
    }
}

void upstream_job_free(struct upstream_job *job)
{
    let_follow(job, false);
    list_remove(&job->follow);
    timeout_clear(&job->step);
    timeout_clear(&job->deadline);
    resolve_cancel(&job->waiter);
    give_up_attempts(job);
    list_remove(&job->link);
    tls_context_unref(&job->tls);
    pool_give(loop_pool(job->upstreams->loop), job, sizeof(*job));
}

static void finish(struct upstream_job *job, const struct upstream_result *result)
{
    void (*done)(void *arg, const struct upstream_result *result) = job->done;
    void *arg = job->arg;

    job->upstreams->failed += result->err != 0;
    let_follow(job, result->err == 0);
    upstream_job_free(job);
    done(arg, result);
}

static void fail(struct upstream_job *job, int err)
{
    finish(job, &(struct upstream_result){
                    .err = err,
                    .resolved = job->resolved,
                    .only_http2 = job->only_http2,
                });
}

/* --- attempts -------------------------------------------------------------------------------- */

/* Is the address to blame for the error, and not this machine? */
static bool is_remote(int err)
{
    return err != -EMFILE && err != -ENFILE && err != -ENOMEM && err != -ENOBUFS &&
           err != -EADDRNOTAVAIL;
}

static void remember_failure(struct upstream_job *job, const struct ip *ip)
{
    struct upstreams *upstreams = job->upstreams;

    failures_add(&upstreams->failures, ip, job->port, loop_now_ms(upstreams->loop));
}

/* Is the address to blame? A connection for one request only may fail at an address that is fine
 * for ordinary requests, to which a connection has been made. */
static bool is_to_blame(const struct attempt *attempt)
{
    return !(attempt->job->alone && attempt->is_connected);
}

/* Remembers addresses that had a head start and have not connected: they are tried later next
 * time. */
static void remember_losers(struct upstream_job *job)
{
    list_each(link, &job->attempts)
    {
        const struct attempt *attempt = list_entry(link, struct attempt, link);
        if (is_to_blame(attempt)) {
            remember_failure(job, &attempt->ip);
        }
    }
}

static uint64_t tunnel_idle(const struct upstream_settings *settings)
{
    return settings->tunnel_idle_ms ? settings->tunnel_idle_ms : settings->idle_ms;
}

static struct stream *to_stream(struct upstream_job *job, struct transport *transport,
                                const struct ip *ip)
{
    const struct upstream_settings *settings = &job->upstreams->settings;

    if (job->tunnel) {
        return tunnel_stream(transport, tunnel_idle(settings));
    }
    if (job->alone) {
        struct h1_settings alone = settings->h1;
        alone.times.tunnel_ms = tunnel_idle(settings);
        return h1_request_alone(transport, &alone);
    }
    struct origin_at at = origin_of(job);
    return origins_adopt(job->upstreams->origins, &at, transport, ip, job->candidates.count > 1);
}

static void succeed(struct upstream_job *job, struct transport *transport, const struct ip *ip)
{
    const struct tls *tls = transport_tls(transport);
    struct upstream_result result = {
        .resolved = true, .address = *ip, .secured = tls, .resumed = tls && tls_is_resumed(tls)};

    remember_losers(job);
    failures_remove(&job->upstreams->failures, ip, job->port);
    job->upstreams->connects++;
    result.stream = to_stream(job, transport, ip);
    finish(job, &result);
}

static void attempt_next(struct upstream_job *job);

static bool is_of_tls(int err)
{
    return err == ERR_TLS || err == ERR_CERT_UNTRUSTED || err == ERR_CERT_EXPIRED ||
           err == ERR_CERT_NAME;
}

static void attempt_failed(struct upstream_job *job, const struct ip *ip, int err, bool blame)
{
    job->err = is_of_tls(job->err) && !is_of_tls(err) ? job->err : err;
    if (blame && is_remote(err)) {
        remember_failure(job, ip);
    }
}

static void attempt_end(struct attempt *attempt, int err)
{
    struct upstream_job *job = attempt->job;
    struct transport *transport = attempt->transport;
    struct ip ip = attempt->ip;
    bool blame = is_to_blame(attempt);

    list_remove(&attempt->link);
    free(attempt);
    if (err == 0) {
        succeed(job, transport, &ip);
        return;
    }
    transport_close(&transport, false);
    attempt_failed(job, &ip, err, blame);
    attempt_next(job);
}

static void on_secured(void *owner, int err)
{
    struct attempt *attempt = owner;
    struct upstream_job *job = attempt->job;
    const struct tls *tls = transport_tls(attempt->transport);

    job->only_http2 |= err && job->alone && tls_alpn_refused(tls);
    if (err) {
        err = is_of_tls(err) ? err : ERR_TLS;
        log_warn("origin_tls_failed", "host=%.*s port=%u err=%s why=%s", SPAN_ARGS(host_of(job)),
                 job->port, err_text(err), tls_why(tls));
    }
    attempt_end(attempt, err);
}

/* Begins TLS. Other attempts in progress may still win, but the next address is tried only after a
 * quarter of the time limit: a peer that has accepted is likely to answer, and a handshake costs it
 * more. */
static void attempt_secure(struct attempt *attempt)
{
    struct upstream_job *job = attempt->job;
    uint64_t patience = job->upstreams->settings.connect_ms / 4;
    struct tls_peer peer = {
        .host = host_of(job),
        .port = job->port,
        .sessions = job->upstreams->sessions,
        .only_http1 = job->alone,
    };

    attempt->is_connected = true;
    timeout_set(job->upstreams->loop, &job->step, patience);
    transport_start_tls(attempt->transport, job->tls,
                        &(struct handshake){.peer = &peer, .done = on_secured, .owner = attempt});
}

static void on_connect(uv_connect_t *request, int status)
{
    struct attempt *attempt = container_of(request, struct attempt, request);

    if (attempt->job == NULL) {
        free(attempt);
    } else if (status == 0 && attempt->job->tls) {
        attempt_secure(attempt);
    } else {
        attempt_end(attempt, status);
    }
}

static int attempt_start(struct upstream_job *job, const struct ip *ip)
{
    struct sockaddr_storage address;

    if (files_are_out() && !upstreams_shed(job->upstreams)) {
        return -EMFILE;
    }
    struct attempt *attempt = xcalloc(1, sizeof(*attempt));

    attempt->job = job;
    attempt->ip = *ip;
    attempt->transport = transport_new_tcp(job->upstreams->loop);
    list_push_back(&job->attempts, &attempt->link);
    ip_to_sockaddr(ip, job->port, &address);
    int err = uv_tcp_connect(&attempt->request, (uv_tcp_t *)transport_uv(attempt->transport),
                             (const struct sockaddr *)&address, on_connect);
    if (err) {
        list_remove(&attempt->link);
        transport_close(&attempt->transport, false);
        free(attempt);
    }
    return err;
}

/* Connects to the next address. If none is left, waits for attempts in progress, or fails. */
static void attempt_next(struct upstream_job *job)
{
    struct candidates *candidates = &job->candidates;

    timeout_clear(&job->step);
    while (candidates->next < candidates->count) {
        const struct ip *ip = &candidates->at[candidates->next++];
        int err = attempt_start(job, ip);
        if (!err) {
            timeout_set(job->upstreams->loop, &job->step,
                        job->upstreams->settings.attempt_delay_ms);
            return;
        }
        attempt_failed(job, ip, err, true);
    }
    if (list_empty(&job->attempts) && !job->expects_more) {
        fail(job, candidates->count == 0 && job->refused > 0 ? ERR_REFUSED : job->err);
    }
}

static void on_deadline(struct timeout *timeout)
{
    struct upstream_job *job = container_of(timeout, struct upstream_job, deadline);

    remember_losers(job);
    fail(job, ERR_TIMEOUT);
}

/* --- names ----------------------------------------------------------------------------------- */

/* Keeps the addresses that may be connected to; the others never become candidates. */
static size_t allowed_addresses(struct upstream_job *job, const struct resolve_answer *answer,
                                struct ip *out)
{
    size_t count = 0;

    job->refused = 0;
    for (size_t i = 0; i < answer->count; i++) {
        if (job->check.allowed(job->check.arg, &answer->at[i], job->port)) {
            out[count++] = answer->at[i];
        } else {
            job->refused++;
        }
    }
    return count;
}

static void take_answer(struct upstream_job *job, const struct resolve_answer *answer)
{
    struct upstreams *upstreams = job->upstreams;
    struct ip allowed[RESOLVE_ADDRESSES_MAX];

    job->expects_more = answer->partial;
    if (answer->err) {
        fail(job, answer->err);
        return;
    }
    if (!job->resolved) {
        job->resolved = true;
        timeout_set(upstreams->loop, &job->deadline, upstreams->settings.connect_ms);
    }
    size_t count = allowed_addresses(job, answer, allowed);
    candidates_arrange(&job->candidates, allowed, count, job->port, &upstreams->failures,
                       loop_now_ms(upstreams->loop));
    if (list_empty(&job->attempts) || job->step.due == 0) {
        attempt_next(job);
    }
}

static void on_answered(struct resolve_waiter *waiter, const struct resolve_answer *answer)
{
    take_answer(container_of(waiter, struct upstream_job, waiter), answer);
}

/* --- the start of a job ---------------------------------------------------------------------- */

static bool reuse(struct upstream_job *job)
{
    struct upstream_result result = {.resolved = true, .reused = true};

    if (job->fresh || job->tunnel || job->alone) {
        return false;
    }
    struct origin_at at = origin_of(job);
    result.stream = origins_take(job->upstreams->origins, &at, &job->check, &result.address);
    if (result.stream == NULL) {
        return false;
    }
    job->upstreams->reuses++;
    finish(job, &result);
    return true;
}

static bool is_same_origin(const struct upstream_job *a, const struct upstream_job *b)
{
    return a->port == b->port && a->tls == b->tls && span_eq(host_of(a), host_of(b));
}

/* Waits for another job that is connecting to the same origin, because ALPN may bring a connection
 * for many requests (RFC 9113 3.2). False: the origin is known to speak HTTP/1, or there is no such
 * job. */
static bool follow(struct upstream_job *job)
{
    struct origin_at at = origin_of(job);

    if (!job->tls || job->tunnel || job->alone || job->fresh || !job->may_follow ||
        origins_speaks_h1(job->upstreams->origins, &at)) {
        return false;
    }
    list_each(link, &job->upstreams->jobs)
    {
        struct upstream_job *other = list_entry(link, struct upstream_job, link);
        bool is_shared = !other->tunnel && !other->alone;
        if (other != job && other->started && is_shared && is_same_origin(job, other)) {
            list_push_back(&other->followers, &job->follow);
            return true;
        }
    }
    return false;
}

static void begin(struct upstream_job *job)
{
    struct resolve_answer answer;

    if (reuse(job) || follow(job)) {
        return;
    }
    job->started = true;
    if (resolve(job->upstreams->resolver, host_of(job), &job->waiter, &answer)) {
        take_answer(job, &answer);
    }
}

static void on_step(struct timeout *timeout)
{
    struct upstream_job *job = container_of(timeout, struct upstream_job, step);

    if (job->started) {
        attempt_next(job);
    } else {
        begin(job);
    }
}

struct upstream_job *upstream_get(struct upstreams *upstreams, const struct upstream_target *target,
                                  struct address_check check,
                                  void (*done)(void *arg, const struct upstream_result *result),
                                  void *arg)
{
    struct upstream_job *job = pool_take(loop_pool(upstreams->loop), sizeof(*job));
    struct span host = target->host.len <= ORIGIN_HOST_MAX ? target->host : SPAN_EMPTY;

    *job = (struct upstream_job){
        .upstreams = upstreams,
        .check = check,
        .done = done,
        .arg = arg,
        .tunnel = target->tunnel,
        .alone = target->alone,
        .fresh = target->fresh,
        .port = target->port,
        .tls = target->tls ? tls_context_ref(target->tls) : NULL,
        .err = ERR_NO_ADDRESS,
        .host_len = host.len,
    };
    memcpy(job->host, host.at ? host.at : "", host.len);
    job->may_follow = true;
    list_init(&job->attempts);
    list_init(&job->followers);
    list_init(&job->follow);
    list_init(&job->waiter.link);
    job->waiter.answered = on_answered;
    job->waiter.is_configured = target->configured;
    job->waiter.client = target->client;
    timeout_init(&job->step, on_step);
    timeout_init(&job->deadline, on_deadline);
    list_push_back(&upstreams->jobs, &job->link);
    timeout_set(upstreams->loop, &job->step, 0);
    return job;
}

void upstream_cancel(struct upstream_job *job)
{
    upstream_job_free(job);
}

struct failure upstream_failure(const struct upstream_result *result)
{
    enum reason reason = result->resolved ? REASON_CONNECT : REASON_DNS;

    switch (result->err) {
    case ERR_REFUSED:
        return (struct failure){403, REASON_TARGET_ADDRESS};
    case ERR_BUSY:
        return (struct failure){503, REASON_DNS_BUSY};
    case ERR_TLS:
        return (struct failure){502, REASON_TLS_HANDSHAKE};
    case ERR_CERT_UNTRUSTED:
        return (struct failure){502, REASON_TLS_CERTIFICATE};
    case ERR_CERT_EXPIRED:
        return (struct failure){502, REASON_TLS_EXPIRED};
    case ERR_CERT_NAME:
        return (struct failure){502, REASON_TLS_NAME};
    }
    if (result->err < 0 && !is_remote(result->err)) {
        return (struct failure){503, REASON_OVERLOAD};
    }
    return (struct failure){result->err == ERR_TIMEOUT ? 504 : 502, reason};
}
