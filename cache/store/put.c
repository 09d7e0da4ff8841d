#include "cache/store/put.h"

#include "base/mem.h"
#include "base/memory.h"

static void free_key(struct store_put *put)
{
    char *key;

    memcpy(&key, &put->key.at, sizeof(key)); /* owned, though spans point to const bytes */
    memory_give(MEMORY_QUEUED, put->key.len);
    free(key);
}

void store_put_set_key(struct store_put *put, const uint8_t hash[STORE_HASH], struct span key)
{
    free_key(put);
    memcpy(put->hash, hash, STORE_HASH);
    put->key = span_of(xspandup(key), key.len);
    memory_take(MEMORY_QUEUED, key.len);
}

struct store_put *store_put_new(struct store *store, const uint8_t hash[STORE_HASH],
                                struct span key)
{
    struct store_put *put = xcalloc(1, sizeof(*put));

    memory_take(MEMORY_QUEUED, sizeof(*put));
    list_init(&put->link);
    put->store = store;
    store_put_set_key(put, hash, key);
    return put;
}

void store_put_free(struct store_put *put)
{
    list_remove(&put->link);
    free_key(put);
    free(put->chunks);
    memory_give(MEMORY_QUEUED, sizeof(*put));
    free(put);
}

bool store_put_is_in(const struct store_put *put, uint32_t segment)
{
    for (size_t i = 0; i < put->count; i++) {
        if (put->chunks[i].segment == segment) {
            return true;
        }
    }
    return false;
}

void store_put_remember(struct store_put *put, const struct store_chunk *chunk)
{
    if (put->count == put->cap) {
        put->cap = put->cap ? put->cap * 2 : 16;
        put->chunks = xrealloc(put->chunks, put->cap * sizeof(*put->chunks));
    }
    put->chunks[put->count++] = *chunk;
}

uint64_t store_put_bytes(const struct store_put *put)
{
    uint64_t total = 0;

    for (size_t i = 0; i < put->count; i++) {
        total += put->chunks[i].len;
    }
    return total;
}
