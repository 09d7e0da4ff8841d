/*
 * The directive `include` at the top of a file names other files, whose directives are merged into
 * its own: maps are merged, list items are appended, and any other value that is already set is an
 * error that names both places. Each file is read once, so that inclusion always ends; depth,
 * number and size of files are bounded.
 */
#include "base/conf_tree.h"

#include "base/err.h"

#include <glob.h>
#include <sys/stat.h>
#include <errno.h>

enum { DEPTH_MAX = 8, FILES_MAX = 256 };

/* A file that has been read. */
struct conf_file {
    struct conf_file *next;
    const struct conf_file
        *from; /* the file that includes it; NULL: it was named on the command line */
    const char *name;
    struct conf_where where; /* place of the include directive */
    dev_t device;
    ino_t inode;
    unsigned depth;
};

const struct conf_directive conf_include_row = {
    CONF_INCLUDE,
    CONF_PATH,
    {0, 0, 0, true},
    NULL,
    NULL,
    NULL,
    CONF_RELOAD,
    "More configuration files, or patterns such as conf.d/*.yaml; only in files. Lists are "
    "joined in the order in which the files are read; any other value may be set in one "
    "file only."};

static void include_those_of(struct conf *conf, const struct conf_file *file,
                             struct conf_node *tree);

/* ---- merging ---- */

static void say_duplicate(struct conf *conf, const struct conf_node *node,
                          const struct conf_node *first)
{
    conf_report(conf, &node->key_where,
                "duplicate directive \"%.80s\"; expected once, the first is at %s:%u:%u", node->key,
                first->key_where.name, first->key_where.line, first->key_where.column);
}

static void become_list(struct conf *conf, struct conf_node *node)
{
    if (conf_node_is_nothing(node)) {
        conf_node_become(node, CONF_ITEMS);
    } else if (node->kind != CONF_ITEMS) {
        conf_node_wrap(conf, node, CONF_ITEMS, NULL);
    }
}

static void append_items(struct conf *conf, struct conf_node *into, struct conf_node *from)
{
    become_list(conf, into);
    become_list(conf, from);
    for (struct conf_node *item = from->first; item;) {
        struct conf_node *next = item->next;
        item->next = NULL;
        conf_node_add(into, NULL, item);
        item = next;
    }
}

static bool become_map(struct conf *conf, struct conf_node *node, const struct conf_table *table)
{
    if (conf_node_is_nothing(node)) {
        conf_node_become(node, CONF_ENTRIES);
    } else {
        conf_node_expand(conf, node, table);
    }
    return node->kind == CONF_ENTRIES;
}

/* Recursion is as deep as the tables are nested. */
static void merge(struct conf *conf, const struct conf_table *table, struct conf_node *into,
                  struct conf_node *from)
{
    for (struct conf_node *child = from->first; child;) {
        struct conf_node *next = child->next;
        struct conf_node *old = conf_node_find(into, child->key);
        const struct conf_directive *row = conf_table_find(table, span_str(child->key));

        child->next = NULL;
        if (!old) {
            conf_node_add(into, child->key, child);
        } else if (row && row->field.list) {
            append_items(conf, old, child);
        } else if (row && row->type.is == CONF_IS_MAP && become_map(conf, old, row->type.table) &&
                   become_map(conf, child, row->type.table)) {
            merge(conf, row->type.table, old, child);
        } else {
            say_duplicate(conf, child, old);
        }
        child = next;
    }
}

/* ---- files ---- */

/* Reports "a.yaml includes b.yaml includes a.yaml" if the file is one of those that led here. */
static bool say_loop(struct conf *conf, const struct conf_file *from, const struct conf_file *file,
                     const struct conf_where *where)
{
    struct buf way = BUF_INIT;
    bool loops = false;

    for (const struct conf_file *at = from; at && !loops; at = at->from) {
        loops = at == file;
        buf_printf(&way, "%s%s", buf_len(&way) ? ", which is included by " : "", at->name);
    }
    if (loops) {
        conf_report(conf, where,
                    "\"%s\" leads to itself: it is included by %.*s; expected no "
                    "cycle",
                    file->name, SPAN_ARGS(buf_span(&way)));
    }
    buf_fini(&way);
    return loops;
}

static bool is_new(struct conf *conf, const struct conf_file *from, const struct conf_file *file)
{
    for (const struct conf_file *at = conf->files; at; at = at->next) {
        if (at->device != file->device || at->inode != file->inode) {
            continue;
        }
        if (!say_loop(conf, from, at, &file->where)) {
            conf_report(conf, &file->where,
                        "\"%s\" is included already, at %s:%u:%u; expected each file once",
                        file->name, at->where.name, at->where.line, at->where.column);
        }
        return false;
    }
    return true;
}

static bool within_bounds(struct conf *conf, const struct conf_file *from,
                          const struct conf_where *where)
{
    if (from->depth == DEPTH_MAX) {
        conf_report(conf, where, "files that include files, %d deep; expected at most %d",
                    DEPTH_MAX + 1, DEPTH_MAX);
    } else if (conf->file_count == FILES_MAX) {
        conf_report(conf, where, "more than %d files; expected fewer", FILES_MAX);
    } else {
        return true;
    }
    return false;
}

