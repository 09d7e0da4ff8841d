/*
 * tail - shows decisions while they are made, for larderctl tail and top.
 *
 * A watcher has a filter and a bounded buffer. Workers put JSON lines (as in the access log) into
 * it, and the admin listener's loop takes them out. A watcher that reads too slowly loses lines,
 * and is told how many. While nobody watches, a request costs one load. tail_offer() is
 * thread-safe; all else belongs to the watcher's loop.
 */
#ifndef LARDER_PROXY_CLIENT_TAIL_H
#define LARDER_PROXY_CLIENT_TAIL_H

#include "base/source.h"
#include "proxy/client/accesslog.h"
#include "proxy/stream/loop.h"

#include <stdatomic.h>

/* What to show. Empty spans and zeros match everything. */
struct tail_filter {
    struct span host, path; /* patterns: * is any text, ? any byte; host ignores case, and matches
                               with or without port */
    struct span outcome, reason;
    int status_first, status_last;
    uint64_t slower_us;
    struct prefix client;
    bool has_client;
};

/* Parses a percent-encoded query such as
 * "host=*.example.net&status=5xx&slower=250&client=10.0.0.0/8&path=/a*&outcome=miss&reason=..."
 * (slower: ms). Texts are in `arena`. Returns 0, or ERR_SYNTAX with a sentence for people in *what.
 * Pure. */
int tail_filter_parse(struct span query, struct arena *arena, struct tail_filter *out,
                      const char **what);
/* Pure. */
bool tail_matches(const struct tail_filter *filter, const struct accesslog_entry *entry);

enum { TAIL_WATCHERS_MAX = 16, TAIL_BUFFER = 512 * 1024 };

/* Starts to watch: returns an endless body of lines, with an empty line each second while nothing
 * happens. Dropping the source ends it. The filter is copied. NULL: there are TAIL_WATCHERS_MAX
 * watchers. */
struct source *tail_watch(struct loop *loop, const struct tail_filter *filter);

extern atomic_uint tail_watchers;
void tail_tell(const struct accesslog_entry *entry);

static inline void tail_offer(const struct accesslog_entry *entry)
{
    if (atomic_load_explicit(&tail_watchers, memory_order_relaxed)) {
        tail_tell(entry);
    }
}

/* Lines that watchers have lost. Thread-safe. */
uint64_t tail_dropped(void);

#endif
