/* tour - through all of the index, a few records at a time: no read transaction is held while
 * objects are looked at, and what changes behind or before it does not matter. */
#include "cache/store/tour.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/store/store_parts.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RECORDS 256 /* of the index in one read transaction */

struct tour {
    struct store *store;
    enum store_tour_kind kind;
    uint64_t rate;
    struct store_tour seen;
    struct tally *tallies;
    size_t tally_count;
};

/* ---- what is live where ---- */

static int by_id(const void *a, const void *b)
{
    const struct tally *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static struct tally *find_tally(struct tally *tallies, size_t count, uint32_t id)
{
    struct tally key = {.id = id};

    return count ? bsearch(&key, tallies, count, sizeof(*tallies), by_id) : NULL;
}

static void list_segments(struct tour *tour)
{
    size_t max = store_segments_max(tour->store);
    struct store_segment *segments = xcalloc(max, sizeof(*segments));
    size_t count = store_segments(tour->store, segments, max);

    tour->tallies = xcalloc(count + 1, sizeof(*tour->tallies));
    for (size_t i = 0; i < count; i++) {
        if (!segments[i].dropped) {
            tour->tallies[tour->tally_count++].id = segments[i].id;
        }
    }
    free(segments);
}

/* Which parts of a body over several segments are where is not looked up: all between the first and
 * the last get the same. Those that came since the begin are left out. */
static void tally(struct tour *tour, const struct location *location)
{
    struct tally *last = find_tally(tour->tallies, tour->tally_count, location->segment);
    struct tally *low = find_tally(tour->tallies, tour->tally_count, location->low_segment);

    if (last == NULL) {
        return;
    }
    last->objects++;
    last->bytes += location->head_len;
    if (low == NULL || low > last) {
        low = last;
    }
    size_t count = (size_t)(last - low) + 1;
    for (struct tally *at = low; at <= last; at++) {
        at->bytes += location->body_len / count;
    }
}

/* ---- the tour ---- */

static void look_at(struct tour *tour, const struct index_object *object)
{
    if (object->err) {
        tour->seen.damaged++;
    } else if (!disk_has(&tour->store->disk, &object->location)) {
        tour->seen.dead++;
    } else {
        tour->seen.live++;
        tally(tour, &object->location);
    }
}

/* Tells how far it is. False: it is to end. */
static bool report(struct tour *tour)
{
    struct tours *tours = &tour->store->tours;

    pthread_mutex_lock(&tours->lock);
    tours->last[tour->kind] = tour->seen;
    bool go_on = !tours->stop;
    pthread_mutex_unlock(&tours->lock);
    return go_on;
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
        free(tours->tallies);
        tours->tallies = tour->tallies;
        tours->tally_count = tour->tally_count;
        tour->tallies = NULL;
    }
    tours->busy = false;
    pthread_mutex_unlock(&tours->lock);
    free(tour->tallies);
}

/* Who is served comes first. Where this does not work nothing is lost. */
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
    tour.seen.records = index_objects(store->disk.index);
    list_segments(&tour);
    tour.seen.err = make_tour(&tour);
    publish(&tour);
    return NULL;
}

/* ---- beginning and ending ---- */

static int start_thread(struct store *store)
{
    struct tours *tours = &store->tours;
    sigset_t all, before;

    if (tours->started) {
        pthread_join(tours->thread, NULL); /* it has nothing left to do */
    }
    sigfillset(&all); /* signals are for the threads that know what to do with them */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&tours->thread, NULL, run, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    tours->started = !err;
    return -err;
}

int store_tour_begin(struct store *store, enum store_tour_kind kind, uint64_t rate)
{
    struct tours *tours = &store->tours;
    int err = ERR_BUSY;

    pthread_mutex_lock(&tours->lock);
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

bool tours_tally(struct tours *tours, uint32_t id, struct tally *out)
{
    pthread_mutex_lock(&tours->lock);
    const struct tally *found = find_tally(tours->tallies, tours->tally_count, id);
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
    pthread_cond_signal(&tours->wake);
    pthread_mutex_unlock(&tours->lock);
    if (started) {
        pthread_join(tours->thread, NULL);
    }
}

void tours_fini(struct tours *tours)
{
    free(tours->tallies);
    pthread_cond_destroy(&tours->wake);
    pthread_mutex_destroy(&tours->lock);
}
