/* tour - goes through the whole index, a few records at a time: no read transaction is open while
 * objects are verified, and changes meanwhile do not matter. */
#include "cache/store/tour.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cache/store/inspect.h"
#include "cache/store/store_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RECORDS 256 /* records read in one transaction */

struct tour {
    struct store *store;
    enum store_tour_kind kind;
    uint64_t rate;
    struct store_tour seen;
    struct live_count *counts;
    size_t segment_count;
    uint64_t begun_ms;
};

/* ---- live bytes of each segment ---- */

static int by_id(const void *a, const void *b)
{
    const struct live_count *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static struct live_count *find_count(struct live_count *counts, size_t count, uint32_t id)
{
    struct live_count key = {.id = id};

    return count ? bsearch(&key, counts, count, sizeof(*counts), by_id) : NULL;
}

static void list_segments(struct tour *tour)
{
    size_t max = store_segments_max(tour->store);
    struct store_segment *segments = xcalloc(max, sizeof(*segments));
    size_t count = store_segments(tour->store, segments, max);

    tour->counts = xcalloc(count + 1, sizeof(*tour->counts));
    for (size_t i = 0; i < count; i++) {
        if (!segments[i].dropped) {
            tour->counts[tour->segment_count++].id = segments[i].id;
        }
    }
    free(segments);
}

/* Where the parts of a body in several segments are is not looked up: every segment between the
 * first and the last counts it. Segments created after the tour began are left out. */
static void count(struct tour *tour, const struct location *location)
{
    struct live_count *last = find_count(tour->counts, tour->segment_count, location->segment);
    struct live_count *low = find_count(tour->counts, tour->segment_count, location->low_segment);

    if (last == NULL) {
        return;
    }
    last->objects++;
    last->bytes += location->head_len;
    if (low == NULL || low > last) {
        low = last;
    }
    size_t count = (size_t)(last - low) + 1;
    for (struct live_count *at = low; at <= last; at++) {
        at->bytes += location->body_len / count;
    }
}

/* ---- progress and speed ---- */

/* When the tour may continue without exceeding its rate. */
static uint64_t due_ms(const struct tour *tour)
{
    return tour->rate ? tour->begun_ms + tour->seen.bytes / tour->rate * 1000 +
                            tour->seen.bytes % tour->rate * 1000 / tour->rate
                      : 0;
}

static void wait_until(struct tours *tours, uint64_t ms)
{
    struct timespec until = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    int err = 0;

    while (!tours->stop && err != ETIMEDOUT) {
        err = pthread_cond_timedwait(&tours->wake, &tours->lock, &until);
    }
}

/* False: the tour has to end. */
static bool report(struct tour *tour)
{
    struct tours *tours = &tour->store->tours;
    uint64_t due = due_ms(tour);

    pthread_mutex_lock(&tours->lock);
    tours->last[tour->kind] = tour->seen;
    if (due > clock_mono_ms()) {
        wait_until(tours, due);
    }
    bool go_on = !tours->stop && !tours->yield;
    pthread_mutex_unlock(&tours->lock);
    return go_on;
}

static bool on_read(void *arg, uint64_t bytes)
{
    struct tour *tour = arg;

    tour->seen.bytes += bytes;
    return report(tour);
}

/* ---- the tour ---- */

static int judge(struct tour *tour, const struct index_object *object)
{
    struct inspection inspection = {&tour->store->disk.segments, on_read, tour};

    if (object->err) {
        return object->err;
    }
    if (!disk_has(&tour->store->disk, &object->location)) {
        return ERR_NOT_FOUND;
    }
    return tour->kind == STORE_VERIFY ? inspect_object(&inspection, object->hash, &object->location)
                                      : 0;
}

/* Verifies an object. A damaged one is deleted, as if a reader had found the damage. */
static void look_at(struct tour *tour, const struct index_object *object)
{
    int err = judge(tour, object);

    switch (err) {
    case 0:
        tour->seen.live++;
        count(tour, &object->location);
        return;
    case ERR_NOT_FOUND:
        tour->seen.dead++;
        return;
    case ERR_CORRUPT:
        tour->seen.damaged++;
        find_discard(tour->store, object->hash, &object->location);
        return;
    case -ECANCELED:
        return;
    }
    tour->seen.unreadable++;
    if (err == -EIO) {
        find_discard(tour->store, object->hash, &object->location);
    }
}

static int make_tour(struct tour *tour)
{
    struct index_object *objects = xcalloc(RECORDS, sizeof(*objects));
    uint8_t from[STORE_HASH] = {0};
    size_t count = RECORDS;
    int err = 0;

    while (!err && count == RECORDS) {
        err = index_next(tour->store->disk.index, from, objects, RECORDS, &count);
        for (size_t i = 0; i < count && !err; i++) {
            look_at(tour, &objects[i]);
            err = report(tour) ? 0 : -ECANCELED;
        }
    }
    free(objects);
    return err;
}

static void publish(struct tour *tour)
{
    struct tours *tours = &tour->store->tours;

    tour->seen.ended = clock_wall();
    pthread_mutex_lock(&tours->lock);
    tours->last[tour->kind] = tour->seen;
    if (!tour->seen.err) {
        free(tours->counts);
        tours->counts = tour->counts;
        tours->segment_count = tour->segment_count;
        tour->counts = NULL;
    }
    tours->busy = false;
    pthread_cond_broadcast(&tours->wake);
    pthread_mutex_unlock(&tours->lock);
    free(tour->counts);
}

static void say_end(const struct tour *tour)
{
    const struct store_tour *seen = &tour->seen;

    log_info("store_verified",
             "dir=%s right=%llu dead=%llu damaged=%llu unreadable=%llu bytes=%llu end=%s",
             tour->store->disk.segments.home.dir, (unsigned long long)seen->live,
             (unsigned long long)seen->dead, (unsigned long long)seen->damaged,
             (unsigned long long)seen->unreadable, (unsigned long long)seen->bytes,
             seen->err ? err_text(seen->err) : "all");
}

/* Lowers the thread's priority. It does not matter if that fails. */
static void become_humble(void)
{
    enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_IDLE = 3 << 13 };

    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 10);
    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
}

