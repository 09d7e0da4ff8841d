/*
 * drops - keys whose records are to go from the index, and which nobody is to find until they have
 * gone. One entry a key, however often it is dropped; a key that the disk refused to let go of
 * stays until it is tried again.
 *
 * Not thread-safe, but for drops_may_have().
 */
#ifndef LARDER_CACHE_STORE_DROPS_H
#define LARDER_CACHE_STORE_DROPS_H

#include "base/list.h"
#include "base/map.h"
#include "cache/store/store.h"

#include <stdatomic.h>

#define DROPS_HINTS 4096

struct drops {
    _Atomic uint32_t hints[DROPS_HINTS]; /* entries by some bits of the hash */
    struct map entries;
    struct list refused; /* those to be tried again */
};

void drops_init(struct drops *drops);
/* There must be no entry left. */
void drops_fini(struct drops *drops);

/* One more operation is on its way that drops the record. */
void drops_begin(struct drops *drops, const uint8_t hash[STORE_HASH]);
/* One of them has ended. */
void drops_end(struct drops *drops, const uint8_t hash[STORE_HASH]);
/* It is to be dropped, and nobody is on the way. Harmless when it is known. */
void drops_refuse(struct drops *drops, const uint8_t hash[STORE_HASH]);
/* What was refused has been dropped, or replaced. */
void drops_settle(struct drops *drops, const uint8_t hash[STORE_HASH]);
/* Takes a refused one out: who asked is on the way with it, and drops_end() follows. False: there
 * is none. */
bool drops_retry(struct drops *drops, uint8_t hash[STORE_HASH]);
/* The same with this one. False: it was not refused. */
bool drops_retry_this(struct drops *drops, const uint8_t hash[STORE_HASH]);
bool drops_has(const struct drops *drops, const uint8_t hash[STORE_HASH]);

/* False: there is no such entry. Any thread, without a lock. */
static inline bool drops_may_have(const struct drops *drops, const uint8_t hash[STORE_HASH])
{
    uint16_t bits;

    memcpy(&bits, hash, sizeof(bits));
    return atomic_load_explicit(&drops->hints[bits % DROPS_HINTS], memory_order_acquire) > 0;
}

#endif
