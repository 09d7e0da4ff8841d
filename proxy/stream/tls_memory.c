#include "proxy/stream/tls_memory.h"

#include "base/memory.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>

static _Thread_local int64_t net;

static void take(size_t bytes)
{
    net += (int64_t)bytes;
    memory_take(MEMORY_TLS, bytes);
}

static void give(size_t bytes)
{
    net -= (int64_t)bytes;
    memory_give(MEMORY_TLS, bytes);
}

static void *count_malloc(size_t size, const char *file, int line)
{
    void *block = size ? malloc(size) : NULL;

    take(malloc_usable_size(block));
    return block;
}

static void count_free(void *block, const char *file, int line)
{
    give(malloc_usable_size(block));
    free(block);
}

static void *count_realloc(void *block, size_t size, const char *file, int line)
{
    size_t before = malloc_usable_size(block);

    if (size == 0) {
        count_free(block, file, line);
        return NULL;
    }
    void *moved = realloc(block, size);
    if (moved) {
        take(malloc_usable_size(moved));
        give(before);
    }
    return moved;
}

void tls_memory_count(void)
{
    CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free);
}

int64_t tls_memory_net(void)
{
    return net;
}
