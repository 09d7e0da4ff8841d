/* Texts for people: the effective configuration, --help and the manual, all made from the
 * tables. */
#include "base/conf_tree.h"

#include "base/list.h"

#include <stdio.h>

/* ---- the effective configuration ---- */

struct printer {
    struct conf *conf;
    struct buf *out;
    int indent;
    bool dash; /* the next line opens an item of a list */
    bool item; /* inside an item, where directives that were not set are left out */
};

static void begin_line(struct printer *printer)
{
    int dash = printer->dash ? 2 : 0;

    buf_printf(printer->out, "%*s%s", printer->indent - dash, "", dash ? "- " : "");
    printer->dash = false;
}

static void put_origin(struct printer *printer, const struct conf_where *where)
{
    if (where->source == CONF_FROM_DEFAULT) {
        buf_printf(printer->out, "  # default\n");
    } else if (where->line) {
        buf_printf(printer->out, "  # %s:%u\n", where->name, where->line);
    } else {
        buf_printf(printer->out, "  # %s\n", where->name);
    }
}

/* Can the text stand without quotes anywhere in block style? */
static bool is_plain(struct span text)
{
    static const char *const special[] = {"null", "true", "false", "yes", "no", "on", "off"};

    for (size_t i = 0; i < ARRAY_LEN(special); i++) {
        if (span_ieq(text, span_str(special[i]))) {
            return false;
        }
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        bool letter = (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || ascii_is_digit(c);
        bool inside = i > 0 && (strchr("._-+%@=", c) || (c == ':' && i + 1 < text.len));
        if (!letter && !inside && c != '/') {
            return false;
        }
    }
    return text.len > 0;
}

void conf_quote(struct buf *out, struct span text)
{
    buf_append(out, SPAN("\""));
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\') {
            buf_append(out, SPAN("\\"));
        }
        buf_append(out, span_of(text.at + i, 1));
    }
    buf_append(out, SPAN("\""));
}

void conf_scalar_show(const struct conf_directive *row, const struct conf_node *node,
                      struct arena *arena, struct buf *out)
{
    struct span text =
        row->type.is == CONF_IS_PATH ? conf_path_meant(row, node, arena) : span_str(node->text);

    if (row->flags & CONF_SECRET) {
        text = SPAN("(not shown)");
    }
    if (is_plain(text) || row->type.is == CONF_IS_BOOL) {
        buf_append(out, text);
    } else {
        conf_quote(out, text);
    }
}

static void put_scalar(struct printer *printer, const struct conf_directive *row,
                       const struct conf_node *node)
{
    conf_scalar_show(row, node, &printer->conf->memory, printer->out);
    put_origin(printer, &node->where);
}

static void put_rows(struct printer *printer, const struct conf_table *table,
                     const struct conf_node *map);

static void put_items(struct printer *printer, const struct conf_directive *row,
                      const struct conf_node *list)
{
    bool outer = printer->item;

    printer->indent += 4;
    printer->item = true;
    for (const struct conf_node *item = list->first; item; item = item->next) {
        printer->dash = true;
        if (item->kind == CONF_SCALAR) {
            begin_line(printer);
            put_scalar(printer, row, item);
        } else {
            put_rows(printer, row->type.table, item);
        }
        if (printer->dash) {
            begin_line(printer);
            buf_printf(printer->out, "{}");
            put_origin(printer, &item->where);
        }
    }
    printer->item = outer;
    printer->indent -= 4;
}

static void put_list(struct printer *printer, const struct conf_directive *row,
                     struct conf_node *node)
{
    begin_line(printer);
    buf_printf(printer->out, "%s:", row->name);
    /* binding has turned what was written into lists, but a default may still be a single item */
    if (node->kind != CONF_ITEMS) {
        conf_node_wrap(printer->conf, node, CONF_ITEMS, NULL);
    }
    if (node->count == 0) {
        buf_printf(printer->out, " []");
    }
    put_origin(printer, &node->where);
    put_items(printer, row, node);
}

