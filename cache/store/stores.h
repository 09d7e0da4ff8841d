/*
 * stores - the directories of a cache on disk, one for each disk: stores (store.h), each with a
 * writer of its own, and who has which key. Thread-safe.
 *
 * What belongs to a hash lies on one shelf: in one store, under a tenure. What is stored together
 * (the pieces of a response) is put on one shelf by asking for it with one hash.
 */
#ifndef LARDER_CACHE_STORE_STORES_H
#define LARDER_CACHE_STORE_STORES_H

#include "cache/store/store.h"

struct stores;

#define STORES_MAX 64

struct store_dir {
    const char *path; /* created when missing */
    uint64_t size;    /* bytes to stay under */
};

struct stores_options {
    const struct store_dir *dirs;
    size_t count;         /* at least one, at most STORES_MAX */
    uint64_t dirty_limit; /* bytes queued for writing in all of them */
    enum s3_favor favor;  /* as in store_options */
};

/* A directory that cannot be opened is left out, and said so in the log, when there are others. 0;
 * ERR_BUSY when another process has one of them; or the code of the first one when none can be
 * opened. */
int stores_open(const struct stores_options *options, struct stores **out);
/* A process has one of them: ERR_BUSY, but without a line in the log. */
bool stores_are_busy(const struct store_dir *dirs, size_t count);
/* As store_close(), all of them. */
void stores_close(struct stores **stores);

/* The secret under which all of them hash keys. Lives as long as they do. */
const struct sip_key *stores_secret(const struct stores *stores);

/* ---- shelves ---- */

struct shelf {
    const struct stores *stores;
    struct store *store; /* NULL: there is no store (any more) */
    uint32_t tenure;     /* since when it has had this hash without a break */
};

/* Where what belongs to `hash` lies. No lock; `stores` may be NULL. */
struct shelf stores_shelf(const struct stores *stores, const uint8_t hash[STORE_HASH]);

/* The calls of store.h, on a shelf. Without a store nothing is found (ERR_NOT_FOUND), nothing is
 * put (ERR_IO), nothing is there to drop; done is then called at once. */
int shelf_find(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
               struct store_object *out);
int shelf_find_now(struct shelf shelf, const uint8_t hash[STORE_HASH], struct span key,
                   struct store_read *read, struct store_object *out);
/* On a shelf with a store. */
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

/* ---- all of them ---- */

void stores_flush(struct stores *stores);
/* 0 while one of them takes what is new. */
int stores_health(const struct stores *stores);
/* Their sum. */
void stores_stats(struct stores *stores, struct store_stats *out);
/* The largest body that any of them takes in one object, by a careful estimate. */
uint64_t stores_object_max(const struct stores *stores);

/* One of them. Strings live as long as the set. */
struct store_member {
    const char *path;
    uint64_t size;
    const char *cause; /* why it was taken out; NULL: it is in */
    bool failing;      /* commits fail, and nothing is put for a time */
    struct store_stats stats;
};
/* As long as the set; NULL: it could not be opened. For survey.h. */
struct store *stores_store(const struct stores *stores, size_t number);
size_t stores_count(const struct stores *stores);
void stores_member(struct stores *stores, size_t number, struct store_member *out);

#endif
