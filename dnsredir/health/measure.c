#include "dnsredir/health/measure.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/minmax.h"
#include "base/thread.h"

/* The clock of the estimates: seconds of the loop, so late that no age lies before its begin. */
#define CLOCK_BEGIN RTT_AGE_MAX
/* Making maps may take 1/REST of the time. */
#define REST 20
/* The map is made anew this often even without new reports, because estimates grow too old. */
#define LOOK_AGAIN_MS 300000
/* Changes from one report, or from several replicas at about the same time, go into one map. */
#define GATHER_MS 50

/* A map that is being made. All of it belongs to the thread until the loop is notified. */
struct job {
    struct measured_input input;
    struct estimates *estimates;
    struct settings *settings; /* counted in *holders */
    unsigned *holders;
    uint16_t replica_of[REPLICAS_MAX];
    struct measured *result;
    uint64_t ms;
};

struct measure {
    uv_loop_t *loop;
    void (*on_change)(void *arg);
    void *arg;
    struct settings *settings;
    unsigned *holders;
    struct estimates *estimates; /* NULL: not wanted */
    size_t networks;             /* size of the table, as configured */
    char *who[REPLICAS_MAX];     /* by slot: whose estimates these are; NULL: nobody's yet */
    uint16_t replica_of[REPLICAS_MAX];
    uint16_t slot_of[REPLICAS_MAX];
    struct measured *map;
    bool dirty, busy, stopping;
    uint64_t made;  /* when the last map was made, in ms; 0: none with these settings */
    uint64_t rests; /* until when none is made, ms */
    uv_timer_t timer;
    uint64_t lines, maps, map_ms;
    uv_work_t work;
    struct job job;
};

struct measure *measure_new(uv_loop_t *loop, void (*on_change)(void *arg), void *arg)
{
    struct measure *m = xcalloc(1, sizeof(*m));

    m->loop = loop;
    uv_timer_init(loop, &m->timer);
    m->on_change = on_change;
    m->arg = arg;
    return m;
}

void measure_stop(struct measure *m)
{
    m->stopping = true;
    uv_close((uv_handle_t *)&m->timer, NULL);
}

void measure_free(struct measure **measure)
{
    struct measure *m = *measure;

    if (m) {
        CHECK(!m->busy);
        measure_leave(&m->map);
        estimates_free(&m->estimates);
        for (size_t i = 0; i < REPLICAS_MAX; i++) {
            free(m->who[i]);
        }
        free(m);
        *measure = NULL;
    }
}

struct measured *measure_join(struct measure *m)
{
    if (m->map) {
        m->map->holders++;
    }
    return m->map;
}

void measure_leave(struct measured **map)
{
    if (*map && --(*map)->holders == 0) {
        measured_free(map);
    }
    *map = NULL;
}

static uint32_t seconds(const struct measure *m)
{
    return (uint32_t)(uv_now(m->loop) / 1000) + CLOCK_BEGIN;
}

/* ---- the settings ---- */

/* A slot has the estimates of one replica. If another one takes over its name, they are forgotten,
 * because it may be elsewhere. */
static void know(struct measure *m, uint16_t slot, const struct replica_row *row)
{
    struct buf text = BUF_INIT;

    buf_printf(&text, "%s %s", row->name, row->admin.len ? row->admin.text : "");
    if (!m->who[slot] || !span_eq(span_str(m->who[slot]), buf_span(&text))) {
        if (m->who[slot]) {
            estimates_forget(m->estimates, slot);
        }
        free(m->who[slot]);
        m->who[slot] = xspandup(buf_span(&text));
    }
    buf_fini(&text);
}

static void plan(struct measure *m);

static void on_rtt(void *arg, size_t replica, const struct rtt_line *line)
{
    struct measure *m = arg;

    m->lines++;
    if (estimates_note(m->estimates, m->slot_of[replica], line, seconds(m))) {
        m->dirty = true;
        plan(m);
    }
}

/* A table of the size that is wanted; true: it is a new one. */
static bool make_table(struct measure *m, const struct settings *s)
{
    if (!s->measured.enabled) {
        estimates_free(&m->estimates);
        return false;
    }
    if (m->estimates && m->networks == s->measured.networks) {
        m->estimates->max_age = s->measured.max_age;
        return false;
    }
    estimates_free(&m->estimates);
    m->estimates = estimates_new(s->measured.networks, s->measured.max_age);
    m->networks = s->measured.networks;
    return true;
}

