#include "dnsredir/health/health.h"

#include "base/check.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "dnsredir/health/reply.h"
#include "dnsredir/health/rttpull.h"

#include <stdio.h>

/* First probes begin soon after the start, that of each replica so much later than the one before.
 */
#define FIRST_SPREAD_MS 100
/* While a streak runs probes come at least so many times faster. */
#define HURRY 4
#define REQUEST_MAX 512
#define READ_MAX 4096

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

/* The life of the connection to a replica. It is kept from one probe to the next. */
enum link_state {
    LINK_NONE,
    LINK_CONNECTING,
    LINK_OPEN,
    LINK_CLOSING, /* the next probe begins when it is closed */
};

/* One replica. Between probes `timer` waits for the time of the next one; while `asking` it bounds
 * the whole probe, with a second try on a new connection if a kept one proves dead. */
struct probe {
    struct probes *probes;
    const struct replica_row *row;
    struct health health;
    const char *fault;
    uint64_t since; /* when `up` changed last, by the loop's clock; 0: never */
    bool returned;  /* the replica has changed from down to up */
    bool has_load;
    struct load_report load;
    struct load_meter meter;
    uv_timer_t timer;
    uv_tcp_t tcp;
    enum link_state link;
    bool asking;
    bool fresh;   /* the connection was opened by this probe */
    bool writing; /* `write` is in use */
    uint64_t begun;
    uint64_t connections; /* opened so far */
    uv_connect_t connect;
    uv_write_t write;
    char request[REQUEST_MAX];
    char room[READ_MAX];
    struct reply reply;
    struct rtt_pull pull; /* never while `asking` */
};

