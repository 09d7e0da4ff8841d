#include "proxy/client/connect.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "proxy/origin/target.h"
#include "proxy/origin/upstream.h"

/*
 *   client stream --connect_write--> up spool --source--> target stream
 *   client stream <----source------ down spool <--on_data-- target stream
 */

enum {
    TUNNEL_SPOOL_LIMIT = 128 * 1024,
    /* where memory is short: a tunnel is stuck after so long without a byte, */
    STUCK_MS = 5000,
    QUIET_MS = 30000, /* and quiet, if nothing waits in it and its target has spoken before */
    LOOKED_AT = 64,   /* most tunnels examined */
    YIELDING_MAX = 8, /* most tunnels closed at a time */
};

/* One direction of the tunnel: the stream of one side appends to the spool, the stream of the other
 * side pulls from it. */
struct lane {
    struct spool *spool;
    struct spool_reader reader;
    struct source source;
    struct waker writer;
    struct loop *loop;
    uint64_t moved_ms; /* when a byte came or left last */
    atomic_bool wake_reader, wake_writer;
    bool ended;
    bool is_awaited; /* the writer wants to be woken when the lane is empty */
};

struct connect_tunnel {
    struct list link; /* in the worker's list of tunnels */
    struct connect_order order;
    struct target_check target;
    struct upstream_job *job;
    struct stream *stream; /* to the target */
    struct lane up, down;
    struct letter letter;
    int busy;
    bool has_answered; /* the target has sent something */
    bool closed;       /* the client's side has closed the tunnel */
    bool ended;        /* all resources were released */
};

static void tunnel_free(struct connect_tunnel *tunnel)
{
    if (!tunnel->busy && !atomic_load(&tunnel->letter.pending)) {
        memory_give(MEMORY_REQUESTS, sizeof(*tunnel));
        free(tunnel);
    }
}

/* ---- lanes ---- */

static int lane_peek(struct source *source, struct span *out)
{
    return spool_peek(&container_of(source, struct lane, source)->reader, out);
}

static bool lane_is_empty(const struct lane *lane)
{
    return spool_length(lane->spool) == lane->reader.offset;
}

static void lane_advance(struct source *source, size_t n)
{
    struct lane *lane = container_of(source, struct lane, source);

    lane->moved_ms = loop_now_ms(lane->loop);
    spool_advance(&lane->reader, n);
    if (lane->is_awaited && lane_is_empty(lane)) {
        lane->is_awaited = false;
        lane->writer.wake(lane->writer.arg);
    }
}

/* May bytes bypass the lane, directly to the stream at its end? See stream_events. */
static enum stream_flow lane_sink(struct lane *lane, struct stream *end, struct stream **sink)
{
    lane->is_awaited = end && !lane->ended && !lane_is_empty(lane);
    *sink = lane->is_awaited || lane->ended ? NULL : end;
    if (*sink) {
        lane->moved_ms = loop_now_ms(lane->loop);
    }
    return lane->is_awaited ? STREAM_PAUSE : STREAM_MORE;
}

static void lane_init(struct lane *lane, struct loop *loop, struct waker reader,
                      struct waker writer)
{
    static const struct source_ops ops = {.peek = lane_peek, .advance = lane_advance};

    lane->source = (struct source){.ops = &ops};
    lane->loop = loop;
    lane->moved_ms = loop_now_ms(loop);
    lane->writer = writer;
    lane->spool = spool_new(&(struct spool_options){
        .expected = -1,
        .limit = TUNNEL_SPOOL_LIMIT,
        .writer = writer,
    });
    CHECK(spool_reader_init(&lane->reader, lane->spool, 0, UINT64_MAX, reader) == 0);
}

static void lane_end(struct lane *lane, int err)
{
    if (!lane->ended) {
        lane->ended = true;
        spool_end(lane->spool, err);
    }
}

static void lane_fini(struct lane *lane)
{
    spool_writer_gone(lane->spool);
    lane_end(lane, ERR_CLOSED);
    spool_reader_fini(&lane->reader);
    spool_unref(&lane->spool);
}

static enum stream_flow lane_write(struct lane *lane, struct span bytes)
{
    if (lane->ended) {
        return STREAM_MORE;
    }
    lane->moved_ms = loop_now_ms(lane->loop);
    return spool_append(lane->spool, bytes) == SPOOL_MORE ? STREAM_MORE : STREAM_PAUSE;
}

static void wake_lane(struct lane *lane)
{
    if (atomic_exchange(&lane->wake_reader, false) && lane->source.wake) {
        lane->source.wake(lane->source.wake_arg);
    }
}

