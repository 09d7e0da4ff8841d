#include "dnsredir/updater.h"

#include "base/check.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "dnsredir/desk.h"
#include "dnsredir/statedb.h"
#include "dnsredir/worker.h"

/* A replica that was drained, or no longer is. */
struct drain {
    struct list link;
    bool drained;
    char *name;
};

struct updater {
    struct updater_plan plan;
    struct statedb *db; /* the thread's, once it runs */
    uv_async_t wake;
    bool running, stopped;
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t work;
    struct list waiting; /* errands */
    size_t waiting_count;
    struct list drains;
    uint64_t tickets;    /* given so far */
    struct list done;    /* errands */
    uint64_t drained;    /* the last ticket that was dealt with */
    bool drain_failed;   /* since told last */
    struct bound *fresh; /* not yet told */
    bool ending;
};

/* ---- all that wait ---- */

struct batch {
    struct list errands, drains;
    uint64_t ticket; /* of the last drain; 0: there is none */
    bool failed;
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

static int write_batch(struct updater *u, const struct world *world, struct batch *batch,
                       bool *changed)
{
    int err = statedb_begin(u->db);

    if (err) {
        return err;
    }
    err = write_drains(u, &batch->drains);
    list_each(link, &batch->errands)
    {
        struct errand *errand = list_entry(link, struct errand, link);
        bool one = false;
        errand->note.rcode = (uint16_t)errand_run(errand, u->db, &world->view, &one);
        *changed = *changed || one;
    }
    if (err) {
        statedb_abort(u->db);
        return err;
    }
    return statedb_commit(u->db);
}

static void add_bound(void *arg, struct span key, struct span value)
{
    if (!bound_add(arg, key, value)) {
        log_warn("state_damaged", "what=%s", "the records of a name");
    }
}

static void add_serial(void *arg, struct span key, struct span value)
{
    struct wire_in in = wire_in_of(value.at, value.len);
    uint32_t serial = wire_get_u32(&in);

    if (in.failed || !bound_add_serial(arg, key, serial)) {
        log_warn("state_damaged", "what=%s", "the serial of a zone");
    }
}

/* NULL when the state cannot be read. */
static struct bound *read_bound(struct updater *u)
{
    struct bound *bound = bound_new();
    int err = statedb_begin(u->db);

    if (!err) {
        err = statedb_each(u->db, STATEDB_BOUND, add_bound, bound);
    }
    if (!err) {
        err = statedb_each(u->db, STATEDB_SERIALS, add_serial, bound);
    }
    statedb_abort(u->db);
    if (err) {
        log_error("state_not_read", "err=%s", err_text(err));
        bound_unref(&bound);
    }
    return bound;
}

static void fail_all(struct list *errands)
{
    list_each(link, errands)
    {
        list_entry(link, struct errand, link)->note.rcode = RCODE_SERVFAIL;
    }
}

static struct bound *run_batch(struct updater *u, struct batch *batch)
{
    const struct world *world = publish_enter(u->plan.publish, u->plan.reader);
    struct bound *fresh = NULL;
    bool changed = false;
    int err = write_batch(u, world, batch, &changed);

    batch->failed = err != 0;
    if (err) {
        log_error("state_not_written", "err=%s", err_text(err));
        fail_all(&batch->errands);
    } else if (changed) {
        fresh = read_bound(u);
    }
    publish_leave(u->plan.publish, u->plan.reader);
    list_each(link, &batch->errands)
    {
        errand_finish(list_entry(link, struct errand, link));
    }
    return fresh;
}

/* ---- the thread ---- */

static void move_all(struct list *from, struct list *to)
{
    for (struct list *link; (link = list_pop_front(from));) {
        list_push_back(to, link);
    }
}

/* Waits for something to do; false when nothing more will come. */
static bool take_batch(struct updater *u, struct batch *batch)
{
    pthread_mutex_lock(&u->lock);
    while (!u->ending && list_empty(&u->waiting) && list_empty(&u->drains)) {
        pthread_cond_wait(&u->work, &u->lock);
    }
    move_all(&u->waiting, &batch->errands);
    move_all(&u->drains, &batch->drains);
    u->waiting_count = 0;
    batch->ticket = list_empty(&batch->drains) ? 0 : u->tickets;
    pthread_mutex_unlock(&u->lock);
    return !list_empty(&batch->errands) || !list_empty(&batch->drains);
}

static void drains_free(struct list *drains)
{
    for (struct list *link; (link = list_pop_front(drains));) {
        struct drain *drain = list_entry(link, struct drain, link);
        free(drain->name);
        free(drain);
    }
}

static void hand_back(struct updater *u, struct batch *batch, struct bound *fresh)
{
    pthread_mutex_lock(&u->lock);
    move_all(&batch->errands, &u->done);
    if (batch->ticket) {
        u->drained = batch->ticket;
        u->drain_failed = u->drain_failed || batch->failed;
    }
    if (fresh) {
        bound_unref(&u->fresh); /* nobody has seen it */
        u->fresh = fresh;
    }
    uv_async_send(&u->wake);
    pthread_mutex_unlock(&u->lock);
}

static void *thread_main(void *arg)
{
    struct updater *u = arg;
    struct batch batch;

    list_init(&batch.errands);
    list_init(&batch.drains);
    while (take_batch(u, &batch)) {
        struct bound *fresh = run_batch(u, &batch);
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
    struct bound *fresh = u->fresh;
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
        desk_return(list_entry(link, struct errand, link));
    }
    if (drained) {
        u->plan.on_drain(u->plan.arg, drained, good);
    }
}

int updater_open(const struct updater_plan *plan, struct updater **out)
{
    struct statedb *db;
    int err = statedb_open(plan->dir, &db);

    *out = NULL;
    if (err) {
        return err;
    }
    struct updater *u = xcalloc(1, sizeof(*u));
    u->plan = *plan;
    u->db = db;
    list_init(&u->waiting);
    list_init(&u->drains);
    list_init(&u->done);
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->work, NULL);
    CHECK(uv_async_init(plan->loop, &u->wake, on_wake) == 0);
    *out = u;
    return 0;
}

struct bound *updater_bound(struct updater *updater)
{
    return read_bound(updater);
}

struct visit {
    void (*visit)(void *arg, struct span name);
    void *arg;
};

static void visit_drained(void *arg, struct span key, struct span value)
{
    const struct visit *visit = arg;
    visit->visit(visit->arg, key);
}

void updater_each_drained(struct updater *updater, void (*visit)(void *arg, struct span name),
                          void *arg)
{
    struct visit both = {visit, arg};
    int err = statedb_begin(updater->db);

    if (!err) {
        err = statedb_each(updater->db, STATEDB_DRAINED, visit_drained, &both);
    }
    statedb_abort(updater->db);
    if (err) {
        log_error("state_not_read", "err=%s", err_text(err));
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
        struct errand *errand = list_entry(link, struct errand, link);
        errand_free(&errand);
    }
    drains_free(&u->drains);
    statedb_close(&u->db);
    pthread_cond_destroy(&u->work);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

/* ---- from others ---- */

bool updater_put(struct updater *updater, struct errand *errand)
{
    pthread_mutex_lock(&updater->lock);
    bool fits = updater->waiting_count < UPDATER_QUEUE_MAX && !updater->ending;
    if (fits) {
        updater->waiting_count++;
        list_push_back(&updater->waiting, &errand->link);
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