struct probes {
    uv_loop_t *loop;
    const struct settings *settings;
    void (*on_change)(void *arg);
    void *arg;
    void (*on_rtt)(void *arg, size_t replica, const struct rtt_line *line); /* NULL: not asked */
    void *rtt_arg;
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

static void link_open(struct probe *p);

static void on_tcp_closed(uv_handle_t *handle)
{
    struct probe *p = container_of(handle, struct probe, tcp);
    struct probes *probes = p->probes;

    p->link = LINK_NONE;
    p->writing = false;
    if (p->asking && !probes->closing) {
        link_open(p);
    }
    handle_closed(probes);
}

static void link_close(struct probe *p)
{
    rtt_pull_break(&p->pull, "the connection broke", uv_now(p->probes->loop),
                   p->probes->settings->measured.interval);
    if (p->link == LINK_CONNECTING || p->link == LINK_OPEN) {
        p->link = LINK_CLOSING;
        uv_close((uv_handle_t *)&p->tcp, on_tcp_closed);
    }
}

static void note_load(struct probe *p)
{
    p->has_load = p->reply.has_load;
    if (p->has_load) {
        p->load = p->reply.load;
        load_meter_note(&p->meter, &p->load, uv_now(p->probes->loop));
    } else {
        load_meter_forget(&p->meter);
    }
}

/* ---- round trips ---- */

static void on_rtt_line(void *arg, const struct rtt_line *line)
{
    const struct probe *p = arg;
    p->probes->on_rtt(p->probes->rtt_arg, (size_t)(p - p->probes->list), line);
}

static void write_text(struct probe *p, char *text);

/* Asks for round-trip times, between two probes, on the connection of the last one. */
static void pull_begin(struct probe *p)
{
    if (p->probes->on_rtt && p->link == LINK_OPEN && uv_now(p->probes->loop) >= p->pull.due) {
        rtt_pull_begin(&p->pull, p->row->admin.text, on_rtt_line, p);
        write_text(p, p->pull.request);
    }
}

static void pull_read(struct probe *p, int done)
{
    bool over = rtt_pull_take(&p->pull, &p->reply, done, uv_now(p->probes->loop),
                              p->probes->settings->measured.interval);

    if (over && (!p->reply.keep || p->writing || done < 0 || p->reply.body_left > 0)) {
        link_close(p);
    }
}

/* ---- health ---- */

/* Ends the probe that is under way; with a NULL `fault` it was good. */
static void conclude(struct probe *p, const char *fault)
{
    const struct settings *s = p->probes->settings;
    bool known = p->health.known;
    bool drained = p->has_load && p->load.draining;

    p->asking = false;
    p->fault = fault;
    if (fault || !p->reply.keep || p->writing) {
        link_close(p);
    }
    if (!fault) {
        note_load(p);
    }
    bool changed = health_note(&p->health, !fault, s->health.rise, s->health.fall);
    if (changed) {
        p->since = uv_now(p->probes->loop);
        p->returned = p->health.up && known;
        log_warn(p->health.up ? "replica_up" : "replica_down", "replica=%s reason=%s", p->row->name,
                 fault ? fault : "ready");
    }
    wait_for_next(p);
    if (changed || drained != (p->has_load && p->load.draining)) {
        p->probes->on_change(p->probes->arg);
    }
    if (!fault) {
        pull_begin(p);
    }
}

/* Handles a connection that was closed or is of no use. If it was kept from an earlier probe, the
 * replica may have closed it in between, which says nothing about its health: the probe is repeated
 * on a new connection. */
static void link_failed(struct probe *p, const char *fault)
{
    bool in_vain = p->asking && !p->fresh && p->reply.head_len == 0;

    if (p->asking && !in_vain) {
        conclude(p, fault);
    } else {
        link_close(p); /* a probe that got nothing on a kept connection goes on with a new one */
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct probe *p = container_of(handle, struct probe, tcp);
    *out = uv_buf_init(p->room, sizeof(p->room));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct probe *p = container_of(stream, struct probe, tcp);

    if (n < 0 || !(p->asking || p->pull.under_way)) {
        link_failed(p, "closed without an answer"); /* or the replica sends without being asked */
        return;
    }
    int done = reply_take(&p->reply, span_of(p->room, (size_t)n));
    if (!p->asking) {
        pull_read(p, done);
    } else if (done < 0) {
        conclude(p, "answers something that is not HTTP");
    } else if (done) {
        bool good = p->reply.status >= 200 && p->reply.status < 300;
        bool drains = p->reply.has_load && p->reply.load.draining;
        conclude(p, good || drains ? NULL : "not ready"); /* draining is not dead */
    }
}

/* May be called after the connection was closed, for a write that had failed before. */
static void on_written(uv_write_t *write, int status)
{
    struct probe *p = container_of(write, struct probe, write);

    p->writing = false;
    if (status < 0 && p->link == LINK_OPEN) {
        link_failed(p, "cannot be written to");
    }
}

static void write_text(struct probe *p, char *text)
{
    uv_buf_t request = uv_buf_init(text, (unsigned)strlen(text));

    reply_begin(&p->reply);
    p->writing = true;
    if (uv_write(&p->write, (uv_stream_t *)&p->tcp, &request, 1, on_written) < 0) {
        p->writing = false;
        link_failed(p, "cannot be written to");
    }
}

static void ask(struct probe *p)
{
    write_text(p, p->request);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct probe *p = container_of(connect, struct probe, connect);

    if (status == UV_ECANCELED || p->link != LINK_CONNECTING) {
        return;
    }
    p->link = LINK_OPEN;
    if (status < 0 || uv_read_start((uv_stream_t *)&p->tcp, on_room, on_read) < 0) {
        link_failed(p, status == UV_ECONNREFUSED ? "connection refused" : "cannot be connected");
        return;
    }
    ask(p);
}

static void link_open(struct probe *p)
{
    struct probes *probes = p->probes;

    uv_tcp_init(probes->loop, &p->tcp);
    probes->handles++;
    p->link = LINK_CONNECTING;
    p->fresh = true;
    p->connections++;
    if (uv_tcp_connect(&p->connect, &p->tcp, (const struct sockaddr *)&p->row->admin.address,
                       on_connected) < 0) {
        conclude(p, "cannot be connected");
    }
}

static void on_timeout(uv_timer_t *timer)
{
    conclude(container_of(timer, struct probe, timer), "timed out");
}

static void on_time(uv_timer_t *timer)
{
    struct probe *p = container_of(timer, struct probe, timer);

    p->begun = uv_now(p->probes->loop);
    if (p->pull.under_way) {
        link_close(p); /* health does not depend on it */
    }
    p->asking = true;
    p->fresh = false;
    reply_begin(&p->reply);
    uv_timer_start(&p->timer, on_timeout, p->probes->settings->health.timeout, 0);
    if (p->link == LINK_OPEN) {
        ask(p);
    } else if (p->link == LINK_NONE) {
        link_open(p);
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

/* Starts the probes of a replica, and goes on where `before` was, so that reloads do not delay
 * probes. */
static void probe_start(struct probes *probes, struct probe *p, size_t number,
                        const struct probe *before)
{
    uint64_t interval = probes->settings->health.interval;
    uint64_t spread = interval < FIRST_SPREAD_MS ? interval : FIRST_SPREAD_MS;

    snprintf(p->request, sizeof(p->request),
             "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: larder-dns\r\n\r\n",
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
        p->health = HEALTH_INIT;
        if (before) {
            p->health = before->health;
            p->fault = before->fault;
            p->since = before->since;
            p->returned = before->returned;
            p->has_load = before->has_load;
            p->load = before->load;
            p->meter = before->meter;
            rtt_pull_adopt(&p->pull, &before->pull);
        }
        if (p->row->admin.len) {
            probe_start(probes, p, i, before);
        }
    }
    return probes;
}

void probes_measure(struct probes *probes,
                    void (*on_rtt)(void *arg, size_t replica, const struct rtt_line *line),
                    void *arg, bool anew)
{
    probes->on_rtt = on_rtt;
    probes->rtt_arg = arg;
    for (size_t i = 0; anew && i < probes->count; i++) {
        probes->list[i].pull.epoch = probes->list[i].pull.next = probes->list[i].pull.due = 0;
    }
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
        link_close(p);
    }
    handle_closed(ps);
}

struct probe_report probes_report(const struct probes *probes, size_t replica)
{
    const struct probe *p = &probes->list[replica];

    CHECK(replica < probes->count);
    return (struct probe_report){
        .probed = p->row->admin.len != 0,
        .health = p->health,
        .fault = p->fault,
        .since_ms = p->since,
        .returned = p->returned,
        .has_load = p->has_load && p->health.up,
        .load = p->load,
        .meter = p->meter,
        .connections = p->connections,
        .rtt_fault = p->pull.fault,
        .rtt_reports = p->pull.reports,
    };
}
