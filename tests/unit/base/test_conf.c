#include "base/conf.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/err.h"

enum level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO };
static const char *const levels[] = {"error", "warn", "info", NULL};

struct origin_row {
    char *name;
    struct prefix *networks;
    size_t network_count;
    double *location;
    size_t location_count;
    uint16_t weight;
};

struct sample {
    struct endpoint *listen;
    size_t listen_count;
    uint64_t size, connect;
    uint32_t ttl;
    uint8_t share;
    bool quick, finished;
    enum level level;
    char *name, *path;
    struct origin_row *origins;
    size_t origin_count;
    uint16_t *ports;
    size_t port_count;
    struct {
        char *certificate;
    } tls;
};

static void origin_finish(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct origin_row *origin = bound;
    struct sample *sample = conf_root(at);

    if (origin->location_count != 0 && origin->location_count != 2) {
        conf_complain(at, "location", SIZE_MAX, "%zu numbers; expected latitude and longitude",
                      origin->location_count);
    }
    if (conf_given(at, "name") && strcmp(origin->name, sample->name) == 0) {
        conf_complain(at, "name", 0, "the same as the server's name; expected another");
    }
}

static void sample_finish(void *bound, struct arena *arena, const struct conf_at *at)
{
    ((struct sample *)bound)->finished = true;
}

#define FIELD(member) CONF_FIELD(struct sample, member)
#define ROW(member) CONF_FIELD(struct origin_row, member)
/* clang-format off */
static const struct conf_directive origin_rows[] = {
    {"name", CONF_STRING, ROW(name), NULL, NULL, "8", CONF_REQUIRED, "Its name."},
    {"networks", CONF_PREFIX, CONF_LIST(struct origin_row, networks, network_count), "[]", NULL,
     NULL, 0, "Its clients."},
    {"location", CONF_REAL, CONF_LIST(struct origin_row, location, location_count), NULL, "-180",
     "180", 0, "Where it is."},
    {"weight", CONF_INT, ROW(weight), "1", "1", NULL, 0, "Its share."},
    {0},
};
static const struct conf_table origin_table = {
    .rows = origin_rows, .size = sizeof(struct origin_row), .shorthand = "name",
    .finish = origin_finish};
static const struct conf_directive limit_rows[] = {
    {"size", CONF_SIZE, FIELD(size), "1MiB", "4KiB", "1TiB", CONF_RELOAD, "Room."},
    {"connect", CONF_MSEC, FIELD(connect), "3s", "1ms", "5min", CONF_RELOAD, "Patience."},
    {"ttl", CONF_SEC, FIELD(ttl), "30s", NULL, NULL, CONF_RELOAD, "Life."},
    {"share", CONF_PERCENT, FIELD(share), "10%", NULL, "100%", CONF_RELOAD, "Share."},
    {0},
};
static const struct conf_table limit_table = {.rows = limit_rows};
static const struct conf_directive tls_rows[] = {
    {"certificate", CONF_PATH, FIELD(tls.certificate), NULL, NULL, NULL, CONF_REQUIRED, "PEM."},
    {0},
};
static const struct conf_table tls_table = {.rows = tls_rows};
static const struct conf_directive rows[] = {
    {"listen", CONF_ENDPOINT(0), CONF_LIST(struct sample, listen, listen_count), "127.0.0.1:1", NULL,
     NULL, CONF_UNIX, "Where it listens."},
    {"name", CONF_STRING, FIELD(name), "larder", NULL, "16", CONF_RELOAD, "Its name."},
    {"limits", CONF_MAP(limit_table), CONF_SAME, NULL, NULL, NULL, 0, "Limits."},
    {"quick", CONF_BOOL, FIELD(quick), "no", NULL, NULL, CONF_RELOAD, "Hurry."},
    {"level", CONF_ENUM(levels), FIELD(level), "warn", NULL, NULL, CONF_RELOAD, "Talk."},
    {"path", CONF_PATH, FIELD(path), NULL, NULL, NULL, 0, "A folder."},
    {"origins", CONF_MAP(origin_table), CONF_LIST(struct sample, origins, origin_count), NULL, NULL, NULL, 0,
     "Origins."},
    {"ports", CONF_INT, CONF_LIST(struct sample, ports, port_count), "[80, 443]", "1", NULL,
     CONF_COMMAS, "Ports."},
    {"tls", CONF_MAP(tls_table), CONF_SAME, NULL, NULL, NULL, CONF_OPTIONAL, "TLS."},
    {0},
};
/* clang-format on */
static const char *const later[] = {"quota", NULL};
static const struct conf_table table = {
    .rows = rows, .later = later, .size = sizeof(struct sample), .finish = sample_finish};

