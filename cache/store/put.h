/*
 * put - an object being stored: its key, and the chunks written so far. Made by the caller; from
 * the first operation on it belongs to the writer, which frees it after the last one.
 */
#ifndef LARDER_CACHE_STORE_PUT_H
#define LARDER_CACHE_STORE_PUT_H

#include "base/list.h"
#include "cache/store/s3fifo.h"
#include "cache/store/store.h"

/* Hash and key belong to the caller until the end is posted. */
struct store_put {
    struct store *store;
    uint8_t hash[STORE_HASH];
    struct span key;  /* owned */
    bool ended_short; /* the caller's: a chunk shorter than STORE_CHUNK was put */
    bool unmeasured;  /* to be set before the first operation */
    /* For the writer: */
    int err;     /* the first error; all further operations fail with it */
    bool placed; /* `log` was chosen */
    enum s3_log log;
    uint8_t uses;     /* of the object that it replaces */
    struct list link; /* in disk->puts, while it has chunks */
    struct store_chunk *chunks;
    size_t count, cap; /* chunks, including those of the current batch */
    size_t committed;  /* chunks that are committed */
};

struct store_put *store_put_new(struct store *store, const uint8_t hash[STORE_HASH],
                                struct span key);
void store_put_free(struct store_put *put);
void store_put_set_key(struct store_put *put, const uint8_t hash[STORE_HASH], struct span key);

/* ---- for the writer ---- */

/* One more chunk. */
void store_put_remember(struct store_put *put, const struct store_chunk *chunk);
/* Does it have chunks in this segment? */
bool store_put_is_in(const struct store_put *put, uint32_t segment);
/* Length of all chunks. */
uint64_t store_put_bytes(const struct store_put *put);

#endif
