/*
 * A configuration as a flat list of settings, and the differences between two such lists: they show
 * what a reload would change before it is done.
 */
#include "base/conf_tree.h"

#include "base/mem.h"
#include "base/siphash.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- values as text ---- */

enum text_kind { TEXT_SHOWN, TEXT_SAME };

static void put_text(const struct conf_directive *row, const struct conf_node *node,
                     enum text_kind kind, struct conf *conf, struct buf *out)
{
    static const struct sip_key key = {0x6c61726465722d66, 0x6c61742d73616d65};
    bool secret = row->flags & CONF_SECRET;

    if (kind == TEXT_SAME && secret) {
        buf_printf(out, "%016llx", (unsigned long long)sip_hash64(&key, span_str(node->text)));
    } else if (kind == TEXT_SAME) {
        conf_scalar_same(row, node, &conf->memory, out);
    } else {
        conf_scalar_show(row, node, &conf->memory, out);
    }
}

static void put_value(const struct conf_directive *row, struct conf_node *node, bool is_item,
                      enum text_kind kind, struct conf *conf, struct buf *out);

/* Directives that were not written in an item are left out. */
static void put_map(const struct conf_table *table, struct conf_node *map, enum text_kind kind,
                    struct conf *conf, struct buf *out)
{
    bool first = true;

    conf_node_expand(conf, map, table);
    buf_printf(out, "{");
    for (const struct conf_directive *row = table->rows; row->name; row++) {
        struct conf_node *node = conf_node_find(map, row->name);
        if (node) {
            buf_printf(out, "%s%s: ", first ? "" : ", ", row->name);
            put_value(row, node, false, kind, conf, out);
            first = false;
        }
    }
    buf_printf(out, "}");
}

static void as_list(struct conf *conf, struct conf_node *node)
{
    if (conf_node_is_nothing(node)) {
        conf_node_become(node, CONF_ITEMS);
    } else if (node->kind != CONF_ITEMS) {
        conf_node_wrap(conf, node, CONF_ITEMS, NULL);
    }
}

static void put_value(const struct conf_directive *row, struct conf_node *node, bool is_item,
                      enum text_kind kind, struct conf *conf, struct buf *out)
{
    if (row->field.list && !is_item) {
        as_list(conf, node);
        buf_printf(out, "[");
        for (struct conf_node *item = node->first; item; item = item->next) {
            put_value(row, item, true, kind, conf, out);
            buf_printf(out, "%s", item->next ? ", " : "");
        }
        buf_printf(out, "]");
    } else if (row->type.is == CONF_IS_MAP) {
        put_map(row->type.table, node, kind, conf, out);
    } else {
        put_text(row, node, kind, conf, out);
    }
}

/* ---- the list ---- */

struct flattener {
    struct conf *conf;
    struct arena *arena;
    char path[512]; /* path of the map being listed, with a trailing dot */
    size_t len;     /* length of `path` */
    struct conf_setting *list;
    size_t count, room;
};

/* The text of a value; `like` itself if both texts are equal, to save memory. */
static const char *value_text(struct flattener *flat, const struct conf_directive *row,
                              struct conf_node *node, bool is_item, enum text_kind kind,
                              const char *like)
{
    struct buf text = BUF_INIT;

    put_value(row, node, is_item, kind, flat->conf, &text);
    struct span value = buf_span(&text);
    const char *copy = like && span_eq(value, span_str(like))
                           ? like
                           : arena_printf(flat->arena, "%.*s", SPAN_ARGS(value)).at;
    buf_fini(&text);
    return copy;
}

/* All items of one list share one copy of the path. */
static const char *path_text(const struct flattener *flat, const struct conf_directive *row)
{
    const char *last = flat->count ? flat->list[flat->count - 1].path : "";

    if (strncmp(last, flat->path, flat->len) == 0 && strcmp(last + flat->len, row->name) == 0) {
        return last;
    }
    return arena_printf(flat->arena, "%.*s%s", (int)flat->len, flat->path, row->name).at;
}

static const char from_default[] = "default";

bool conf_origin_is_default(const char *origin)
{
    return strcmp(origin, from_default) == 0;
}

const char *conf_origin(struct arena *arena, const struct conf_where *where)
{
    if (where->source == CONF_FROM_DEFAULT) {
        return from_default;
    }
    return where->line ? arena_printf(arena, "%s:%u:%u", where->name, where->line, where->column).at
                       : arena_printf(arena, "%s", where->name).at;
}

