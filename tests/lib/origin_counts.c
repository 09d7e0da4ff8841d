#include "tests/lib/origin_parts.h"

#include "base/buf.h"
#include "base/mem.h"

#include <time.h>

static unsigned count_locked(struct origin *origin, const char *path)
{
    struct route *route = path ? origin_find_route(origin, span_str(path)) : NULL;

    return path ? (route ? route->count : 0) : origin->requests;
}

unsigned origin_count(struct origin *origin, const char *path)
{
    pthread_mutex_lock(&origin->lock);
    unsigned count = count_locked(origin, path);
    pthread_mutex_unlock(&origin->lock);
    return count;
}

bool origin_wait(struct origin *origin, const char *path, unsigned count, unsigned ms)
{
    struct timespec until;
    int err = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&origin->lock);
    while (err == 0 && count_locked(origin, path) < count) {
        err = pthread_cond_timedwait(&origin->changed, &origin->lock, &until);
    }
    bool there = count_locked(origin, path) >= count;
    pthread_mutex_unlock(&origin->lock);
    return there;
}

unsigned origin_connections(struct origin *origin)
{
    pthread_mutex_lock(&origin->lock);
    unsigned accepted = origin->accepted;
    pthread_mutex_unlock(&origin->lock);
    return accepted;
}

uint64_t origin_bytes(struct origin *origin)
{
    pthread_mutex_lock(&origin->lock);
    uint64_t bytes = origin->bytes;
    pthread_mutex_unlock(&origin->lock);
    return bytes;
}

static void zero_count(struct map_link *link, void *arg)
{
    (void)arg;
    container_of(link, struct route, link)->count = 0;
}

void origin_reset_counts(struct origin *origin)
{
    pthread_mutex_lock(&origin->lock);
    map_each(&origin->routes, zero_count, NULL);
    origin_forget_records(origin);
    origin->requests = 0;
    origin->accepted = 0;
    origin->bytes = 0;
    pthread_mutex_unlock(&origin->lock);
}

static void put_json_text(struct buf *out, struct span text)
{
    buf_append(out, SPAN("\""));
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7f) {
            buf_printf(out, "\\u%04x", c);
        } else {
            buf_append(out, span_of(&text.at[i], 1));
        }
    }
    buf_append(out, SPAN("\""));
}

static void put_json_route(struct map_link *link, void *arg)
{
    const struct route *route = container_of(link, struct route, link);
    struct buf *out = arg;

    if (route->count > 0) {
        buf_append(out, buf_span(out).at[buf_len(out) - 1] == '{' ? SPAN_EMPTY : SPAN(","));
        put_json_text(out, span_of(route->path, route->len));
        buf_printf(out, ":%u", route->count);
    }
}

char *origin_counts_json(struct origin *origin)
{
    struct buf out = BUF_INIT;

    pthread_mutex_lock(&origin->lock);
    buf_printf(&out, "{\"requests\":%u,\"bytes\":%ju,\"connections\":%u,\"paths\":{",
               origin->requests, (uintmax_t)origin->bytes, origin->accepted);
    map_each(&origin->routes, put_json_route, &out);
    pthread_mutex_unlock(&origin->lock);
    buf_append(&out, SPAN("}}\n"));
    char *text = xspandup(buf_span(&out));
    buf_fini(&out);
    return text;
}

bool origin_request(struct origin *origin, const char *path, unsigned index,
                    struct origin_request *out)
{
    bool found = false;

    pthread_mutex_lock(&origin->lock);
    struct route *route = path ? origin_find_route(origin, span_str(path)) : NULL;
    for (size_t i = 0; i < origin->record_count && !found; i++) {
        const struct record *record = &origin->records[i];
        if (path && record->route != route) {
            continue;
        }
        found = index-- == 0;
        if (found) {
            *out = record->request;
            out->head = xstrndup(record->request.head, record->request.head_len);
            out->body = xstrndup(record->request.body, record->request.body_kept);
        }
    }
    pthread_mutex_unlock(&origin->lock);
    return found;
}
