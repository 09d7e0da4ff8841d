/* Files that include files, and what differs between two configurations. */
#include "base/conf.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

struct rule {
    char *name;
    uint64_t port;
};

struct door {
    char *name, *key;
    uint64_t port;
};

struct sample {
    uint64_t workers, wait;
    bool quick;
    char *path, *secret;
    struct rule *rules;
    struct door *doors;
    size_t rule_count, door_count;
};

#define FIELD(member) CONF_FIELD(struct sample, member)
/* clang-format off */
static const char *const words[] = {"syslog", NULL};
static const struct conf_directive rule_rows[] = {
    {"name", CONF_STRING, CONF_FIELD(struct rule, name), NULL, NULL, NULL, CONF_REQUIRED, "Name."},
    {"port", CONF_INT, CONF_FIELD(struct rule, port), NULL, NULL, NULL, CONF_RELOAD, "Port."},
    {0},
};
static const struct conf_table rule_table = {
    .rows = rule_rows, .size = sizeof(struct rule), .shorthand = "name"};
static const struct conf_directive lock_rows[] = {
    {"key", CONF_STRING, CONF_FIELD(struct door, key), NULL, NULL, NULL, CONF_RELOAD, "Key."},
    {0},
};
static const struct conf_table lock_table = {.rows = lock_rows};
static const struct conf_directive door_rows[] = {
    {"name", CONF_STRING, CONF_FIELD(struct door, name), NULL, NULL, NULL, CONF_REQUIRED, "Name."},
    {"port", CONF_INT, CONF_FIELD(struct door, port), NULL, NULL, NULL, CONF_RELOAD, "Port."},
    {"lock", CONF_MAP(lock_table), CONF_SAME, NULL, NULL, NULL, CONF_OPTIONAL, "Is it locked?"},
    {0},
};
static const struct conf_table door_table = {
    .rows = door_rows, .size = sizeof(struct door), .shorthand = "name"};
static const struct conf_directive time_rows[] = {
    {"wait", CONF_MSEC, FIELD(wait), "1s", NULL, NULL, CONF_RELOAD, "Patience."},
    {"quick", CONF_BOOL, FIELD(quick), "no", NULL, NULL, CONF_RELOAD, "Hurry."},
    {0},
};
static const struct conf_table time_table = {.rows = time_rows, .shorthand = "wait"};
static const struct conf_directive rows[] = {
    {"workers", CONF_INT, FIELD(workers), "1", NULL, NULL, 0, "Loops."},
    {"times", CONF_MAP(time_table), CONF_SAME, NULL, NULL, NULL, 0, "Times."},
    {"path", CONF_PATH_OR(words), FIELD(path), NULL, NULL, NULL, CONF_RELOAD, "Folder."},
    {"secret", CONF_STRING, FIELD(secret), NULL, NULL, NULL, CONF_RELOAD | CONF_SECRET, "Key."},
    {"rules", CONF_MAP(rule_table), CONF_LIST(struct sample, rules, rule_count), NULL, NULL, NULL,
     CONF_RELOAD, "Rules."},
    {"doors", CONF_MAP(door_table), CONF_LIST(struct sample, doors, door_count), NULL, NULL, NULL,
     0, "Doors."},
    {0},
};
/* clang-format on */
static const struct conf_table table = {.rows = rows, .size = sizeof(struct sample)};

/* ---- files ---- */

static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/larder-include-XXXXXX");
    cr_assert(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -r %s", folder);
    cr_assert_eq(system(command), 0);
}

static void put_file(const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    mkdir(path, 0700);
    *slash = '/';
    FILE *file = fopen(path, "w");
    cr_assert(file);
    fputs(text, file);
    fclose(file);
}

struct run {
    struct conf *conf;
    struct buf errors;
    struct arena arena;
    struct sample sample;
    int err;
};