/* ---- wakes, posted so that neither stream runs inside the other's handler ---- */

static void wake_up_reader(void *arg)
{
    struct connect_tunnel *tunnel = arg;

    atomic_store(&tunnel->up.wake_reader, true);
    loop_post(tunnel->order.worker->loop, &tunnel->letter);
}

static void wake_up_writer(void *arg)
{
    struct connect_tunnel *tunnel = arg;

    atomic_store(&tunnel->up.wake_writer, true);
    loop_post(tunnel->order.worker->loop, &tunnel->letter);
}

static void wake_down_reader(void *arg)
{
    struct connect_tunnel *tunnel = arg;

    atomic_store(&tunnel->down.wake_reader, true);
    loop_post(tunnel->order.worker->loop, &tunnel->letter);
}

static void wake_down_writer(void *arg)
{
    struct connect_tunnel *tunnel = arg;

    atomic_store(&tunnel->down.wake_writer, true);
    loop_post(tunnel->order.worker->loop, &tunnel->letter);
}

/* Releases everything; the memory too, unless a letter is still on its way. */
static void tunnel_end(struct connect_tunnel *tunnel)
{
    tunnel->closed = true;
    tunnel->ended = true;
    if (tunnel->job) {
        upstream_cancel(tunnel->job);
    }
    if (tunnel->stream) {
        stream_close(tunnel->stream, ERR_CLOSED);
    }
    lane_fini(&tunnel->up);
    lane_fini(&tunnel->down);
    list_remove(&tunnel->link);
    metric_sub(&tunnel->order.worker->counters.tunnels_open, 1);
    tunnel_free(tunnel);
}

static void on_letter(struct letter *letter)
{
    struct connect_tunnel *tunnel = container_of(letter, struct connect_tunnel, letter);

    tunnel->busy++;
    if (tunnel->stream && !tunnel->ended) {
        wake_lane(&tunnel->up);
    }
    if (!tunnel->closed) {
        wake_lane(&tunnel->down);
    }
    if (!tunnel->closed && atomic_exchange(&tunnel->up.wake_writer, false)) {
        stream_resume(tunnel->order.client);
    }
    if (!tunnel->closed && tunnel->stream && atomic_exchange(&tunnel->down.wake_writer, false)) {
        stream_resume(tunnel->stream);
    }
    tunnel->busy--;
    if (tunnel->ended) {
        tunnel_free(tunnel);
    }
}

/* ---- the target's stream ---- */

static enum stream_flow on_data(void *owner, struct span bytes)
{
    struct connect_tunnel *tunnel = owner;

    tunnel->has_answered = true;
    return lane_write(&tunnel->down, bytes);
}

static enum stream_flow client_sink(void *owner, struct stream **sink)
{
    struct connect_tunnel *tunnel = owner;
    bool may_go = !tunnel->closed && !tunnel->order.is_metered;

    return lane_sink(&tunnel->down, may_go ? tunnel->order.client : NULL, sink);
}

static void on_end(void *owner)
{
    struct connect_tunnel *tunnel = owner;

    lane_end(&tunnel->down, 0);
}

static void on_close(void *owner, int err)
{
    struct connect_tunnel *tunnel = owner;
    bool was_ended = tunnel->down.ended;

    tunnel->stream = NULL;
    lane_end(&tunnel->down, err ? err : ERR_CLOSED);
    if (tunnel->closed) {
        tunnel_end(tunnel);
    } else if (err && was_ended) {
        tunnel->order.on_lost(tunnel->order.arg);
    }
}

static const struct stream_events target_events = {
    .on_data = on_data,
    .sink = client_sink,
    .on_end = on_end,
    .on_close = on_close,
};

static void fail(struct connect_tunnel *tunnel, int status, enum reason reason)
{
    struct connect_order order = tunnel->order;

    connect_close(&tunnel);
    order.on_failed(order.arg, status, reason);
}

static void on_connected(void *arg, const struct upstream_result *result)
{
    struct connect_tunnel *tunnel = arg;

    tunnel->job = NULL;
    if (result->err) {
        struct failure failure = target_failure(&tunnel->target, result);
        fail(tunnel, failure.status, failure.reason);
        return;
    }
    tunnel->stream = result->stream;
    stream_bind(tunnel->stream, &target_events, tunnel);
    tunnel_start(tunnel->stream);
    stream_send(tunnel->stream, NULL, &tunnel->up.source);
    tunnel->order.on_open(tunnel->order.arg, &result->address, &tunnel->down.source);
}

