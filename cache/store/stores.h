/*
 * stores - the directories of a cache, one for each disk: each is a store (store.h) with its own
 * writer. Decides which of them has which key. Thread-safe.
 *
 * Everything with one hash is on one shelf: in one store, under a tenure. Things that belong
 * together (the pieces of a response) use the shelf of one hash.
 */
#ifndef LARDER_CACHE_STORE_STORES_H
#define LARDER_CACHE_STORE_STORES_H

#include "cache/store/store.h"

struct stores;

#define STORES_MAX 64

struct store_dir {
    const char *path; /* created if it is missing */
    uint64_t size;    /* limit of bytes on disk */
};

struct stores_options {
    const struct store_dir *dirs;
    size_t count;         /* 1 to STORES_MAX */
    uint64_t dirty_limit; /* most queued bytes of all together */
    enum s3_favor favor;  /* as in store_options */
};

/* Opens all directories. One that cannot be opened is logged and left out if there are others.
 * Returns 0; ERR_BUSY: another process has one of them; or the first error if none can be
 * opened. */
int stores_open(const struct stores_options *options, struct stores **out);
/* Does a process have one of them? Logs nothing. */
bool stores_are_busy(const struct store_dir *dirs, size_t count);
/* Like store_close(), for all. */
void stores_close(struct stores **stores);

/* The secret that all of them hash keys with. Borrowed. */
const struct sip_key *stores_secret(const struct stores *stores);

/* ---- shelves ---- */

struct shelf {
    const struct stores *stores;
    struct store *store; /* NULL: there is no store, or none any more */
    uint32_t tenure;     /* since when this store has had the hash without interruption */
};

/* The shelf of `hash`. Takes no lock; `stores` may be NULL. */
struct shelf stores_shelf(const struct stores *stores, const uint8_t hash[STORE_HASH]);

/* The calls of store.h on a shelf. Without a store they return ERR_NOT_FOUND (find) or ERR_IO
 * (put), and drop nothing; `done` is called at once. */
int shelf_find(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
               struct store_object *out);
int shelf_find_now(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
                   struct store_read *read, struct store_object *out);
/* The shelf must have a store. */
bool shelf_read_object(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
                       bool anyway, struct store_waiter *waiter);
bool shelf_read_is_of(struct shelf shelf, const struct store_read *read,
                      const uint8_t hash[STORE_HASH], struct span key);
int shelf_put_begin(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
                    struct store_put **out);
int shelf_put_begin_anyway(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
                           struct store_put **out);
/* The put must have begun on this shelf. */
void shelf_put_rename(struct shelf shelf, struct store_put *put, const uint8_t hash[STORE_HASH],
                      struct span key);
void shelf_update(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
                  struct span head, const void *meta, size_t meta_len,
                  void (*done)(void *arg, int err), void *arg);
void shelf_drop(struct shelf shelf, const uint8_t hash[STORE_HASH],
                void (*done)(void *arg, int err), void *arg);
void shelf_touch(struct shelf shelf, const uint8_t hash[STORE_HASH], unsigned uses);
bool shelf_is_behind(struct shelf shelf);

/* ---- all stores together ---- */

void stores_flush(struct stores *stores);
/* 0 if any of them accepts new objects. */
int stores_health(const struct stores *stores);
/* Sums over all. */
void stores_stats(struct stores *stores, struct store_stats *out);
/* The largest body that any of them accepts as one object; a cautious estimate. */
uint64_t stores_object_max(const struct stores *stores);

/* One of them. Strings are borrowed from the set. */
struct store_member {
    const char *path;
    uint64_t size;
    const char *cause; /* why it was taken out; NULL: it is in use */
    bool failing;      /* commits fail, and nothing is put for now */
    struct store_stats stats;
};
/* Borrowed; NULL: it could not be opened. For survey.h. */
struct store *stores_store(const struct stores *stores, size_t number);
size_t stores_count(const struct stores *stores);
void stores_member(struct stores *stores, size_t number, struct store_member *out);

#endif
