#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

void buf_fini(struct buf *buf)
{
    free(buf->data);
    *buf = BUF_INIT;
}

void buf_release(struct buf *buf)
{
    if (buf_len(buf) == 0) {
        buf_fini(buf);
    }
}

char *buf_reserve(struct buf *buf, size_t room)
{
    size_t pending = buf_len(buf);

    if (buf->data && buf->cap - buf->end >= room) {
        return buf->data + buf->end;
    }
    if (buf->data && buf->start > 0 && buf->cap - pending >= room) {
        memmove(buf->data, buf->data + buf->start, pending);
    } else {
        size_t cap = buf->cap ? buf->cap : 256;
        while (cap - pending < room) {
            cap *= 2;
        }
        char *data = xmalloc(cap);
        if (buf->data) {
            memcpy(data, buf->data + buf->start, pending);
        }
        free(buf->data);
        buf->data = data;
        buf->cap = cap;
    }
    buf->start = 0;
    buf->end = pending;
    return buf->data + pending;
}

void buf_commit(struct buf *buf, size_t n)
{
    CHECK(n <= buf->cap - buf->end);
    buf->end += n;
}

void buf_consume(struct buf *buf, size_t n)
{
    CHECK(n <= buf_len(buf));
    buf->start += n;
    if (buf->start == buf->end) {
        buf_clear(buf);
    }
}

void buf_append(struct buf *buf, struct span bytes)
{
    if (bytes.len == 0) {
        return;
    }
    memcpy(buf_reserve(buf, bytes.len), bytes.at, bytes.len);
    buf->end += bytes.len;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *out = buf_reserve(buf, 128);
    size_t room = buf->cap - buf->end;
    int len = vsnprintf(out, room, format, args);
    va_end(args);
    CHECK(len >= 0);
    if ((size_t)len >= room) {
        va_start(args, format);
        out = buf_reserve(buf, (size_t)len + 1);
        len = vsnprintf(out, (size_t)len + 1, format, args);
        va_end(args);
    }
    buf->end += (size_t)len;
}