/* Errors without the folder's name. */
static void load(struct run *run, const char *name)
{
    char path[256];
    struct buf raw = BUF_INIT;

    *run = (struct run){.errors = BUF_INIT};
    arena_init(&run->arena, NULL, 0);
    run->conf = conf_new(&table, &raw);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    conf_load_file(run->conf, path);
    run->err = conf_bind(run->conf, &run->sample, &run->arena);
    buf_append(&raw, SPAN("\0"));
    size_t len = strlen(folder);
    for (const char *at = raw.data; *at;) {
        bool here = strncmp(at, folder, len) == 0;
        buf_append(&run->errors, here ? SPAN_EMPTY : span_of(at, 1));
        at += here ? len + (at[len] == '/') : 1;
    }
    buf_append(&run->errors, SPAN("\0"));
    buf_fini(&raw);
}

static void unload(struct run *run)
{
    conf_free(&run->conf);
    arena_fini(&run->arena);
    buf_fini(&run->errors);
}

#define FILES .init = make_folder, .fini = remove_folder

Test(include, lists_add_up_and_maps_are_merged, FILES)
{
    struct run run;

    put_file("main.yaml", "include: [other.yaml, conf.d/*.yaml]\n"
                          "workers: 3\n"
                          "rules: first\n"
                          "times: {wait: 5s}\n");
    put_file("other.yaml", "rules:\n  - second\ntimes: {quick: yes}\n");
    put_file("conf.d/b.yaml", "path: cache\nrules: [fourth]\n");
    put_file("conf.d/a.yaml", "rules: {name: third, port: 8}\n");
    put_file("conf.d/c.yaml", "# nothing at all\n");
    put_file("conf.d/d.yaml.bak", "workers: x\n");
    load(&run, "main.yaml");
    cr_assert_eq(run.err, 0, "%s", run.errors.data);
    cr_expect_eq(run.sample.workers, 3);
    cr_expect_eq(run.sample.wait, 5000);
    cr_expect(run.sample.quick);
    cr_assert_eq(run.sample.rule_count, 4);
    cr_expect_str_eq(run.sample.rules[0].name, "first");
    cr_expect_str_eq(run.sample.rules[1].name, "second");
    cr_expect_str_eq(run.sample.rules[2].name, "third");
    cr_expect_eq(run.sample.rules[2].port, 8);
    cr_expect_str_eq(run.sample.rules[3].name, "fourth");
    cr_expect_str_eq(run.sample.path + strlen(folder), "/conf.d/cache",
                     "from its own file's folder");
    unload(&run);
}

