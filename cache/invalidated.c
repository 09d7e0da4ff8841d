#include "cache/invalidated.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/memory.h"

enum { ROOM_FIRST = 16 };

void invalidated_init(struct invalidated *set, size_t max)
{
    *set = (struct invalidated){.max = max};
    CHECK(pthread_mutex_init(&set->lock, NULL) == 0);
}

void invalidated_fini(struct invalidated *set)
{
    memory_give(MEMORY_ENTRIES, set->room * sizeof(*set->at));
    free(set->at);
    pthread_mutex_destroy(&set->lock);
}

/* The entry of the URL, or NULL. *oldest: the entry with the lowest number, if there are any. */
static struct invalidation *find(const struct invalidated *set, uint64_t url,
                                 struct invalidation **oldest)
{
    *oldest = set->at;
    for (size_t i = 0; i < set->count; i++) {
        if (set->at[i].url == url) {
            return &set->at[i];
        }
        *oldest = set->at[i].number < (*oldest)->number ? &set->at[i] : *oldest;
    }
    return NULL;
}

static void grow(struct invalidated *set)
{
    size_t room = set->room ? 2 * set->room : ROOM_FIRST;

    room = room < set->max ? room : set->max;
    memory_take(MEMORY_ENTRIES, (room - set->room) * sizeof(*set->at));
    set->at = xrealloc(set->at, room * sizeof(*set->at));
    set->room = room;
}

/* The place for a new entry. */
static struct invalidation *make_room(struct invalidated *set, struct invalidation *oldest)
{
    if (set->count == set->max) {
        set->forgotten = oldest->number;
        return oldest;
    }
    if (set->count == set->room) {
        grow(set);
    }
    return &set->at[set->count++];
}

void invalidated_add(struct invalidated *set, uint64_t url, uint64_t number)
{
    struct invalidation *oldest;

    pthread_mutex_lock(&set->lock);
    struct invalidation *one = find(set, url, &oldest);
    one = one ? one : make_room(set, oldest);
    *one = (struct invalidation){url, number};
    pthread_mutex_unlock(&set->lock);
}

bool invalidated_since(struct invalidated *set, uint64_t url, uint64_t since)
{
    struct invalidation *oldest;

    pthread_mutex_lock(&set->lock);
    const struct invalidation *one = find(set, url, &oldest);
    bool was = one ? one->number > since : set->forgotten > since;
    pthread_mutex_unlock(&set->lock);
    return was;
}
