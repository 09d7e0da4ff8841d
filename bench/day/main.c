/*
 * day - a day of the redirector: clients on four continents, each with its own evening, one replica
 * away for two hours, and a crowd that all asks for one name. By the redirector's own code from the
 * query to the answer; only the world is made up (world.h). Twice: with load awareness, and with
 * health alone.
 *
 *     day [NUMBERS.tsv]     prints a table; plot.py draws the numbers
 *
 * A request waits as at a single server with random arrivals (M/M/1): SERVICE_MS at an idle
 * replica. Of one that is asked for more than it can do, what is too much waits LATE_MS, and so
 * does who is sent to one that is away.
 */
#include "world.h"

#include "base/check.h"
#include "dnsredir/answer/answer.h"
#include "dnsredir/config/directives.h"
#include "dnsredir/health/health.h"
#include "dnsredir/steering/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STEP 5 /* seconds */
#define TTL 30
#define SERVICE_MS 2.0
#define FULLEST 0.98
#define LATE_MS 1000.0
#define SLOT 600 /* seconds for a row of numbers */
#define BUCKETS 2048

struct totals {
    double requests, latency, late, distance;
    double load[REPLICAS]; /* demand in parts of the capacity, times seconds */
    double worst;          /* of them, at any moment */
    double slow[BUCKETS];  /* requests by ms */
};

struct day {
    bool aware;
    struct world world;
    struct settings *settings;
    struct standing standing;
    struct health health[REPLICAS];
    int returned_at[REPLICAS];
    struct load_meter meters[REPLICAS];
    struct load_report reports[REPLICAS];
    double levels[REPLICAS];
    unsigned targets[CLIENTS][NAMES];
    double wants[CLIENTS][NAMES]; /* requests a second, of this step */
    double demand[REPLICAS];      /* the same, by where they go */
    struct totals slot, all;
    FILE *numbers;
};

/* ---- settings ---- */

static void write_map(const struct world *world, FILE *file)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        bool listed[REPLICAS] = {false};
        fprintf(file, "%u.%u.0.0/16", 20 + i / 256, i % 256);
        for (size_t n = 0; n < REPLICAS; n++) {
            size_t best = REPLICAS;
            for (size_t r = 0; r < REPLICAS; r++) {
                if (!listed[r] && (best == REPLICAS ||
                                   world_distance(world, i, r) < world_distance(world, i, best))) {
                    best = r;
                }
            }
            listed[best] = true;
            fprintf(file, ",%s", world_replicas[best].name);
        }
        fprintf(file, "\n");
    }
}

static void write_config(FILE *file)
{
    fprintf(file, "replicas:\n");
    for (unsigned i = 0; i < REPLICAS; i++) {
        fprintf(file, "  - { name: %s, addresses: [192.0.2.%u], capacity: %.0f }\n",
                world_replicas[i].name, i + 1, CAPACITY);
    }
    fprintf(file, "load: { easy: 70%% }\n"
                  "nearest: { map-file: day.csv }\n"
                  "zones: [{ name: day.example, nameservers: [ns.day.example], names: [\n"
                  "  { name: ns, records: ['A 127.0.0.1'] },\n");
    for (size_t i = 0; i < NAMES; i++) {
        fprintf(file, "  { name: %s, policy: nearest, answers: 1, ttl: %us },\n", world_names[i],
                TTL);
    }
    fprintf(file, "] }]\n");
}

static FILE *create(const char *dir, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    return file;
}

static void discard(const char *dir, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    unlink(path);
}

static struct settings *load(const struct world *world)
{
    char dir[] = "/tmp/larder-day.XXXXXX", path[64];
    char *argv[] = {(char[]){"day"}, (char[]){"--config"}, path, NULL};
    struct buf errors = BUF_INIT;
    struct settings *settings;

    CHECK(mkdtemp(dir) != NULL);
    FILE *map = create(dir, "day.csv"), *config = create(dir, "day.yaml");
    write_map(world, map);
    write_config(config);
    CHECK(fclose(map) == 0 && fclose(config) == 0);
    snprintf(path, sizeof(path), "%s/day.yaml", dir);
    int err = settings_load(3, argv, &errors, NULL, &settings);
    fprintf(stderr, "%.*s", SPAN_ARGS(buf_span(&errors)));
    CHECK(err == 0);
    buf_fini(&errors);
    discard(dir, "day.csv");
    discard(dir, "day.yaml");
    rmdir(dir);
    return settings;
}

