#include "dnsredir/resolver/resolver.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "dnsredir/resolver/client_quota.h"
#include "dnsredir/resolver/inbox.h"

#include <stdatomic.h>

/* clang-format off */
#define RESOLVER_COUNTERS(X)                                                                       \
    X(questions,      COUNTER, "Queries for the resolver")                   \
    X(failures,       COUNTER, "Queries for the resolver answered SERVFAIL")                      \
    X(timeouts,       COUNTER, "Queries for the resolver answered SERVFAIL: it took too long")     \
    X(client_limited, COUNTER,                                                                       \
      "Queries for the resolver answered SERVFAIL: the client had too many open")                  \
    X(gave_way,       COUNTER,                                                                       \
      "Queries for the resolver answered SERVFAIL: the client had asked for more meanwhile")       \
    X(bogus,          COUNTER, "Queries for the resolver answered SERVFAIL because validation failed")     \
    X(secure,         COUNTER, "Answers that were validated")
/* clang-format on */

struct resolver_counters {
    METRIC_FIELDS(RESOLVER_COUNTERS)
    struct histogram seconds;
};

/* A recursor, and how many jobs use it. */
struct active_recursor {
    struct list link;
    struct resolver *resolver;
    struct recursor *recursor;
    uv_poll_t poll;
    size_t jobs;
};

/* One question. In `incoming`, in `waiting` until its client has an answer, then in `late`. */
struct job {
    struct recursor_job recursor;
    struct list link;
    struct inbox *inbox;
    struct ticket *ticket;    /* NULL: answered */
    struct unresolved *query; /* likewise */
    struct active_recursor *active;
    struct client_question question; /* of its client */
    uint64_t began_us;
    uint64_t deadline_ms; /* by the clock of the loop */
};

struct resolver {
    pthread_t thread;
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t timer;
    atomic_size_t outstanding;      /* jobs that exist */
    atomic_uint_fast64_t most;      /* of them */
    atomic_bool broken;             /* the recursor has failed */
    const struct recursor *adopted; /* the control thread's: the last one */

    pthread_mutex_t lock;  /* over the next four */
    struct list incoming;  /* jobs */
    struct recursor *next; /* to be adopted */
    struct resolver_limits limits;
    bool ending;

    /* the thread's own: */
    struct resolver_limits current; /* taken over from `limits` */
    struct active_recursor *active; /* NULL: none yet */
    struct list recursors; /* all of them; those that are not `active` end with their last job */
    struct list waiting, late;
    struct client_quotas quotas;
    struct resolver_counters counters;
    uint8_t room[DNS_MESSAGE_MAX];
    uint8_t scratch[RESOLVED_SCRATCH];
};

/* ---- answers ---- */

static void count(struct resolver *r, const struct resolution *resolution, unsigned rcode)
{
    metric_add(&r->counters.questions, 1);
    metric_add(&r->counters.failures, rcode == RCODE_SERVFAIL);
    metric_add(&r->counters.bogus, rcode == RCODE_SERVFAIL && resolution->bogus);
    metric_add(&r->counters.secure, rcode != RCODE_SERVFAIL && resolution->secure);
}

/* Sends the client its answer, unless it has one. */
static void answer_job(struct resolver *r, struct job *job, const struct resolution *resolution)
{
    struct answer_note note;

    if (!job->query) {
        return;
    }
    size_t len = resolved_write(job->query, resolution, r->room, r->scratch, &note);
    struct reply *reply = xmalloc(sizeof(*reply) + len);
    count(r, resolution, note.rcode);
    histogram_observe(&r->counters.seconds, clock_mono_us() - job->began_us);
    list_remove(&job->link);
    list_push_back(&r->late, &job->link);
    client_question_answered(&job->question);
    list_init(&reply->link);
    reply->ticket = job->ticket;
    reply->query = job->query;
    reply->note = note;
    reply->len = len;
    memcpy(reply->bytes, r->room, len);
    job->ticket = NULL;
    job->query = NULL;
    inbox_post(job->inbox, reply);
}

static void fail_job(struct resolver *r, struct job *job, enum ede why)
{
    struct resolution resolution = {.rcode = RCODE_SERVFAIL, .ede = why};
    answer_job(r, job, &resolution);
}

/* ---- jobs ---- */

/* Ends a job that the recursor has finished with, or never had. */
static void job_end(struct resolver *r, struct job *job)
{
    list_remove(&job->link);
    client_quotas_leave(&r->quotas, &job->question);
    if (job->active) {
        job->active->jobs--;
    }
    free(job->ticket);
    free(job->query);
    free(job);
    atomic_fetch_sub_explicit(&r->outstanding, 1, memory_order_relaxed);
}

static void on_resolved(struct recursor_job *recursor, const struct resolution *resolution)
{
    struct job *job = container_of(recursor, struct job, recursor);
    struct resolver *r = job->active->resolver;

    answer_job(r, job, resolution);
    job_end(r, job);
}

static void on_timer(uv_timer_t *timer);

