#include "dnsredir/health.h"

#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>

/* The first probes come soon after the start, each replica's a little later than the last. */
#define FIRST_SPREAD_MS 100
/* How much faster probes come while a streak is running, at least. */
#define HURRY 4
#define REQUEST_MAX 512
#define STATUS_LEN 12 /* "HTTP/1.1 200" */

bool health_note(struct health *health, bool good, uint64_t rise, uint64_t fall)
{
    bool before = health->up;

    if (!health->known) {
        health->known = true;
        health->up = good;
        return health->up != before;
    }
    health->streak = good == health->up ? 0 : health->streak + 1;
    if (health->streak >= (health->up ? fall : rise)) {
        health->up = good;
        health->streak = 0;
    }
    return health->up != before;
}

static uint64_t streak_time(uint64_t interval)
{
    return interval / 4 * 3;
}

uint64_t health_timeout_max(uint64_t interval, uint64_t fall)
{
    return streak_time(interval) / fall;
}

uint64_t health_pause(const struct health *health, uint64_t interval, uint64_t timeout,
                      uint64_t fall)
{
    uint64_t quick = interval / HURRY;

    if (health->streak == 0) {
        return interval;
    }
    if (fall > 1 && (streak_time(interval) - timeout) / (fall - 1) < quick) {
        quick = (streak_time(interval) - timeout) / (fall - 1);
    }
    return quick;
}

/* One replica. A probe is one connection: WAITING for its time, then asking until a status, a
 * fault or the timeout ends it. `timer` is what WAITING waits for and what bounds asking. */
struct probe {
    struct probes *probes;
    const struct replica_row *row;
    struct health health;
    const char *fault;
    uv_timer_t timer;
    uv_tcp_t tcp;
    bool asking; /* tcp is open */
    uint64_t begun;
    uv_connect_t connect;
    uv_write_t write;
    char request[REQUEST_MAX];
    char status[STATUS_LEN];
    size_t status_len;
};

struct probes {
    uv_loop_t *loop;
    const struct settings *settings;
    void (*on_change)(void *arg);
    void *arg;
    bool closing;
    size_t handles; /* open or closing; the last one frees */
    size_t count;
    struct probe *list;
};

static void handle_closed(struct probes *probes)
{
    if (--probes->handles == 0 && probes->closing) {
        free(probes->list);
        free(probes);
    }
}

static void on_time(uv_timer_t *timer);

static void wait_for_next(struct probe *p)
{
    const struct settings *s = p->probes->settings;
    uint64_t pause =
        health_pause(&p->health, s->health.interval, s->health.timeout, s->health.fall);
    uint64_t taken = uv_now(p->probes->loop) - p->begun;

    uv_timer_start(&p->timer, on_time, pause > taken ? pause - taken : 1, 0);
}

static void on_tcp_closed(uv_handle_t *handle)
{
    struct probe *p = container_of(handle, struct probe, tcp);
    struct probes *probes = p->probes;

    p->asking = false;
    if (!probes->closing) {
        wait_for_next(p);
    }
    handle_closed(probes);
}