/* ---- the client's side ---- */

struct connect_tunnel *connect_prepare(const struct connect_order *order)
{
    struct connect_tunnel *tunnel = xcalloc(1, sizeof(*tunnel));

    memory_take(MEMORY_REQUESTS, sizeof(*tunnel));
    tunnel->order = *order;
    list_push_back(&order->worker->tunnels, &tunnel->link);
    metric_add(&order->worker->counters.tunnels_open, 1);
    tunnel->letter.call = on_letter;
    own_addrs_refresh(&order->worker->own_addrs, loop_now_ms(order->worker->loop));
    tunnel->target =
        (struct target_check){.settings = order->settings, .own_addrs = &order->worker->own_addrs};
    lane_init(&tunnel->up, order->worker->loop, (struct waker){wake_up_reader, tunnel},
              (struct waker){wake_up_writer, tunnel});
    lane_init(&tunnel->down, order->worker->loop, (struct waker){wake_down_reader, tunnel},
              (struct waker){wake_down_writer, tunnel});
    return tunnel;
}

struct source *connect_source(struct connect_tunnel *tunnel)
{
    return &tunnel->up.source;
}

struct source *connect_join(struct connect_tunnel *tunnel, struct stream *target)
{
    tunnel->stream = target;
    tunnel->has_answered = true; /* it has agreed to the Upgrade */
    stream_bind(target, &target_events, tunnel);
    return &tunnel->down.source;
}

struct connect_tunnel *connect_open(const struct connect_order *order)
{
    struct connect_tunnel *tunnel = connect_prepare(order);
    struct upstream_target target = {
        .host = order->uri->host,
        .port = order->uri->port,
        .tunnel = true,
        .client = order->from,
    };
    struct address_check check = {target_allowed, &tunnel->target};
    tunnel->job = upstream_get(order->worker->upstreams, &target, check, on_connected, tunnel);
    return tunnel;
}

enum stream_flow connect_write(struct connect_tunnel *tunnel, struct span bytes)
{
    return lane_write(&tunnel->up, bytes);
}

enum stream_flow connect_sink(struct connect_tunnel *tunnel, struct stream **sink)
{
    return lane_sink(&tunnel->up, tunnel->stream, sink);
}

void connect_write_end(struct connect_tunnel *tunnel)
{
    lane_end(&tunnel->up, 0);
}

void connect_close(struct connect_tunnel **slot)
{
    struct connect_tunnel *tunnel = *slot;

    *slot = NULL;
    if (tunnel == NULL) {
        return;
    }
    tunnel->closed = true;
    if (tunnel->stream && tunnel->up.ended && tunnel->down.ended) {
        return; /* the tunnel ends when the target has taken the rest, or is idle for too long */
    }
    tunnel_end(tunnel);
}

/* ---- where memory is short ---- */

/* Is it a tunnel through which nothing has come for long? While an Upgrade is asked for, there is
 * a fetch to be judged, and no tunnel yet. */
static bool is_silent(const struct connect_tunnel *tunnel, uint64_t read_ms)
{
    uint64_t moved = max_u64(tunnel->up.moved_ms, tunnel->down.moved_ms);
    bool is_stuck =
        !tunnel->has_answered || !lane_is_empty(&tunnel->up) || !lane_is_empty(&tunnel->down);

    return (tunnel->job || tunnel->stream) && read_ms >= moved + (is_stuck ? STUCK_MS : QUIET_MS);
}

static void give_way(struct connect_tunnel *tunnel)
{
    if (tunnel->closed) {
        tunnel_end(tunnel);
    } else if (tunnel->job) {
        fail(tunnel, 503, REASON_MEMORY);
    } else {
        tunnel->order.on_lost(tunnel->order.arg);
    }
}

bool connects_yield_memory(struct worker *worker)
{
    uint64_t read = loop_read_ms(worker->loop);
    int count = 0;

    for (int i = 0; i < LOOKED_AT && count < YIELDING_MAX && !list_empty(&worker->tunnels); i++) {
        struct list *link = list_rotate(&worker->tunnels);
        struct connect_tunnel *tunnel = list_entry(link, struct connect_tunnel, link);
        if (is_silent(tunnel, read)) {
            give_way(tunnel);
            count++;
        }
    }
    return count > 0;
}

void connect_abort_all(struct worker *worker)
{
    list_each_safe(link, &worker->tunnels)
    {
        tunnel_end(list_entry(link, struct connect_tunnel, link));
    }
}