static void put_map(struct printer *printer, const struct conf_directive *row,
                    const struct conf_node *node)
{
    begin_line(printer);
    buf_printf(printer->out, "%s:\n", row->name);
    printer->indent += 2;
    put_rows(printer, row->type.table, node);
    printer->indent -= 2;
}

static void put_row(struct printer *printer, const struct conf_directive *row,
                    struct conf_node *node)
{
    bool map = row->type.is == CONF_IS_MAP;

    if (node && row->field.list) {
        put_list(printer, row, node);
    } else if (map && !row->field.list && (node || !(row->flags & CONF_OPTIONAL))) {
        put_map(printer, row, node);
    } else if (node) {
        begin_line(printer);
        buf_printf(printer->out, "%s: ", row->name);
        put_scalar(printer, row, node);
    } else if (!printer->item) {
        begin_line(printer);
        buf_printf(printer->out, "# %s: not set\n", row->name);
    }
}

static void put_rows(struct printer *printer, const struct conf_table *table,
                     const struct conf_node *map)
{
    for (const struct conf_directive *row = table->rows; row->name; row++) {
        struct conf_node *node = conf_node_find(map, row->name);
        put_row(printer, row, node ? node : conf_default(printer->conf, row));
    }
}

void conf_print(struct conf *conf, struct buf *out)
{
    struct printer printer = {.conf = conf, .out = out};
    put_rows(&printer, conf->root, conf->tree);
}

/* ---- help ---- */

struct helper {
    struct buf *out;
    char path[256]; /* path of the rows being shown, with a trailing dot */
    void (*show)(struct helper *helper, const struct conf_directive *row);
};

static void each_row(struct helper *helper, const struct conf_table *table)
{
    size_t len = strlen(helper->path);

    for (const struct conf_directive *row = table->rows; row->name; row++) {
        helper->show(helper, row);
        if (row->type.is != CONF_IS_MAP) {
            continue;
        }
        int n = snprintf(helper->path + len, sizeof(helper->path) - len, "%s%s.", row->name,
                         row->field.list ? "[]" : "");
        CHECK(n > 0 && (size_t)n < sizeof(helper->path) - len);
        each_row(helper, row->type.table);
        helper->path[len] = '\0';
    }
}

enum { HELP_WIDTH = 80, HELP_INDENT = 6 };

/* clang-format off */
static const char *const type_words[] = {
    [CONF_IS_BOOL]     = "yes or no",
    [CONF_IS_INT]      = "number",
    [CONF_IS_REAL]     = "decimal number",
    [CONF_IS_SIZE]     = "size",
    [CONF_IS_MSEC]     = "duration",
    [CONF_IS_SEC]      = "duration",
    [CONF_IS_PERCENT]  = "percentage",
    [CONF_IS_STRING]   = "text",
    [CONF_IS_PATH]     = "path",
    [CONF_IS_IP]       = "IP address",
    [CONF_IS_PREFIX]   = "prefix",
    [CONF_IS_MAP]      = "map",
};
/* clang-format on */

/* Shorter than conf_expected(): the examples are given once, at the beginning of the manual. */
static void put_type(const struct conf_directive *row, struct buf *out)
{
    const char *word = row->type.is == CONF_IS_CUSTOM || row->type.is == CONF_IS_ENUM ||
                               row->type.is == CONF_IS_ENDPOINT
                           ? NULL
                           : type_words[row->type.is];

    buf_printf(out, "%s", row->field.list ? "list of " : "");
    if (word) {
        buf_printf(out, "%s", word);
    } else {
        conf_expected(row, out);
    }
    if (row->type.is == CONF_IS_MAP && row->type.table->shorthand) {
        const char *list = row->type.table->shortlist;
        buf_printf(out, ", or just its %s%s%s", row->type.table->shorthand, list ? " or " : "",
                   list ? list : "");
    }
    conf_range(row, out);
}

/* A map that only holds directives has no types to show. */
static bool is_heading(const struct conf_directive *row)
{
    return row->type.is == CONF_IS_MAP && !row->field.list;
}

