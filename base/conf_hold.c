/*
 * Makes the configuration in force after a reload: directives that only a restart can change keep
 * their old values, whatever the files say now. The result is a tree, so it is printed and compared
 * like any other.
 */
#include "base/conf_tree.h"

#include <stdio.h>

struct holder {
    struct conf *conf;
    const struct conf_flat *held;
    char path[512]; /* path of the current map with a trailing dot, in the form of conf_flatten() */
    size_t len;
};

static bool is_at(const struct holder *holder, const struct conf_setting *one, const char *name)
{
    return !one->by_reload && strncmp(one->path, holder->path, holder->len) == 0 &&
           strcmp(one->path + holder->len, name) == 0;
}

static const struct conf_setting *find_held(const struct holder *holder, const char *name)
{
    for (size_t i = 0; i < holder->held->count; i++) {
        if (is_at(holder, &holder->held->at[i], name)) {
            return &holder->held->at[i];
        }
    }
    return NULL;
}

/* Removes ":NUMBER" from the end of the text and returns the number. 0: the text does not end
 * so. */
static unsigned cut_number(struct span *text)
{
    size_t digits = 0;
    uint64_t number;

    while (digits < text->len && ascii_is_digit(text->at[text->len - 1 - digits])) {
        digits++;
    }
    struct span front = span_take(*text, text->len - digits);
    if (!span_ends(front, SPAN(":")) ||
        !span_to_u64(span_skip(*text, front.len), UINT32_MAX, &number)) {
        return 0;
    }
    *text = span_take(front, front.len - 1);
    return (unsigned)number;
}

/* The reverse of conf_origin(). A relative path was already resolved against the folder of its
 * file, so the value is treated like one from an option, which is not resolved again. */
static struct conf_where where_of(struct conf *conf, const struct conf_setting *one)
{
    struct span text = span_str(one->origin);
    struct conf_where where = {.source = CONF_FROM_OPTION};

    if (conf_origin_is_default(one->origin)) {
        return (struct conf_where){.source = CONF_FROM_DEFAULT, .name = one->path};
    }
    where.column = cut_number(&text);
    where.line = where.column ? cut_number(&text) : 0;
    if (where.line == 0) {
        text = span_str(one->origin);
    }
    where.name = arena_printf(&conf->memory, "%.*s", SPAN_ARGS(text)).at;
    return where;
}

/* Recursion is as deep as the tables are nested: the node was written by conf_flatten(). */
static void set_where(struct conf_node *node, const struct conf_where *where)
{
    node->where = *where;
    for (struct conf_node *child = node->first; child; child = child->next) {
        set_where(child, where);
    }
}

static struct conf_node *node_of(struct conf *conf, const struct conf_setting *one)
{
    struct conf_where where = where_of(conf, one);
    struct conf_node *node = NULL;

    /* conf_flatten() has written it, so it is valid YAML */
    CHECK(conf_tree_parse(conf, span_str(one->shown), where, &node) == 0);
    set_where(node, &where);
    return node;
}

static void hold_rows(struct holder *holder, const struct conf_table *table, struct conf_node *map);

/* Recursion is as deep as the tables are nested. */
static void hold_inside(struct holder *holder, const char *name, const struct conf_table *table,
                        struct conf_node *map)
{
    size_t before = holder->len, room = sizeof(holder->path) - before;
    int n = snprintf(holder->path + before, room, "%s.", name);

    holder->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
    hold_rows(holder, table, map);
    holder->len = before;
    holder->path[before] = '\0';
}

/* ---- lists ---- */

/* A copy of the item of this name in the files, whose reloadable values are used; an empty map if
 * the files have no such item. */
static struct conf_node *take_item(struct conf *conf, struct conf_node *list,
                                   const struct conf_table *table, const char *key)
{
    for (struct conf_node *item = list ? list->first : NULL; item; item = item->next) {
        conf_node_expand(conf, item, table);
        const struct conf_node *named = conf_node_find(item, table->shorthand);
        if (named && named->kind == CONF_SCALAR && strcmp(named->text, key) == 0) {
            struct conf_node *copy = arena_alloc(&conf->memory, sizeof(*copy));
            *copy = *item;
            copy->next = NULL;
            return copy;
        }
    }
    return conf_node_new(conf, CONF_ENTRIES, (struct conf_where){.source = CONF_FROM_DEFAULT});
}

/* The name in "listen[NAME].address", where `prefix` is "listen[". NULL: the path has another
 * form. */
