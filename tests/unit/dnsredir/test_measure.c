#include "dialogue.h"

#include "dnsredir/health/measure.h"

#include <criterion/criterion.h>

/* Two replicas that nobody probes. The next map of round trips is not due for long. */
#define WORLD                                                                                      \
    "nearest: { measured: { enabled: yes, interval: 1h } }\n"                                      \
    "replicas: [{ name: fra, addresses: 192.0.2.1 }, { name: nyc, addresses: 192.0.2.2 }]\n"       \
    "zones: [{ name: ex, nameservers: ns.at, names: [{ name: www, policy: nearest }] }]\n"

enum { PATIENCE_MS = 60000 };

/* What a load of the configuration makes. */
struct load {
    struct dialogue d;
    struct probes *probes;
    unsigned holders;
};

static uv_loop_t loop;
static uv_prepare_t prepare;
static uv_timer_t patience;
static struct roster *roster;
static struct measure *measure;
static struct load first, second;
static bool is_over;

static void on_patience(uv_timer_t *timer)
{
    is_over = true;
}

static void on_change(void *arg)
{
}

static void load(struct load *made)
{
    dialogue_init(&made->d, WORLD);
    made->probes = probes_new(&loop, made->d.settings, NULL, NULL, NULL);
    made->holders = 1;
}

static void adopt(struct load *made)
{
    roster_adopt(roster, made->d.settings);
    measure_adopt(measure, made->d.settings, &made->holders, roster, made->probes);
}

static void set_up(void)
{
    uv_loop_init(&loop);
    uv_prepare_init(&loop, &prepare);
    uv_timer_init(&loop, &patience);
    uv_timer_start(&patience, on_patience, PATIENCE_MS, 0);
    roster = roster_new();
    measure = measure_new(&loop, on_change, NULL);
    load(&first);
    load(&second);
}

static void tear_down(void)
{
    measure_stop(measure);
    probes_close(&first.probes);
    probes_close(&second.probes);
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_close((uv_handle_t *)&patience, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    measure_free(&measure);
    roster_free(&roster);
    uv_loop_close(&loop);
    dialogue_fini(&first.d);
    dialogue_fini(&second.d);
}

TestSuite(measure, .init = set_up, .fini = tear_down);

/* Comes after the timer that begins a map, and before the loop can hear that it is made. */
static void on_prepare(uv_prepare_t *handle)
{
    if (first.holders == 2) {
        uv_prepare_stop(handle);
        adopt(&second);
    }
}

/* The map that was being made counts the replicas of the former settings: it is of no use, and the
 * next one does not wait as if there were one. */
Test(measure, a_reload_while_a_map_is_made_brings_another_at_once)
{
    adopt(&first);
    uv_prepare_start(&prepare, on_prepare);
    while (measure_report(measure).maps == 0 && !is_over) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    cr_expect_not(uv_is_active((uv_handle_t *)&prepare), "it was reloaded");
    cr_expect_eq(first.holders, 1);
    cr_expect_eq(measure_report(measure).maps, 1);
}
