#include "dnsredir/state/updater.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "dnsredir/state/dynamic_read.h"
#include "dnsredir/state/statedb.h"
#include "dnsredir/state/update_intake.h"
#include "dnsredir/worker.h"

#include <errno.h>
#include <stdatomic.h>

/* After how many ms a state that could not be opened is tried again. */
#define AGAIN_MS 1000

/* A replica that was drained, or no longer is. */
struct drain {
    struct list link;
    bool drained;
    char *name;
};

struct updater {
    struct updater_plan plan;
    char *dir;                       /* the plan's: settings may go meanwhile */
    struct statedb *db;              /* the thread's, once it runs; NULL: it cannot be used */
    struct dynamic_records *dynamic; /* likewise: what is committed */
    uint64_t tried_ms;               /* when the last attempt to open it was made */
    atomic_bool good;
    uv_async_t wake;
    bool running, stopped;
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t work;
    struct list waiting; /* jobs */
    size_t waiting_count;
    struct list drains;
    uint64_t tickets;              /* given so far */
    struct list done;              /* jobs */
    uint64_t drained;              /* the last ticket that was written, or failed */
    bool drain_failed;             /* since the last report to the control loop */
    struct dynamic_records *fresh; /* not yet handed to the control loop */
    bool ending;
};

static void log_damage(const struct updater *u, const struct dynamic_records *dynamic)
{
    log_error("state_damaged", "state=%s names_read=%zu next=%s", u->plan.dir,
              dynamic_count(dynamic),
              "updates and names of which nothing can be read are answered SERVFAIL");
}

/* Reads all dynamic records, as far as that is possible. */
static void read_dynamic(struct updater *u)
{
    dynamic_unref(&u->dynamic);
    u->dynamic = dynamic_read(&u->db);
    bool damaged = dynamic_is_damaged(u->dynamic);
    atomic_store(&u->good, !damaged);
    if (damaged && u->db) {
        log_damage(u, u->dynamic);
    }
}

/* Brings the table of dynamic records up to date after a commit. If something cannot be read it
 * stays as it was. */
static int renew_dynamic(struct updater *u, const struct list *jobs)
{
    struct dynamic_records *fresh;
    int err = dynamic_reread(&u->db, u->dynamic, jobs, &fresh);

    if (err) {
        return err;
    }
    if (dynamic_is_damaged(fresh) && !dynamic_is_damaged(u->dynamic)) {
        log_damage(u, fresh);
    }
    dynamic_unref(&u->dynamic);
    u->dynamic = fresh;
    return 0;
}

/* ---- all that wait ---- */

struct batch {
    struct list jobs, drains;
    uint64_t ticket; /* ticket of the last drain in the batch; 0: there is none */
    bool failed;
};

struct writing {
    struct updater *u;
    const struct snapshot *snapshot;
    struct batch *batch;
    bool changed;
};

static int write_drains(struct updater *u, struct list *drains)
{
    int err = 0;

    list_each(link, drains)
    {
        const struct drain *drain = list_entry(link, struct drain, link);
        struct span name = span_str(drain->name);
        int one = drain->drained ? statedb_put(u->db, STATEDB_DRAINED, name, SPAN_EMPTY)
                                 : statedb_drop(u->db, STATEDB_DRAINED, name);
        err = one && one != ERR_NOT_FOUND ? one : err;
    }
    return err;
}

static int write_batch(void *arg)
{
    struct writing *writing = arg;
    struct updater *u = writing->u;
    int err = statedb_begin(u->db);

    if (err) {
        return err;
    }
    err = write_drains(u, &writing->batch->drains);
    list_each(link, &writing->batch->jobs)
    {
        struct update_job *job = list_entry(link, struct update_job, link);
        if (dynamic_is_damaged(u->dynamic)) {
            job->note.rcode = RCODE_SERVFAIL;
            continue;
        }
        job->note.rcode =
            (uint16_t)update_job_run(job, u->db, &writing->snapshot->view, &job->changed);
        writing->changed = writing->changed || job->changed;
    }
    if (err) {
        statedb_abort(u->db);
        return err;
    }
    return statedb_commit(u->db);
}

static void fail_all(struct list *jobs)
{
    list_each(link, jobs)
    {
        list_entry(link, struct update_job, link)->note.rcode = RCODE_SERVFAIL;
    }
}