/* ---- clients ---- */

static size_t write_query(const char *name, uint8_t *room, size_t len)
{
    struct wire_out out = wire_out_of(room, len);

    wire_put_bytes(&out, "\x12\x34\0\0\0\1\0\0\0\0\0\0", 12);
    wire_put_u8(&out, (uint8_t)strlen(name));
    wire_put_bytes(&out, name, strlen(name));
    wire_put_bytes(&out, "\3day\7example\0\0\1\0\1", 17);
    CHECK(!out.failed);
    return wire_out_len(&out);
}

/* The replica that a client's resolver is told. */
static unsigned ask(const struct day *day, unsigned client, size_t name, int at)
{
    static struct identity identity = {.cookies = {1, {{1, 2}}}};
    struct view view = {
        .zones = day->settings->zones,
        .nearest = day->settings->nearest.map,
        .rankings = day->settings->nearest.rankings,
        .standing = &day->standing,
        .identity = &identity,
        .rates = &day->settings->rates,
    };
    struct client resolver = {
        .ip = {{[10] = 0xff, [11] = 0xff, (uint8_t)(20 + client / 256), (uint8_t)client, 0, 53}},
        .now = (uint32_t)at,
        .turn = (uint32_t)at * 2654435761u + client,
    };
    struct answer_note note;
    uint8_t query[64], room[DNS_UDP_MAX];
    size_t len = write_query(world_names[name], query, sizeof(query));

    CHECK(answer(&view, &resolver, span_of((const char *)query, len), room, &note) > len);
    CHECK(note.policy != NULL && note.picked == 1);
    return note.ids[0];
}

static void resolve(struct day *day, int at)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        for (size_t name = 0; name < NAMES; name++) {
            if (at == 0 || (at / STEP + (int)i) % (TTL / STEP) == 0) {
                day->targets[i][name] = ask(day, i, name, at);
            }
        }
    }
}

/* ---- replicas ---- */

static bool is_away(unsigned replica, int at)
{
    return replica == AWAY_REPLICA && at >= AWAY_FROM && at < AWAY_TO;
}

static void gather_demand(struct day *day, int at)
{
    memset(day->demand, 0, sizeof(day->demand));
    for (size_t i = 0; i < CLIENTS; i++) {
        for (size_t name = 0; name < NAMES; name++) {
            day->wants[i][name] = world_demand(&day->world, i, name, at);
            day->demand[day->targets[i][name]] += day->wants[i][name];
        }
    }
}

/* What a probe finds, once a step. */
static void probe(struct day *day, unsigned replica, int at)
{
    struct load_report *report = &day->reports[replica];
    double demand = day->demand[replica];
    bool away = is_away(replica, at);

    if (health_note(&day->health[replica], !away, day->settings->health.rise,
                    day->settings->health.fall) &&
        !away) {
        day->returned_at[replica] = at;
    }
    if (away) {
        load_meter_forget(&day->meters[replica]);
        *report = (struct load_report){0};
        return;
    }
    report->requests += (uint64_t)((demand < CAPACITY ? demand : CAPACITY) * STEP);
    report->overload = demand > CAPACITY;
    load_meter_note(&day->meters[replica], report, (uint64_t)at * 1000 + 1);
}

static void step_levels(struct day *day)
{
    const struct settings *s = day->settings;
    const struct load_rules rules = {(double)s->load.spill / 100, (double)s->load.easy / 100,
                                     (double)s->load.least};
    struct load_state states[REPLICAS];

    for (unsigned i = 0; i < REPLICAS; i++) {
        states[i] = (struct load_state){
            .capacity = CAPACITY,
            .open = day->health[i].up,
            .known = day->meters[i].known,
            .overload = day->reports[i].overload,
            .load = load_meter_read(&day->meters[i], LOAD_REQUESTS),
            .level = day->levels[i],
        };
    }
    load_step(states, REPLICAS, &rules);
    for (unsigned i = 0; i < REPLICAS; i++) {
        day->levels[i] = states[i].level;
    }
}

static void judge(struct day *day, int at)
{
    const struct settings *s = day->settings;

    if (day->aware && (uint64_t)at * 1000 % s->load.period == 0) {
        step_levels(day);
    }
    memset(&day->standing, 0, sizeof(day->standing));
    for (unsigned i = 0; i < REPLICAS; i++) {
        double level = day->levels[i];
        if (day->aware && day->returned_at[i]) {
            level = load_ramp(level, (uint64_t)(at - day->returned_at[i]) * 1000, s->load.ramp);
        }
        replica_set_put(&day->standing.open, i, day->health[i].up);
        replica_set_put(&day->standing.alive, i, day->health[i].up);
        load_put_level(&day->standing, i, level);
    }
}

