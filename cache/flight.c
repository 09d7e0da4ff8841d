#include "cache/flight.h"

#include "base/mem.h"
#include "base/memory.h"

#include <pthread.h>

struct flight {
    atomic_int refs;
    atomic_bool doomed;
    pthread_mutex_t lock;
    enum flight_state state;
    struct object *stale;
    struct object *variants[OBJECT_VARY_MAX];
    size_t variant_count;
    struct object *object;
    struct failure failure;
    enum reason why_stale; /* written once, before `state` is set */
    struct list members;
    size_t member_count;
    struct waker owner;
    struct flight *next;
    struct flight_mark mark;
    struct cache_key key;
    char key_text[];
};

struct flight *flight_new(const struct cache_key *key, struct object *stale)
{
    struct flight *flight = xcalloc(1, sizeof(*flight) + key->text.len);
    memory_take(MEMORY_FLIGHTS, sizeof(*flight) + key->text.len);

    atomic_init(&flight->refs, 1);
    CHECK(pthread_mutex_init(&flight->lock, NULL) == 0);
    list_init(&flight->members);
    if (key->text.len) {
        memcpy(flight->key_text, key->text.at, key->text.len);
    }
    flight->key = *key;
    flight->key.text.at = flight->key_text;
    flight->stale = stale ? object_ref(stale) : NULL;
    if (stale) {
        atomic_store_explicit(&stale->held, true, memory_order_relaxed);
    }
    return flight;
}

struct flight *flight_ref(struct flight *flight)
{
    atomic_fetch_add_explicit(&flight->refs, 1, memory_order_relaxed);
    return flight;
}

static void flight_free(struct flight *flight)
{
    CHECK(list_empty(&flight->members));
    object_unref(&flight->stale);
    for (size_t i = 0; i < flight->variant_count; i++) {
        object_unref(&flight->variants[i]);
    }
    object_unref(&flight->object);
    pthread_mutex_destroy(&flight->lock);
    memory_give(MEMORY_FLIGHTS, sizeof(*flight) + flight->key.text.len);
    free(flight);
}

/* Whoever waits for the first of a row of failed flights may hold all of them. */
void flight_unref(struct flight **slot)
{
    struct flight *flight = *slot;

    *slot = NULL;
    while (flight && atomic_fetch_sub_explicit(&flight->refs, 1, memory_order_acq_rel) == 1) {
        struct flight *next = flight->next;
        flight_free(flight);
        flight = next;
    }
}

const struct cache_key *flight_key(const struct flight *flight)
{
    return &flight->key;
}

struct object *flight_stale(const struct flight *flight)
{
    return flight->stale;
}

void flight_set_variants(struct flight *flight, struct object *const *variants, size_t count)
{
    CHECK(flight->variant_count == 0 && count <= OBJECT_VARY_MAX);
    for (size_t i = 0; i < count; i++) {
        flight->variants[flight->variant_count++] = variants[i];
    }
}

struct object *const *flight_variants(const struct flight *flight, size_t *count)
{
    *count = flight->variant_count;
    return flight->variants;
}

void flight_join(struct flight *flight, struct flight_member *member, bool leader,
                 struct waker waker)
{
    *member = (struct flight_member){.waker = waker, .leader = leader};
    member->flight = flight_ref(flight);
    pthread_mutex_lock(&flight->lock);
    list_push_back(&flight->members, &member->link);
    flight->member_count++;
    if (flight->state != FLIGHT_WAITING) {
        waker.wake(waker.arg);
    }
    pthread_mutex_unlock(&flight->lock);
}

void flight_leave(struct flight_member *member)
{
    struct flight *flight = member->flight;

    if (flight == NULL) {
        return;
    }
    pthread_mutex_lock(&flight->lock);
    list_remove(&member->link);
    flight->member_count--;
    if (flight->member_count == 0 && flight->owner.wake) {
        flight->owner.wake(flight->owner.arg);
    }
    pthread_mutex_unlock(&flight->lock);
    flight_unref(&member->flight);
}