struct run {
    struct buf errors;
    struct arena arena;
    struct conf *conf;
    struct sample sample;
    int err;
};

static void run_init(struct run *run)
{
    *run = (struct run){.errors = BUF_INIT};
    arena_init(&run->arena, NULL, 0);
    run->conf = conf_new(&table, &run->errors);
}

static void run_bind(struct run *run)
{
    run->err = conf_bind(run->conf, &run->sample, &run->arena);
    buf_append(&run->errors, SPAN("\0"));
}

static void run_fini(struct run *run)
{
    conf_free(&run->conf);
    arena_fini(&run->arena);
    buf_fini(&run->errors);
}

Test(conf, defaults_fill_what_is_not_written)
{
    struct run run;

    run_init(&run);
    run_bind(&run);
    cr_assert_eq(run.err, 0, "%s", run.errors.data);
    cr_expect_eq(run.sample.listen_count, 1);
    cr_expect_str_eq(run.sample.listen[0].text, "127.0.0.1:1");
    cr_expect_eq(run.sample.size, 1 << 20);
    cr_expect_eq(run.sample.connect, 3000);
    cr_expect_eq(run.sample.ttl, 30);
    cr_expect_eq(run.sample.share, 10);
    cr_expect_eq(run.sample.level, LEVEL_WARN);
    cr_expect_eq(run.sample.path, NULL);
    cr_expect_eq(run.sample.origin_count, 0);
    cr_expect_eq(run.sample.port_count, 2);
    cr_expect_eq(run.sample.ports[1], 443);
    cr_expect_eq(run.sample.tls.certificate, NULL);
    cr_expect(run.sample.finished);
    run_fini(&run);
}

Test(conf, a_file_binds_nested_maps_and_lists)
{
    struct run run;

    run_init(&run);
    cr_assert_eq(conf_load_text(run.conf, "/etc/larder/x.yaml",
                                SPAN("listen: [\"[::1]:53\", \"unix:/run/x\"]\n"
                                     "limits: {size: 2 GiB, connect: 5min}\n"
                                     "path: cache\n"
                                     "quick: on\n"
                                     "tls: {certificate: /abs.pem}\n"
                                     "ports:\n"
                                     "origins:\n"
                                     "  - plain\n"
                                     "  - {name: full, networks: 10.0.0.0/8,"
                                     " location: [50.11, -8.5], weight: 65535}\n")),
                 0);
    run_bind(&run);
    cr_assert_eq(run.err, 0, "%s", run.errors.data);
    cr_expect_eq(run.sample.listen_count, 2);
    cr_expect_str_eq(run.sample.listen[1].unix_path, "/run/x");
    cr_expect_eq(run.sample.size, 2ull << 30);
    cr_expect_eq(run.sample.connect, 300000);
    cr_expect(run.sample.quick);
    cr_expect_str_eq(run.sample.path, "/etc/larder/cache");
    cr_expect_str_eq(run.sample.tls.certificate, "/abs.pem");
    cr_expect_eq(run.sample.port_count, 0);
    cr_assert_eq(run.sample.origin_count, 2);
    cr_expect_str_eq(run.sample.origins[0].name, "plain");
    cr_expect_eq(run.sample.origins[0].weight, 1);
    cr_expect_eq(run.sample.origins[1].network_count, 1);
    cr_expect_eq(run.sample.origins[1].networks[0].bits, 104);
    cr_expect_eq(run.sample.origins[1].location[1], -8.5);
    cr_expect_eq(run.sample.origins[1].weight, 65535);
    run_fini(&run);
}

