#include "bench/load/openloop_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options want = {
    .host = "127.0.0.1", .connections = 64, .objects = 1, .seconds = 4, .first_seed = 1};

static void usage(void)
{
    fprintf(stderr, "usage: openloop [--rate N] [--connections N] [--objects N] [--seconds N]\n"
                    "                [--zipf A] [--fresh SHARE] [--host ADDRESS] [--connect "
                    "HOST:PORT] [--close]\n"
                    "                [--seed N] PORT PATH\n");
    exit(2);
}

static const struct {
    const char *name;
    double *number;
    const char **text;
} table[] = {
    {"--rate", &want.rate, NULL},       {"--connections", &want.connections, NULL},
    {"--objects", &want.objects, NULL}, {"--seconds", &want.seconds, NULL},
    {"--zipf", &want.zipf, NULL},       {"--fresh", &want.fresh, NULL},
    {"--seed", &want.first_seed, NULL}, {"--host", NULL, &want.host},
    {"--connect", NULL, &want.connect},
};

static bool read_option(const char *name, const char *value)
{
    char *end;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(name, table[i].name) != 0) {
            continue;
        }
        if (table[i].text) {
            *table[i].text = value;
            return true;
        }
        *table[i].number = strtod(value, &end);
        return *end == '\0' && end != value;
    }
    return false;
}

void options_read(int argc, char **argv)
{
    int at = 1;

    while (at < argc && argv[at][0] == '-') {
        if (strcmp(argv[at], "--close") == 0) {
            want.close = true;
            at++;
        } else if (at + 1 < argc && read_option(argv[at], argv[at + 1])) {
            at += 2;
        } else {
            usage();
        }
    }
    if (argc - at != 2 || want.connections < 1 || want.objects < 1 || want.seconds <= 0 ||
        want.first_seed < 1 || want.rate < 0) {
        usage();
    }
    want.port = (uint16_t)atoi(argv[at]);
    want.path = argv[at + 1];
}