static struct conf_setting *add(struct flattener *flat, const struct conf_directive *row,
                                struct conf_node *node, bool is_item)
{
    if (flat->count == flat->room) {
        flat->room = flat->room ? 2 * flat->room : 128;
        flat->list = xrealloc(flat->list, flat->room * sizeof(*flat->list));
    }
    const char *shown = value_text(flat, row, node, is_item, TEXT_SHOWN, NULL);
    flat->list[flat->count] = (struct conf_setting){
        .path = path_text(flat, row),
        .shown = shown,
        .same = value_text(flat, row, node, is_item, TEXT_SAME, shown),
        .origin = conf_origin(flat->arena, &node->where),
        .by_reload = row->flags & CONF_RELOAD,
        .is_item = is_item,
    };
    return &flat->list[flat->count++];
}

/* Adds the setting that an optional map is present, which only a restart can change. Its directives
 * follow one by one. */
static void add_part(struct flattener *flat, const struct conf_directive *row,
                     struct conf_node *node)
{
    struct conf_setting *part = add(flat, row, node, false);

    part->same = "";
    part->is_part = true;
}

static void add_rows(struct flattener *flat, const struct conf_table *table,
                     const struct conf_node *map);

/* Recursion is as deep as the tables are nested. A path that is too long is cut, which affects only
 * the name shown. */
static void add_inside(struct flattener *flat, const char *name, const char *key,
                       const struct conf_table *table, const struct conf_node *map)
{
    size_t before = flat->len, room = sizeof(flat->path) - before;
    int n = snprintf(flat->path + before, room, "%s%s%s%s.", name, key ? "[" : "", key ? key : "",
                     key ? "]" : "");

    flat->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
    add_rows(flat, table, map);
    flat->len = before;
}

bool conf_is_keyed(const struct conf_directive *row)
{
    return row->field.list && row->type.is == CONF_IS_MAP && !(row->flags & CONF_RELOAD) &&
           row->type.table->shorthand != NULL;
}

static void add_items(struct flattener *flat, const struct conf_directive *row,
                      struct conf_node *list)
{
    as_list(flat->conf, list);
    for (struct conf_node *item = list->first; item; item = item->next) {
        if (!conf_is_keyed(row)) {
            add(flat, row, item, true);
            continue;
        }
        conf_node_expand(flat->conf, item, row->type.table);
        const struct conf_node *key = conf_node_find(item, row->type.table->shorthand);
        bool named = key && key->kind == CONF_SCALAR;
        add_inside(flat, row->name, named ? key->text : "", row->type.table, item);
    }
}

static void add_rows(struct flattener *flat, const struct conf_table *table,
                     const struct conf_node *map)
{
    for (const struct conf_directive *row = table->rows; row->name; row++) {
        struct conf_node *node = conf_node_find(map, row->name);

        node = node ? node : conf_default(flat->conf, row);
        if (node && row->field.list) {
            add_items(flat, row, node);
        } else if (row->type.is == CONF_IS_MAP && (node || !(row->flags & CONF_OPTIONAL))) {
            if (node) {
                conf_node_expand(flat->conf, node, row->type.table);
            }
            if (row->flags & CONF_OPTIONAL && !(row->flags & CONF_RELOAD)) {
                add_part(flat, row, node);
            }
            add_inside(flat, row->name, NULL, row->type.table, node);
        } else if (node && row->type.is != CONF_IS_MAP) {
            add(flat, row, node, false);
        }
    }
}

void conf_flatten(struct conf *conf, struct arena *arena, struct conf_flat *out)
{
    struct flattener flat = {.conf = conf, .arena = arena};

    add_rows(&flat, conf->root, conf->tree);
    out->count = flat.count;
    out->at = arena_alloc(arena, flat.count * sizeof(*flat.list) + 1);
    if (flat.count) {
        memcpy(out->at, flat.list, flat.count * sizeof(*flat.list));
    }
    free(flat.list);
}

/* ---- two of them ---- */

typedef const struct conf_setting *setting;

static int by_value(const void *left, const void *right)
{
    setting a = *(const setting *)left, b = *(const setting *)right;
    int order = strcmp(a->path, b->path);

    order = order ? order : strcmp(a->same, b->same);
    return order ? order : (a > b) - (a < b);
}

/* The settings of one of the two configurations, sorted by path and value. */
struct side {
    setting *list;
    size_t at, count;
    size_t end;  /* index behind the last setting of the current path */
    size_t left; /* how many settings of the current path the other side lacks; keep_unlike() puts
                    them first */
};

static struct side side_of(const struct conf_flat *flat)
{
    struct side side = {.list = xcalloc(flat->count + 1, sizeof(setting)), .count = flat->count};