/* Words in lines of at most 80 columns, each behind `indent` spaces. */
static void put_wrapped(struct buf *out, size_t indent, struct span text)
{
    size_t column = 0;

    while (text.len) {
        struct span word = span_cut(&text, ' ');
        if (column > indent && column + 1 + word.len > HELP_WIDTH) {
            buf_append(out, SPAN("\n"));
            column = 0;
        }
        if (column == 0) {
            buf_printf(out, "%*s", (int)indent, "");
            column = indent;
        } else {
            buf_append(out, SPAN(" "));
            column++;
        }
        buf_append(out, word);
        column += word.len;
    }
    buf_append(out, SPAN("\n"));
}

static void show_help(struct helper *helper, const struct conf_directive *row)
{
    struct buf type = BUF_INIT;

    put_type(row, &type);
    if (row->fallback) {
        buf_printf(&type, "; default %s", row->fallback);
    }
    buf_printf(&type, "%s", row->flags & CONF_REQUIRED ? "; required" : "");
    buf_printf(helper->out, "%s%s\n", helper->path, row->name);
    put_wrapped(helper->out, HELP_INDENT, span_str(row->help));
    put_wrapped(helper->out, HELP_INDENT, buf_span(&type));
    buf_fini(&type);
}

void conf_help(const struct conf_table *root, struct buf *out)
{
    struct helper helper = {.out = out, .show = show_help};
    show_help(&helper, &conf_include_row);
    each_row(&helper, root);
}

enum { PARAMETERS_MAX = 256 };

struct counter {
    struct helper helper;
    size_t directives;
    const struct conf_directive *parameters[PARAMETERS_MAX];
    size_t parameter_count;
};

static void count_parameter(struct counter *counter, const struct conf_directive *row)
{
    for (size_t i = 0; i < counter->parameter_count; i++) {
        const struct conf_directive *other = counter->parameters[i];
        if (strcmp(other->name, row->name) == 0 && strcmp(other->help, row->help) == 0) {
            return;
        }
    }
    CHECK(counter->parameter_count < PARAMETERS_MAX);
    counter->parameters[counter->parameter_count++] = row;
}

static void count_row(struct helper *helper, const struct conf_directive *row)
{
    struct counter *counter = container_of(helper, struct counter, helper);
    bool in_item = strstr(helper->path, "[].") != NULL;

    if (is_heading(row)) {
        return;
    }
    if (in_item) {
        count_parameter(counter, row);
    } else {
        counter->directives++;
    }
}

struct conf_counts conf_count(const struct conf_table *root)
{
    struct counter counter = {.helper.show = count_row};

    count_row(&counter.helper, &conf_include_row);
    each_row(&counter.helper, root);
    return (struct conf_counts){counter.directives, counter.parameter_count};
}

static void show_manual(struct helper *helper, const struct conf_directive *row)
{
    buf_printf(helper->out, "| `%s%s` | ", helper->path, row->name);
    put_type(row, helper->out);
    buf_printf(helper->out, " | ");
    if (row->fallback) {
        buf_printf(helper->out, "`%s`", row->fallback);
    } else {
        buf_printf(helper->out, "%s", row->flags & CONF_REQUIRED ? "required" : "");
    }
    buf_printf(helper->out, " | %s | %s |\n",
               is_heading(row)            ? ""
               : row->flags & CONF_RELOAD ? "reload"
                                          : "restart",
               row->help);
}

void conf_manual(const struct conf_table *root, struct buf *out)
{
    struct helper helper = {.out = out, .show = show_manual};

    struct conf_counts counts = conf_count(root);
    buf_printf(out,
               "%zu directives, each set once. Items of lists, whose names have `[]` in them, have "
               "%zu parameters; those with the same meaning in several places count once.\n\n",
               counts.directives, counts.parameters);
    buf_printf(out, "| Directive | Takes | Default | Applied by | Meaning |\n"
                    "|---|---|---|---|---|\n");
    show_manual(&helper, &conf_include_row);
    each_row(&helper, root);
}
