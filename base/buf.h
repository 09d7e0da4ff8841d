/*
 * buf - a growable byte buffer, written at the end and read from the front. Not thread-safe.
 *
 * Pending bytes are data[start, end). Memory is kept until buf_fini() or buf_release().
 */
#ifndef LARDER_BASE_BUF_H
#define LARDER_BASE_BUF_H

#include "base/span.h"

struct buf {
    char *data;
    size_t start;
    size_t end;
    size_t cap;
};

#define BUF_INIT ((struct buf){NULL, 0, 0, 0})

void buf_fini(struct buf *buf);

/* Frees the memory if nothing is pending, so that an idle connection holds no buffer. */
void buf_release(struct buf *buf);

/* Returns at least `room` writable bytes behind the pending ones; moves or grows the buffer as
 * needed. */
char *buf_reserve(struct buf *buf, size_t room);

void buf_append(struct buf *buf, struct span bytes);
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *buf, const char *format, ...);

static inline size_t buf_len(const struct buf *buf)
{
    return buf->end - buf->start;
}

static inline struct span buf_span(const struct buf *buf)
{
    /* Through an integer: adding even 0 to NULL is undefined. */
    return span_of((const char *)((uintptr_t)buf->data + buf->start), buf_len(buf));
}

/* Makes `n` bytes pending that were written to what buf_reserve() returned. */
void buf_commit(struct buf *buf, size_t n);

/* Removes `n` pending bytes from the front. */
void buf_consume(struct buf *buf, size_t n);

static inline void buf_clear(struct buf *buf)
{
    buf->start = 0;
    buf->end = 0;
}

#endif