    for (size_t i = 0; i < flat->count; i++) {
        side.list[i] = &flat->at[i];
    }
    qsort(side.list, side.count, sizeof(setting), by_value);
    return side;
}

static const char *path_at(const struct side *side)
{
    return side->at < side->count ? side->list[side->at]->path : NULL;
}

/* Selects the settings of `path`, possibly none. */
static void enter_path(struct side *side, const char *path)
{
    side->end = side->at;
    while (side->end < side->count && strcmp(side->list[side->end]->path, path) == 0) {
        side->end++;
    }
    side->left = 0;
}

/* Were the items also written in the same order? Both sides have the same settings of the path. */
static bool same_order(const struct side *a, const struct side *b)
{
    setting first = a->list[a->at], second = b->list[b->at];

    for (size_t i = a->at; i < a->end; i++) {
        first = a->list[i] < first ? a->list[i] : first;
    }
    for (size_t i = b->at; i < b->end; i++) {
        second = b->list[i] < second ? b->list[i] : second;
    }
    for (size_t i = 0; i < a->end - a->at; i++) {
        if (strcmp(first[i].same, second[i].same) != 0) {
            return false;
        }
    }
    return true;
}

/* Moves the settings that only one side has to the front of the range of the current path. */
static void keep_unlike(struct side *a, struct side *b)
{
    size_t i = a->at, j = b->at;

    while (i < a->end || j < b->end) {
        int order = i == a->end ? 1 : j == b->end ? -1 : strcmp(a->list[i]->same, b->list[j]->same);
        if (order < 0) {
            a->list[a->at + a->left++] = a->list[i++];
        } else if (order > 0) {
            b->list[b->at + b->left++] = b->list[j++];
        } else {
            i++;
            j++;
        }
    }
}

static void compare_path(struct side *a, struct side *b,
                         void (*tell)(void *arg, const struct conf_change *change), void *arg)
{
    bool both = a->end > a->at && a->end - a->at == b->end - b->at;
    bool moved = both && a->list[a->at]->is_item && !same_order(a, b);
    setting any = both ? b->list[b->at] : NULL;

    keep_unlike(a, b);
    if (a->left == 1 && b->left == 1 && !b->list[b->at]->is_item) {
        tell(arg, &(struct conf_change){CONF_CHANGED, a->list[a->at], b->list[b->at]});
        return;
    }
    for (size_t i = 0; i < a->left; i++) {
        tell(arg, &(struct conf_change){CONF_REMOVED, a->list[a->at + i], NULL});
    }
    for (size_t i = 0; i < b->left; i++) {
        tell(arg, &(struct conf_change){CONF_ADDED, NULL, b->list[b->at + i]});
    }
    if (moved && a->left == 0 && b->left == 0) {
        tell(arg, &(struct conf_change){CONF_MOVED, any, any});
    }
}

/* The path of an optional map that only one side has: one line reports it with everything
 * inside. */
static const char *whole_part(const struct side *a, const struct side *b)
{
    const struct side *has = a->end > a->at ? a : b;
    bool alone = (a->end > a->at) != (b->end > b->at);

    return alone && has->list[has->at]->is_part ? has->list[has->at]->path : NULL;
}

static bool is_inside(const char *path, const char *part)
{
    size_t len = part ? strlen(part) : 0;

    return part && strncmp(path, part, len) == 0 && path[len] == '.';
}

void conf_compare(const struct conf_flat *before, const struct conf_flat *after,
                  void (*tell)(void *arg, const struct conf_change *change), void *arg)
{
    struct side a = side_of(before), b = side_of(after);
    /* the map reported last as a whole; its contents come next, as "." sorts first */
    const char *told = NULL;

    for (;;) {
        const char *left = path_at(&a), *right = path_at(&b);
        if (!left && !right) {
            break;
        }
        const char *path = !left ? right : !right ? left : strcmp(left, right) < 0 ? left : right;
        enter_path(&a, path);
        enter_path(&b, path);
        if (!is_inside(path, told)) {
            const char *part = whole_part(&a, &b);
            told = part ? part : told;
            compare_path(&a, &b, tell, arg);
        }
        a.at = a.end;
        b.at = b.end;
    }
    free(a.list);
    free(b.list);
}

bool conf_is_written(const struct conf_flat *flat, const char *path)
{
    for (size_t i = 0; i < flat->count; i++) {
        if (strcmp(flat->at[i].path, path) == 0) {
            return !conf_origin_is_default(flat->at[i].origin);
        }
    }
    return false;
}
