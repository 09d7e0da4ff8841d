#include "cache/ahead.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"

/* Most bytes read at once from a lent range whose pages have left memory, while memory is tight. */
#define NARROW (32u << 10)

static void wake(void *arg)
{
    struct ahead *ahead = arg;

    if (atomic_exchange(&ahead->waiting, false) && ahead->waker.wake) {
        ahead->waker.wake(ahead->waker.arg);
    }
}

void ahead_need(struct ahead **ahead, struct waker waker)
{
    if (*ahead == NULL) {
        *ahead = xcalloc(1, sizeof(**ahead));
        (*ahead)->waker = waker;
    }
}

void ahead_close(struct ahead *ahead)
{
    if (ahead == NULL) {
        return;
    }
    if (ahead->pin) {
        store_unpin(ahead->store, ahead->pin);
        ahead->pin = NULL;
    }
    store_read_leave(&ahead->lent.waiter);
}

static void drop_next(struct ahead *ahead)
{
    if (ahead->next.pin) {
        store_unpin(ahead->store, ahead->next.pin);
        ahead->next.pin = NULL;
    }
}

void ahead_free(struct ahead **slot)
{
    struct ahead *ahead = *slot;

    *slot = NULL;
    if (ahead == NULL) {
        return;
    }
    ahead_close(ahead);
    drop_next(ahead);
    for (size_t i = 0; i < AHEAD_CHUNKS; i++) {
        store_read_leave(&ahead->chunks[i].waiter);
    }
    free(ahead);
}

/* 0: the read is complete. ERR_AGAIN: the reader will be woken. */
static int await(struct ahead *ahead, const struct ahead_slot *slot)
{
    ahead->behind = false;
    if (store_read_is_done(slot->waiter.read)) {
        return 0;
    }
    /* an exchange, so that we see the read done if wake() has come before it */
    atomic_exchange(&ahead->waiting, true);
    if (!store_read_is_done(slot->waiter.read)) {
        ahead->behind = true;
        return ERR_AGAIN;
    }
    atomic_store(&ahead->waiting, false);
    return 0;
}

static void prepare(struct ahead *ahead, struct ahead_slot *slot)
{
    store_read_leave(&slot->waiter);
    slot->waiter.wake = wake;
    slot->waiter.arg = ahead;
}

/* ---- chunks ---- */

static bool is_same(const struct store_chunk *a, const struct store_chunk *b)
{
    return a->segment == b->segment && a->number == b->number;
}

static bool is_of(const struct ahead_slot *slot, const struct store_chunk *chunk)
{
    return slot->waiter.read && is_same(&slot->chunk, chunk);
}

static struct ahead_slot *find_slot(struct ahead *ahead, const struct store_chunk *chunk)
{
    for (size_t i = 0; i < AHEAD_CHUNKS; i++) {
        if (is_of(&ahead->chunks[i], chunk)) {
            return &ahead->chunks[i];
        }
    }
    return NULL;
}

/* A slot that none of these chunks uses. There is always one, as there are no more chunks than
 * slots. */
static struct ahead_slot *free_slot(struct ahead *ahead, const struct store_chunk *chunks,
                                    size_t count)
{
    for (size_t i = 0; i < AHEAD_CHUNKS; i++) {
        bool needed = false;
        for (size_t k = 0; k < count; k++) {
            needed = needed || is_of(&ahead->chunks[i], &chunks[k]);
        }
        if (!needed) {
            return &ahead->chunks[i];
        }
    }
    return NULL;
}

static struct ahead_slot *ask(struct ahead *ahead, struct store *store,
                              const struct store_chunk *chunks, size_t count, size_t which)
{
    struct ahead_slot *slot = free_slot(ahead, chunks, count);

    prepare(ahead, slot);
    slot->chunk = chunks[which];
    store_read_chunk(store, &chunks[which], &slot->waiter);
    return slot;
}

