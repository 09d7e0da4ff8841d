/*
 * nearness - how many clients larder-dns sends to the replica with the shortest round trip, in a
 * made-up Internet in which distance lies: by a map, by distance, and by measurements.
 *
 *     nearness [--tsv FILE] [--seed N] [--hours N] [--check]
 *
 * Clients open connections to the replica they are given; replicas measure them with larder-proxy's
 * table, and tell in its words; larder-dns reads them, makes its map and answers with its own code.
 * Halfway a replica is added. --check: a small world, and fails when measuring does not pay.
 */
#include "base/check.h"
#include "base/mem.h"
#include "proxy/roundtrips.h"
#include "steer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    STEP_S = 30,  /* the ttl: what a network was told holds as long */
    MAP_S = 300,  /* a new map; in larder-dns they come sooner */
    TELL_S = 600, /* a row of the table */
    REPORTS = 4,  /* to one replica's report in a step */
};

struct run {
    struct world world;
    struct steer steer;
    struct roundtrips **tables; /* one per replica, as in larder-proxy */
    uint64_t *epochs, *nexts;
    struct estimates *estimates;
    struct measured *measured;
    unsigned slot; /* whose report is being read */
    uint32_t now;
};

/* What came of it, over all networks. */
struct score {
    double networks, clients; /* parts of them that were given their nearest */
    double close;             /* clients, within 1 ms of it */
    double excess_ms;         /* a client's, on average */
};

static struct score score_of(const struct run *r)
{
    struct score score = {0};
    const struct world *w = &r->world;
    double rates = 0;

    for (size_t i = 0; i < w->network_count; i++) {
        unsigned got = steer_ask(&r->steer, i, r->now);
        double best = HUGE_VAL;
        for (unsigned s = 0; s < w->site_count; s++) {
            double ms = world_ms(w, i, s);
            best = replica_set_has(&r->steer.standing.open, s) && ms < best ? ms : best;
        }
        double excess = world_ms(w, i, got) - best;
        double rate = w->networks[i].rate;
        rates += rate;
        score.networks += excess <= 0;
        score.clients += excess <= 0 ? rate : 0;
        score.close += excess <= 1 ? rate : 0;
        score.excess_ms += excess * rate;
    }
    score.networks /= (double)w->network_count;
    score.clients /= rates;
    score.close /= rates;
    score.excess_ms /= rates;
    return score;
}

/* ---- measuring ---- */

/* What the kernel knows of a connection: its shortest round trip, of a few. */
static uint32_t sample_us(struct run *r, double path_ms)
{
    double least = HUGE_VAL;

    for (int i = 0; i < 3; i++) {
        double wait = world_wait(&r->world, 1.5);
        double draw = world_draw(&r->world);
        wait += draw < .1 ? world_wait(&r->world, 25) : 0;
        wait += draw < .01 ? world_wait(&r->world, 300) : 0;
        least = wait < least ? wait : least;
    }
    return (uint32_t)(1000 * (path_ms + least));
}

static void connect_clients(struct run *r)
{
    struct world *w = &r->world;

    for (size_t i = 0; i < w->network_count; i++) {
        double expected = w->networks[i].rate * STEP_S;
        unsigned count = 0; /* Poisson, by waiting times */
        for (double at = world_wait(w, 1); at < expected && count < 20; at += world_wait(w, 1)) {
            count++;
        }
        if (count == 0) {
            continue;
        }
        unsigned site = steer_ask(&r->steer, i, r->now);
        for (unsigned n = 0; n < count; n++) {
            roundtrips_note(r->tables[site], w->networks[i].network,
                            sample_us(r, world_ms(w, i, site)), r->now);
        }
    }
}

static void on_line(void *arg, const struct rtt_line *line)
{
    struct run *r = arg;
    estimates_note(r->estimates, (uint16_t)r->slot, line, r->now);
}

static void read_reports(struct run *r)
{
    for (r->slot = 0; r->slot < r->world.site_count; r->slot++) {
        bool more = true;
        for (int n = 0; more && n < REPORTS; n++) {
            struct buf text = BUF_INIT;
            struct rtt_reader reader;
            roundtrips_write(r->tables[r->slot], r->epochs[r->slot], r->nexts[r->slot], r->now,
                             &text);
            rtt_reader_begin(&reader, on_line, r);
            CHECK(rtt_reader_take(&reader, buf_span(&text)) == 0);
            CHECK(rtt_reader_end(&reader) == 0);
            r->epochs[r->slot] = reader.epoch;
            r->nexts[r->slot] = reader.next;
            more = reader.more;
            buf_fini(&text);
        }
    }
}

static void make_map(struct run *r)
{
    uint16_t replica_of[REPLICAS_MAX];
    const struct settings *s = r->steer.settings;

    for (unsigned i = 0; i < REPLICAS_MAX; i++) {
        replica_of[i] = i < s->replica_count ? (uint16_t)i : MEASURED_NOBODY;
    }
    measured_free(&r->measured);
    r->measured = measured_new(&(struct measured_input){
        .estimates = r->estimates,
        .replica_of = replica_of,
        .replicas = s->replicas,
        .replica_count = s->replica_count,
        .base = r->steer.nearest.map,
        .rankings = r->steer.nearest.rankings,
        .now = r->now,
    });
    r->steer.view.measured = r->measured;
    r->steer.view.explore = s->measured.share;
}