Test(include, errors_name_the_file_they_are_in, FILES)
{
    static const struct {
        const char *main, *other, *want;
    } cases[] = {
        {"include: other.yaml\n", "\nworkrs: 1\n",
         "other.yaml:2:1: unknown directive \"workrs\"; did you mean \"workers\"?\n"},
        {"include: other.yaml\n", "times:\n  wait: soon\n",
         "other.yaml:2:9: \"wait\" cannot be \"soon\"; expected a duration such as 250ms, 30s or "
         "7d\n"},
        {"workers: 2\ninclude: other.yaml\n", "times: 1s\nworkers: 3\n",
         "other.yaml:2:1: duplicate directive \"workers\"; expected once, the first is at "
         "main.yaml:1:1\n"},
        {"times: {wait: 2s}\ninclude: other.yaml\n", "times:\n  wait: 3s\n",
         "other.yaml:2:3: duplicate directive \"wait\"; expected once, the first is at "
         "main.yaml:1:9\n"},
        {"include: other.yaml\n", "include: [main.yaml]\n",
         "other.yaml:1:11: \"main.yaml\" leads to itself: it is included by other.yaml, which is "
         "included by main.yaml; expected no cycle\n"},
        {"include: main.yaml\n", "",
         "main.yaml:1:10: \"main.yaml\" leads to itself: it is included by main.yaml; expected "
         "no cycle\n"},
        {"include: [other.yaml, ./other.yaml]\n", "workers: 2\n",
         "main.yaml:1:23: \"./other.yaml\" is included already, at main.yaml:1:11; expected each "
         "file once\n"},
        {"include: gone.yaml\n", "",
         "main.yaml:1:10: \"gone.yaml\" cannot be read: No such file or directory; expected a "
         "file, or a pattern such as conf.d/*.yaml\n"},
        {"include: .\n", "",
         "main.yaml:1:10: \".\" is no file; expected a file, or a pattern such as "
         "conf.d/*.yaml\n"},
        {"include: {a: b}\n", "",
         "main.yaml:1:10: no file to include; expected a path, or a pattern such as "
         "conf.d/*.yaml\n"},
        {"include: other.yaml\n", "- a\n",
         "other.yaml:1:1: a list; expected directives such as workers:\n"},
        {"inclde: other.yaml\n", "",
         "main.yaml:1:1: unknown directive \"inclde\"; did you mean \"include\"?\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run run;
        put_file("main.yaml", cases[i].main);
        put_file("other.yaml", cases[i].other);
        load(&run, "main.yaml");
        cr_expect_neq(run.err, 0);
        cr_expect_str_eq(run.errors.data, cases[i].want);
        unload(&run);
    }
}

Test(include, depth_is_bounded, FILES)
{
    struct run run;

    for (int i = 0; i < 12; i++) {
        char name[32], text[64];
        snprintf(name, sizeof(name), "%d.yaml", i);
        snprintf(text, sizeof(text), "include: %d.yaml\nrules: r%d\n", i + 1, i);
        put_file(name, i == 11 ? "rules: last\n" : text);
    }
    load(&run, "0.yaml");
    cr_expect_str_eq(run.errors.data, "8.yaml:1:10: files that include files, 9 deep; expected at "
                                      "most 8\n");
    cr_expect_eq(run.sample.rule_count, 9);
    unload(&run);
}

/* A list of `count` rows, of a directive that nobody knows. */
static void put_long(const char *name, const char *first, size_t count, const char *row)
{
    struct buf text = BUF_INIT;

    buf_printf(&text, "%s\nrulse: [\n", first);
    for (size_t i = 0; i < count; i++) {
        buf_append(&text, span_str(row));
    }
    buf_append(&text, SPAN("]\n\0"));
    put_file(name, text.data);
    buf_fini(&text);
}

Test(include, values_and_bytes_of_all_files_are_bounded, FILES)
{
    static const struct {
        size_t count, other_count;
        const char *row, *want;
    } cases[] = {
        {199000, 202000, "a,a,a,a,a,a,a,a,a,a,\n",
         "other.yaml:201001:9: too many values; expected at most 4000000 in all files"},
        {32, 33, NULL, "main.yaml:1:10: \"other.yaml\" is too much; expected at most 64MiB in all"},
    };
    char *comment = xmalloc(1 << 20); /* a MiB */

    memset(comment, '#', (1 << 20) - 2);
    memcpy(comment + (1 << 20) - 2, "\n", 2);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run run;
        const char *row = cases[i].row ? cases[i].row : comment;
        put_long("main.yaml", "include: other.yaml", cases[i].count, row);
        put_long("other.yaml", "", cases[i].other_count, row);
        load(&run, "main.yaml");
        cr_expect(strstr(run.errors.data, cases[i].want), "%s", run.errors.data);
        unload(&run);
    }
    free(comment);
}

Test(include, only_files_may)
{
    struct buf errors = BUF_INIT;
    struct arena arena;
    struct sample sample;
    struct conf *conf = conf_new(&table, &errors);

    arena_init(&arena, NULL, 0);
    conf_load_text(conf, "f", SPAN("include: /etc/passwd\nworkers: 1\n"));
    cr_expect_neq(conf_bind(conf, &sample, &arena), 0);
    buf_append(&errors, SPAN("\0"));
    cr_expect(strstr(errors.data, "f:1:1: unknown directive \"include\""), "%s", errors.data);
    conf_free(&conf);
    arena_fini(&arena);
    buf_fini(&errors);
}

