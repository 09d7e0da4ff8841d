#include "cache/store/stores.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"

/* A quarter of a store, so that a large object does not push out everything. */
#define OBJECT_SHARE 4

struct stores {
    struct store *store;
    uint64_t object_max;
    struct sip_key secret;
};

int stores_open(const struct stores_options *options, struct stores **out)
{
    struct stores *stores = xcalloc(1, sizeof(*stores));
    const struct store_dir *dir = &options->dirs[0];

    CHECK(options->count == 1);
    int err = store_open(&(struct store_options){dir->path, dir->size, options->dirty_limit},
                         &stores->store);
    if (err) {
        stores_close(&stores);
    } else {
        stores->secret = *store_secret(stores->store);
        stores->object_max = dir->size / OBJECT_SHARE;
    }
    *out = stores;
    return err;
}

void stores_close(struct stores **slot)
{
    struct stores *stores = *slot;

    *slot = NULL;
    if (stores) {
        store_close(&stores->store);
        free(stores);
    }
}

const struct sip_key *stores_secret(const struct stores *stores)
{
    return &stores->secret;
}

/* ---- shelves ---- */

struct shelf stores_shelf(const struct stores *stores, const uint8_t hash[STORE_HASH])
{
    (void)hash;
    return (struct shelf){.stores = stores, .store = stores ? stores->store : NULL};
}

/* What was stored in an earlier tenure is not found in this one. */
static const uint8_t *tenured(struct shelf shelf, const uint8_t hash[STORE_HASH],
                              uint8_t out[STORE_HASH])
{
    uint32_t word;

    memcpy(out, hash, STORE_HASH);
    memcpy(&word, out + STORE_HASH - sizeof(word), sizeof(word));
    word ^= shelf.tenure;
    memcpy(out + STORE_HASH - sizeof(word), &word, sizeof(word));
    return out;
}

int shelf_find(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
               struct store_object *out)
{
    uint8_t own[STORE_HASH];

    return shelf.store ? store_find(shelf.store, tenured(shelf, hash, own), key, out)
                       : ERR_NOT_FOUND;
}

int shelf_put_begin(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
                    struct store_put **out)
{
    uint8_t own[STORE_HASH];

    *out = NULL;
    return shelf.store ? store_put_begin(shelf.store, tenured(shelf, hash, own), key, out) : ERR_IO;
}

int shelf_put_begin_anyway(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
                           struct store_put **out)
{
    uint8_t own[STORE_HASH];

    *out = NULL;
    return shelf.store ? store_put_begin_anyway(shelf.store, tenured(shelf, hash, own), key, out)
                       : ERR_IO;
}

void shelf_put_rename(struct shelf shelf, struct store_put *put, const uint8_t hash[STORE_HASH],
                      struct span key)
{
    uint8_t own[STORE_HASH];

    store_put_rename(put, tenured(shelf, hash, own), key);
}

void shelf_update(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
                  struct span head, const void *meta, size_t meta_len,
                  void (*done)(void *arg, int err), void *arg)
{
    uint8_t own[STORE_HASH];

    if (shelf.store) {
        store_update(shelf.store, tenured(shelf, hash, own), key, head, meta, meta_len, done, arg);
    } else if (done) {
        done(arg, ERR_NOT_FOUND);
    }
}

void shelf_drop(struct shelf shelf, const uint8_t hash[STORE_HASH],
                void (*done)(void *arg, int err), void *arg)
{
    uint8_t own[STORE_HASH];

    if (shelf.store) {
        store_drop(shelf.store, tenured(shelf, hash, own), done, arg);
    } else if (done) {
        done(arg, 0);
    }
}

void shelf_touch(struct shelf shelf, const uint8_t hash[STORE_HASH])
{
    uint8_t own[STORE_HASH];

    if (shelf.store) {
        store_touch(shelf.store, tenured(shelf, hash, own));
    }
}

bool shelf_is_behind(struct shelf shelf)
{
    return shelf.store && store_is_behind(shelf.store);
}

/* ---- all of them ---- */

void stores_flush(struct stores *stores)
{
    store_flush(stores->store);
}

int stores_health(const struct stores *stores)
{
    return store_health(stores->store);
}

void stores_stats(struct stores *stores, struct store_stats *out)
{
    store_stats(stores->store, out);
}

uint64_t stores_object_max(const struct stores *stores)
{
    return stores->object_max;
}
