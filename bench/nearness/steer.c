#include "steer.h"

#include "base/check.h"
#include "base/mem.h"
#include "dnsredir/steering/geo.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *const steer_words[STEER_MODES] = {
    [STEER_MAP] = "map", [STEER_DISTANCE] = "distance", [STEER_MEASURED] = "measured"};

static void write_settings(const struct world *w, FILE *file)
{
    fprintf(file, "replicas:\n");
    for (size_t i = 0; i < w->site_count; i++) {
        fprintf(file, "  - { name: r%zu, addresses: [192.0.2.%zu], location: [%.4f, %.4f] }\n", i,
                i % 250 + 1, w->sites[i].at.latitude, w->sites[i].at.longitude);
    }
    fprintf(file, "nearest: { measured: yes }\n"
                  "zones: [{ name: cdn.example, nameservers: [ns.cdn.example], names: [\n"
                  "  { name: ns, records: ['A 127.0.0.1'] },\n"
                  "  { name: www, policy: nearest, answers: 1, ttl: 30s }] }]\n");
}

static struct settings *load(const struct world *w)
{
    char path[] = "/tmp/larder-nearness-XXXXXX";
    char *argv[] = {(char[]){"nearness"}, (char[]){"--config"}, path, NULL};
    struct buf errors = BUF_INIT;
    struct settings *settings;
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

    CHECK(file != NULL);
    write_settings(w, file);
    CHECK(fclose(file) == 0);
    int err = settings_load(3, argv, &errors, NULL, &settings);
    unlink(path);
    fprintf(stderr, "%.*s", SPAN_ARGS(buf_span(&errors)));
    CHECK(err == 0);
    buf_fini(&errors);
    return settings;
}

/* ---- the common map ---- */

struct distant {
    double km;
    uint16_t id;
};

static int distant_order(const void *a, const void *b)
{
    const struct distant *x = (const struct distant *)a;
    const struct distant *y = (const struct distant *)b;

    return x->km != y->km ? (x->km < y->km ? -1 : 1) : x->id - y->id;
}

static void by_distance(const struct world *w, struct place at, uint16_t *ids)
{
    struct distant *all = xcalloc(w->site_count, sizeof(*all));

    for (size_t i = 0; i < w->site_count; i++) {
        struct place site = w->sites[i].at;
        all[i].id = (uint16_t)i;
        all[i].km = geo_distance(at.latitude, at.longitude, site.latitude, site.longitude);
    }
    qsort(all, w->site_count, sizeof(*all), distant_order);
    for (size_t i = 0; i < w->site_count; i++) {
        ids[i] = all[i].id;
    }
    free(all);
}

static void fill_map(const struct world *w, enum steer_mode mode, struct nearest_builder *builder)
{
    uint16_t ids[REPLICAS_MAX];

    for (size_t i = 0; i < w->network_count; i++) {
        const struct client_network *n = &w->networks[i];
        struct prefix prefix = network_prefix(n->network);
        if (mode == STEER_MAP) {
            by_distance(w, w->providers[n->provider].home, ids);
            nearest_add(builder, &prefix, ids, w->site_count);
        } else {
            by_distance(w, n->believed, ids);
            nearest_add_region(builder, &prefix, ids, w->site_count);
        }
    }
}

void steer_init(struct steer *s, const struct world *world, enum steer_mode mode)
{
    struct buf errors = BUF_INIT;

    memset(s, 0, sizeof(*s));
    s->world = world;
    s->settings = load(world);
    struct nearest_builder *builder =
        nearest_builder_new(s->settings->memory, s->settings->replicas, world->site_count);
    fill_map(world, mode, builder);
    CHECK(nearest_build(builder, &errors, &s->nearest) == 0);
    nearest_builder_free(&builder);
    for (unsigned i = 0; i < world->site_count; i++) {
        replica_set_put(&s->standing.open, i, true);
    }
    s->standing.alive = s->standing.open;
    s->view = (struct view){
        .zones = s->settings->zones,
        .nearest = s->nearest.map,
        .rankings = s->nearest.rankings,
        .standing = &s->standing,
        .identity = &s->settings->identity,
        .rates = &s->settings->rates,
    };
}

void steer_fini(struct steer *s)
{
    netmap_free(&s->nearest.map);
    settings_free(&s->settings);
}

/* ---- answers ---- */

static size_t write_query(uint64_t network, uint8_t *room, size_t len)
{
    struct wire_out out = wire_out_of(room, len);
    struct prefix prefix = network_prefix(network);
    bool v4 = network_is_v4(network);
    size_t bytes = v4 ? 3 : 6;

    wire_put_bytes(&out, "\x12\x34\0\0\0\1\0\0\0\0\0\1", 12);
    wire_put_bytes(&out, "\3www\3cdn\7example\0\0\1\0\1", 21);
    wire_put_bytes(&out, "\0\0\x29\x04\xd0\0\0\0\0", 9);
    wire_put_u16(&out, (uint16_t)(8 + bytes));
    wire_put_u16(&out, 8); /* client subnet */
    wire_put_u16(&out, (uint16_t)(4 + bytes));
    wire_put_u16(&out, v4 ? 1 : 2);
    wire_put_u16(&out, (uint16_t)(v4 ? 24 << 8 : 48 << 8));
    wire_put_bytes(&out, prefix.ip.at + (v4 ? 12 : 0), bytes);
    CHECK(!out.failed);
    return wire_out_len(&out);
}

unsigned steer_ask(const struct steer *s, size_t network, uint32_t now)
{
    struct client client = {.ip = {{[10] = 0xff, [11] = 0xff, 198, 51, 100, 1}}, .now = now};
    uint8_t query[256], room[DNS_UDP_MAX];
    struct answer_note note;

    client.turn = (uint32_t)network * 2654435761u + now;
    size_t len = write_query(s->world->networks[network].network, query, sizeof(query));
    CHECK(answer(&s->view, &client, span_of(query, len), room, &note) > len);
    CHECK(note.policy && note.picked == 1);
    return note.ids[0];
}