/* Sets the timer to the deadline of the first job that waits. */
static void watch_deadlines(struct resolver *r)
{
    uint64_t now = uv_now(&r->loop);

    if (list_empty(&r->waiting)) {
        uv_timer_stop(&r->timer);
        return;
    }
    const struct job *first = list_entry(r->waiting.next, struct job, link);
    uint64_t left = first->deadline_ms > now ? first->deadline_ms - now : 0;
    uv_timer_start(&r->timer, on_timer, left, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct resolver *r = container_of(timer, struct resolver, timer);
    uint64_t now = uv_now(&r->loop);

    while (!list_empty(&r->waiting)) {
        struct job *job = list_entry(r->waiting.next, struct job, link);
        if (job->deadline_ms > now) {
            break;
        }
        metric_add(&r->counters.timeouts, 1);
        fail_job(r, job, EDE_NO_REACHABLE_AUTHORITY);
    }
    watch_deadlines(r);
}

/* Counts the job for its client. Returns whether the client may ask it. */
static bool enter(struct resolver *r, struct job *job)
{
    struct client_quota limits = client_quota(r->current.outstanding, r->current.per_client);
    struct client_question *oldest;

    client_quotas_enter(&r->quotas, &job->query->client, uv_now(&r->loop), &job->question);
    bool may = client_question_allowed(&job->question, &limits, uv_now(&r->loop), &oldest);
    if (oldest) {
        metric_add(&r->counters.gave_way, 1);
        fail_job(r, container_of(oldest, struct job, question), EDE_NO_REACHABLE_AUTHORITY);
    }
    return may;
}

static void job_begin(struct resolver *r, struct job *job)
{
    const struct unresolved *query = job->query;

    list_push_back(&r->waiting, &job->link);
    job->deadline_ms = uv_now(&r->loop) + r->current.timeout_ms;
    if (!enter(r, job)) {
        metric_add(&r->counters.client_limited, 1);
        fail_job(r, job, EDE_OTHER);
        job_end(r, job);
        return;
    }
    job->recursor.done = on_resolved;
    job->active = r->active;
    if (!r->active ||
        recursor_ask(r->active->recursor, &query->name, query->type, &job->recursor)) {
        job->active = NULL;
        fail_job(r, job, EDE_OTHER);
        job_end(r, job);
        return;
    }
    r->active->jobs++;
}

/* ---- recursors ---- */

static void on_recursor_closed(uv_handle_t *handle)
{
    struct active_recursor *active = container_of(handle, struct active_recursor, poll);

    recursor_close(&active->recursor);
    free(active);
}

static void active_recursor_close(struct active_recursor *active)
{
    list_remove(&active->link);
    uv_close((uv_handle_t *)&active->poll, on_recursor_closed);
}

/* Closes replaced recursors that have no job left. */
static void close_idle_recursors(struct resolver *r)
{
    list_each_safe(link, &r->recursors)
    {
        struct active_recursor *active = list_entry(link, struct active_recursor, link);
        if (active != r->active && active->jobs == 0) {
            active_recursor_close(active);
        }
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct active_recursor *active = container_of(poll, struct active_recursor, poll);
    struct resolver *r = active->resolver;

    if (recursor_take(active->recursor)) {
        log_error("resolver_failed", "reason=%s", "the thread of libunbound is gone");
        uv_poll_stop(poll); /* open jobs end by their timeout; a reload brings a new recursor */
        atomic_store(&r->broken, true);
    }
    watch_deadlines(r);
    close_idle_recursors(r);
}

static void adopt_recursor(struct resolver *r, struct recursor *recursor)
{
    struct active_recursor *active = xcalloc(1, sizeof(*active));

    active->resolver = r;
    active->recursor = recursor;
    CHECK(uv_poll_init(&r->loop, &active->poll, recursor_fd(recursor)) == 0);
    CHECK(uv_poll_start(&active->poll, UV_READABLE, on_readable) == 0);
    list_push_back(&r->recursors, &active->link);
    r->active = active;
    close_idle_recursors(r);
}

/* ---- the thread ---- */

static void end(struct resolver *r)
{
    uv_close((uv_handle_t *)&r->wake, NULL);
    uv_close((uv_handle_t *)&r->timer, NULL);
    list_each_safe(link, &r->recursors)
    {
        active_recursor_close(list_entry(link, struct active_recursor, link));
    }
}

static void on_wake(uv_async_t *async)
{
    struct resolver *r = container_of(async, struct resolver, wake);
    struct list jobs;

    list_init(&jobs);
    pthread_mutex_lock(&r->lock);
    for (struct list *at = list_pop_front(&r->incoming); at; at = list_pop_front(&r->incoming)) {
        list_push_back(&jobs, at);
    }
    struct recursor *next = r->next;
    r->next = NULL;
    r->current = r->limits;
    bool ending = r->ending;
    pthread_mutex_unlock(&r->lock);
    if (next) {
        adopt_recursor(r, next);
    }
    for (struct list *at = list_pop_front(&jobs); at; at = list_pop_front(&jobs)) {
        job_begin(r, list_entry(at, struct job, link));
    }
    watch_deadlines(r);
    if (ending) {
        end(r);
    }
}

static void *thread_main(void *arg)
{
    struct resolver *r = arg;

    uv_run(&r->loop, UV_RUN_DEFAULT);
    return NULL;
}

struct resolver *resolver_open(void)
{
    struct resolver *r = xcalloc(1, sizeof(*r));

    CHECK(uv_loop_init(&r->loop) == 0);
    CHECK(uv_async_init(&r->loop, &r->wake, on_wake) == 0);
    uv_timer_init(&r->loop, &r->timer);
    CHECK(pthread_mutex_init(&r->lock, NULL) == 0);
    list_init(&r->incoming);
    list_init(&r->waiting);
    list_init(&r->late);
    list_init(&r->recursors);
    client_quotas_init(&r->quotas);
    CHECK(thread_start(&r->thread, "resolver", thread_main, r) == 0);
    return r;
}

/* Frees jobs whose recursor is gone: nobody waits for them any more. */
static void free_jobs(struct resolver *r, struct list *jobs)
{
    for (struct list *at = list_pop_front(jobs); at; at = list_pop_front(jobs)) {
        struct job *job = list_entry(at, struct job, link);
        job->active = NULL;
        job_end(r, job);
    }
}

void resolver_close(struct resolver **resolver)
{
    struct resolver *r = *resolver;

    if (!r) {
        return;
    }
    pthread_mutex_lock(&r->lock);
    r->ending = true;
    uv_async_send(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    free_jobs(r, &r->incoming);
    free_jobs(r, &r->waiting);
    free_jobs(r, &r->late);
    recursor_close(&r->next);
    CHECK(uv_loop_close(&r->loop) == 0);
    client_quotas_fini(&r->quotas);
    pthread_mutex_destroy(&r->lock);
    free(r);
    *resolver = NULL;
}

void resolver_adopt(struct resolver *r, struct recursor **recursor,
                    const struct resolver_limits *limits)
{
    struct recursor *unused = NULL;
    bool broken = atomic_exchange(&r->broken, false);
    bool keep = !broken && recursor_same(r->adopted, *recursor);

    pthread_mutex_lock(&r->lock);
    r->limits = *limits;
    if (!keep) {
        unused = r->next;
        r->next = *recursor;
        r->adopted = *recursor;
        *recursor = NULL;
    }
    uv_async_send(&r->wake);
    pthread_mutex_unlock(&r->lock);
    atomic_store(&r->most, limits->outstanding);
    recursor_close(&unused);
}

/* ---- workers ---- */

/* Counts one more job. Returns false if there are too many. */
static bool has_room(struct resolver *r)
{
    if (atomic_fetch_add(&r->outstanding, 1) < atomic_load(&r->most)) {
        return true;
    }
    atomic_fetch_sub(&r->outstanding, 1);
    return false;
}

size_t resolver_take(struct resolver *r, const struct client *client,
                     const struct answer_note *note, struct span packet, void *room,
                     struct ticket *ticket)
{
    struct unresolved *query = unresolved_new(client, client->deferral, note, packet, room);
    struct worker *worker = ticket->worker;

    if (!has_room(r)) {
        struct resolution full = {.rcode = RCODE_SERVFAIL, .ede = EDE_OTHER};
        struct answer_note full_note;
        size_t len = resolved_write(query, &full, room, NULL, &full_note);
        metric_add(&worker->counters.unresolved, 1);
        counters_note(&worker->counters, &full_note, len);
        free(query);
        return len;
    }
    struct job *job = xcalloc(1, sizeof(*job));
    list_init(&job->link);
    job->inbox = worker->inbox;
    job->ticket = ticket;
    job->query = query;
    job->began_us = clock_mono_us();
    pthread_mutex_lock(&r->lock);
    list_push_back(&r->incoming, &job->link);
    pthread_mutex_unlock(&r->lock);
    uv_async_send(&r->wake);
    return 0;
}

/* ---- for people ---- */

void resolver_metrics(const struct resolver *r, struct buf *out)
{
    /* clang-format off */
#define ROW(name, kind, help) METRIC_ROW(struct resolver_counters, name, kind, help)
    static const struct metric rows[] = {
        RESOLVER_COUNTERS(ROW)
        {"seconds", METRIC_HISTOGRAM, offsetof(struct resolver_counters, seconds),
         "Time the resolver took to answer a query", {{NULL, NULL, 0}, {NULL, NULL, 0}}},
        {0},
    };
    /* clang-format on */
    const void *owner = &r->counters;

    metrics_write(out, "larder_dns_resolver_", rows, &owner, 1);
    metrics_head(out, "larder_dns_resolver_", "open_questions", METRIC_GAUGE,
                 "Queries the resolver is working on");
    metrics_sample(out, "larder_dns_resolver_", "open_questions", METRIC_GAUGE, NULL, SPAN_EMPTY,
                   resolver_outstanding(r));
}

size_t resolver_outstanding(const struct resolver *r)
{
    return atomic_load(&r->outstanding);
}
