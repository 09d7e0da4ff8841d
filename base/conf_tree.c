/*
 * The loader consumes libyaml's events instead of its documents: every bound is checked before
 * memory is allocated, and anchors, aliases and tags are refused where they occur. It keeps its own
 * stack, so hostile nesting causes an error and nothing else.
 */
#include "base/conf_tree.h"

#include "base/check.h"
#include "base/err.h"

#include <yaml.h>

enum { DEPTH_MAX = 16, KEYS_MAX = 256, TEXT_MAX = 65536 };

/* Most YAML events (scalars, beginnings and ends of lists and maps) of all files together. Each
 * costs at most a node and its text, so parsing stays below 1 GiB. */
#define VALUES_MAX 4000000

_Static_assert(VALUES_MAX *(sizeof(struct conf_node) + 64) < 1ull << 30, "with what texts take");

struct loader {
    struct conf *conf;
    struct conf_where start; /* source and name of every node, line of the first */
    struct conf_node *stack[DEPTH_MAX];
    size_t depth;
    const char *key; /* the key whose value is expected next */
    struct conf_where key_where;
    struct conf_node *root;
    unsigned documents;
};

/* ---- nodes ---- */

struct conf_node *conf_node_new(struct conf *conf, enum conf_kind kind, struct conf_where where)
{
    struct conf_node *node = arena_zalloc(&conf->memory, sizeof(*node));

    node->kind = kind;
    node->where = where;
    return node;
}

struct conf_node *conf_node_scalar(struct conf *conf, const char *text, struct conf_where where)
{
    struct conf_node *node = conf_node_new(conf, CONF_SCALAR, where);

    node->text = arena_printf(&conf->memory, "%s", text).at;
    return node;
}

void conf_node_add(struct conf_node *parent, const char *key, struct conf_node *child)
{
    child->key = key;
    if (parent->last) {
        parent->last->next = child;
    } else {
        parent->first = child;
    }
    parent->last = child;
    parent->count++;
}

struct conf_node *conf_node_find(const struct conf_node *map, const char *key)
{
    struct conf_node *node = map && map->kind == CONF_ENTRIES ? map->first : NULL;

    while (node && strcmp(node->key, key) != 0) {
        node = node->next;
    }
    return node;
}

struct conf_node *conf_node_take(struct conf_node *map, const char *key)
{
    struct conf_node *before = NULL, *node = map->first;

    while (node && strcmp(node->key, key) != 0) {
        before = node;
        node = node->next;
    }
    if (!node) {
        return NULL;
    }
    if (before) {
        before->next = node->next;
    } else {
        map->first = node->next;
    }
    map->last = map->last == node ? before : map->last;
    map->count--;
    node->next = NULL;
    return node;
}

bool conf_node_is_nothing(const struct conf_node *node)
{
    return node->kind == CONF_SCALAR && node->plain &&
           (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
            strcmp(node->text, "null") == 0);
}

void conf_node_become(struct conf_node *node, enum conf_kind kind)
{
    node->kind = kind;
    node->text = NULL;
    node->first = NULL;
    node->last = NULL;
    node->count = 0;
}

void conf_node_wrap(struct conf *conf, struct conf_node *node, enum conf_kind kind, const char *key)
{
    struct conf_node *inner = arena_alloc(&conf->memory, sizeof(*inner));

    *inner = *node;
    inner->next = NULL;
    inner->key_where = node->where;
    conf_node_become(node, kind);
    conf_node_add(node, key, inner);
}

void conf_node_expand(struct conf *conf, struct conf_node *node, const struct conf_table *table)
{
    bool is_list = node->kind == CONF_ITEMS && table->shortlist;
    const char *name = is_list ? table->shortlist : table->shorthand;

    if (node->kind != CONF_ENTRIES && name) {
        conf_node_wrap(conf, node, CONF_ENTRIES, name);
    }
}

/* ---- YAML ---- */

static struct conf_where where_of(const struct loader *loader, const yaml_mark_t *mark)
{
    struct conf_where where = loader->start;

    if (where.line) {
        where.line += (unsigned)mark->line;
        where.column = (unsigned)mark->column + 1;
    }
    return where;
}

static int refuse(struct loader *loader, const yaml_event_t *event, const char *what)
{
    struct conf_where where = where_of(loader, &event->start_mark);
    return conf_report(loader->conf, &where, "%s", what);
}