/* Opens the state again, after it could not be opened or was closed. */
static int open_again(struct updater *u)
{
    uint64_t now = clock_mono_us() / 1000;

    if (u->db || now - u->tried_ms < AGAIN_MS) {
        return u->db ? 0 : ERR_CLOSED;
    }
    u->tried_ms = now;
    int err = statedb_open(u->plan.dir, &u->db);
    if (!err) {
        read_dynamic(u);
    }
    return err;
}

static int write_and_read(struct updater *u, struct writing *writing)
{
    int err = open_again(u);

    err = err ? err : statedb_work(&u->db, write_batch, writing);
    if (!err && writing->changed) {
        err = renew_dynamic(u, &writing->batch->jobs);
    }
    if (err == ERR_CLOSED) {
        statedb_close(&u->db); /* so that it is opened again */
    }
    return err;
}

/* Carries out a batch. Returns the dynamic records of now, if they have changed, or NULL. */
static struct dynamic_records *run_batch(struct updater *u, struct batch *batch)
{
    struct writing writing = {u, publish_enter(u->plan.publish, u->plan.reader), batch, false};
    bool was_open = u->db != NULL;
    int err = write_and_read(u, &writing);

    publish_leave(u->plan.publish, u->plan.reader);
    batch->failed = err != 0;
    if (err) {
        log_error("state_not_written", "state=%s err=%s", u->plan.dir, err_text(err));
        fail_all(&batch->jobs);
    }
    atomic_store(&u->good, !err && !dynamic_is_damaged(u->dynamic));
    list_each(link, &batch->jobs)
    {
        update_job_finish(list_entry(link, struct update_job, link));
    }
    bool is_new = (!err && writing.changed) || (u->db && !was_open);
    return is_new ? dynamic_copy(u->dynamic) : NULL;
}

/* ---- the thread ---- */

static void move_all(struct list *from, struct list *to)
{
    for (struct list *link; (link = list_pop_front(from));) {
        list_push_back(to, link);
    }
}

/* Waits for something to do. Returns false if nothing more will come. */
static bool take_batch(struct updater *u, struct batch *batch)
{
    pthread_mutex_lock(&u->lock);
    while (!u->ending && list_empty(&u->waiting) && list_empty(&u->drains)) {
        pthread_cond_wait(&u->work, &u->lock);
    }
    move_all(&u->waiting, &batch->jobs);
    move_all(&u->drains, &batch->drains);
    u->waiting_count = 0;
    batch->ticket = list_empty(&batch->drains) ? 0 : u->tickets;
    pthread_mutex_unlock(&u->lock);
    return !list_empty(&batch->jobs) || !list_empty(&batch->drains);
}

static void drains_free(struct list *drains)
{
    for (struct list *link; (link = list_pop_front(drains));) {
        struct drain *drain = list_entry(link, struct drain, link);
        free(drain->name);
        free(drain);
    }
}

static void hand_back(struct updater *u, struct batch *batch, struct dynamic_records *fresh)
{
    pthread_mutex_lock(&u->lock);
    move_all(&batch->jobs, &u->done);
    if (batch->ticket) {
        u->drained = batch->ticket;
        u->drain_failed = u->drain_failed || batch->failed;
    }
    if (fresh) {
        dynamic_unref(&u->fresh); /* the control loop has not taken the last one yet */
        u->fresh = fresh;
    }
    uv_async_send(&u->wake);
    pthread_mutex_unlock(&u->lock);
}

static void *thread_main(void *arg)
{
    struct updater *u = arg;
    struct batch batch;

    list_init(&batch.jobs);
    list_init(&batch.drains);
    while (take_batch(u, &batch)) {
        struct dynamic_records *fresh = run_batch(u, &batch);
        drains_free(&batch.drains);
        hand_back(u, &batch, fresh);
    }
    return NULL;
}

/* ---- the control loop ---- */

static void on_wake(uv_async_t *wake)
{
    struct updater *u = container_of(wake, struct updater, wake);
    struct list done;

    list_init(&done);
    pthread_mutex_lock(&u->lock);
    move_all(&u->done, &done);
    struct dynamic_records *fresh = u->fresh;
    uint64_t drained = u->drained;
    bool good = !u->drain_failed;
    u->fresh = NULL;
    u->drained = 0;
    u->drain_failed = false;
    pthread_mutex_unlock(&u->lock);
    if (fresh) {
        u->plan.on_change(u->plan.arg, fresh);
    }
    for (struct list *link; (link = list_pop_front(&done));) {
        update_intake_return(list_entry(link, struct update_job, link));
    }
    if (drained) {
        u->plan.on_drain(u->plan.arg, drained, good);
    }
}