/* ---- the account ---- */

static void count_requests(struct totals *totals, double number, double ms)
{
    size_t bucket = (size_t)ms;

    totals->requests += number;
    totals->latency += number * ms;
    totals->slow[bucket < BUCKETS ? bucket : BUCKETS - 1] += number;
}

static void count_client(const struct day *day, struct totals *totals, size_t client, size_t name,
                         int at)
{
    unsigned replica = day->targets[client][name];
    double number = day->wants[client][name] * STEP;
    double full = day->demand[replica] / CAPACITY;
    double way = world_distance(&day->world, client, replica);
    double part = is_away(replica, at) ? 1 : full > 1 ? 1 - 1 / full : 0;

    totals->late += number * part;
    totals->distance += number * way;
    count_requests(totals, number * part, way + LATE_MS);
    count_requests(totals, number * (1 - part),
                   way + SERVICE_MS / (1 - (full < FULLEST ? full : FULLEST)));
}

static void account(const struct day *day, struct totals *totals, int at)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        for (size_t name = 0; name < NAMES; name++) {
            count_client(day, totals, i, name, at);
        }
    }
    for (size_t r = 0; r < REPLICAS; r++) {
        double load = day->demand[r] / CAPACITY;
        totals->load[r] += load * STEP;
        totals->worst = load > totals->worst ? load : totals->worst;
    }
}

static double quantile(const struct totals *totals, double q)
{
    double left = totals->requests * q;
    size_t ms = 0;

    while (ms < BUCKETS - 1 && left > totals->slow[ms]) {
        left -= totals->slow[ms++];
    }
    return (double)ms;
}

static void write_slot(struct day *day, int at)
{
    const struct totals *slot = &day->slot;

    if (day->numbers) {
        fprintf(day->numbers, "%s\t%.4f\t%.3f\t%.5f", day->aware ? "load" : "health",
                (double)(at + STEP - SLOT / 2) / 3600, slot->latency / slot->requests,
                slot->late / slot->requests);
        for (size_t r = 0; r < REPLICAS; r++) {
            fprintf(day->numbers, "\t%.4f", slot->load[r] / SLOT);
        }
        fprintf(day->numbers, "\n");
    }
    day->slot = (struct totals){0};
}

static void run(struct day *day)
{
    for (unsigned i = 0; i < REPLICAS; i++) {
        day->health[i] = HEALTH_INIT;
        day->levels[i] = LOAD_LEVEL_MAX;
    }
    for (int at = 0; at < DAY; at += STEP) {
        judge(day, at);
        resolve(day, at);
        gather_demand(day, at);
        account(day, &day->slot, at);
        account(day, &day->all, at);
        for (unsigned i = 0; i < REPLICAS; i++) {
            probe(day, i, at);
        }
        if ((at + STEP) % SLOT == 0) {
            write_slot(day, at);
        }
    }
}

int main(int argc, char **argv)
{
    static struct day day;
    FILE *numbers = argc > 1 ? fopen(argv[1], "w") : NULL;

    world_make(&day.world);
    struct settings *settings = load(&day.world);
    if (numbers) {
        fprintf(numbers, "mode\thour\tlatency\tlate");
        for (size_t r = 0; r < REPLICAS; r++) {
            fprintf(numbers, "\t%s", world_replicas[r].name);
        }
        fprintf(numbers, "\n");
    }
    printf("| decided by | mean ms | p50 | p99 | on the way | late | fullest replica |\n"
           "|---|--:|--:|--:|--:|--:|--:|\n");
    for (int aware = 0; aware <= 1; aware++) {
        struct world world = day.world;
        day =
            (struct day){.aware = aware, .world = world, .settings = settings, .numbers = numbers};
        run(&day);
        const struct totals *all = &day.all;
        printf("| nearest, health%s | %.1f | %.0f | %.0f | %.1f | %.2f %% | %.0f %% |\n",
               aware ? ", load" : "", all->latency / all->requests, quantile(all, 0.5),
               quantile(all, 0.99), all->distance / all->requests, 100 * all->late / all->requests,
               100 * all->worst);
    }
    if (numbers) {
        CHECK(fclose(numbers) == 0);
    }
    settings_free(&settings);
    return 0;
}
