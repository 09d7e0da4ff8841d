/* The command line: paths of directives, and options that are short for them. */
#include "base/conf_tree.h"

#include "base/check.h"
#include "base/err.h"

#include <stdio.h>
#include <unistd.h>

/* ---- one directive ---- */

/* The map that belongs to `row`, created if necessary. NULL: the file has something other than a
 * map there, which binding will report. */
static struct conf_node *enter(struct conf *conf, const struct conf_directive *row,
                               struct conf_node *map, struct conf_where where)
{
    struct conf_node *child = conf_node_find(map, row->name);

    if (!child) {
        child = conf_node_new(conf, CONF_ENTRIES, where);
        conf_node_add(map, row->name, child);
    } else if (conf_node_is_nothing(child)) {
        conf_node_become(child, CONF_ENTRIES);
    } else {
        conf_node_expand(conf, child, row->type.table);
    }
    return child->kind == CONF_ENTRIES ? child : NULL;
}

/* Follows `path` to its row and to the map that holds the node of that row. */
static int walk(struct conf *conf, const char *path, struct conf_where where,
                const struct conf_directive **row, struct conf_node **map)
{
    const struct conf_table *table = conf->root;
    struct span rest = span_str(path);

    *map = conf->tree;
    for (;;) {
        struct span name = span_cut(&rest, '.');
        *row = conf_table_find(table, name);
        if (!*row) {
            return conf_unknown(conf, table, &where,
                                arena_printf(&conf->memory, "%.*s", SPAN_ARGS(name)).at);
        }
        if (rest.len == 0) {
            return 0;
        }
        if ((*row)->type.is != CONF_IS_MAP || (*row)->field.list) {
            return conf_report(conf, &where,
                               "\"%s\" has nothing inside that can be set; expected "
                               "the path of a directive",
                               (*row)->name);
        }
        table = (*row)->type.table;
        *map = *map ? enter(conf, *row, *map, where) : NULL;
    }
}

static bool bracketed(const char *value)
{
    size_t len = strlen(value);
    return len >= 2 && ((value[0] == '[' && value[len - 1] == ']') ||
                        (value[0] == '{' && value[len - 1] == '}'));
}

static struct conf_node *split(struct conf *conf, const char *value, struct conf_where where)
{
    struct conf_node *list = conf_node_new(conf, CONF_ITEMS, where);
    struct span rest = span_str(value);

    do {
        struct span item = span_trim(span_cut(&rest, ','));
        const char *text = arena_printf(&conf->memory, "%.*s", SPAN_ARGS(item)).at;
        conf_node_add(list, NULL, conf_node_scalar(conf, text, where));
    } while (rest.len);
    return list;
}

static int value_node(struct conf *conf, const struct conf_directive *row, const char *value,
                      struct conf_where where, struct conf_node **out)
{
    for (const char *c = value; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return conf_report(conf, &where,
                               "a control character in a value; expected printable text");
        }
    }
    if ((row->field.list || row->type.is == CONF_IS_MAP) && bracketed(value)) {
        int err = conf_tree_parse(conf, span_str(value), where, out);
        return err || *out ? err : conf_report(conf, &where, "no value; expected YAML");
    }
    *out =
        row->flags & CONF_COMMAS ? split(conf, value, where) : conf_node_scalar(conf, value, where);
    return 0;
}

static void put(struct conf_node *map, const char *name, struct conf_node *value)
{
    struct conf_node *old = conf_node_find(map, name);

    if (!old) {
        value->key_where = value->where;
        conf_node_add(map, name, value);
        return;
    }
    struct conf_node *next = old->next;
    const char *key = old->key;
    *old = *value;
    old->next = next;
    old->key = key;
    old->key_where = value->where;
}

static void append(struct conf *conf, struct conf_node *list, struct conf_node *value)
{
    if (conf_node_is_nothing(list)) {
        conf_node_become(list, CONF_ITEMS);
    } else if (list->kind != CONF_ITEMS) {
        conf_node_wrap(conf, list, CONF_ITEMS, NULL);
    }
    struct conf_node *item = value->kind == CONF_ITEMS ? value->first : value;
    while (item) {
        struct conf_node *next = value->kind == CONF_ITEMS ? item->next : NULL;
        item->next = NULL;
        conf_node_add(list, NULL, item);
        item = next;
    }
}

static int assign(struct conf *conf, const char *option, const char *path, const char *value,
                  bool add)
{
    struct conf_where where = {CONF_FROM_OPTION, option, 0, 0};
    const struct conf_directive *row;
    struct conf_node *map, *node = NULL;

    where.name = arena_printf(&conf->memory, "%s", option).at;
    int err = walk(conf, path, where, &row, &map);
    if (!err) {
        err = value_node(conf, row, value, where, &node);
    }
    if (!node || !map) {
        return err;
    }
    struct conf_node *old = conf_node_find(map, row->name);
    if (old && add && row->field.list) {
        append(conf, old, node);
    } else {
        put(map, row->name, node);
    }
    return 0;
}

int conf_set(struct conf *conf, const char *option, const char *path, const char *value)
{
    return assign(conf, option, path, value, false);
}

int conf_add(struct conf *conf, const char *option, const char *path, const char *value)
{
    return assign(conf, option, path, value, true);
}

/* ---- options ---- */