Test(conf, errors_are_exact)
{
    static const struct {
        const char *yaml, *want;
    } cases[] = {
        {"lisen: [x]\n", "f:1:1: unknown directive \"lisen\"; did you mean \"listen\"?\n"},
        {"port: 1\nfoo: 1\n", "f:1:1: unknown directive \"port\"; did you mean \"ports\"?\n"
                              "f:2:1: unknown directive \"foo\"; expected one of listen, name, "
                              "limits, quick, level, path, origins, ports, tls\n"},
        {"limits-of-all: 1\nstart-of-path: 1\n",
         "f:1:1: unknown directive \"limits-of-all\"; did you mean \"limits\"?\n"
         "f:2:1: unknown directive \"start-of-path\"; did you mean \"path\"?\n"},
        {"evel: 1\n", "f:1:1: unknown directive \"evel\"; did you mean \"level\"?\n"},
        {"quick: x\nfoo-name: 1\nlimits: {ttl: x}\nname: [b]\n",
         "f:1:8: \"quick\" cannot be \"x\"; expected yes or no\n"
         "f:2:1: unknown directive \"foo-name\"; did you mean \"name\"?\n"
         "f:3:15: \"ttl\" cannot be \"x\"; expected a duration such as 30s, 5min or 7d\n"
         "f:4:7: \"name\" is a list; expected a text of at most 16 bytes\n"},
        {"name: a\nname: b\n",
         "f:2:1: duplicate directive \"name\"; expected once, the first is on line 1\n"},
        {"name: a\nname: b\nquick: x\n",
         "f:2:1: duplicate directive \"name\"; expected once, the first is on line 1\n"
         "f:3:8: \"quick\" cannot be \"x\"; expected yes or no\n"},
        {"limits:\n  connect: 3x\n", "f:2:12: \"connect\" cannot be \"3x\"; expected a duration "
                                     "such as 250ms, 30s or 7d from 1ms to 5min\n"},
        {"limits: {connect: 6min}\n", "f:1:19: \"connect\" cannot be \"6min\": it is out of range; "
                                      "expected a duration such as 250ms, 30s or 7d from 1ms to "
                                      "5min\n"},
        {"limits: {size: 99999999999999999999}\n",
         "f:1:16: \"size\" cannot be \"99999999999999999999\"; expected a size such as 64KiB or "
         "10GiB from 4KiB to 1TiB\n"},
        {"limits: {size: 99999999TiB}\n", "f:1:16: \"size\" cannot be \"99999999TiB\": it is out "
                                          "of range; expected a size such as 64KiB "
                                          "or 10GiB from 4KiB to 1TiB\n"},
        {"limits: 5\n", "f:1:9: \"limits\" is a single value; expected a map with size, connect, "
                        "ttl, share\n"},
        {"name: [a]\n", "f:1:7: \"name\" is a list; expected a text of at most 16 bytes\n"},
        {"name: ~\n", "f:1:7: \"name\" has no value; expected a text of at most 16 bytes\n"},
        {"level: wran\n", "f:1:8: \"level\" cannot be \"wran\"; expected one of error, warn, info; "
                          "did you mean \"warn\"?\n"},
        {"quick: maybe\n", "f:1:8: \"quick\" cannot be \"maybe\"; expected yes or no\n"},
        {"origins: [{name: a, networks: [10.0.0.0/8, 10.0.0.1/8]}]\n",
         "f:1:44: \"networks\" cannot be \"10.0.0.1/8\": bits are set after the prefix length; "
         "expected a prefix such as 10.0.0.0/8 or 2001:db8::/32\n"},
        {"origins:\n  - weight: 2\n", "f:2:5: \"name\" is missing; expected a text\n"},
        {"origins:\n  - {name: a, weight: 65536}\n",
         "f:2:23: \"weight\" cannot be \"65536\": it is out of range; expected a whole number from "
         "1 "
         "to 65535\n"},
        {"origins: [{name: a, location: [1]}]\n",
         "f:1:31: 1 numbers; expected latitude and longitude\n"},
        {"origins: [larder]\n", "f:1:11: the same as the server's name; expected another\n"},
        {"origins: [{name: a, location: [1, 181]}]\n",
         "f:1:35: \"location\" cannot be \"181\": it is out of range; expected a number such as "
         "50.11 from "
         "-180 to 180\n"},
        {"tls: {}\n", "f:1:6: \"certificate\" is missing; expected a path\n"},
        {"quota: 5\n",
         "f:1:1: \"quota\" is not supported yet; expected a configuration without it\n"},
        {"", "f:1:1: nothing in this file; expected directives such as listen:\n"},
        {"# only a comment\n",
         "f:1:1: nothing in this file; expected directives such as listen:\n"},
        {"[a]\n", "f:1:1: a list; expected directives such as listen:\n"},
        {"a\n", "f:1:1: a single value; expected directives such as listen:\n"},
        {"a: &x 1\n", "f:1:4: an anchor; expected the value itself\n"},
        {"a: *x\n", "f:1:4: an alias; expected the value itself\n"},
        {"a: !!str x\n", "f:1:4: a tag; expected a plain value\n"},
        {"[a]: 1\n", "f:1:1: a list or map as the name of a directive; expected a word\n"},
        {"name: \"a\\tb\"\n",
         "f:1:7: a tab in a value (between double quotes, \\t is one); expected printable text, or "
         "\\t between single quotes for the format of a log\n"},
        {"name: \"a\\nb\"\n", "f:1:7: a control character in a value; expected printable text\n"},
        {"name: a\n---\nname: b\n", "f:2:1: a second document; expected one\n"},
        {"name: [a\n", "f:2:1: not YAML: while parsing a flow sequence, did not find expected ',' "
                       "or ']'; expected a comma between items, and ] after the last one\n"},
        {"limits:\n\tsize: 1MiB\n", "f:2:1: a tab; expected spaces for indentation\n"},
        {"limits:\n  size: 1MiB\n\tttl: 1s\n", "f:3:1: a tab; expected spaces for indentation\n"},
        {"limits:\n  size:1MiB\n", "f:2:3: no space after \"size:\"; expected \"size: VALUE\"\n"},
        {"limits:\n  size:1MiB\n  ttl:1s\n",
         "f:2:3: no space after \"size:\"; expected \"size: VALUE\"\n"},
        {"quick:yes\n", "f:1:1: no space after \"quick:\"; expected \"quick: VALUE\"\n"},
        {"quick:yes\nname: a\n",
         "f:2:5: not YAML: mapping values are not allowed in this context; expected a space after "
         "the colon of each name, and names of one map indented alike\n"},
        {"limits:\n  size: 1MiB\n   ttl: 1s\n",
         "f:3:7: not YAML: mapping values are not allowed in this context; expected a space after "
         "the colon of each name, and names of one map indented alike\n"},
        {"limits:\n   size: 1MiB\n  ttl: 1s\n", "f:3:3: not YAML: while parsing a block mapping, "
                                                "did not find expected key; expected names "
                                                "of one map indented alike\n"},
        {"name: *.example.net\n",
         "f:1:8: not YAML: while scanning an alias, did not find expected alphabetic or numeric "
         "character; expected quotes around a value that begins with *\n"},
        {"name: @a\n",
         "f:1:7: not YAML: while scanning for the next token, found character that cannot start "
         "any "
         "token; expected quotes around a value that begins with a special character\n"},
        {"quick: yes\nname: \"a\nlevel: warn\n", "f:2:7: not YAML: while scanning a quoted scalar, "
                                                 "found unexpected end of stream; expected "
                                                 "a quote at the end\n"},
        {"quick: yes\nname: caf\xe9\n",
         "f:2:10: not YAML: incomplete UTF-8 octet sequence; expected UTF-8 text\n"},
        {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n",
         "f:1:17: nested too deeply; expected at most 16 levels\n"},
        {"quick: 1\nlevel: x\n", "f:1:8: \"quick\" cannot be \"1\"; expected yes or no\n"
                                 "f:2:8: \"level\" cannot be \"x\"; expected one of error, warn, "
                                 "info\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run run;

        run_init(&run);
        conf_load_text(run.conf, "f", span_str(cases[i].yaml));
        run_bind(&run);
        cr_expect_eq(run.err, ERR_CONFIG, "%s", cases[i].yaml);
        cr_expect_str_eq(run.errors.data, cases[i].want);
        run_fini(&run);
    }
}

Test(conf, print_shows_origins_and_reads_back)
{
    static const char want[] = "listen:  # default\n"
                               "  - 127.0.0.1:1  # default\n"
                               "name: \"a \\\"b\\\"\"  # etc/f.yaml:1\n"
                               "limits:\n"
                               "  size: 2MiB  # --set limits.size\n"
                               "  connect: 9s  # etc/f.yaml:2\n"
                               "  ttl: 30s  # default\n"
                               "  share: 10%  # default\n"
                               "quick: no  # default\n"
                               "level: warn  # default\n"
                               "path: etc/store  # etc/f.yaml:3\n"
                               "origins:  # etc/f.yaml:5\n"
                               "  - name: x  # etc/f.yaml:5\n"
                               "    networks: []  # default\n"
                               "    weight: 1  # default\n"
                               "  - name: y  # etc/f.yaml:6\n"
                               "    networks:  # etc/f.yaml:6\n"
                               "      - \"::/0\"  # etc/f.yaml:6\n"
                               "    weight: 1  # default\n"
                               "ports:  # --port\n"
                               "  - 1  # --port\n"
                               "  - 2  # --port\n"
                               "  - 3  # --port\n"
                               "# tls: not set\n";
    struct run run;
    struct buf out = BUF_INIT;

    run_init(&run);
    conf_load_text(run.conf, "etc/f.yaml",
                   SPAN("name: 'a \"b\"'\n"
                        "limits: {connect: 9s}\n"
                        "path: store\n"
                        "origins:\n"
                        "  - x\n"
                        "  - {name: y, networks: [\"::/0\"]}\n"));
    conf_set(run.conf, "--set limits.size", "limits.size", "2MiB");
    conf_add(run.conf, "--port", "ports", "1,2");
    conf_add(run.conf, "--port", "ports", "3");
    run_bind(&run);
    cr_assert_eq(run.err, 0, "%s", run.errors.data);
    conf_print(run.conf, &out);
    buf_append(&out, SPAN("\0"));
    cr_expect_str_eq(out.data, want);
    run_fini(&run);

    run_init(&run);
    conf_load_text(run.conf, "f", span_str(want));
    run_bind(&run);
    cr_expect_eq(run.err, 0, "%s", run.errors.data);
    cr_expect_str_eq(run.sample.name, "a \"b\"");
    cr_expect_eq(run.sample.port_count, 3);
    run_fini(&run);
    buf_fini(&out);
}

/* Neither in what is printed nor in errors. */
Test(conf, secrets_are_not_shown)
{
    static const struct conf_directive secret_rows[] = {
        {"name", CONF_STRING, FIELD(name), NULL, NULL, "8", CONF_SECRET, "A secret."},
        {"ports", CONF_INT, CONF_LIST(struct sample, ports, port_count), NULL, NULL, "9",
         CONF_SECRET, "More."},
        {0},
    };
    static const struct conf_table secrets = {.rows = secret_rows, .size = sizeof(struct sample)};
    static const struct {
        const char *yaml, *want, *errors;
    } cases[] = {
        {"name: hush\nports: [7, 8]\n",
         "name: \"(not shown)\"  # f:1\n"
         "ports:  # f:2\n"
         "  - \"(not shown)\"  # f:2\n"
         "  - \"(not shown)\"  # f:2\n",
         ""},
        {"name: hush-hush\nports: 7\n", NULL,
         "f:1:7: \"name\" cannot be what is written: it is out of range; expected a text of at "
         "most 8 "
         "bytes\n"},
        {"ports: 77\n", NULL,
         "f:1:8: \"ports\" cannot be what is written: it is out of range; expected a whole number "
         "of at "
         "most 9\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf errors = BUF_INIT, out = BUF_INIT;
        struct arena arena;
        struct sample sample;
        struct conf *conf = conf_new(&secrets, &errors);
        arena_init(&arena, NULL, 0);
        conf_load_text(conf, "f", span_str(cases[i].yaml));
        conf_bind(conf, &sample, &arena);
        cr_expect(span_eq(buf_span(&errors), span_str(cases[i].errors)), "%.*s",
                  SPAN_ARGS(buf_span(&errors)));
        conf_print(conf, &out);
        cr_expect(!cases[i].want || span_eq(buf_span(&out), span_str(cases[i].want)), "%.*s",
                  SPAN_ARGS(buf_span(&out)));
        conf_free(&conf);
        arena_fini(&arena);
        buf_fini(&errors);
        buf_fini(&out);
    }
}

static int apply_double(struct conf *conf, const struct conf_option *option, const char *value)
{
    return conf_add(conf, option->name, "ports", value) ||
           conf_add(conf, option->name, "ports", "9");
}

static const struct conf_option options[] = {
    {"--listen", "ADDRESS", "listen", "Listen.", NULL},
    {"--ports", "PORTS", "ports", "Ports.", NULL},
    {"--size", "SIZE", "limits.size", "Size.", NULL},
    {"--tls", "FILE", "tls.certificate", "TLS.", NULL},
    {"--double", "PORT", NULL, "Twice.", apply_double},
    {"--check", NULL, NULL, "Check only.", NULL},
    {0},
};

/* Parts "a|b|c" into argv[1…]; returns argc. */
static int part(char *line, char **argv, int max)
{
    int argc = 1;

    argv[0] = line;
    for (char *word = strtok(line, "|"); word && argc < max; word = strtok(NULL, "|")) {
        argv[argc++] = word;
    }
    return argc;
}

Test(conf, options_add_up)
{
    char line[] =
        "--listen|127.0.0.1:2|--listen=[::1]:3|--ports|1,2|--check|--double|5|--size|8KiB|"
        "--size|9KiB|--tls|a.pem|--set|name=n=m";
    char *argv[32];
    int argc = part(line, argv, 32);
    struct run run;

    run_init(&run);
    cr_expect_eq(conf_arguments(run.conf, options, argc, argv), 0);
    run_bind(&run);
    cr_assert_eq(run.err, 0, "%s", run.errors.data);
    cr_expect_eq(run.sample.listen_count, 2);
    cr_expect_str_eq(run.sample.listen[1].text, "[::1]:3");
    cr_expect_eq(run.sample.port_count, 4);
    cr_expect_eq(run.sample.ports[3], 9);
    cr_expect_eq(run.sample.size, 9 * 1024);
    cr_expect_str_eq(run.sample.tls.certificate, "a.pem");
    cr_expect_str_eq(run.sample.name, "n=m");
    cr_expect(conf_flag(options, ARRAY_LEN(argv), argv, "--check"));
    cr_expect_not(conf_flag(options, 3, argv, "--check"));
    cr_expect_str_eq(conf_value(options, argc, argv, "--tls"), "a.pem");
    cr_expect_str_eq(conf_value(options, argc, argv, "--listen"), "127.0.0.1:2", "the first");
    cr_expect_null(conf_value(options, argc, argv, "--check"));
    cr_expect_null(conf_value(options, 3, argv, "--tls"));
    run_fini(&run);
}

Test(conf, options_meet_the_file)
{
    char line[] = "--ports|7";
    char *argv[3];
    int argc = part(line, argv, 3);
    struct run run;

    run_init(&run);
    conf_load_text(run.conf, "f", SPAN("ports: 6\nlimits:\nlisten: 127.0.0.1:9\n"));
    conf_arguments(run.conf, options, argc, argv);
    conf_set(run.conf, "--set listen", "listen", "[127.0.0.1:4, '[::1]:5']");
    conf_set(run.conf, "--set limits.size", "limits.size", "8KiB");
    run_bind(&run);
    cr_assert_eq(run.err, 0, "%s", run.errors.data);
    cr_expect_eq(run.sample.port_count, 2);
    cr_expect_eq(run.sample.ports[0], 6);
    cr_expect_eq(run.sample.listen_count, 2);
    cr_expect_eq(run.sample.size, 8192);
    run_fini(&run);
}

Test(conf, errors_of_options_are_exact)
{
    static const struct {
        const char *argument, *value, *want;
    } cases[] = {
        {"--lisen", "x", "--lisen: unknown option; did you mean \"--listen\"?\n"},
        {"stray", "--check", "stray: not an option; --help lists the options\n"},
        {"/no/larder.yaml", "--check",
         "/no/larder.yaml: not an option; did you mean \"--config /no/larder.yaml\"?\n"},
        {"/dev/null", "--check",
         "/dev/null: not an option; did you mean \"--config /dev/null\"?\n"},
        {"--size", "", "--size: the value is missing; expected --size SIZE\n"},
        {"--check=1", "", "--check: takes no value; expected --check alone\n"},
        {"--size", "x",
         "--size: \"size\" cannot be \"x\"; expected a size such as 64KiB or 10GiB "
         "from 4KiB to 1TiB\n"},
        {"--ports", "1,x",
         "--ports: \"ports\" cannot be \"x\"; expected a whole number from 1 to "
         "65535\n"},
        {"--set", "limits.sise=1",
         "--set limits.sise: unknown directive \"sise\"; did you mean \"size\"?\n"},
        {"--set", "ports.0=1",
         "--set ports.0: \"ports\" has nothing inside that can be set; "
         "expected the path of a directive\n"},
        {"--set", "name",
         "--set: \"name\" has no value; expected PATH=VALUE such as "
         "store.size=10GiB\n"},
        {"--set", "name=",
         "--set name: \"name\" cannot be \"\"; expected a text of at most 16 "
         "bytes\n"},
        {"--set", "name=a\nb",
         "--set name: a control character in a value; expected printable text\n"},
        {"--set", "origins=[a, {]",
         "--set origins: not YAML: while parsing a flow node, did not "
         "find expected node content; expected YAML 1.1\n"},
        {"--config", "/nonexistent/f",
         "/nonexistent/f: cannot be read: No such file or directory; "
         "expected a readable file\n"},
        {"--config", "/", "/: cannot be read: Is a directory; expected a readable file\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char line[128];
        char *argv[3];
        snprintf(line, sizeof(line), "%s|%s", cases[i].argument, cases[i].value);
        struct run run;

        run_init(&run);
        conf_arguments(run.conf, options, part(line, argv, 3), argv);
        run_bind(&run);
        cr_expect_eq(run.err, ERR_CONFIG);
        cr_expect_str_eq(run.errors.data, cases[i].want);
        run_fini(&run);
    }
}

Test(conf, suggestions_are_near_or_none)
{
    static const char *const words[] = {"listen", "admin", "store", NULL, "sites"};
    static const char *const words_of_options[] = {"--root", "--host", "-n"};

    cr_expect_str_eq(conf_closest("lsiten", words, 5), "listen");
    cr_expect_str_eq(conf_closest("Stores", words, 5), "store");
    cr_expect_str_eq(conf_closest("site", words, 5), "sites");
    cr_expect_eq(conf_closest("quota", words, 5), NULL);
    cr_expect_eq(conf_closest("", words, 5), NULL);
    cr_expect_str_eq(conf_closest("--hots", words_of_options, 3), "--host");
    cr_expect_str_eq(conf_closest("-host", words_of_options, 3), "--host");
    cr_expect_eq(conf_closest("--foo", words_of_options, 3), NULL, "dashes are no likeness");
    cr_expect_eq(conf_closest("--", words_of_options, 3), NULL);
}

Test(conf, help_and_manual_name_every_directive)
{
    struct buf out = BUF_INIT;

    conf_help(&table, &out);
    conf_manual(&table, &out);
    conf_options_help(options, &out);
    buf_append(&out, SPAN("\0"));
    cr_expect_neq(strstr(out.data, "limits.connect\n"
                                   "      Patience.\n"
                                   "      duration from 1ms to 5min; default 3s\n"),
                  NULL);
    cr_expect_neq(strstr(out.data, "| `origins[].name` | text of at most 8 bytes | required | "
                                   "restart | Its name. |\n"),
                  NULL);
    cr_expect_neq(strstr(out.data, "  --size SIZE                  Size.\n"), NULL);
    cr_expect_neq(strstr(out.data, " directives, each set once. "), NULL);
    buf_fini(&out);
}

Test(conf, what_a_broken_file_lacks_is_not_reported_missing)
{
    static const char *const broken[] = {"name: [", "", "[]"};
    static const struct conf_table needy = {.rows = tls_rows, .size = sizeof(struct sample)};

    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        struct run run;

        run_init(&run);
        conf_free(&run.conf);
        run.conf = conf_new(&needy, &run.errors);
        conf_load_text(run.conf, "f", span_str(broken[i]));
        run_bind(&run);
        cr_expect_eq(run.err, ERR_CONFIG);
        cr_expect_eq(strstr(run.errors.data, "missing"), NULL, "%s", run.errors.data);
        run_fini(&run);
    }
}

Test(conf, a_broken_file_is_not_checked_as_a_whole)
{
    struct run run;

    run_init(&run);
    conf_load_text(run.conf, "f", SPAN("name: ["));
    run_bind(&run);
    cr_expect_eq(run.err, ERR_CONFIG);
    cr_expect_not(run.sample.finished);
    run_fini(&run);
}

/* As errors in files that were named are found after all others. */
Test(conf, a_line_that_comes_late_is_put_in_its_place)
{
    static const struct {
        const char *line, *before;
    } cases[] = {
        {"f:2:5: between", "f:10:1: c\n"},
        {"f:1:10: behind a smaller column", "f:10:1: c\n"},
        {"f:10:1: behind its equal", "g:1:1: d\n"},
        {"f:11:1: the last of its file", "g:1:1: d\n"},
        {"h:1:1: another file", ""},
        {"--workers: an option", "--store: e\n"},
        {"list:3: a line of a file that was named", ""},
        {"without a place", ""},
        {"f:99999999999999999999:1: too large for a line", ""},
    };
    static const char before[] =
        "f:9:9: said before\n"
        "f:1:9: a\nf:10:1: c\ng:1:1: d\n--workers: b\n--store: e\nlist:2: a\n";

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf errors = BUF_INIT, want = BUF_INIT;
        const char *at =
            cases[i].before[0] ? strstr(before, cases[i].before) : strchr(before, '\0');
        buf_append(&errors, span_str(before));
        buf_printf(&want, "%.*s%s\n%s", (int)(at - before), before, cases[i].line, at);
        conf_sort_in(&errors, span_str("f:9:9: said before\n").len, span_str(cases[i].line));
        cr_expect(span_eq(buf_span(&errors), buf_span(&want)), "%s:\n%.*s", cases[i].line,
                  SPAN_ARGS(buf_span(&errors)));
        buf_fini(&errors);
        buf_fini(&want);
    }
}

static void complain_inside(void *bound, struct arena *arena, const struct conf_at *at)
{
    conf_complain(conf_at_map(at, "origins", 1), "name", 0, "b");
    conf_complain(conf_at_map(conf_at_map(at, "origins", 0), "nothing", 0), NULL, 0, "a");
}

/* In whatever order they are looked for; what is behind the last is the list. */
static void complain_of_each(void *bound, struct arena *arena, const struct conf_at *at)
{
    static const size_t order[] = {0, 1, 2, 1, 4, 3, 3, 0, 5, 4};

    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        conf_complain(at, "origins", order[i], "%zu", order[i]);
    }
}