size_t flight_members(struct flight *flight)
{
    pthread_mutex_lock(&flight->lock);
    size_t count = flight->member_count;
    pthread_mutex_unlock(&flight->lock);
    return count;
}

bool flight_may_bring(struct flight *flight, const struct cache_key *key)
{
    pthread_mutex_lock(&flight->lock);
    bool shared = flight->state == FLIGHT_SHARED && span_eq(flight->object->key.text, key->text);
    bool may = shared || flight->state == FLIGHT_WAITING;
    pthread_mutex_unlock(&flight->lock);
    return may;
}

enum reason flight_why(struct flight *flight)
{
    pthread_mutex_lock(&flight->lock);
    enum reason why = flight->object ? flight->object->stored_reason : REASON_NONE;
    pthread_mutex_unlock(&flight->lock);
    return why;
}

enum reason flight_why_stale(const struct flight *flight)
{
    return flight->why_stale;
}

enum flight_state flight_look(const struct flight_member *member, struct object **object,
                              struct failure *failure)
{
    struct flight *flight = member->flight;

    *object = NULL;
    pthread_mutex_lock(&flight->lock);
    enum flight_state state = flight->state;
    bool mine = state == FLIGHT_SHARED || (state == FLIGHT_SOLO && member->leader);
    if (mine) {
        *object = object_ref(flight->object);
    }
    *failure = flight->failure;
    pthread_mutex_unlock(&flight->lock);
    return state;
}

static void land(struct flight *flight, enum flight_state state, struct object *object,
                 struct failure failure)
{
    pthread_mutex_lock(&flight->lock);
    CHECK(flight->state == FLIGHT_WAITING);
    flight->state = state;
    flight->object = object ? object_ref(object) : NULL;
    flight->failure = failure;
    list_each(link, &flight->members)
    {
        struct waker *waker = &list_entry(link, struct flight_member, link)->waker;
        waker->wake(waker->arg);
    }
    pthread_mutex_unlock(&flight->lock);
}

void flight_publish(struct flight *flight, struct object *object)
{
    land(flight, FLIGHT_SHARED, object, (struct failure){0});
}

void flight_publish_solo(struct flight *flight, struct object *object)
{
    land(flight, FLIGHT_SOLO, object, (struct failure){0});
}

void flight_publish_stale(struct flight *flight, enum reason why)
{
    CHECK(flight->stale != NULL);
    flight->why_stale = why;
    flight_publish(flight, flight->stale);
}

void flight_fail(struct flight *flight, struct failure failure)
{
    land(flight, FLIGHT_FAILED, NULL, failure);
}

struct flight *flight_next(const struct flight *flight)
{
    return flight->next;
}

void flight_set_next(struct flight *flight, struct flight *next)
{
    struct flight *old = flight->next;

    flight->next = flight_ref(next);
    flight_unref(&old);
}

bool flight_has_failed(struct flight *flight)
{
    pthread_mutex_lock(&flight->lock);
    bool failed = flight->state == FLIGHT_FAILED;
    pthread_mutex_unlock(&flight->lock);
    return failed;
}

void flight_watch(struct flight *flight, struct waker owner)
{
    pthread_mutex_lock(&flight->lock);
    flight->owner = owner;
    pthread_mutex_unlock(&flight->lock);
}

void flight_set_mark(struct flight *flight, struct flight_mark mark)
{
    flight->mark = mark;
}

struct flight_mark flight_mark(const struct flight *flight)
{
    return flight->mark;
}

void flight_doom(struct flight *flight)
{
    atomic_store_explicit(&flight->doomed, true, memory_order_release);
}

bool flight_is_doomed(const struct flight *flight)
{
    return atomic_load_explicit(&flight->doomed, memory_order_acquire);
}
