#include "proxy/stream/tls_memory.h"

#include "base/memory.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>

static void *count_malloc(size_t size, const char *file, int line)
{
    void *block = size ? malloc(size) : NULL;

    memory_take(MEMORY_TLS, malloc_usable_size(block));
    return block;
}

static void count_free(void *block, const char *file, int line)
{
    memory_give(MEMORY_TLS, malloc_usable_size(block));
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
        memory_take(MEMORY_TLS, malloc_usable_size(moved));
        memory_give(MEMORY_TLS, before);
    }
    return moved;
}

void tls_memory_count(void)
{
    CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free);
}