Test(include, words_are_no_paths, FILES)
{
    static const struct {
        const char *yaml, *want; /* NULL: beside the file */
    } cases[] = {
        {"path: syslog\n", "syslog"},
        {"path: \"syslog:/dev/other\"\n", "syslog:/dev/other"},
        {"path: syslogs\n", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct run run;
        put_file("main.yaml", cases[i].yaml);
        load(&run, "main.yaml");
        if (cases[i].want) {
            cr_expect_str_eq(run.sample.path, cases[i].want);
        } else {
            cr_expect_eq(run.sample.path[0], '/');
        }
        unload(&run);
    }
}

/* ---- what differs ---- */

static void tell(void *arg, const struct conf_change *change)
{
    static const char *const marks[] = {
        [CONF_ADDED] = "+", [CONF_REMOVED] = "-", [CONF_CHANGED] = "=", [CONF_MOVED] = "~"};
    struct buf *out = arg;
    const struct conf_setting *any = change->after ? change->after : change->before;

    buf_printf(out, "%s%s %s|%s%s;", marks[change->kind], any->path,
               change->before ? change->before->shown : "",
               change->after ? change->after->shown : "", any->by_reload ? "" : " restart");
}

Test(compare, what_differs_is_told)
{
    static const struct {
        const char *before, *after, *want;
    } cases[] = {
        {"workers: 1\n", "times: 1000ms\n", ""},
        {"workers: 1\n", "times: {quick: false}\n", ""},
        {"workers: 1\n", "workers: 2\n", "=workers 1|2 restart;"},
        {"workers: 1\n", "times: {wait: 2s, quick: on}\n", "=times.quick no|on;=times.wait 1s|2s;"},
        {"rules: [a, b]\n", "rules: [a, c, b]\n", "+rules |{name: c};"},
        {"rules: [a, {name: b, port: 7}]\n", "rules: [a, {name: b, port: 8}]\n",
         "-rules {name: b, port: 7}|;+rules |{name: b, port: 8};"},
        {"rules: [a, b, a]\n", "rules: [a, a, b]\n", "~rules {name: a}|{name: a};"},
        {"rules: [a, a]\n", "rules: [a]\n", "-rules {name: a}|;"},
        {"rules: [a]\n", "workers: 1\n", "-rules {name: a}|;"},
        {"secret: one\n", "secret: two\n", "=secret \"(not shown)\"|\"(not shown)\";"},
        {"path: a b\n", "path: syslog\n", "=path \"a b\"|syslog;"},
        {"doors: [{name: x, port: 1}, y]\n", "doors: [y, {name: x, port: 2}]\n",
         "=doors[x].port 1|2;"},
        {"doors: x\n", "doors: y\n", "-doors[x].name x| restart;+doors[y].name |y restart;"},
        /* A part that comes or goes is one change, by a restart; what is in it is none beside it.
         */
        {"doors: x\n", "doors: {name: x, lock: {key: a}}\n", "+doors[x].lock |{key: a} restart;"},
        {"doors: {name: x, port: 1, lock: {key: a}}\n", "doors: {name: x, port: 2}\n",
         "-doors[x].lock {key: a}| restart;=doors[x].port 1|2;"},
        {"doors: {name: x, lock: {key: a}}\n", "doors: {name: x, lock: {key: b}}\n",
         "=doors[x].lock.key a|b;"},
        {"doors: {name: x, lock: {}}\n", "doors: {name: x, lock: {key: b}}\n",
         "+doors[x].lock.key |b;"},
        {"doors: x\n", "doors: [x, {name: y, lock: {key: a}}]\n",
         "+doors[y].lock |{key: a} restart;+doors[y].name |y restart;"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *texts[] = {cases[i].before, cases[i].after};
        struct conf_flat flat[2];
        struct buf out = BUF_INIT, errors = BUF_INIT;
        struct sample sample;
        struct arena arena;

        arena_init(&arena, NULL, 0);
        for (int n = 0; n < 2; n++) {
            struct conf *conf = conf_new(&table, &errors);
            conf_load_text(conf, "f", span_str(texts[n]));
            cr_assert_eq(conf_bind(conf, &sample, &arena), 0);
            conf_flatten(conf, &arena, &flat[n]);
            conf_free(&conf);
        }
        cr_expect_not(conf_is_written(&flat[0], "nothing"));
        conf_compare(&flat[0], &flat[1], tell, &out);
        buf_append(&out, SPAN("\0"));
        cr_expect_str_eq(out.data, cases[i].want, "%s -> %s: %s", texts[0], texts[1], out.data);
        buf_fini(&out);
        buf_fini(&errors);
        arena_fini(&arena);
    }
}

/* ---- what is in force ---- */

static void bind_text(struct conf **conf, const char *name, const char *text, struct arena *arena)
{
    static struct sample sample;
    struct buf errors = BUF_INIT;

    *conf = conf_new(&table, &errors);
    conf_load_text(*conf, name, span_str(text));
    cr_assert_eq(conf_bind(*conf, &sample, arena), 0);
}

Test(hold, what_only_a_restart_changes_is_as_it_was)
{
    static const struct {
        const char *running, *files, *want; /* as it is printed, but for what is not set */
    } cases[] = {
        {"workers: 3\ntimes: 2s\n", "workers: 4\ntimes: 3s\n",
         "workers: 3  # old:1\ntimes:\n  wait: 3s  # new:2\n  quick: no  # default\n"},
        {"times: 2s\n", "workers: 4\n",
         "workers: 1  # default\ntimes:\n  wait: 1s  # default\n  quick: no  # default\n"},
        {"workers: 3\n", "times: 2s\n",
         "workers: 3  # old:1\ntimes:\n  wait: 2s  # new:1\n  quick: no  # default\n"},
        {"doors: [{name: x, port: 1}, {name: \"[::1]:7\", lock: {key: a}}]\n",
         "doors: [y, {name: x, port: 2, lock: {key: b}}]\n",
         "workers: 1  # default\ntimes:\n  wait: 1s  # default\n  quick: no  # default\n"
         "doors:  # old:1\n  - name: x  # old:1\n    port: 2  # new:1\n"
         "  - name: \"[::1]:7\"  # old:1\n    lock:\n      key: a  # old:1\n"},
        {"doors: {name: x, lock: {key: a}}\n", "doors: {name: x, lock: {key: b}}\n",
         "workers: 1  # default\ntimes:\n  wait: 1s  # default\n  quick: no  # default\n"
         "doors:  # old:1\n  - name: x  # old:1\n    lock:\n      key: b  # new:1\n"},
        {"times: 2s\n", "doors: y\n",
         "workers: 1  # default\ntimes:\n  wait: 1s  # default\n  quick: no  # default\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conf *running, *files;
        struct conf_flat before, now, once_more;
        struct buf all = BUF_INIT, out = BUF_INIT, changes = BUF_INIT;
        struct arena arena;

        arena_init(&arena, NULL, 0);
        bind_text(&running, "old", cases[i].running, &arena);
        bind_text(&files, "new", cases[i].files, &arena);
        conf_flatten(running, &arena, &before);
        conf_hold(files, &before);
        conf_flatten(files, &arena, &now);
        conf_print(files, &all);
        struct span rest = buf_span(&all);
        while (rest.len) {
            struct span line = span_cut(&rest, '\n');
            if (!span_starts(line, SPAN("# "))) {
                buf_printf(&out, "%.*s\n", SPAN_ARGS(line));
            }
        }
        buf_append(&out, SPAN("\0"));
        cr_expect_str_eq(out.data, cases[i].want, "%zu: %s", i, out.data);
        conf_compare(&before, &now, tell, &changes); /* no "restart" */
        buf_append(&changes, SPAN("\0"));
        cr_expect(strstr(changes.data, "restart") == NULL, "%zu: %s", i, changes.data);
        buf_clear(&changes);
        conf_free(&files); /* and from one reload to the next */
        bind_text(&files, "new", cases[i].files, &arena);
        conf_hold(files, &now);
        conf_flatten(files, &arena, &once_more);
        conf_compare(&now, &once_more, tell, &changes);
        cr_expect_eq(buf_len(&changes), 0);
        for (size_t n = 0; n < now.count; n++) {
            cr_expect_str_eq(once_more.at[n].origin, now.at[n].origin, "%s", now.at[n].path);
            if (!now.at[n].by_reload && !now.at[n].is_part && n < before.count &&
                strcmp(before.at[n].path, now.at[n].path) == 0) {
                cr_expect_str_eq(now.at[n].origin, before.at[n].origin, "%s", now.at[n].path);
            }
        }
        conf_free(&running);
        conf_free(&files);
        buf_fini(&all);
        buf_fini(&out);
        buf_fini(&changes);
        arena_fini(&arena);
    }
}