/* Requests the next chunks, unless they are in memory. */
static void look_ahead(struct ahead *ahead, struct store *store, const struct store_chunk *chunks,
                       size_t count)
{
    size_t steps = memory_is_tight() ? 0 : ahead->waited ? 2 : 1;

    for (size_t i = 1; i <= steps && i < count; i++) {
        struct store_pin *pin;
        struct span bytes;
        if (find_slot(ahead, &chunks[i])) {
            continue;
        }
        int err = store_lend_now(store, &chunks[i], &pin, &bytes);
        if (err == 0 && i == 1) {
            ahead->next = (struct ahead_next){chunks[i], pin, bytes};
        } else if (err == 0) {
            store_unpin(store, pin);
        } else if (err == ERR_AGAIN) {
            ask(ahead, store, chunks, count, i);
        }
    }
    ahead->waited = false;
}

/* Releases what was read but is not being given to the reader. A lent chunk needs no copy; and
 * while memory is tight, chunks ahead are left to the kernel's page cache, or read again. */
static void give_back(struct ahead *ahead, const struct store_chunk *given)
{
    for (size_t i = 0; i < AHEAD_CHUNKS; i++) {
        struct ahead_slot *slot = &ahead->chunks[i];
        bool of_given = is_of(slot, given);
        if (of_given ? !ahead->copied : memory_is_tight()) {
            store_read_leave(&slot->waiter);
        }
    }
}

/* Reads bytes that were not in memory. */
static int from_disk(struct ahead *ahead, struct store *store, const struct store_chunk *chunks,
                     size_t count, struct span *out)
{
    struct ahead_slot *slot = find_slot(ahead, &chunks[0]);

    if (slot == NULL) {
        slot = ask(ahead, store, chunks, count, 0);
    }
    int err = await(ahead, slot);
    ahead->waited = ahead->waited || err == ERR_AGAIN;
    return err ? err : store_read_bytes(slot->waiter.read, out);
}

/* Lends chunks[0]. A chunk that was already looked up ahead is not looked up again, unless it has
 * left memory since. */
static int lend(struct ahead *ahead, struct store *store, const struct store_chunk *chunk,
                struct span *out)
{
    struct ahead_next *next = &ahead->next;

    if (next->pin && is_same(&next->chunk, chunk) && store_is_resident_lately(next->bytes)) {
        ahead->pin = next->pin;
        next->pin = NULL;
        *out = next->bytes;
        return 0;
    }
    drop_next(ahead);
    return store_lend_now(store, chunk, &ahead->pin, out);
}

int ahead_chunk(struct ahead *ahead, struct store *store, const struct store_chunk *chunks,
                size_t count, struct span *out)
{
    count = count < AHEAD_CHUNKS ? count : AHEAD_CHUNKS;
    ahead_close(ahead);
    ahead->store = store;
    ahead->behind = false;
    int err = lend(ahead, store, &chunks[0], out);
    if (err == ERR_AGAIN) {
        err = from_disk(ahead, store, chunks, count, out);
    }
    if (!err) {
        ahead->fresh = true;
        ahead->copied = ahead->pin == NULL;
        give_back(ahead, &chunks[0]);
        look_ahead(ahead, store, chunks, count);
    }
    return err;
}

/* ---- lent bytes ---- */

int ahead_lent(struct ahead *ahead, struct store *store, struct store_pin *pin, struct span rest,
               struct span *out)
{
    struct ahead_slot *slot = &ahead->lent;
    struct span window = span_take(rest, rest.len < STORE_CHUNK ? rest.len : STORE_CHUNK);
    size_t narrow = window.len < NARROW ? window.len : NARROW;

    *out = window;
    ahead->copied = ahead->behind = false;
    if (slot->waiter.read == NULL) {
        if (ahead->fresh || window.len == 0 || store_is_resident(window)) {
            return 0;
        }
        window = memory_is_tight() ? span_take(window, narrow) : window;
        prepare(ahead, slot);
        slot->lent = window;
        store_read_lent(store, pin, window, &slot->waiter);
    }
    int err = await(ahead, slot);
    if (!err) {
        err = store_read_bytes(slot->waiter.read, out);
    }
    if (err) {
        *out = SPAN_EMPTY;
        return err;
    }
    *out = span_skip(*out, (size_t)(rest.at - slot->lent.at));
    ahead->copied = true;
    if (out->len == 0) { /* the reader has taken all bytes */
        store_read_leave(&slot->waiter);
        return ahead_lent(ahead, store, pin, rest, out);
    }
    *out = span_take(*out, out->len < rest.len ? out->len : rest.len);
    return 0;
}