void measure_adopt(struct measure *m, struct settings *settings, unsigned *holders,
                   const struct roster *roster, struct probes *probes)
{
    bool anew = make_table(m, settings);

    m->settings = settings;
    m->holders = holders;
    measure_leave(&m->map); /* the map has the replica numbers of the former settings */
    m->dirty = m->estimates && m->estimates->count > 0;
    m->made = m->rests = 0;
    uv_timer_stop(&m->timer);
    memset(m->replica_of, 0xff, sizeof(m->replica_of));
    for (size_t i = 0; i < settings->replica_count; i++) {
        m->slot_of[i] = roster_slot(roster, i);
        m->replica_of[m->slot_of[i]] = (uint16_t)i;
        if (m->estimates) {
            know(m, m->slot_of[i], &settings->replica_rows[i]);
        }
    }
    if (m->estimates) {
        probes_measure(probes, on_rtt, m, anew);
        plan(m);
    }
}

/* ---- the map ---- */

static void job_run(uv_work_t *work)
{
    struct job *job = &container_of(work, struct measure, work)->job;
    uint64_t begun = clock_mono_ms();

    job->result = measured_new(&job->input);
    job->ms = clock_mono_ms() - begun;
}

static void job_done(uv_work_t *work, int status)
{
    struct measure *m = container_of(work, struct measure, work);
    struct job *job = &m->job;
    bool current = job->settings == m->settings && m->estimates && !m->stopping;

    m->busy = false;
    job->result->holders = 1;
    if (current) {
        m->made = uv_now(m->loop);
        m->rests = m->made + REST * job->ms;
        measure_leave(&m->map);
        m->map = job->result;
        m->maps++;
        m->map_ms = job->ms;
        log_debug("measured", "networks=%zu moved=%zu rankings=%zu ms=%llu", m->map->network_count,
                  m->map->moved_count, m->map->ranking_count, (unsigned long long)job->ms);
        m->on_change(m->arg);
    } else {
        measure_leave(&job->result);
    }
    estimates_free(&job->estimates);
    settings_release(job->settings, job->holders);
    plan(m);
}

static void job_begin(struct measure *m)
{
    struct job *job = &m->job;
    const struct settings *s = m->settings;

    m->dirty = false;
    m->busy = true;
    ++*m->holders;
    job->settings = m->settings;
    job->holders = m->holders;
    job->estimates = estimates_copy(m->estimates);
    memcpy(job->replica_of, m->replica_of, sizeof(job->replica_of));
    job->input = (struct measured_input){
        .estimates = job->estimates,
        .replica_of = job->replica_of,
        .replicas = s->replicas,
        .replica_count = s->replica_count,
        .base = s->nearest.map,
        .rankings = s->nearest.rankings,
        .now = seconds(m),
    };
    CHECK(thread_queue_work(m->loop, &m->work, job_run, job_done) == 0);
}

static void on_time(uv_timer_t *timer)
{
    job_begin(container_of(timer, struct measure, timer));
}

/* Plans the next map: the first one at once, as distance answers until then; later ones seldom
 * while nothing changes. A planned map is only ever moved to an earlier time, by a change. */
static void plan(struct measure *m)
{
    uint64_t now = uv_now(m->loop);
    uint64_t pause = m->dirty ? m->settings->measured.interval / 2 : LOOK_AGAIN_MS;
    uint64_t due = now + GATHER_MS;

    if (!m->estimates || m->busy || m->stopping) {
        return;
    }
    if (m->made) {
        due = max_u64(due, max_u64(m->made + pause, m->rests));
    }
    if (!uv_is_active((uv_handle_t *)&m->timer) || now + uv_timer_get_due_in(&m->timer) > due) {
        uv_timer_start(&m->timer, on_time, due - now, 0);
    }
}

struct measure_report measure_report(const struct measure *m)
{
    struct measure_report report = {
        .enabled = m->estimates != NULL, .lines = m->lines, .maps = m->maps, .map_ms = m->map_ms};

    if (m->estimates) {
        report.networks = m->estimates->count;
        report.bytes = estimates_size(m->estimates);
    }
    if (m->map) {
        report.mapped = m->map->network_count;
        report.moved = m->map->moved_count;
        report.rankings = m->map->ranking_count;
        report.bytes += netmap_size(m->map->map) + m->map->arena.allocated;
    }
    return report;
}