static bool has_controls(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

/* Adds a finished or newly opened node to the innermost open container. */
static int attach(struct loader *loader, struct conf_node *node)
{
    struct conf_node *parent = loader->depth ? loader->stack[loader->depth - 1] : NULL;

    if (!parent) {
        loader->root = node;
        return 0;
    }
    if (parent->kind == CONF_ITEMS) {
        conf_node_add(parent, NULL, node);
        return 0;
    }
    const char *key = loader->key;
    const struct conf_node *first = conf_node_find(parent, key);
    node->key_where = loader->key_where;
    loader->key = NULL;
    if (first) {
        conf_report(loader->conf, &node->key_where,
                    "duplicate directive \"%.80s\"; expected once, the first is on line %u", key,
                    first->key_where.line);
        return 0; /* the node is not added to the tree, but errors inside it are still found */
    }
    if (parent->count == KEYS_MAX) {
        return conf_report(loader->conf, &node->key_where,
                           "too many directives in one map; expected at most %d", KEYS_MAX);
    }
    conf_node_add(parent, key, node);
    return 0;
}

static bool wants_key(const struct loader *loader)
{
    return loader->depth && loader->stack[loader->depth - 1]->kind == CONF_ENTRIES && !loader->key;
}

static int on_scalar(struct loader *loader, const yaml_event_t *event)
{
    struct span text = span_of(event->data.scalar.value, event->data.scalar.length);
    struct conf_where where = where_of(loader, &event->start_mark);

    if (event->data.scalar.anchor) {
        return refuse(loader, event, "an anchor; expected the value itself");
    }
    if (event->data.scalar.tag) {
        return refuse(loader, event, "a tag; expected a plain value");
    }
    if (span_find(text, '\t') < text.len) {
        return refuse(loader, event,
                      "a tab in a value (between double quotes, \\t is one); expected printable "
                      "text, or \\t between single quotes for the format of a log");
    }
    if (has_controls(text)) {
        return refuse(loader, event, "a control character in a value; expected printable text");
    }
    if (text.len > TEXT_MAX) {
        return refuse(loader, event, "a value longer than 65536 bytes; expected a shorter one");
    }
    const char *copy = arena_printf(&loader->conf->memory, "%.*s", SPAN_ARGS(text)).at;
    if (wants_key(loader)) {
        loader->key = copy;
        loader->key_where = where;
        return 0;
    }
    struct conf_node *node = conf_node_new(loader->conf, CONF_SCALAR, where);
    node->text = copy;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return attach(loader, node);
}

static int on_open(struct loader *loader, const yaml_event_t *event, enum conf_kind kind,
                   bool anchor, bool tag)
{
    if (anchor) {
        return refuse(loader, event, "an anchor; expected the value itself");
    }
    if (tag) {
        return refuse(loader, event, "a tag; expected a plain value");
    }
    if (wants_key(loader)) {
        return refuse(loader, event, "a list or map as the name of a directive; expected a word");
    }
    if (loader->depth == DEPTH_MAX) {
        return refuse(loader, event, "nested too deeply; expected at most 16 levels");
    }
    struct conf_node *node =
        conf_node_new(loader->conf, kind, where_of(loader, &event->start_mark));
    int err = attach(loader, node);
    loader->stack[loader->depth++] = node;
    return err;
}

static int on_event(struct loader *loader, const yaml_event_t *event)
{
    if (++loader->conf->values > VALUES_MAX) {
        return refuse(loader, event, "too many values; expected at most 4000000 in all files");
    }
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (loader->documents++) {
            return refuse(loader, event, "a second document; expected one");
        }
        return 0;
    case YAML_ALIAS_EVENT:
        return refuse(loader, event, "an alias; expected the value itself");
    case YAML_SCALAR_EVENT:
        return on_scalar(loader, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(loader, event, CONF_ITEMS, event->data.sequence_start.anchor,
                       event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return on_open(loader, event, CONF_ENTRIES, event->data.mapping_start.anchor,
                       event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        CHECK(loader->depth > 0);
        loader->depth--;
        return 0;
    default:
        return 0;
    }
}

/* libyaml's messages for common mistakes, and what to write instead. */
static const struct {
    const char *context, *problem; /* NULL: any */
    const char *expected;
} slips[] = {
    {NULL, "mapping values are not allowed",
     "a space after the colon of each name, and names of one map indented alike"},
    {"while parsing a block mapping", NULL, "names of one map indented alike"},
    {"while parsing a block collection", NULL, "items of one list indented alike"},
    {"while scanning a simple key", "could not find expected ':'",
     "\"NAME: VALUE\" with a space after the colon, and names of one map indented alike"},
    {"while scanning an alias", NULL, "quotes around a value that begins with *"},
    {"while scanning an anchor", NULL, "quotes around a value that begins with &"},
    {"while scanning for the next token", NULL,
     "quotes around a value that begins with a special character"},
    {"while parsing a flow sequence", NULL, "a comma between items, and ] after the last one"},
    {"while parsing a flow mapping", NULL, "a comma between directives, and } after the last one"},
    {"while scanning a quoted scalar", NULL, "a quote at the end"},
};

static bool is_about(const char *said, const char *slip)
{
    return !slip || (said && strncmp(said, slip, strlen(slip)) == 0);
}

static const char *expected_instead(const yaml_parser_t *parser)
{
    for (size_t i = 0; i < ARRAY_LEN(slips); i++) {
        if (is_about(parser->context, slips[i].context) &&
            is_about(parser->problem, slips[i].problem)) {
            return slips[i].expected;
        }
    }
    return "YAML 1.1";
}

/* The place of an invalid UTF-8 byte, for which libyaml does not report a line. */
static yaml_mark_t mark_of_byte(struct span yaml, size_t at)
{
    yaml_mark_t mark = {0};

    for (size_t i = 0; i < at && i < yaml.len; i++) {
        mark.line += yaml.at[i] == '\n';
        mark.column = yaml.at[i] == '\n' ? 0 : mark.column + 1;
    }
    return mark;
}

static bool is_indented_by_tab(struct span yaml, const yaml_mark_t *mark)
{
    struct span line = SPAN_EMPTY;

    for (size_t i = 0; i <= mark->line; i++) {
        line = span_cut(&yaml, '\n');
    }
    for (size_t i = 0; i < line.len && (line.at[i] == ' ' || line.at[i] == '\t'); i++) {
        if (line.at[i] == '\t') {
            return i <= mark->column;
        }
    }
    return false;
}

static int syntax_error(struct loader *loader, const yaml_parser_t *parser, struct span yaml)
{
    /* libyaml reports a missing closing quote only at the end of the file */
    bool unended = is_about(parser->context, "while scanning a quoted scalar");
    yaml_mark_t mark = unended ? parser->context_mark : parser->problem_mark;
    const char *problem = parser->problem ? parser->problem : "unreadable";

    if (parser->error == YAML_READER_ERROR) {
        mark = mark_of_byte(yaml, parser->problem_offset);
        struct conf_where place = where_of(loader, &mark);
        return conf_report(loader->conf, &place, "not YAML: %s; expected UTF-8 text", problem);
    }
    struct conf_where where = where_of(loader, &mark);
    if (is_indented_by_tab(yaml, &mark)) {
        return conf_report(loader->conf, &where, "a tab; expected spaces for indentation");
    }
    return conf_report(loader->conf, &where, "not YAML: %s%s%s; expected %s",
                       parser->context ? parser->context : "", parser->context ? ", " : "", problem,
                       expected_instead(parser));
}

static int run(struct loader *loader, yaml_parser_t *parser, struct span yaml)
{
    bool end = false;
    int err = 0;

    while (!end && !err) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event)) {
            return syntax_error(loader, parser, yaml);
        }
        err = on_event(loader, &event);
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    return err;
}

int conf_tree_parse(struct conf *conf, struct span yaml, struct conf_where where,
                    struct conf_node **out)
{
    struct loader loader = {.conf = conf, .start = where};
    unsigned before = conf->error_count;
    yaml_parser_t parser;

    *out = NULL;
    CHECK(yaml_parser_initialize(&parser));
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml.at, yaml.len);
    int err = run(&loader, &parser, yaml);
    yaml_parser_delete(&parser);
    if (!err) {
        *out = loader.root;
    }
    return conf->error_count > before ? ERR_CONFIG : 0;
}