Test(conf, complaints_of_items_find_them_in_any_order)
{
    static const struct conf_table whole = {
        .rows = rows, .size = sizeof(struct sample), .finish = complain_of_each};
    struct run run;

    run_init(&run);
    conf_free(&run.conf);
    run.conf = conf_new(&whole, &run.errors);
    conf_load_text(run.conf, "f",
                   SPAN("name: s\norigins:\n  - {name: a}\n  - {name: b}\n  - {name: c}\n"
                        "  - {name: d}\n  - {name: e}\n"));
    run_bind(&run);
    cr_expect_str_eq(run.errors.data,
                     "f:3:3: 5\nf:3:5: 0\nf:3:5: 0\nf:4:5: 1\nf:4:5: 1\nf:5:5: 2\nf:6:5: 3\n"
                     "f:6:5: 3\nf:7:5: 4\nf:7:5: 4\n",
                     "%s", run.errors.data);
    run_fini(&run);
}

Test(conf, complaints_of_the_whole_point_at_the_part)
{
    static const struct conf_table whole = {
        .rows = rows, .size = sizeof(struct sample), .finish = complain_inside};
    struct run run;

    run_init(&run);
    conf_free(&run.conf);
    run.conf = conf_new(&whole, &run.errors);
    conf_load_text(run.conf, "f", SPAN("origins:\n  - name: a\n  - name: b\n"));
    run_bind(&run);
    cr_expect_str_eq(run.errors.data, "f:2:5: a\nf:3:11: b\n");
    run_fini(&run);
}

