/*
 * tail - decisions as they are made, for who watches: larderctl tail and top. A watcher has a
 * filter and a bounded buffer; workers put lines of JSON (those of the access log) into it, the
 * loop of the administrator takes them out. Who reads too slowly loses lines, and is told how many.
 * While nobody watches a request costs one load.
 *
 * tail_offer() may be called by any thread; the rest belongs to the loop of the watcher.
 */
#ifndef LARDER_PROXY_CLIENT_TAIL_H
#define LARDER_PROXY_CLIENT_TAIL_H

#include "base/source.h"
#include "proxy/client/accesslog.h"
#include "proxy/stream/loop.h"

#include <stdatomic.h>

/* What is to be seen; empty spans and zeros: everything. */
struct tail_filter {
    struct span host, path; /* patterns: * is any text, ? any byte; the host in any case, with its
                               port or without */
    struct span outcome, reason;
    int status_first, status_last;
    uint64_t slower_us;
    struct prefix client;
    bool has_client;
};

/* From
 * "host=*.example.net&status=5xx&slower=250&client=10.0.0.0/8&path=/a*&outcome=miss&reason=..."
 * (slower is in milliseconds), percent-encoded; texts are in `arena`. ERR_SYNTAX with *what for
 * people. Pure. */
int tail_filter_parse(struct span query, struct arena *arena, struct tail_filter *out,
                      const char **what);
/* Pure. */
bool tail_matches(const struct tail_filter *filter, const struct accesslog_entry *entry);

enum { TAIL_WATCHERS_MAX = 16, TAIL_BUFFER = 512 * 1024 };

/* A body of lines that never ends; there is an empty one each second while nothing happens. It
 * watches until it is dropped. What the filter has is copied. NULL: there are TAIL_WATCHERS_MAX
 * already. */
struct source *tail_watch(struct loop *loop, const struct tail_filter *filter);

extern atomic_uint tail_watchers;
void tail_tell(const struct accesslog_entry *entry);

static inline void tail_offer(const struct accesslog_entry *entry)
{
    if (atomic_load_explicit(&tail_watchers, memory_order_relaxed)) {
        tail_tell(entry);
    }
}

/* Lines that watchers have lost. Any thread. */
uint64_t tail_dropped(void);

#endif