/* Is it an error that an operator has to fix, since it would happen at the next start, too? */
static bool is_of_operator(int err)
{
    return err == ERR_BUSY || err == -ENOENT || err == -EACCES || err == -EPERM ||
           err == -ENOTDIR || err == -ENAMETOOLONG || err == -ELOOP;
}

int updater_open(const struct updater_plan *plan, struct updater **out)
{
    struct statedb *db;
    int err = statedb_open(plan->dir, &db);

    *out = NULL;
    if (is_of_operator(err)) {
        return err;
    }
    if (err) {
        log_error("state_unusable", "state=%s err=%s next=%s", plan->dir, err_text(err),
                  "updates, and names that are open for them, are answered SERVFAIL");
    }
    struct updater *u = xcalloc(1, sizeof(*u));
    u->plan = *plan;
    u->dir = xspandup(span_str(plan->dir));
    u->plan.dir = u->dir;
    u->db = db;
    list_init(&u->waiting);
    list_init(&u->drains);
    list_init(&u->done);
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->work, NULL);
    CHECK(uv_async_init(plan->loop, &u->wake, on_wake) == 0);
    read_dynamic(u);
    *out = u;
    return 0;
}

struct dynamic_records *updater_dynamic(struct updater *updater)
{
    return dynamic_copy(updater->dynamic);
}

bool updater_is_good(const struct updater *updater)
{
    return atomic_load(&updater->good);
}

struct visit {
    struct updater *u;
    void (*visit)(void *arg, struct span name);
    void *arg;
};

static void visit_drained(void *arg, struct span key, struct span value)
{
    const struct visit *visit = arg;
    visit->visit(visit->arg, key);
}

static int read_drained(void *arg)
{
    struct visit *visit = arg;
    int err = statedb_begin(visit->u->db);

    if (!err) {
        err = statedb_each(visit->u->db, STATEDB_DRAINED, visit_drained, visit);
    }
    statedb_abort(visit->u->db);
    return err;
}

void updater_each_drained(struct updater *updater, void (*visit)(void *arg, struct span name),
                          void *arg)
{
    struct visit all = {updater, visit, arg};
    int err = updater->db ? statedb_work(&updater->db, read_drained, &all) : 0;

    if (err) {
        log_error("state_damaged", "state=%s what=%s err=%s", updater->plan.dir,
                  "who is drained by hand", err_text(err));
    }
}

int updater_start(struct updater *updater)
{
    int err = thread_start(&updater->thread, "dns-updater", thread_main, updater);

    updater->running = !err;
    return err;
}

void updater_stop(struct updater *updater)
{
    if (!updater || updater->stopped) {
        return;
    }
    updater->stopped = true;
    pthread_mutex_lock(&updater->lock);
    updater->ending = true;
    pthread_cond_signal(&updater->work);
    pthread_mutex_unlock(&updater->lock);
    if (updater->running) {
        pthread_join(updater->thread, NULL);
        on_wake(&updater->wake);
    }
    uv_close((uv_handle_t *)&updater->wake, NULL);
}

void updater_free(struct updater **updater)
{
    struct updater *u = *updater;

    if (!u) {
        return;
    }
    *updater = NULL;
    for (struct list *link; (link = list_pop_front(&u->waiting));) {
        struct update_job *job = list_entry(link, struct update_job, link);
        update_job_free(&job);
    }
    drains_free(&u->drains);
    statedb_close(&u->db);
    dynamic_unref(&u->dynamic);
    dynamic_unref(&u->fresh);
    free(u->dir);
    pthread_cond_destroy(&u->work);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

/* ---- from others ---- */

bool updater_put(struct updater *updater, struct update_job *job)
{
    pthread_mutex_lock(&updater->lock);
    bool fits = updater->waiting_count < UPDATER_QUEUE_MAX && !updater->ending;
    if (fits) {
        updater->waiting_count++;
        list_push_back(&updater->waiting, &job->link);
        pthread_cond_signal(&updater->work);
    }
    pthread_mutex_unlock(&updater->lock);
    return fits;
}

uint64_t updater_drain(struct updater *updater, struct span name, bool drained)
{
    struct drain *drain = xcalloc(1, sizeof(*drain));

    drain->drained = drained;
    drain->name = xspandup(name);
    pthread_mutex_lock(&updater->lock);
    uint64_t ticket = ++updater->tickets;
    list_push_back(&updater->drains, &drain->link);
    pthread_cond_signal(&updater->work);
    pthread_mutex_unlock(&updater->lock);
    return ticket;
}
