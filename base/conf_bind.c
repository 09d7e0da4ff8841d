/*
 * Binding: stores the values of the tree, and defaults where nothing was written, in structs
 * described by the tables. Recursion is as deep as the tables are nested, whatever the input.
 */
#include "base/conf_tree.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

struct conf_at {
    struct conf *conf;
    const struct conf_table *table;
    struct conf_node *node; /* NULL: nothing was written */
    struct conf_where where;
    void *root;
    unsigned errors; /* errors of the conf before this map was bound */
};

struct binder {
    struct conf *conf;
    struct arena *arena;
    void *root;
};

static void bind_map(struct binder *binder, const struct conf_table *table, struct conf_node *node,
                     struct conf_where where, void *base);

static void wrong_kind(struct conf *conf, const struct conf_directive *row,
                       const struct conf_node *node)
{
    static const char *const kinds[] = {
        [CONF_SCALAR] = "a single value", [CONF_ITEMS] = "a list", [CONF_ENTRIES] = "a map"};
    struct buf expected = BUF_INIT;
    bool empty = conf_node_is_nothing(node) || (node->kind == CONF_ITEMS && node->count == 0);

    if (row->type.is == CONF_IS_MAP && row->type.table->shorthand == NULL) {
        for (const struct conf_directive *inner = row->type.table->rows; inner->name; inner++) {
            buf_printf(&expected, "%s%s", buf_len(&expected) ? ", " : "a map with ", inner->name);
        }
    } else {
        conf_expected(row, &expected);
        conf_range(row, &expected);
    }
    conf_report(conf, &node->where, "\"%s\" %s%s; expected %.*s",
                node->said ? node->said : row->name, empty ? "" : "is ",
                empty ? "has no value" : kinds[node->kind], SPAN_ARGS(buf_span(&expected)));
    buf_fini(&expected);
}

/* Replaces a value that stands for a whole map (its shorthand) by that map. Errors still use the
 * name that was written. */
static void expand_shorthand(struct conf *conf, const struct conf_directive *row,
                             struct conf_node *node)
{
    const char *said = node->said ? node->said : row->name;
    bool is_short = node->kind != CONF_ENTRIES;

    conf_node_expand(conf, node, row->type.table);
    if (is_short && node->kind == CONF_ENTRIES) {
        node->first->said = said;
    }
}

/* One value: a scalar or a map. */
static void bind_one(struct binder *binder, const struct conf_directive *row,
                     struct conf_node *node, void *out)
{
    if (row->type.is != CONF_IS_MAP) {
        if (node->kind != CONF_SCALAR || conf_node_is_nothing(node)) {
            wrong_kind(binder->conf, row, node);
            return;
        }
        conf_scalar_bind(binder->conf, row, node, binder->arena, out);
        return;
    }
    if (conf_misses_space(binder->conf, row->type.table, node)) {
        return;
    }
    if (conf_node_is_nothing(node)) {
        conf_node_become(node, CONF_ENTRIES);
    } else {
        expand_shorthand(binder->conf, row, node);
    }
    if (node->kind != CONF_ENTRIES) {
        wrong_kind(binder->conf, row, node);
        node->faulty = true;
        return;
    }
    bind_map(binder, row->type.table, node, node->where, out);
}

static void bind_list(struct binder *binder, const struct conf_directive *row,
                      struct conf_node *node, char *base)
{
    if (conf_node_is_nothing(node)) {
        conf_node_become(node, CONF_ITEMS);
    } else if (node->kind != CONF_ITEMS) {
        conf_node_wrap(binder->conf, node, CONF_ITEMS, NULL);
    }
    if (node->count == 0 && row->flags & CONF_REQUIRED) {
        wrong_kind(binder->conf, row, node);
        return;
    }
    char *items = NULL;
    size_t i = 0;
    if (node->count) {
        items = arena_zalloc(binder->arena, node->count * row->field.size);
    }
    memcpy(base + row->field.at, &items, sizeof(items));
    memcpy(base + row->field.count_at, &node->count, sizeof(node->count));
    for (struct conf_node *item = node->first; item; item = item->next) {
        item->said = node->said;
        bind_one(binder, row, item, items + i++ * row->field.size);
    }
}

static void check_row(const struct conf_directive *row)
{
    static const size_t sizes[] = {
        [CONF_IS_BOOL] = sizeof(bool),
        [CONF_IS_REAL] = sizeof(double),
        [CONF_IS_STRING] = sizeof(char *),
        [CONF_IS_PATH] = sizeof(char *),
        [CONF_IS_IP] = sizeof(struct ip),
        [CONF_IS_PREFIX] = sizeof(struct prefix),
        [CONF_IS_ENDPOINT] = sizeof(struct endpoint),
        [CONF_IS_MAP] = 0,
    };
    size_t size = row->type.is == CONF_IS_CUSTOM ? row->type.custom->size
                  : row->type.is == CONF_IS_MAP  ? row->type.table->size
                                                 : sizes[row->type.is];

    CHECK(size == 0 || row->field.size == size);
    CHECK(row->type.is != CONF_IS_ENUM || row->type.words);
}

