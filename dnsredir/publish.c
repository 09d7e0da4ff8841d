#include "dnsredir/publish.h"

#include "base/check.h"
#include "base/list.h"
#include "base/mem.h"

#include <stdatomic.h>

/* Time is counted in values published. A reader that entered at epoch e may hold the value of e
 * or a later one; 0 means outside. The reader says so before it loads the pointer and the writer
 * looks after it has stored one, all in one total order: either the writer sees the reader, or
 * the reader sees the new value. */
struct reader {
    _Alignas(64) atomic_uint_fast64_t inside;
};

struct retired {
    struct list link; /* in publish->retired, oldest first */
    void *value;
    uint64_t until; /* readers of this epoch and later cannot see it */
};

struct publish {
    _Atomic(void *) value;
    atomic_uint_fast64_t epoch;
    void (*free_value)(void *value);
    struct list retired;
    size_t waiting; /* in `retired` */
    uint64_t freed;
    size_t reader_count;
    struct reader *readers;
};

struct publish *publish_new(size_t readers, void (*free_value)(void *value))
{
    struct publish *publish = xcalloc(1, sizeof(*publish));

    publish->free_value = free_value;
    publish->reader_count = readers;
    publish->readers = aligned_alloc(_Alignof(struct reader), readers * sizeof(struct reader));
    CHECK(publish->readers != NULL);
    memset(publish->readers, 0, readers * sizeof(struct reader));
    atomic_store(&publish->epoch, 1);
    list_init(&publish->retired);
    return publish;
}

void publish_free(struct publish **publish)
{
    struct publish *p = *publish;

    if (p) {
        publish_set(p, NULL);
        CHECK(publish_collect(p) == 0);
        free(p->readers);
        free(p);
        *publish = NULL;
    }
}

void publish_set(struct publish *publish, void *value)
{
    void *old = atomic_exchange(&publish->value, value);
    uint64_t now = atomic_fetch_add(&publish->epoch, 1) + 1;

    if (old) {
        struct retired *retired = xmalloc(sizeof(*retired));
        retired->value = old;
        retired->until = now;
        list_push_back(&publish->retired, &retired->link);
        publish->waiting++;
    }
}

void *publish_current(const struct publish *publish)
{
    return atomic_load(&publish->value);
}

/* The epoch of the reader that has been inside longest. */
static uint64_t oldest_reader(struct publish *publish)
{
    uint64_t oldest = UINT64_MAX;

    for (size_t i = 0; i < publish->reader_count; i++) {
        uint64_t inside = atomic_load(&publish->readers[i].inside);
        oldest = inside && inside < oldest ? inside : oldest;
    }
    return oldest;
}

size_t publish_collect(struct publish *publish)
{
    uint64_t oldest = oldest_reader(publish);

    list_each_safe(link, &publish->retired)
    {
        struct retired *retired = list_entry(link, struct retired, link);
        if (retired->until > oldest) {
            continue;
        }
        list_remove(link);
        publish->waiting--;
        publish->freed++;
        publish->free_value(retired->value);
        free(retired);
    }
    return publish->waiting;
}

struct publish_report publish_report(const struct publish *publish)
{
    return (struct publish_report){publish->waiting, publish->freed};
}

const void *publish_enter(struct publish *publish, size_t reader)
{
    CHECK(reader < publish->reader_count);
    atomic_store(&publish->readers[reader].inside, atomic_load(&publish->epoch));
    return atomic_load(&publish->value);
}

void publish_leave(struct publish *publish, size_t reader)
{
    atomic_store_explicit(&publish->readers[reader].inside, 0, memory_order_release);
}