/* Every program has these two. */
static const struct conf_option common[] = {
    {.name = "--config", .value = "FILE", .help = "Read this configuration file (YAML)."},
    {.name = "--set", .value = "PATH=VALUE", .help = "Set any directive: store.size=10GiB."},
    {0},
};

/* One option as written on the command line. */
struct argument {
    const struct conf_option *option; /* NULL: unknown */
    const char *name, *value;         /* value NULL: none was written */
};

static const struct conf_option *find_option(const struct conf_option *options, struct span name)
{
    for (; options->name; options++) {
        if (span_eq(name, span_str(options->name))) {
            return options;
        }
    }
    return NULL;
}

/* Reads the option at argv[*i] and steps over it. */
static struct argument next_argument(const struct conf_option *options, int argc, char **argv,
                                     int *i)
{
    const char *text = argv[(*i)++];
    const char *equals = strchr(text, '=');
    struct span name = equals ? span_from_to(text, equals) : span_str(text);
    struct argument argument = {.name = text};

    argument.option = find_option(options, name);
    if (!argument.option) {
        argument.option = find_option(common, name);
    }
    if (equals) {
        argument.value = equals + 1;
    } else if (*i < argc && (argument.option ? argument.option->value != NULL
                                             : text[0] == '-' && argv[*i][0] != '-')) {
        /* an unknown option probably has a value too, which must not be taken for another option */
        argument.value = argv[(*i)++];
    }
    return argument;
}

#define OPTIONS_LISTED "; --help lists the options"

static int unknown_option(struct conf *conf, const struct conf_option *options, const char *name)
{
    const char *names[64];
    size_t count = 0;

    if (name[0] != '-') {
        bool is_file = span_ends(span_str(name), SPAN(".yaml")) ||
                       span_ends(span_str(name), SPAN(".yml")) || access(name, F_OK) == 0;
        const char *meant = is_file ? arena_printf(&conf->memory, "--config %s", name).at : NULL;
        return conf_fault(conf, name, "not an option%s%s%s", CONF_HINT(meant, OPTIONS_LISTED));
    }
    for (; options->name && count < ARRAY_LEN(names) - 2; options++) {
        names[count++] = options->name;
    }
    names[count++] = common[0].name;
    names[count++] = common[1].name;
    const char *closest = conf_closest(name, names, count);
    return conf_fault(conf, name, "unknown option%s%s%s", CONF_HINT(closest, OPTIONS_LISTED));
}

static int set_path(struct conf *conf, const char *value)
{
    struct span rest = span_str(value);
    struct span path = span_cut(&rest, '=');

    if (path.len == strlen(value)) {
        return conf_fault(conf, "--set",
                          "\"%.80s\" has no value; expected PATH=VALUE such as "
                          "store.size=10GiB",
                          value);
    }
    const char *name = arena_printf(&conf->memory, "%.*s", SPAN_ARGS(path)).at;
    const char *option = arena_printf(&conf->memory, "--set %s", name).at;
    return conf_set(conf, option, name, rest.at);
}

static int apply(struct conf *conf, const struct conf_option *options,
                 const struct argument *argument)
{
    const struct conf_option *option = argument->option;

    if (!option) {
        return unknown_option(conf, options, argument->name);
    }
    if (option->value && !argument->value) {
        return conf_fault(conf, option->name, "the value is missing; expected %s %s", option->name,
                          option->value);
    }
    if (!option->value && argument->value) {
        return conf_fault(conf, option->name, "takes no value; expected %s alone", option->name);
    }
    if (option == &common[1]) {
        CHECK(argument->value);
        return set_path(conf, argument->value);
    }
    if (option->apply) {
        return option->apply(conf, option, argument->value);
    }
    if (!option->path) {
        return 0;
    }
    CHECK(argument->value);
    return conf_add(conf, option->name, option->path, argument->value);
}

int conf_arguments(struct conf *conf, const struct conf_option *options, int argc, char **argv)
{
    int err = 0;

    for (int i = 1; i < argc;) {
        struct argument argument = next_argument(options, argc, argv, &i);
        if (argument.option == &common[0] && argument.value) {
            err = conf_load_file(conf, argument.value) ? ERR_CONFIG : err;
        }
    }
    for (int i = 1; i < argc;) {
        struct argument argument = next_argument(options, argc, argv, &i);
        err = apply(conf, options, &argument) ? ERR_CONFIG : err;
    }
    return err;
}

bool conf_flag(const struct conf_option *options, int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc;) {
        struct argument argument = next_argument(options, argc, argv, &i);
        if (argument.option && strcmp(argument.option->name, name) == 0) {
            return true;
        }
    }
    return false;
}

const char *conf_value(const struct conf_option *options, int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc;) {
        struct argument argument = next_argument(options, argc, argv, &i);
        if (argument.option && strcmp(argument.option->name, name) == 0 && argument.value) {
            return argument.value;
        }
    }
    return NULL;
}

static void option_help(const struct conf_option *option, struct buf *out)
{
    char left[64];

    snprintf(left, sizeof(left), "%s%s%s", option->name, option->value ? " " : "",
             option->value ? option->value : "");
    buf_printf(out, "  %-28s %s\n", left, option->help);
}

void conf_options_help(const struct conf_option *options, struct buf *out)
{
    option_help(&common[0], out);
    option_help(&common[1], out);
    for (; options->name; options++) {
        if (options->help) {
            option_help(options, out);
        }
    }
}
