/*
 * conf_tree - the inside of conf: values as a tree of nodes, from YAML or the command line, each
 * with the place where it was written. Shared by base/conf*.c only.
 */
#ifndef LARDER_BASE_CONF_TREE_H
#define LARDER_BASE_CONF_TREE_H

#include "base/conf.h"

struct stat;
struct conf_file;

/* The name of the directive that is not in the tables: files know it, and nobody else. */
#define CONF_INCLUDE "include"
extern const struct conf_directive conf_include_row;

enum conf_source { CONF_FROM_DEFAULT, CONF_FROM_FILE, CONF_FROM_OPTION };

struct conf_where {
    enum conf_source source;
    const char *name;      /* file or option */
    unsigned line, column; /* from 1; 0: an option */
};

enum conf_kind { CONF_SCALAR, CONF_ITEMS, CONF_ENTRIES };

struct conf_node {
    enum conf_kind kind;
    bool plain;       /* a scalar without quotes: empty, ~ and null mean "nothing" */
    const char *text; /* scalar: NUL-terminated, no control bytes */
    struct conf_where where;
    const char *said; /* what errors call it, if not by its row: the map that it is short for */
    const char *key;  /* in a map */
    struct conf_where key_where;
    struct conf_node *first, *last, *next; /* children, and the sibling */
    size_t count;                          /* of children */
    bool faulty;                           /* to be a map, and bound with errors inside */
    struct conf_node *sought; /* in a list: the item that was looked for last, and which it was */
    size_t sought_index;
};

/* A path that was bound, and where it stands. */
struct conf_bound_path {
    const char *path;
    struct conf_where where;
    struct conf_bound_path *next;
};

struct conf {
    const struct conf_table *root;
    struct buf *errors;
    unsigned error_count, note_count;
    struct arena memory;    /* nodes and texts */
    struct conf_node *tree; /* a map */
    bool loaded;            /* a file */
    bool broken;            /* not all of it was read: what is missing then is not reported */
    struct conf_bound_path *paths; /* the last one first */
    struct conf_file *files;       /* conf_include.c: that were read, when any includes others */
    unsigned file_count;
    size_t file_bytes;
    size_t values; /* that were read, of all files */
};

/* One line of error; more than a hundred are counted only. Returns ERR_CONFIG. */
__attribute__((format(printf, 3, 4))) int
conf_report(struct conf *conf, const struct conf_where *where, const char *format, ...);
/* The line alone: no error. */
void conf_say(struct conf *conf, const struct conf_where *where, const char *text);

struct conf_node *conf_node_new(struct conf *conf, enum conf_kind kind, struct conf_where where);
struct conf_node *conf_node_scalar(struct conf *conf, const char *text, struct conf_where where);
/* Puts `child` at the end of a list (key NULL) or a map. */
void conf_node_add(struct conf_node *parent, const char *key, struct conf_node *child);
struct conf_node *conf_node_find(const struct conf_node *map, const char *key);
/* Takes the child out of the map. NULL: it is not there. */
struct conf_node *conf_node_take(struct conf_node *map, const char *key);
/* Nothing written behind the colon. */
bool conf_node_is_nothing(const struct conf_node *node);
/* Empties the node: a list or map without children. */
void conf_node_become(struct conf_node *node, enum conf_kind kind);
/* Something else than a map, where `table` expects one: its shorthand. Leaves it without one. */
void conf_node_expand(struct conf *conf, struct conf_node *node, const struct conf_table *table);
/* A map or list of one around `node`, in its place in the tree. */
void conf_node_wrap(struct conf *conf, struct conf_node *node, enum conf_kind kind,
                    const char *key);

/* Parses YAML into *out (NULL on errors or when there is nothing). `where` gives source and name;
 * its line is the first's when it is not 0. */
int conf_tree_parse(struct conf *conf, struct span yaml, struct conf_where where,
                    struct conf_node **out);

const struct conf_directive *conf_table_find(const struct conf_table *table, struct span name);
/* "unknown directive …" with the names that there are. */
int conf_unknown(struct conf *conf, const struct conf_table *table, const struct conf_where *where,
                 const char *name);

/* "path:/srv", where YAML takes for a text what lacks a space behind the colon: reports it. False:
 * `node` is no such thing. */
bool conf_misses_space(struct conf *conf, const struct conf_table *table,
                       const struct conf_node *node);

/* ---- conf_value.c: scalars ---- */

/* A bare description of what the row takes: "a duration such as 250ms, 30s or 7d". */
void conf_expected(const struct conf_directive *row, struct buf *out);
/* " from 1ms to 5min", or nothing. */
void conf_range(const struct conf_directive *row, struct buf *out);
/* Binds a scalar node into *out; reports. */
int conf_scalar_bind(struct conf *conf, const struct conf_directive *row,
                     const struct conf_node *node, struct arena *arena, void *out);
/* The path as it is meant: from the folder of the file where it is written. It ends with a NUL.
 * `row` (may be NULL) may know words that are no paths. */
struct span conf_path_meant(const struct conf_directive *row, const struct conf_node *node,
                            struct arena *arena);

/* The value of a scalar that binds, the same for the same value however it is written. */
void conf_scalar_same(const struct conf_directive *row, const struct conf_node *node,
                      struct arena *arena, struct buf *out);
/* As YAML, in quotes where it needs them. Secrets are not shown. */
void conf_scalar_show(const struct conf_directive *row, const struct conf_node *node,
                      struct arena *arena, struct buf *out);

/* ---- files ---- */

/* Bytes of one, and of all together. */
enum { CONF_FILES_MAX = 64 << 20 };

/* ERR_TOO_LARGE or -errno. *stat_of (may be NULL) tells which file it was. */
int conf_read_file(const char *path, struct buf *out, struct stat *stat_of);
/* Without the mark that some editors put in front. */
struct span conf_without_mark(struct span yaml);
/* Merges the files that the tree's `include` names into it, and those that these name. `path` is
 * the file that the tree is of. */
int conf_include(struct conf *conf, const char *path, const struct stat *stat_of);

/* ---- what differs ---- */

/* "proxy.yaml:3:10", "--workers", "default". */
const char *conf_origin(struct arena *arena, const struct conf_where *where);

/* A list whose items are told apart by name, so that a reload may apply some of what is in them. */
bool conf_is_keyed(const struct conf_directive *row);
/* Is this the origin of a value that nobody wrote? */
bool conf_origin_is_default(const char *origin);

/* The value of a default, as a node; NULL when the row has none. */
struct conf_node *conf_default(struct conf *conf, const struct conf_directive *row);

#endif