static struct conf_file *remember(struct conf *conf, const struct conf_file *from, const char *name,
                                  const struct stat *stat, struct conf_where where)
{
    struct conf_file *file = arena_zalloc(&conf->memory, sizeof(*file));

    *file = (struct conf_file){.from = from,
                               .name = arena_printf(&conf->memory, "%s", name).at,
                               .where = where,
                               .device = stat->st_dev,
                               .inode = stat->st_ino,
                               .depth = from ? from->depth + 1 : 0};
    return file;
}

static void keep(struct conf *conf, struct conf_file *file)
{
    file->next = conf->files;
    conf->files = file;
    conf->file_count++;
}

/* Reads the tree of a file. NULL: an error was reported, or the file is empty. */
static struct conf_node *read_tree(struct conf *conf, const struct conf_file *file)
{
    struct conf_node *node = NULL;
    struct buf text = BUF_INIT;
    int err = conf_read_file(file->name, &text, NULL);

    conf->file_bytes += buf_len(&text);
    if (!err && conf->file_bytes > CONF_FILES_MAX) {
        err = ERR_TOO_LARGE;
    }
    if (err == ERR_TOO_LARGE) {
        conf_report(conf, &file->where, "\"%s\" is too much; expected at most 64MiB in all files",
                    file->name);
    } else if (err) {
        conf_report(conf, &file->where, "\"%s\" cannot be read: %s; expected a readable file",
                    file->name, err_text(err));
    } else {
        conf_tree_parse(conf, conf_without_mark(buf_span(&text)),
                        (struct conf_where){CONF_FROM_FILE, file->name, 1, 1}, &node);
    }
    buf_fini(&text);
    if (node && conf_node_is_nothing(node)) {
        return NULL;
    }
    if (node && node->kind != CONF_ENTRIES) {
        conf_report(conf, &node->where, "%s; expected directives such as %s:",
                    node->kind == CONF_ITEMS ? "a list" : "a single value",
                    conf->root->rows[0].name);
        return NULL;
    }
    return node;
}

static void include_file(struct conf *conf, const struct conf_file *from, struct conf_where where,
                         const char *name)
{
    struct stat stat_of;

    if (!within_bounds(conf, from, &where)) {
        return;
    }
    int err = stat(name, &stat_of) ? -errno : S_ISREG(stat_of.st_mode) ? 0 : ERR_UNSUPPORTED;
    if (err) {
        conf_report(conf, &where, "\"%s\" %s%s; expected a file, or a pattern such as %s", name,
                    err == ERR_UNSUPPORTED ? "is no file" : "cannot be read: ",
                    err == ERR_UNSUPPORTED ? "" : err_text(err), "conf.d/*.yaml");
        return;
    }
    struct conf_file *file = remember(conf, from, name, &stat_of, where);
    if (!is_new(conf, from, file)) {
        return;
    }
    keep(conf, file);
    struct conf_node *tree = read_tree(conf, file);
    if (tree) {
        struct conf_node *more = conf_node_take(tree, CONF_INCLUDE);
        merge(conf, conf->root, conf->tree, tree);
        include_those_of(conf, file, more);
    }
}

/* A pattern in a folder that is not there matches nothing; one that may not be read is an error. */
static int on_unreadable(const char *path, int error)
{
    (void)path;
    return error != ENOENT;
}

static void include_pattern(struct conf *conf, const struct conf_file *from,
                            const struct conf_node *item)
{
    const char *pattern = conf_path_meant(NULL, item, &conf->memory).at;
    glob_t found = {0};

    if (strpbrk(pattern, "*?[") == NULL) {
        include_file(conf, from, item->where, pattern);
        return;
    }
    int err = glob(pattern, 0, on_unreadable, &found); /* sorted by name */
    if (err && err != GLOB_NOMATCH) {
        conf_report(conf, &item->where,
                    "\"%s\" cannot be looked for: %s; expected a folder that "
                    "can be read",
                    pattern, err == GLOB_NOSPACE ? "no memory" : "no permission");
    }
    for (size_t i = 0; !err && i < found.gl_pathc; i++) {
        include_file(conf, from, item->where, found.gl_pathv[i]);
    }
    globfree(&found);
}

static void include_those_of(struct conf *conf, const struct conf_file *file,
                             struct conf_node *more)
{
    if (!more) {
        return;
    }
    become_list(conf, more);
    for (const struct conf_node *item = more->first; item; item = item->next) {
        if (item->kind == CONF_SCALAR && !conf_node_is_nothing(item)) {
            include_pattern(conf, file, item);
        } else {
            conf_report(conf, &item->where,
                        "no file to include; expected a path, or a pattern such as conf.d/*.yaml");
        }
    }
}

int conf_include(struct conf *conf, const char *path, const struct stat *stat_of)
{
    unsigned before = conf->error_count;
    struct conf_node *more = conf_node_take(conf->tree, CONF_INCLUDE);

    if (more) {
        struct conf_file *first = remember(conf, NULL, path, stat_of, more->where);
        keep(conf, first);
        include_those_of(conf, first, more);
    }
    return conf->error_count > before ? ERR_CONFIG : 0;
}
