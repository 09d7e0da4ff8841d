#include "proxy/client/tail.h"

#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"

#include <pthread.h>

enum { BEAT_MS = 1000 };

struct watcher {
    struct list link;
    struct source source;
    struct loop *loop;
    struct letter letter;
    struct timeout beat; /* fires while nothing is sent, because a client that has left is noticed
                            only by writing */
    struct tail_filter filter;
    struct arena arena; /* memory of the filter */
    struct buf out;     /* being sent; belongs to the loop */
    bool gone;          /* the stream has dropped the source; a letter is still on its way */

    struct buf in; /* under the lock, like the members below */
    uint64_t lost; /* lines dropped since the watcher was last told */
    bool waits;    /* the watcher waits for a wake */
};

/* Held only while lines are copied; workers take it only while somebody watches. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list watchers = {&watchers, &watchers};
static const struct log_style json = {.format = ACCESS_JSON};
static atomic_uint_fast64_t dropped;

atomic_uint tail_watchers;

uint64_t tail_dropped(void)
{
    return atomic_load(&dropped);
}

/* ---- workers ---- */

static void put_line(struct watcher *watcher, struct span line)
{
    if (buf_len(&watcher->in) + line.len > TAIL_BUFFER) {
        watcher->lost++;
        atomic_fetch_add(&dropped, 1);
        return;
    }
    buf_append(&watcher->in, line);
    if (watcher->waits) {
        watcher->waits = false;
        loop_post(watcher->loop, &watcher->letter);
    }
}

void tail_tell(const struct accesslog_entry *entry)
{
    char line[ACCESSLOG_LINE_MAX];
    size_t len = 0;

    pthread_mutex_lock(&lock);
    list_each(link, &watchers)
    {
        struct watcher *watcher = list_entry(link, struct watcher, link);
        if (tail_matches(&watcher->filter, entry)) {
            len = len ? len : accesslog_format(line, &json, entry);
            put_line(watcher, span_of(line, len));
        }
    }
    pthread_mutex_unlock(&lock);
}

/* ---- the source ---- */

/* Takes the lines that have arrived, and adds the number of lines dropped. */
static void refill(struct watcher *watcher)
{
    struct buf empty = watcher->out;

    pthread_mutex_lock(&lock);
    watcher->out = watcher->in;
    watcher->in = empty;
    buf_clear(&watcher->in);
    if (watcher->lost) {
        buf_printf(&watcher->out, "{\"dropped\":%llu}\n", (unsigned long long)watcher->lost);
        watcher->lost = 0;
    }
    watcher->waits = buf_len(&watcher->out) == 0;
    pthread_mutex_unlock(&lock);
}

static int on_peek(struct source *source, struct span *out)
{
    struct watcher *watcher = container_of(source, struct watcher, source);

    if (buf_len(&watcher->out) == 0) {
        refill(watcher);
    }
    *out = buf_span(&watcher->out);
    return out->len ? 0 : ERR_AGAIN;
}

static void on_advance(struct source *source, size_t n)
{
    struct watcher *watcher = container_of(source, struct watcher, source);

    buf_consume(&watcher->out, n);
}

static void watcher_free(struct watcher *watcher)
{
    buf_fini(&watcher->in);
    buf_fini(&watcher->out);
    arena_fini(&watcher->arena);
    free(watcher);
}

static void on_drop(struct source *source)
{
    struct watcher *watcher = container_of(source, struct watcher, source);

    timeout_clear(&watcher->beat);
    pthread_mutex_lock(&lock);
    list_remove(&watcher->link);
    pthread_mutex_unlock(&lock);
    atomic_fetch_sub(&tail_watchers, 1);
    if (atomic_load(&watcher->letter.pending)) {
        watcher->gone = true;
    } else {
        watcher_free(watcher);
    }
}

static void on_letter(struct letter *letter)
{
    struct watcher *watcher = container_of(letter, struct watcher, letter);

    if (watcher->gone) {
        watcher_free(watcher);
    } else if (watcher->source.wake) {
        watcher->source.wake(watcher->source.wake_arg);
    }
}

static void on_beat(struct timeout *timeout)
{
    struct watcher *watcher = container_of(timeout, struct watcher, beat);

    timeout_set(watcher->loop, timeout, BEAT_MS);
    pthread_mutex_lock(&lock);
    if (watcher->waits) {
        put_line(watcher, SPAN("\n"));
    }
    pthread_mutex_unlock(&lock);
}

static const struct source_ops tail_ops = {.peek = on_peek, .advance = on_advance, .drop = on_drop};

struct source *tail_watch(struct loop *loop, const struct tail_filter *filter)
{
    if (atomic_fetch_add(&tail_watchers, 1) >= TAIL_WATCHERS_MAX) {
        atomic_fetch_sub(&tail_watchers, 1);
        return NULL;
    }
    struct watcher *watcher = xcalloc(1, sizeof(*watcher));
    watcher->source.ops = &tail_ops;
    watcher->loop = loop;
    watcher->letter.call = on_letter;
    timeout_init(&watcher->beat, on_beat);
    timeout_set(loop, &watcher->beat, BEAT_MS);
    watcher->filter = *filter;
    arena_init(&watcher->arena, NULL, 0);
    watcher->filter.host = arena_copy(&watcher->arena, filter->host);
    watcher->filter.path = arena_copy(&watcher->arena, filter->path);
    watcher->filter.outcome = arena_copy(&watcher->arena, filter->outcome);
    watcher->filter.reason = arena_copy(&watcher->arena, filter->reason);
    pthread_mutex_lock(&lock);
    list_push_back(&watchers, &watcher->link);
    pthread_mutex_unlock(&lock);
    return &watcher->source;
}