/* ---- runs ---- */

static void run_init(struct run *r, struct world_size size, uint64_t seed, enum steer_mode mode)
{
    memset(r, 0, sizeof(*r));
    world_init(&r->world, size, seed);
    steer_init(&r->steer, &r->world, mode);
    r->now = 1000000;
    r->estimates =
        estimates_new(r->steer.settings->measured.networks, r->steer.settings->measured.max_age);
    r->tables = xcalloc(size.sites, sizeof(struct roundtrips *));
    r->epochs = xcalloc(size.sites, sizeof(*r->epochs));
    r->nexts = xcalloc(size.sites, sizeof(*r->nexts));
    for (size_t i = 0; i < size.sites; i++) {
        r->tables[i] = roundtrips_new();
    }
}

static void run_fini(struct run *r)
{
    for (size_t i = 0; i < r->world.site_count; i++) {
        roundtrips_free(&r->tables[i]);
    }
    free(r->tables);
    free(r->epochs);
    free(r->nexts);
    measured_free(&r->measured);
    estimates_free(&r->estimates);
    steer_fini(&r->steer);
    world_fini(&r->world);
}

static void open_site(struct run *r, unsigned site, bool open)
{
    replica_set_put(&r->steer.standing.open, site, open);
    replica_set_put(&r->steer.standing.alive, site, open);
}

static void tell(const struct run *r, enum steer_mode mode, unsigned second, FILE *tsv)
{
    struct score score = score_of(r);

    fprintf(tsv, "%s\t%.3f\t%.4f\t%.4f\t%.4f\t%.3f\n", steer_words[mode], second / 3600.0,
            100 * score.networks, 100 * score.clients, 100 * score.close, score.excess_ms);
}

/* One mode from the beginning; the score at the end, without answers that are to measure. */
static struct score play(struct run *r, enum steer_mode mode, unsigned hours, FILE *tsv)
{
    unsigned last = (unsigned)r->world.site_count - 1;

    open_site(r, last, false);
    for (unsigned second = 0; second < hours * 3600; second += STEP_S, r->now += STEP_S) {
        if (second == hours * 1800) {
            open_site(r, last, true);
        }
        if (second % TELL_S == 0 && tsv) {
            tell(r, mode, second, tsv);
        }
        if (mode != STEER_MEASURED) {
            continue;
        }
        connect_clients(r);
        read_reports(r);
        if (second % MAP_S == 0) {
            make_map(r);
        }
    }
    struct score score = score_of(r);
    printf("%-9s %8.2f %9.2f %9.2f %10.2f", steer_words[mode], 100 * score.networks,
           100 * score.clients, 100 * score.close, score.excess_ms);
    r->steer.view.explore = 0;
    score = score_of(r);
    printf("   %9.2f %10.2f\n", 100 * score.clients, score.excess_ms);
    return score;
}

struct options {
    const char *tsv;
    uint64_t seed;
    unsigned hours;
    bool check;
};

static bool read_options(int argc, char **argv, struct options *out)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--check") == 0) {
            out->check = true;
        } else if (i + 1 == argc) {
            return false;
        } else if (strcmp(argv[i], "--tsv") == 0) {
            out->tsv = argv[++i];
        } else if (strcmp(argv[i], "--seed") == 0) {
            out->seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--hours") == 0) {
            out->hours = (unsigned)strtoul(argv[++i], NULL, 10);
        } else {
            return false;
        }
    }
    return out->seed && out->hours && out->hours < 1000;
}

/* What measuring must bring in the small world. */
static int check(const struct score *scores)
{
    const struct score *distance = &scores[STEER_DISTANCE];
    const struct score *measured = &scores[STEER_MEASURED];
    bool good = measured->clients >= .95 && measured->clients > distance->clients &&
                measured->excess_ms < distance->excess_ms / 10;

    printf(good ? "ok\n"
                : "FAILED: expected 95 %% of clients at their nearest, and a tenth of the "
                  "excess of distance\n");
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static const struct world_size full = {120, 10000, 50};
    static const struct world_size small = {12, 300, 12};
    struct options options = {.seed = 1, .hours = 24};
    struct score scores[STEER_MODES];

    if (!read_options(argc, argv, &options)) {
        fprintf(stderr, "nearness [--tsv FILE] [--seed N] [--hours N] [--check]\n");
        return EXIT_FAILURE;
    }
    FILE *tsv = options.tsv ? fopen(options.tsv, "w") : NULL;
    CHECK(!options.tsv || tsv);
    printf("          networks   clients  in 1 ms  excess/ms   not exploring: clients, excess\n");
    for (unsigned mode = 0; mode < STEER_MODES; mode++) {
        struct run run;
        run_init(&run, options.check ? small : full, options.seed, (enum steer_mode)mode);
        scores[mode] = play(&run, (enum steer_mode)mode, options.check ? 6 : options.hours, tsv);
        run_fini(&run);
    }
    if (tsv) {
        CHECK(fclose(tsv) == 0);
    }
    return options.check ? check(scores) : EXIT_SUCCESS;
}
