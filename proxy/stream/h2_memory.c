/*
 * The memory that nghttp2 holds for one connection: counted, and freed or packed while an idle
 * connection does not need it.
 */
#include "proxy/stream/h2_conn.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    FRAME_BLOCK = 16384, /* nghttp2's block for composing frames is larger than this */
    /* smallest block of those that nghttp2 allocates for a stream: heads, queued frames, states */
    STREAM_LEAST = 144,
};

/* When a session is created nghttp2 allocates two blocks of more than a page and keeps them: a
 * buffer for composing frames, and the table of streams. They get pages of their own. The buffer
 * has no meaningful content between frames, and the empty table is all zeros, so an idle connection
 * can free both. Later blocks are not treated like this, however large: one may be a field of an
 * HPACK table. */
static struct pages_block *pages_at(struct h2 *h2, const void *memory)
{
    for (size_t i = 0; i < ARRAY_LEN(h2->pages); i++) {
        if (h2->pages[i].at == memory) {
            return &h2->pages[i];
        }
    }
    return NULL;
}

/* A block that is neither in pages of its own nor in the connection's heap. */
struct block {
    uint32_t size; /* including this header */
    bool is_pooled;
    _Alignas(16) char content[];
};

static struct block *block_of(void *content)
{
    return (struct block *)(void *)((char *)content - offsetof(struct block, content));
}

static void *take_page(struct h2 *h2, size_t size)
{
    struct pages_block *pages = pages_at(h2, NULL);

    if (pages == NULL || !pages_take(loop_pages(h2->loop), size, pages)) {
        return NULL;
    }
    h2->held += pages->size;
    memory_take(MEMORY_CONNECTIONS, pages->size);
    return pages->at;
}

static void *take_from_heap(struct h2 *h2, size_t size)
{
    void *thing = conn_heap_alloc(&h2->heap, size);

    h2->held += thing ? conn_heap_size(thing) : 0;
    return thing;
}

static struct block *take_block(struct h2 *h2, size_t size, bool is_pooled)
{
    size_t all = sizeof(struct block) + size;

    CHECK(all <= UINT32_MAX);
    struct block *block = is_pooled ? pool_take(h2->pool, all) : xmalloc(all);
    block->size = (uint32_t)all;
    block->is_pooled = is_pooled;
    h2->held += all;
    if (!is_pooled) { /* pool and conn_heap count their memory themselves */
        memory_take(MEMORY_CONNECTIONS, all);
    }
    return block;
}

/* Blocks for streams are small and of the same kinds on all connections. From a common pool they
 * are those that the previous stream has just used, which are still in the processor's cache. */
static void *session_malloc(size_t size, void *user)
{
    struct h2 *h2 = user;
    bool is_pooled = !h2->is_opening && size >= STREAM_LEAST;
    void *memory = NULL;

    if (h2->is_opening && size >= PAGES_SIZE) {
        memory = take_page(h2, size);
    }
    if (memory == NULL && !is_pooled) {
        memory = take_from_heap(h2, size);
    }
    return memory ? memory : take_block(h2, size, is_pooled)->content;
}

static void give_block(struct h2 *h2, struct block *block)
{
    h2->held -= block->size;
    if (block->is_pooled) {
        pool_give(h2->pool, block, block->size);
        return;
    }
    memory_give(MEMORY_CONNECTIONS, block->size);
    free(block);
}

static void session_free(void *memory, void *user)
{
    struct h2 *h2 = user;

    if (memory == NULL) {
        return;
    }
    if (conn_heap_owns(&h2->heap, memory)) {
        h2->held -= conn_heap_size(memory);
        conn_heap_free(&h2->heap, memory);
        return;
    }
    struct pages_block *pages = pages_at(h2, memory);
    if (pages == NULL) {
        give_block(h2, block_of(memory));
        return;
    }
    h2->held -= pages->size;
    memory_give(MEMORY_CONNECTIONS, pages->size);
    pages_give(loop_pages(h2->loop), pages);
}

static void *session_calloc(size_t count, size_t size, void *user)
{
    void *memory = session_malloc(count * size, user);

    return memset(memory, 0, count * size);
}

static size_t size_of(struct h2 *h2, void *memory)
{
    const struct pages_block *pages = pages_at(h2, memory);

    if (conn_heap_owns(&h2->heap, memory)) {
        return conn_heap_size(memory);
    }
    return pages ? pages->size : block_of(memory)->size - sizeof(struct block);
}

static void *session_realloc(void *memory, size_t size, void *user)
{
    void *fresh = session_malloc(size, user);
    size_t old = memory ? size_of(user, memory) : 0;

    if (old) {
        memcpy(fresh, memory, old < size ? old : size);
    }
    session_free(memory, user);
    return fresh;
}

void *h2_memory_take(struct h2 *h2, size_t size)
{
    return take_block(h2, size, true)->content;
}

void h2_memory_give(struct h2 *h2, void *memory)
{
    if (memory) {
        give_block(h2, block_of(memory));
    }
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
    h2_heads_forget(h2);
    for (size_t i = 0; i < ARRAY_LEN(h2->pages); i++) {
        struct pages_block *pages = &h2->pages[i];
        if (pages->at && (pages->size > FRAME_BLOCK || is_zero(pages))) {
            pages_rest(pages);
        }
        memory_give(MEMORY_CONNECTIONS, pages->size);
    }
    conn_heap_pack(&h2->heap);
}

void h2_memory_fatten(struct h2 *h2)
{
    if (!h2->is_slim) {
        return;
    }
    h2->is_slim = false;
    conn_heap_unpack(&h2->heap);
    for (size_t i = 0; i < ARRAY_LEN(h2->pages); i++) {
        memory_take(MEMORY_CONNECTIONS, h2->pages[i].size);
    }
}

void h2_memory_open(struct h2 *h2)
{
    h2->pool = loop_guests_come(h2->loop);
    if (h2->role == H2_SERVER) {
        conn_heap_init(&h2->heap, loop_pages(h2->loop));
    }
}

void h2_memory_close(struct h2 *h2)
{
    CHECK(h2->held == 0);
    loop_guests_leave(h2->loop);
    conn_heap_fini(&h2->heap);
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