Test(conf, a_required_list_is_not_empty)
{
    static const struct conf_directive needy_rows[] = {
        {"ports", CONF_INT, CONF_LIST(struct sample, ports, port_count), NULL, NULL, NULL,
         CONF_REQUIRED, "Ports."},
        {0},
    };
    static const struct conf_table needy = {.rows = needy_rows, .size = sizeof(struct sample)};
    static const char *const empty[] = {"ports: []", "ports:", "ports: ~"};

    for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
        struct run run;
        run_init(&run);
        conf_free(&run.conf);
        run.conf = conf_new(&needy, &run.errors);
        conf_load_text(run.conf, "f", span_str(empty[i]));
        run_bind(&run);
        cr_expect_not_null(strstr(run.errors.data, "\"ports\" has no value; expected"), "%s: %s",
                           empty[i], run.errors.data);
        run_fini(&run);
    }
}

Test(conf, prefix_lengths)
{
    static const struct {
        const char *text;
        struct prefix_lengths want;
        const char *what; /* NULL: it is right */
    } cases[] = {
        {"24/56", {24, 56}, NULL},
        {"0/0", {0, 0}, NULL},
        {"32/128", {32, 128}, NULL},
        {"24", {0, 0}, "only one length is given"},
        {"33/56", {0, 0}, "the first is not the length of an IPv4 prefix, 0 to 32"},
        {"/56", {0, 0}, "the first is not the length of an IPv4 prefix, 0 to 32"},
        {"24/129", {0, 0}, "the second is not the length of an IPv6 prefix, 0 to 128"},
        {"24/", {0, 0}, "the second is not the length of an IPv6 prefix, 0 to 128"},
        {"24/56/8", {0, 0}, "the second is not the length of an IPv6 prefix, 0 to 128"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct prefix_lengths got = {0, 0};
        const char *what = NULL;
        int err = conf_prefix_lengths.parse(span_str(cases[i].text), NULL, &got, &what);
        cr_expect_eq(err, cases[i].what ? ERR_SYNTAX : 0, "%s", cases[i].text);
        cr_expect(got.v4 == cases[i].want.v4 && got.v6 == cases[i].want.v6, "%s", cases[i].text);
        cr_expect(what == cases[i].what || strcmp(what, cases[i].what) == 0, "%s: %s",
                  cases[i].text, what);
    }
}

/* What a map has is counted, the map is not; a list of maps is one, and its items' parameters count
 * by name and meaning. */
Test(conf, directives_and_parameters_are_counted)
{
    static const struct conf_directive inner[] = {
        {"name", CONF_STRING, CONF_FIELD(struct sample, name), NULL, NULL, NULL, 0, "Its name."},
        {0},
    };
    static const struct conf_table map = {.rows = inner};
    static const struct conf_directive outer[] = {
        {"one", CONF_MAP(map), CONF_SAME, NULL, NULL, NULL, 0, "A map."},
        {"other", CONF_MAP(map), CONF_SAME, NULL, NULL, NULL, 0, "The same inside."},
        {"name", CONF_STRING, CONF_FIELD(struct sample, name), NULL, NULL, NULL, 0, "Another."},
        {"list", CONF_MAP(map), CONF_LIST(struct sample, ports, port_count), NULL, NULL, NULL, 0,
         "Items."},
        {"more", CONF_MAP(map), CONF_LIST(struct sample, ports, port_count), NULL, NULL, NULL, 0,
         "The same items."},
        {0},
    };
    static const struct conf_table table_of_maps = {.rows = outer, .size = sizeof(struct sample)};
    struct conf_counts counts = conf_count(&table_of_maps);

    cr_expect_eq(counts.directives, 6, "with include: %zu", counts.directives);
    cr_expect_eq(counts.parameters, 1, "%zu", counts.parameters);
}
