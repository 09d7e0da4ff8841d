/*
 * bench-answer - what answer() costs by itself: 16 replicas, 20,000 client networks, as
 * bench/harness/redirectors.py has them, and no socket.
 *
 *     bench-answer DIR [ROUNDS]                     nanoseconds per answer, by kind of query
 *     valgrind --tool=callgrind --toggle-collect=answer bench-answer DIR 1 KIND
 *
 * The second prints instructions for 20,000 answers of one kind, which no neighbour can disturb.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "dnsredir/answer/answer.h"
#include "dnsredir/config/directives.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NETWORKS 20000

/* What follows the question: OPT with these options. */
static const struct kind {
    const char *name;
    bool edns;
    struct span options;
    bool dnssec; /* signatures are asked for */
} kinds[] = {
    {"plain", false, SPAN_INIT(""), false},
    {"edns", true, SPAN_INIT(""), false},
    {"ecs", true, SPAN_INIT("\0\x08\0\x07\0\x01\x18\0\x0a\0\0"), false},
    {"ecs+do", true, SPAN_INIT("\0\x08\0\x07\0\x01\x18\0\x0a\0\0"), true},
    {"cookie", true,
     SPAN_INIT("\0\x0a\0\x08"
               "clientck"),
     false},
    {"ecs+cookie", true,
     SPAN_INIT("\0\x08\0\x07\0\x01\x18\0\x0a\0\0"
               "\0\x0a\0\x08"
               "clientck"),
     false},
};

/* The zone is signed: answers to who does not ask for that must not cost more. */
static void write_key(const char *dir)
{
    char path[512], fault[DNSSEC_FAULT_MAX];

    snprintf(path, sizeof(path), "%s/answer.pem", dir);
    unlink(path);
    CHECK(dnssec_key_make(path, fault) == 0);
}

static void write_files(const char *dir, char *path, size_t len)
{
    snprintf(path, len, "%s/answer.csv", dir);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    for (int i = 0; i < NETWORKS; i++) {
        fprintf(file, "10.%d.%d.0/24,r%d\n", i / 256, i % 256, i * 7 % 16 + 1);
    }
    CHECK(fclose(file) == 0);
    snprintf(path, len, "%s/answer.yaml", dir);
    file = fopen(path, "w");
    CHECK(file != NULL);
    fprintf(file, "replicas:\n");
    for (int i = 1; i <= 16; i++) {
        fprintf(file, "  - { name: r%d, addresses: [192.0.2.%d] }\n", i, i);
    }
    fprintf(file, "nearest: { map-file: answer.csv }\n"
                  "zones: [{ name: bench.example, nameservers: [ns.bench.example],\n"
                  "  dnssec: { key: answer.pem }, names: [\n"
                  "  { name: ns, records: ['A 127.0.0.1'] },\n"
                  "  { name: www, policy: nearest, answers: 1, ttl: 30s }] }]\n");
    CHECK(fclose(file) == 0);
}

static struct settings *load(const char *dir)
{
    char path[512];
    char *argv[] = {(char[]){"bench"}, (char[]){"--config"}, path, NULL};
    struct buf errors = BUF_INIT;
    struct settings *settings;

    write_key(dir);
    write_files(dir, path, sizeof(path));
    int err = settings_load(3, argv, &errors, NULL, &settings);
    fprintf(stderr, "%.*s", SPAN_ARGS(buf_span(&errors)));
    CHECK(err == 0);
    buf_fini(&errors);
    return settings;
}

/* Returns the length; *net_at: where the second and third byte of the network stand, or 0. */
static size_t write_query(const struct kind *kind, uint8_t *room, size_t len, size_t *net_at)
{
    struct wire_out out = wire_out_of(room, len);

    wire_put_bytes(&out, "\x12\x34\0\0\0\1\0\0\0\0\0", 11);
    wire_put_u8(&out, kind->edns);
    wire_put_bytes(&out, "\3www\5bench\7example\0\0\1\0\1", 23);
    if (kind->edns) {
        wire_put_bytes(&out,
                       kind->dnssec ? "\0\0\x29\x04\xd0\0\0\x80\0" : "\0\0\x29\x04\xd0\0\0\0\0", 9);
        wire_put_u16(&out, (uint16_t)kind->options.len);
        *net_at = kind->options.len > 8 && kind->options.at[1] == 8 ? wire_out_len(&out) + 9 : 0;
        wire_put_bytes(&out, kind->options.at, kind->options.len);
    }
    CHECK(!out.failed);
    return wire_out_len(&out);
}

/* NETWORKS answers; nanoseconds for one. */
static double run(const struct view *view, const struct kind *kind)
{
    struct limiter *limiter = limiter_new();
    struct client client = {.tcp = false, .limiter = limiter};
    struct answer_note note;
    uint8_t query[512], room[DNS_UDP_MAX];
    size_t net_at = 0;
    size_t len = write_query(kind, query, sizeof(query), &net_at);
    uint64_t start = clock_mono_us();

    for (unsigned i = 0; i < NETWORKS; i++) {
        unsigned network = i * 7919 % NETWORKS;
        client.ip = (struct ip){
            {[10] = 0xff, [11] = 0xff, 10, (uint8_t)(network / 256), (uint8_t)network, 1}};
        client.turn = i;
        client.now_us = i * 1000;
        if (net_at) {
            query[net_at] = (uint8_t)(network / 256);
            query[net_at + 1] = (uint8_t)network;
        }
        CHECK(answer(view, &client, span_of(query, len), room, &note) > len);
        CHECK(note.policy != NULL);
    }
    double ns = (double)(clock_mono_us() - start) * 1000 / NETWORKS;
    limiter_free(&limiter);
    return ns;
}

int main(int argc, char **argv)
{
    static struct standing standing;
    struct settings *settings = load(argc > 1 ? argv[1] : "/tmp");
    int rounds = argc > 2 ? atoi(argv[2]) : 50;

    memset(&standing.open, 0xff, sizeof(standing.open));
    standing.alive = standing.open;
    const struct signatures_plan plan = {.most = SIGNATURES_MAX, .rate = 1};
    struct signatures *signatures = signatures_new(settings->zones, &plan);
    struct identity identity = {.cookies = {1, {{1, 2}}}};
    struct view view = {
        .zones = settings->zones,
        .nearest = settings->nearest.map,
        .rankings = settings->nearest.rankings,
        .standing = &standing,
        .identity = &identity,
        .rates = &settings->rates,
        .signatures = signatures,
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        double best = 1e9;
        if (argc > 3 && strcmp(argv[3], kinds[i].name) != 0) {
            continue;
        }
        for (int round = 0; round < rounds; round++) {
            double ns = run(&view, &kinds[i]);
            best = ns < best ? ns : best;
        }
        printf("%-12s %7.1f ns\n", kinds[i].name, best);
    }
    signatures_unref(&signatures);
    settings_free(&settings);
    return 0;
}