/* Ends the probe that is under way. `fault` NULL: all is well. */
static void conclude(struct probe *p, const char *fault)
{
    const struct settings *s = p->probes->settings;

    if (uv_is_closing((uv_handle_t *)&p->tcp)) {
        return;
    }
    uv_timer_stop(&p->timer);
    uv_close((uv_handle_t *)&p->tcp, on_tcp_closed);
    p->fault = fault;
    if (health_note(&p->health, !fault, s->health.rise, s->health.fall)) {
        log_warn(p->health.up ? "replica_up" : "replica_down", "replica=%s reason=%s", p->row->name,
                 fault ? fault : "ready");
        p->probes->on_change(p->probes->arg);
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct probe *p = container_of(handle, struct probe, tcp);
    *out = uv_buf_init(p->status + p->status_len, (unsigned)(STATUS_LEN - p->status_len));
}

static bool is_good(struct span status)
{
    return span_starts(status, SPAN("HTTP/1.")) && status.at[8] == ' ' && status.at[9] == '2' &&
           ascii_is_digit(status.at[10]) && ascii_is_digit(status.at[11]);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct probe *p = container_of(stream, struct probe, tcp);

    if (n < 0) {
        conclude(p, "closed without an answer");
        return;
    }
    p->status_len += (size_t)n;
    if (p->status_len == STATUS_LEN) {
        conclude(p, is_good(span_of(p->status, STATUS_LEN)) ? NULL : "not ready");
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct probe *p = container_of(write, struct probe, write);

    if (status < 0 && status != UV_ECANCELED) {
        conclude(p, "cannot be written to");
    }
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct probe *p = container_of(connect, struct probe, connect);

    if (status == UV_ECANCELED) {
        return;
    }
    uv_buf_t request = uv_buf_init(p->request, (unsigned)strlen(p->request));
    if (status < 0 || uv_write(&p->write, (uv_stream_t *)&p->tcp, &request, 1, on_written) < 0 ||
        uv_read_start((uv_stream_t *)&p->tcp, on_room, on_read) < 0) {
        conclude(p, status == UV_ECONNREFUSED ? "connection refused" : "cannot be connected");
    }
}

static void on_timeout(uv_timer_t *timer)
{
    conclude(container_of(timer, struct probe, timer), "timed out");
}

static void on_time(uv_timer_t *timer)
{
    struct probe *p = container_of(timer, struct probe, timer);
    struct probes *probes = p->probes;

    p->begun = uv_now(probes->loop);
    p->status_len = 0;
    uv_tcp_init(probes->loop, &p->tcp);
    probes->handles++;
    p->asking = true;
    uv_timer_start(&p->timer, on_timeout, probes->settings->health.timeout, 0);
    if (uv_tcp_connect(&p->connect, &p->tcp, (const struct sockaddr *)&p->row->admin.address,
                       on_connected) < 0) {
        conclude(p, "cannot be connected");
    }
}

static bool same_target(const struct replica_row *a, const struct replica_row *b)
{
    return strcmp(a->name, b->name) == 0 && a->admin.len && b->admin.len &&
           strcmp(a->admin.text, b->admin.text) == 0;
}

static const struct probe *find_same(const struct probes *was, const struct replica_row *row)
{
    for (size_t i = 0; was && i < was->count; i++) {
        if (same_target(was->list[i].row, row)) {
            return &was->list[i];
        }
    }
    return NULL;
}

/* The first probe: where `before` left off, so that reloads do not put probes off. */
static void probe_start(struct probes *probes, struct probe *p, size_t number,
                        const struct probe *before)
{
    uint64_t interval = probes->settings->health.interval;
    uint64_t spread = interval < FIRST_SPREAD_MS ? interval : FIRST_SPREAD_MS;

    snprintf(p->request, sizeof(p->request),
             "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: larder-dns\r\nConnection: close\r\n\r\n",
             probes->settings->health.path, p->row->admin.text);
    uv_timer_init(probes->loop, &p->timer);
    probes->handles++;
    if (!before || !before->health.known) {
        uv_timer_start(&p->timer, on_time, spread * number / probes->count, 0);
    } else if (before->asking) {
        uv_timer_start(&p->timer, on_time, 0, 0);
    } else {
        p->begun = before->begun;
        wait_for_next(p);
    }
}

struct probes *probes_new(uv_loop_t *loop, const struct settings *settings,
                          const struct probes *was, void (*on_change)(void *arg), void *arg)
{
    struct probes *probes = xcalloc(1, sizeof(*probes));

    probes->loop = loop;
    probes->settings = settings;
    probes->on_change = on_change;
    probes->arg = arg;
    probes->count = settings->replica_count;
    probes->list = xcalloc(probes->count, sizeof(*probes->list));
    for (size_t i = 0; i < probes->count; i++) {
        struct probe *p = &probes->list[i];
        p->probes = probes;
        p->row = &settings->replica_rows[i];
        const struct probe *before = find_same(was, p->row);
        p->health = before ? before->health : HEALTH_INIT;
        p->fault = before ? before->fault : NULL;
        if (p->row->admin.len) {
            probe_start(probes, p, i, before);
        }
    }
    return probes;
}

static void on_timer_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct probe, timer)->probes);
}

void probes_close(struct probes **probes)
{
    struct probes *ps = *probes;

    if (!ps) {
        return;
    }
    *probes = NULL;
    ps->closing = true;
    ps->handles++; /* until this loop is through */
    for (size_t i = 0; i < ps->count; i++) {
        struct probe *p = &ps->list[i];
        if (p->row->admin.len) {
            uv_close((uv_handle_t *)&p->timer, on_timer_closed);
        }
        if (p->asking && !uv_is_closing((uv_handle_t *)&p->tcp)) {
            uv_close((uv_handle_t *)&p->tcp, on_tcp_closed);
        }
    }
    handle_closed(ps);
}

void probes_up(const struct probes *probes, struct replica_set *out)
{
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < probes->count; i++) {
        replica_set_put(out, (unsigned)i, probes->list[i].health.up);
    }
}

struct probe_report probes_report(const struct probes *probes, size_t replica)
{
    const struct probe *p = &probes->list[replica];

    CHECK(replica < probes->count);
    return (struct probe_report){p->row->admin.len != 0, p->health, p->fault};
}
