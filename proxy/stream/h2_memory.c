/*
 * What nghttp2 has for one connection: counted, and given back or packed where an idle connection
 * can do without.
 */
#include "proxy/stream/h2_conn.h"

#include "base/check.h"
#include "base/memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_BLOCK = 16384 }; /* the block where frames are put together is larger than this */

/* At its begin nghttp2 asks for two blocks of a page and more, and keeps them: where a frame is put
 * together, and the table of streams. They get pages of their own. While no frame is under way
 * nothing in the first means anything, and the second is all zeros while it is empty: so an idle
 * connection can give them back. No later block is treated so: a field in a table of HPACK may be
 * as large. */
static struct pages_block *pages_at(struct h2 *h2, const void *memory)
{
    for (size_t i = 0; i < ARRAY_LEN(h2->pages); i++) {
        if (h2->pages[i].at == memory) {
            return &h2->pages[i];
        }
    }
    return NULL;
}

static size_t size_of(struct h2 *h2, void *memory)
{
    const struct pages_block *pages = pages_at(h2, memory);

    if (den_owns(&h2->den, memory)) {
        return den_size(memory);
    }
    return pages ? pages->size : malloc_usable_size(memory);
}

/* A den counts for itself. */
static void *counted(struct h2 *h2, void *memory)
{
    CHECK(memory != NULL);
    size_t size = size_of(h2, memory);
    h2->held += size;
    if (!den_owns(&h2->den, memory)) {
        memory_take(MEMORY_CONNECTIONS, size);
    }
    return memory;
}

static void uncount(struct h2 *h2, void *memory)
{
    size_t size = size_of(h2, memory);

    h2->held -= size;
    if (!den_owns(&h2->den, memory)) {
        memory_give(MEMORY_CONNECTIONS, size);
    }
}

static void *session_malloc(size_t size, void *user)
{
    struct h2 *h2 = user;
    struct pages_block *pages = h2->is_opening && size >= PAGES_SIZE ? pages_at(h2, NULL) : NULL;

    if (pages && pages_take(loop_pages(h2->loop), size, pages)) {
        return counted(h2, pages->at);
    }
    void *thing = den_alloc(&h2->den, size);
    return counted(h2, thing ? thing : malloc(size));
}

static void session_free(void *memory, void *user)
{
    struct h2 *h2 = user;

    if (memory == NULL) {
        return;
    }
    uncount(h2, memory);
    struct pages_block *pages = pages_at(h2, memory);
    if (pages) {
        pages_give(loop_pages(h2->loop), pages);
    } else if (den_owns(&h2->den, memory)) {
        den_free(&h2->den, memory);
    } else {
        free(memory);
    }
}

static void *session_calloc(size_t count, size_t size, void *user)
{
    void *memory = session_malloc(count * size, user);

    return memset(memory, 0, count * size);
}

static void *session_realloc(void *memory, size_t size, void *user)
{
    struct h2 *h2 = user;

    if (memory == NULL || pages_at(h2, memory) || den_owns(&h2->den, memory)) {
        void *fresh = session_malloc(size, user);
        size_t old = memory ? size_of(h2, memory) : 0;
        if (old) {
            memcpy(fresh, memory, old < size ? old : size);
        }
        session_free(memory, user);
        return fresh;
    }
    uncount(h2, memory);
    return counted(h2, realloc(memory, size));
}

static bool is_zero(const struct pages_block *pages)
{
    const char *at = pages->at;

    return at[0] == 0 && memcmp(at, at + 1, pages->size - 1) == 0;
}

void h2_memory_slim(struct h2 *h2)
{
    if (h2->is_slim || nghttp2_session_want_write(h2->session)) {
        return;
    }
    h2->is_slim = true;
    for (size_t i = 0; i < ARRAY_LEN(h2->pages); i++) {
        struct pages_block *pages = &h2->pages[i];
        if (pages->at && (pages->size > FRAME_BLOCK || is_zero(pages))) {
            pages_rest(pages);
        }
        memory_give(MEMORY_CONNECTIONS, pages->size);
    }
    den_sleep(&h2->den);
}

void h2_memory_fatten(struct h2 *h2)
{
    if (!h2->is_slim) {
        return;
    }
    h2->is_slim = false;
    den_wake(&h2->den);
    for (size_t i = 0; i < ARRAY_LEN(h2->pages); i++) {
        memory_take(MEMORY_CONNECTIONS, h2->pages[i].size);
    }
}

void h2_memory_open(struct h2 *h2)
{
    if (h2->role == H2_SERVER) {
        den_init(&h2->den, loop_pages(h2->loop));
    }
}

void h2_memory_close(struct h2 *h2)
{
    CHECK(h2->held == 0);
    den_fini(&h2->den);
}

nghttp2_mem h2_memory(struct h2 *h2)
{
    return (nghttp2_mem){
        .mem_user_data = h2,
        .malloc = session_malloc,
        .free = session_free,
        .calloc = session_calloc,
        .realloc = session_realloc,
    };
}
