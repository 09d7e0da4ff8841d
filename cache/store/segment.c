#include "cache/store/segment.h"

#include "base/check.h"
#include "base/err.h"
#include "base/guard.h"
#include "cache/store/segment_parts.h"

#include <stdatomic.h>

#define PIN_LIVE (UINT64_C(1) << 31)
#define PIN_COUNT (PIN_LIVE - 1)

static uint64_t pin_state(uint32_t id, uint64_t rest)
{
    return (uint64_t)id << 32 | rest;
}

/* ---- pins ---- */

bool segment_pin(struct segment *segment, uint32_t id, bool retired)
{
    uint64_t state = atomic_load_explicit(&segment->pin.state, memory_order_relaxed);

    do {
        bool open = state & PIN_LIVE || (retired && state & PIN_COUNT);
        if (state >> 32 != id || !open) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&segment->pin.state, &state, state + 1,
                                                    memory_order_seq_cst, memory_order_relaxed));
    return true;
}

bool segment_unpin(struct segment *segment)
{
    uint64_t before = atomic_fetch_sub_explicit(&segment->pin.state, 1, memory_order_release);

    CHECK(before & PIN_COUNT);
    return !(before & PIN_LIVE) && (before & PIN_COUNT) == 1;
}

bool segment_is_live(const struct segment *segment, uint32_t id)
{
    uint64_t state = atomic_load_explicit(&segment->pin.state, memory_order_acquire);

    return state >> 32 == id && (state & PIN_LIVE);
}

bool segment_is_pinned(const struct segment *segment)
{
    return atomic_load_explicit(&segment->pin.state, memory_order_acquire) & PIN_COUNT;
}

bool segment_is_idle(const struct segment *segment)
{
    uint64_t state = atomic_load_explicit(&segment->pin.state, memory_order_acquire);

    return state != 0 && (state & (PIN_LIVE | PIN_COUNT)) == 0;
}

uint32_t segment_pins(const struct segment *segment, bool *live, uint32_t *pins)
{
    uint64_t state = atomic_load_explicit(&segment->pin.state, memory_order_acquire);

    *live = state & PIN_LIVE;
    *pins = (uint32_t)(state & PIN_COUNT);
    return (uint32_t)(state >> 32);
}

bool segment_retire(struct segment *segment)
{
    return atomic_fetch_and_explicit(&segment->pin.state, ~PIN_LIVE, memory_order_acq_rel) &
           PIN_LIVE;
}

/* ---- its life ---- */

static void segment_init(struct segment *segment, const struct segment_home *home,
                         const struct segment_spec *spec, bool writable)
{
    CHECK(atomic_load(&segment->pin.state) == 0);
    segment->id = spec->id;
    segment->log = spec->log;
    segment->capacity = spec->capacity;
    segment->created = spec->created;
    segment->home = home;
    segment->writable = writable;
    segment->listed = segment->counted = segment->uses_loaded = false;
    segment->dead = 0;
    segment->next_object = segment->committed_objects = 1;
    segment->next_chunk = segment->committed_chunks = 1;
    segment->env = (struct env){0};
    atomic_store(&segment->opened, false);
    atomic_store(&segment->sealed, !writable);
    atomic_store(&segment->visitors, 0);
    pthread_mutex_init(&segment->opening, NULL);
    /* no record is shorter than 70 bytes with its node, no chunk shorter than half a page */
    ledger_init(&segment->ledger, spec->capacity / 64);
    bitmap_init(&segment->verified_chunks, spec->capacity / 2048);
    bitmap_init(&segment->bad_chunks, spec->capacity / 2048);
}

static void segment_fini(struct segment *segment)
{
    env_close(&segment->env);
    pthread_mutex_destroy(&segment->opening);
    ledger_fini(&segment->ledger);
    bitmap_fini(&segment->verified_chunks);
    bitmap_fini(&segment->bad_chunks);
}

int segment_create(struct segment *segment, const struct segment_home *home,
                   const struct segment_spec *spec)
{
    segment_init(segment, home, spec, true);
    int err = segment_open_file(segment, true);
    if (err) {
        segment_unlink(home, spec->id);
        segment_fini(segment);
        return err;
    }
    segment->counted = segment->uses_loaded = true;
    atomic_store(&segment->opened, true);
    atomic_store(&segment->pin.state, pin_state(spec->id, PIN_LIVE));
    return 0;
}

void segment_adopt(struct segment *segment, const struct segment_home *home,
                   const struct segment_spec *spec, bool writable)
{
    segment_init(segment, home, spec, writable);
    segment->listed = true;
    atomic_store(&segment->pin.state, pin_state(spec->id, PIN_LIVE));
}

int segment_resume(struct segment *segment)
{
    CHECK(segment->writable);
    return segment_count(segment);
}

void segment_seal(struct segment *segment)
{
    CHECK(segment->txn == NULL);
    atomic_store(&segment->sealed, true);
}

void segment_shed(struct segment *segment)
{
    /* Readers count themselves before they read `sealed`; here `sealed` is read before the count.
     * So no reader uses what is freed. */
    if (segment->writable && atomic_load(&segment->sealed) && atomic_load(&segment->opened) &&
        segment->env.is_mapped && atomic_load(&segment->visitors) == 0) {
        env_leave(&segment->env);
    }
}

int segment_ready(struct segment *segment)
{
    int err = 0;

    if (!atomic_load(&segment->opened)) {
        pthread_mutex_lock(&segment->opening);
        if (!atomic_load(&segment->opened)) {
            err = segment_open_file(segment, false);
            atomic_store(&segment->opened, !err);
        }
        pthread_mutex_unlock(&segment->opening);
    }
    return err;
}

void segment_close(struct segment *segment)
{
    CHECK((atomic_load(&segment->pin.state) & PIN_COUNT) == 0);
    segment_abort(segment);
    segment_fini(segment);
    atomic_store_explicit(&segment->pin.state, 0, memory_order_release);
}

/* ---- reading ---- */

bool segment_enter(struct segment *segment)
{
    if (atomic_load_explicit(&segment->sealed, memory_order_acquire)) {
        return false;
    }
    atomic_fetch_add(&segment->visitors, 1);
    if (atomic_load(&segment->sealed)) {
        segment_exit(segment);
        return false;
    }
    return true;
}

void segment_exit(struct segment *segment)
{
    atomic_fetch_sub(&segment->visitors, 1);
}

struct file_place segment_place(const struct segment *segment, struct span lent)
{
    struct file_place place = env_place(&segment->env, lent.at);

    /* the capacity is only what the index says, so the mapping counts */
    size_t size = segment->env.map_size;
    CHECK(place.offset <= size && lent.len <= size - place.offset);
    return place;
}

void segment_condemn_chunk(struct segment *segment, uint32_t number)
{
    bitmap_set(&segment->bad_chunks, number);
}

bool segment_chunk_is_bad(const struct segment *segment, uint32_t number)
{
    return bitmap_has(&segment->bad_chunks, number);
}

void segment_set_verified(struct segment *segment, uint32_t number)
{
    bitmap_set(&segment->verified_chunks, number);
}

bool segment_is_verified(const struct segment *segment, uint32_t number)
{
    return bitmap_has(&segment->verified_chunks, number);
}