static const char *key_of(const struct holder *holder, const struct conf_setting *one,
                          const char *prefix, const char *shorthand)
{
    struct span path = span_str(one->path);
    size_t tail = strlen(shorthand) + 2; /* "]." */

    if (one->by_reload || !span_starts(path, span_of(holder->path, holder->len))) {
        return NULL;
    }
    path = span_skip(path, holder->len);
    if (!span_starts(path, span_str(prefix)) || !span_ends(path, span_str(shorthand))) {
        return NULL;
    }
    path = span_skip(path, strlen(prefix));
    if (path.len < tail || !span_starts(span_skip(path, path.len - tail), SPAN("]."))) {
        return NULL;
    }
    return arena_printf(&holder->conf->memory, "%.*s", (int)(path.len - tail), path.at).at;
}

static void hold_keyed(struct holder *holder, const struct conf_directive *row,
                       struct conf_node *map)
{
    struct conf *conf = holder->conf;
    const struct conf_table *table = row->type.table;
    struct conf_node *old = conf_node_take(map, row->name);
    struct conf_node *list = NULL;
    const char *prefix = arena_printf(&conf->memory, "%s[", row->name).at;

    for (size_t i = 0; i < holder->held->count; i++) {
        const struct conf_setting *one = &holder->held->at[i];
        const char *key = key_of(holder, one, prefix, table->shorthand);
        if (key == NULL) {
            continue;
        }
        list = list ? list : conf_node_new(conf, CONF_ITEMS, where_of(conf, one));
        struct conf_node *item = take_item(conf, old, table, key);
        item->where = where_of(conf, one);
        conf_node_add(list, NULL, item);
        hold_inside(holder, arena_printf(&conf->memory, "%s%s]", prefix, key).at, table, item);
    }
    if (list) {
        conf_node_add(map, row->name, list);
    }
}

static void hold_list(struct holder *holder, const struct conf_directive *row,
                      struct conf_node *map)
{
    struct conf_node *list = NULL;

    conf_node_take(map, row->name);
    for (size_t i = 0; i < holder->held->count; i++) {
        const struct conf_setting *one = &holder->held->at[i];
        if (is_at(holder, one, row->name)) {
            list =
                list ? list : conf_node_new(holder->conf, CONF_ITEMS, where_of(holder->conf, one));
            conf_node_add(list, NULL, node_of(holder->conf, one));
        }
    }
    if (list) {
        conf_node_add(map, row->name, list);
    }
}

/* ---- maps and values ---- */

/* An optional map stays present or absent as it was at the start. */
static void hold_optional(struct holder *holder, const struct conf_directive *row,
                          struct conf_node *map)
{
    const struct conf_setting *held = find_held(holder, row->name);
    struct conf_node *node = conf_node_find(map, row->name);

    if (!held) {
        conf_node_take(map, row->name);
        return;
    }
    if (!node) {
        node = node_of(holder->conf, held);
        conf_node_add(map, row->name, node);
    }
    conf_node_expand(holder->conf, node, row->type.table);
    hold_inside(holder, row->name, row->type.table, node);
}

static void hold_map(struct holder *holder, const struct conf_directive *row, struct conf_node *map)
{
    struct conf_where nowhere = {.source = CONF_FROM_DEFAULT, .name = row->name};
    struct conf_node *node = conf_node_find(map, row->name);
    struct conf_node *inside = node ? node : conf_node_new(holder->conf, CONF_ENTRIES, nowhere);

    conf_node_expand(holder->conf, inside, row->type.table);
    hold_inside(holder, row->name, row->type.table, inside);
    if (!node && inside->count) {
        conf_node_add(map, row->name, inside);
    }
}

static void hold_value(struct holder *holder, const struct conf_directive *row,
                       struct conf_node *map)
{
    const struct conf_setting *held = find_held(holder, row->name);

    conf_node_take(map, row->name);
    if (held && !conf_origin_is_default(held->origin)) {
        conf_node_add(map, row->name, node_of(holder->conf, held));
    }
}

static void hold_rows(struct holder *holder, const struct conf_table *table, struct conf_node *map)
{
    for (const struct conf_directive *row = table->rows; row->name; row++) {
        bool by_reload = row->flags & CONF_RELOAD, is_map = row->type.is == CONF_IS_MAP;
        if (conf_is_keyed(row)) {
            hold_keyed(holder, row, map);
        } else if (is_map && !row->field.list && !by_reload && row->flags & CONF_OPTIONAL) {
            hold_optional(holder, row, map);
        } else if (is_map && !row->field.list) {
            hold_map(holder, row, map);
        } else if (!by_reload && row->field.list) {
            hold_list(holder, row, map);
        } else if (!by_reload) {
            hold_value(holder, row, map);
        }
    }
}

void conf_hold(struct conf *conf, const struct conf_flat *held)
{
    struct holder holder = {.conf = conf, .held = held};

    hold_rows(&holder, conf->root, conf->tree);
}