static void *run(void *arg)
{
    struct store *store = arg;
    struct tour tour = {.store = store, .kind = store->tours.kind, .rate = store->tours.rate};

    become_humble();
    tour.seen.began = clock_wall();
    tour.begun_ms = clock_mono_ms();
    tour.seen.records = atomic_load(&store->disk.counters.objects);
    list_segments(&tour);
    tour.seen.err = make_tour(&tour);
    if (tour.kind == STORE_VERIFY) { /* a verification may wait for a count to end */
        if (!tour.seen.err && tour.seen.damaged + tour.seen.unreadable > 0) {
            store_flush(store); /* so that a later lookup finds the damaged objects deleted */
        }
        say_end(&tour);
    }
    publish(&tour);
    return NULL;
}

/* ---- beginning and ending ---- */

static int start_thread(struct store *store)
{
    struct tours *tours = &store->tours;

    if (tours->started) {
        pthread_join(tours->thread, NULL); /* the thread has ended or is about to */
    }
    int err = thread_start(&tours->thread, "store-tour", run, store);
    tours->started = !err;
    return err;
}

int store_tour_begin(struct store *store, enum store_tour_kind kind, uint64_t rate)
{
    struct tours *tours = &store->tours;
    int err = ERR_BUSY;

    pthread_mutex_lock(&tours->lock);
    while (kind == STORE_VERIFY && tours->busy && tours->kind == STORE_COUNT) {
        tours->yield = true; /* the tour ends within a few records */
        pthread_cond_wait(&tours->wake, &tours->lock);
    }
    tours->yield = false;
    if (!tours->busy && !tours->stop) {
        tours->kind = kind;
        tours->rate = rate;
        err = start_thread(store);
        tours->busy = !err;
        if (!err) {
            tours->last[kind] = (struct store_tour){.began = clock_wall()};
        }
    }
    pthread_mutex_unlock(&tours->lock);
    return err;
}

void store_tour(struct store *store, enum store_tour_kind kind, struct store_tour *out)
{
    pthread_mutex_lock(&store->tours.lock);
    *out = store->tours.last[kind];
    pthread_mutex_unlock(&store->tours.lock);
}

bool tours_live_count(struct tours *tours, uint32_t id, struct live_count *out)
{
    pthread_mutex_lock(&tours->lock);
    const struct live_count *found = find_count(tours->counts, tours->segment_count, id);
    if (found) {
        *out = *found;
    }
    pthread_mutex_unlock(&tours->lock);
    return found != NULL;
}

void tours_init(struct tours *tours)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&tours->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&tours->wake, &attr);
    pthread_condattr_destroy(&attr);
}

void tours_stop(struct tours *tours)
{
    pthread_mutex_lock(&tours->lock);
    bool started = tours->started;
    tours->stop = true;
    tours->started = false;
    pthread_cond_broadcast(&tours->wake);
    pthread_mutex_unlock(&tours->lock);
    if (started) {
        pthread_join(tours->thread, NULL);
    }
}

void tours_fini(struct tours *tours)
{
    free(tours->counts);
    pthread_cond_destroy(&tours->wake);
    pthread_mutex_destroy(&tours->lock);
}