static void bind_row(struct binder *binder, const struct conf_directive *row,
                     struct conf_node *node, struct conf_where where, char *base)
{
    check_row(row);
    if (!node && row->flags & CONF_REQUIRED && binder->conf->broken) {
        return;
    }
    if (!node && row->flags & CONF_REQUIRED) {
        struct buf expected = BUF_INIT;
        conf_expected(row, &expected);
        conf_report(binder->conf, &where, "\"%s\" is missing; expected %.*s", row->name,
                    SPAN_ARGS(buf_span(&expected)));
        buf_fini(&expected);
        return;
    }
    if (!node) {
        node = conf_default(binder->conf, row);
    }
    if (node && row->field.list) {
        bind_list(binder, row, node, base);
    } else if (node) {
        bind_one(binder, row, node, base + row->field.at);
    } else if (row->type.is == CONF_IS_MAP && !row->field.list && !(row->flags & CONF_OPTIONAL)) {
        bind_map(binder, row->type.table, NULL, where, base + row->field.at);
    }
}

static void bind_map(struct binder *binder, const struct conf_table *table, struct conf_node *node,
                     struct conf_where where, void *base)
{
    struct conf *conf = binder->conf;
    unsigned before = conf->error_count;

    for (struct conf_node *child = node ? node->first : NULL; child; child = child->next) {
        if (!conf_table_find(table, span_str(child->key))) {
            conf_unknown(conf, table, &child->key_where, child->key);
        }
    }
    for (const struct conf_directive *row = table->rows; row->name; row++) {
        bind_row(binder, row, conf_node_find(node, row->name), where, base);
    }
    /* if the file could not be read completely, all directives would be reported as missing */
    bool is_whole = !(conf->broken && table == conf->root);
    if (table->finish && (conf->error_count == before || table->finish_always) && is_whole) {
        struct conf_at at = {conf, table, node, where, binder->root, before};
        table->finish(base, binder->arena, &at);
    }
    if (node) {
        node->faulty = conf->error_count != before;
    }
}

int conf_bind(struct conf *conf, void *out, struct arena *arena)
{
    struct binder binder = {conf, arena, out};

    memset(out, 0, conf->root->size);
    bind_map(&binder, conf->root, conf->tree, conf->tree->where, out);
    if (conf->error_count > CONF_ERRORS_MAX) {
        buf_printf(conf->errors, "and %u more errors\n", conf->error_count - CONF_ERRORS_MAX);
    }
    return conf->error_count ? ERR_CONFIG : 0;
}

/* ---- for finish() ---- */

void *conf_root(const struct conf_at *at)
{
    return at->root;
}

bool conf_given(const struct conf_at *at, const char *name)
{
    return conf_node_find(at->node, name) != NULL;
}

bool conf_is_whole(const struct conf_at *at)
{
    bool faulty = at->node && at->node->faulty;

    return !faulty && at->conf->error_count == at->errors;
}

bool conf_written(const struct conf_at *at)
{
    return at->node != NULL;
}

/* The node written for the directive `name`; for a list, its item `index` if there is one. NULL:
 * nothing was written. */
static struct conf_node *node_inside(const struct conf_at *at, const char *name, size_t index)
{
    struct conf_node *node = name ? conf_node_find(at->node, name) : NULL;

    if (!node || node->kind != CONF_ITEMS) {
        return node;
    }
    if (index >= node->count) {
        return node;
    }
    if (!node->sought || index < node->sought_index) {
        node->sought = node->first;
        node->sought_index = 0;
    }
    /* the items are asked for in order, so each call takes one step */
    for (; node->sought_index < index; node->sought_index++) {
        node->sought = node->sought->next;
    }
    return node->sought;
}

const struct conf_at *conf_at_map(const struct conf_at *at, const char *name, size_t index)
{
    struct conf_at *inside = arena_alloc(&at->conf->memory, sizeof(*inside));
    struct conf_node *node = node_inside(at, name, index);

    *inside = *at;
    inside->errors = at->conf->error_count;
    if (node) {
        inside->node = node;
        inside->where = node->where;
    }
    return inside;
}

const char *conf_place(const struct conf_at *at, struct arena *arena)
{
    const struct conf_where *where = &at->where;

    if (where->source == CONF_FROM_DEFAULT) {
        return "default";
    }
    if (where->source == CONF_FROM_OPTION || where->line == 0) {
        return arena_printf(arena, "%s", where->name).at;
    }
    return arena_printf(arena, "%s:%u", where->name, where->line).at;
}

void conf_complain(const struct conf_at *at, const char *name, size_t index, const char *format,
                   ...)
{
    const struct conf_node *node = node_inside(at, name, index);
    struct conf_where where = node ? node->where : at->where;
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    conf_report(at->conf, &where, "%s", text);
}

void conf_remark(const struct conf_at *at, const char *name, size_t index, const char *format, ...)
{
    const struct conf_node *node = node_inside(at, name, index);
    struct conf_where where = node ? node->where : at->where;
    char text[1024] = "note: ";
    size_t len = strlen(text);
    va_list args;

    if (at->conf->note_count++ >= CONF_NOTES_MAX) {
        return;
    }
    va_start(args, format);
    vsnprintf(text + len, sizeof(text) - len, format, args);
    va_end(args);
    conf_say(at->conf, &where, text);
}
