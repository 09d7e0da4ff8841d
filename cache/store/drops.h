/*
 * drops - keys whose records are being deleted from the index, and must not be found meanwhile. One
 * entry for each key. A key that the disk refused to delete stays until it is tried again. Not
 * thread-safe, except drops_may_have().
 */
#ifndef LARDER_CACHE_STORE_DROPS_H
#define LARDER_CACHE_STORE_DROPS_H

#include "base/list.h"
#include "base/map.h"
#include "cache/store/store.h"

#include <stdatomic.h>

#define DROPS_HINTS 4096

struct drops {
    _Atomic uint32_t hints[DROPS_HINTS]; /* number of entries by bits of the hash */
    struct map entries;
    struct list refused; /* to be tried again */
};

void drops_init(struct drops *drops);
/* It must be empty. */
void drops_fini(struct drops *drops);

/* An operation was posted that deletes the record. */
void drops_begin(struct drops *drops, const uint8_t hash[STORE_HASH]);
/* Such an operation has ended. */
void drops_end(struct drops *drops, const uint8_t hash[STORE_HASH]);
/* The record is still to be deleted, but no operation is doing so. Does nothing if it is known. */
void drops_refuse(struct drops *drops, const uint8_t hash[STORE_HASH]);
/* The record was deleted or replaced at last. */
void drops_settle(struct drops *drops, const uint8_t hash[STORE_HASH]);
/* Takes a refused key for another try; drops_end() must follow. False: there is none. */
bool drops_retry(struct drops *drops, uint8_t hash[STORE_HASH]);
/* The same for this key. False: it was not refused. */
bool drops_retry_this(struct drops *drops, const uint8_t hash[STORE_HASH]);
bool drops_has(const struct drops *drops, const uint8_t hash[STORE_HASH]);

/* False: there is certainly no such entry. Thread-safe, lock-free. */
static inline bool drops_may_have(const struct drops *drops, const uint8_t hash[STORE_HASH])
{
    uint16_t bits;

    memcpy(&bits, hash, sizeof(bits));
    return atomic_load_explicit(&drops->hints[bits % DROPS_HINTS], memory_order_acquire) > 0;
}

#endif
