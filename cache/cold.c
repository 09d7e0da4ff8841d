#include "cache/cold.h"

#include "base/err.h"
#include "base/mem.h"

enum { ROUNDS_MAX = 6 };

struct cold_read {
    struct list link;
    struct store_waiter waiter;
    struct store *store;
    int rounds;
};

void cold_init(struct cold *cold, enum cold_way way, struct waker waker)
{
    *cold = (struct cold){.way = way, .waker = waker};
    list_init(&cold->reads);
}

void cold_fini(struct cold *cold)
{
    struct list *link;

    while (cold->reads.next && (link = list_pop_front(&cold->reads)) != NULL) {
        struct cold_read *read = list_entry(link, struct cold_read, link);
        store_read_leave(&read->waiter);
        free(read);
    }
}

void cold_begin(struct cold *cold)
{
    cold->again = false;
}

bool cold_is_ready(const struct cold *cold)
{
    list_each(link, &cold->reads)
    {
        const struct cold_read *read = list_entry(link, struct cold_read, link);
        if (!store_read_is_done(read->waiter.read)) {
            return false;
        }
    }
    return true;
}

/* The read for this key, or NULL. */
static struct cold_read *find_read(const struct cold *cold, struct shelf shelf,
                                   const struct cache_key *key)
{
    list_each(link, &cold->reads)
    {
        struct cold_read *read = list_entry(link, struct cold_read, link);
        if (read->store == shelf.store &&
            shelf_read_is_of(shelf, read->waiter.read, key->hash, key->text)) {
            return read;
        }
    }
    return NULL;
}

static void forget(struct cold_read *read)
{
    list_remove(&read->link);
    free(read);
}

static int ask(struct cold *cold, struct shelf shelf, const struct cache_key *key,
               struct cold_read *read)
{
    if (read == NULL) {
        read = xcalloc(1, sizeof(*read));
        list_init(&read->link);
    } else if (!store_read_is_done(read->waiter.read)) {
        return ERR_AGAIN; /* the read is in progress */
    }
    store_read_leave(&read->waiter);
    read->store = shelf.store;
    read->waiter.wake = cold->waker.wake;
    read->waiter.arg = cold->waker.arg;
    list_remove(&read->link);
    if (read->rounds++ == ROUNDS_MAX ||
        !shelf_read_object(shelf, key->hash, key->text, cold->way == COLD_MUST, &read->waiter)) {
        forget(read);
        return ERR_BUSY;
    }
    list_push_back(&cold->reads, &read->link);
    return ERR_AGAIN;
}

int cold_find(struct cold *cold, struct shelf shelf, const struct cache_key *key,
              struct store_object *out)
{
    struct cold_read *read = find_read(cold, shelf, key);
    int err = shelf_find_now(shelf, key->hash, key->text, read ? read->waiter.read : NULL, out);

    if (err == ERR_AGAIN && cold->way != COLD_NEVER) {
        err = ask(cold, shelf, key, read);
    }
    cold->again = cold->again || err == ERR_AGAIN;
    return err;
}
