/*
 * conf_tree - the inside of conf, shared by base/conf*.c: values as a tree of nodes, from YAML or
 * the command line, each with the place where it was written.
 */
#ifndef LARDER_BASE_CONF_TREE_H
#define LARDER_BASE_CONF_TREE_H

#include "base/conf.h"

struct stat;
struct conf_file;

/* A directive that is in no table: only files have it. */
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
    bool plain;       /* a scalar without quotes, where empty, ~ and null mean "nothing" */
    const char *text; /* scalar: NUL-terminated, no control bytes */
    struct conf_where where;
    const char *
        said; /* name for errors, if it is not that of the row: the map that it is a shorthand of */
    const char *key; /* if it is in a map */
    struct conf_where key_where;
    struct conf_node *first, *last, *next; /* children; next sibling */
    size_t count;                          /* of children */
    bool faulty;                           /* was bound as a map, with errors inside */
    struct conf_node *sought;              /* in a list: the item looked up last, and its index */
    size_t sought_index;
};

/* A path that was bound, and where it was written. */
struct conf_bound_path {
    const char *path;
    struct conf_where where;
    struct conf_bound_path *next;
};

enum { CONF_ERRORS_MAX = 100, CONF_NOTES_MAX = 20 };

struct conf {
    const struct conf_table *root;
    struct buf *errors;
    size_t said_from; /* bytes of errors that were there before */
    unsigned error_count, note_count;
    struct arena memory;    /* nodes and texts */
    struct conf_node *tree; /* a map */
    bool loaded;            /* a file was loaded */
    bool broken;            /* not everything was read, so missing directives are not reported */
    struct conf_bound_path *paths; /* latest first */
    struct conf_file *files;       /* conf_include.c: files read, if any includes others */
    unsigned file_count;
    size_t file_bytes;
    size_t values; /* values read, in all files */
};

/* ---- conf_report.c ---- */

/* Adds an error line, in the order of the file; after a hundred they are only counted. Returns
 * ERR_CONFIG. */
__attribute__((format(printf, 3, 4))) int
conf_report(struct conf *conf, const struct conf_where *where, const char *format, ...);
/* Adds a line that is no error. */
void conf_say(struct conf *conf, const struct conf_where *where, const char *text);

struct conf_node *conf_node_new(struct conf *conf, enum conf_kind kind, struct conf_where where);
struct conf_node *conf_node_scalar(struct conf *conf, const char *text, struct conf_where where);
/* Appends `child` to a list (key NULL) or a map. */
void conf_node_add(struct conf_node *parent, const char *key, struct conf_node *child);
struct conf_node *conf_node_find(const struct conf_node *map, const char *key);
/* Removes a child from a map and returns it. NULL: there is none. */
struct conf_node *conf_node_take(struct conf_node *map, const char *key);
/* Is nothing written behind the colon? */
bool conf_node_is_nothing(const struct conf_node *node);
/* Makes the node an empty list or map. */
void conf_node_become(struct conf_node *node, enum conf_kind kind);
/* Expands something other than a map to the map that it is a shorthand of; leaves it unchanged if
 * `table` has no shorthand. */
void conf_node_expand(struct conf *conf, struct conf_node *node, const struct conf_table *table);
/* Puts a list or map around `node`, in its place. */
void conf_node_wrap(struct conf *conf, struct conf_node *node, enum conf_kind kind,
                    const char *key);

/* Parses YAML into *out (NULL on errors, or if there is nothing). `where` has source and name; its
 * line, unless 0, is that of the first line. */
int conf_tree_parse(struct conf *conf, struct span yaml, struct conf_where where,
                    struct conf_node **out);

const struct conf_directive *conf_table_find(const struct conf_table *table, struct span name);
/* Reports an unknown directive, with the one that is probably meant, or all that are known. */
int conf_unknown(struct conf *conf, const struct conf_table *table, const struct conf_where *where,
                 const char *name);

/* Reports text such as "path:/srv", where the space behind the colon is missing and YAML sees a
 * scalar. False: `node` is nothing like it. */
bool conf_misses_space(struct conf *conf, const struct conf_table *table,
                       const struct conf_node *node);

/* ---- conf_value.c: scalars ---- */

/* Describes what the row accepts: "a duration such as 250ms, 30s or 7d". */
void conf_expected(const struct conf_directive *row, struct buf *out);
/* Writes " from 1ms to 5min", or nothing. */
void conf_range(const struct conf_directive *row, struct buf *out);
/* Parses a scalar into *out; reports errors. */
int conf_scalar_bind(struct conf *conf, const struct conf_directive *row,
                     const struct conf_node *node, struct arena *arena, void *out);
/* A path relative to the folder of the file where it was written; NUL-terminated. `row` (may be
 * NULL) may have words that are no paths. */
struct span conf_path_meant(const struct conf_directive *row, const struct conf_node *node,
                            struct arena *arena);

/* Writes a valid scalar in a form that is equal for equal values. */
void conf_scalar_same(const struct conf_directive *row, const struct conf_node *node,
                      struct arena *arena, struct buf *out);
/* Writes it as YAML, quoted if necessary. Secrets are not shown. */
void conf_scalar_show(const struct conf_directive *row, const struct conf_node *node,
                      struct arena *arena, struct buf *out);

/* ---- files ---- */

/* Most bytes of one file, and of all together. */
enum { CONF_FILES_MAX = 64 << 20 };

/* Reads a file. ERR_TOO_LARGE or -errno. *stat_of (may be NULL) identifies the file. */
int conf_read_file(const char *path, struct buf *out, struct stat *stat_of);
/* Removes the byte order mark that some editors write. */
struct span conf_without_mark(struct span yaml);
/* Merges the files named by `include` into the tree, and those that they include. `path` is the
 * file of the tree. */
int conf_include(struct conf *conf, const char *path, const struct stat *stat_of);

/* ---- what differs ---- */

/* "proxy.yaml:3:10", "--workers", "default". */
const char *conf_origin(struct arena *arena, const struct conf_where *where);

/* Is it a list whose items have names, so that a reload can change values in them? */
bool conf_is_keyed(const struct conf_directive *row);
/* Does this origin mean that nobody wrote the value? */
bool conf_origin_is_default(const char *origin);

/* The default of a row as a node; NULL: it has none. */
struct conf_node *conf_default(struct conf *conf, const struct conf_directive *row);

#endif
