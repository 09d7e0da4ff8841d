/*
 * put - an object under way to the store: its key, and the chunks it has so far. Made by who puts
 * it; from the first operation on it is the writer's, which frees it behind the last one.
 */
#ifndef LARDER_CACHE_STORE_PUT_H
#define LARDER_CACHE_STORE_PUT_H

#include "base/list.h"
#include "cache/store/s3fifo.h"
#include "cache/store/store.h"

/* Hash and key are the caller's until the end is posted. */
struct store_put {
    struct store *store;
    uint8_t hash[STORE_HASH];
    struct span key;  /* owned */
    bool ended_short; /* the caller's: a chunk under STORE_CHUNK was put */
    bool unmeasured;  /* set before the first operation */
    /* The writer's. */
    int err;     /* the first failure, which fails all that follows */
    bool placed; /* `log` is chosen */
    enum s3_log log;
    uint8_t uses;     /* of what it replaces */
    struct list link; /* in disk->puts, while it has chunks */
    struct store_chunk *chunks;
    size_t count, cap; /* chunks, those of the batch being written included */
    size_t committed;  /* chunks of committed batches */
};

struct store_put *store_put_new(struct store *store, const uint8_t hash[STORE_HASH],
                                struct span key);
void store_put_free(struct store_put *put);
void store_put_set_key(struct store_put *put, const uint8_t hash[STORE_HASH], struct span key);

/* ---- the writer's ---- */

/* One more chunk. */
void store_put_remember(struct store_put *put, const struct store_chunk *chunk);
/* Does it have chunks in this segment? */
bool store_put_is_in(const struct store_put *put, uint32_t segment);
/* Bytes of all chunks. */
uint64_t store_put_bytes(const struct store_put *put);

#endif
