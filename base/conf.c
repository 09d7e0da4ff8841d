/*
 * The life of a conf, its tables and its files. The tree holds only what was written; defaults are
 * added while binding (conf_bind.c), so that a later option simply replaces the node of a file and
 * keeps its own origin.
 */
#include "base/conf_tree.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct conf *conf_new(const struct conf_table *root, struct buf *errors)
{
    struct conf *conf = xcalloc(1, sizeof(*conf));

    conf->root = root;
    conf->errors = errors;
    conf->said_from = buf_len(errors);
    arena_init(&conf->memory, NULL, 0);
    conf->tree = conf_node_new(conf, CONF_ENTRIES, (struct conf_where){.name = "configuration"});
    return conf;
}

void conf_free(struct conf **conf)
{
    if (*conf) {
        arena_fini(&(*conf)->memory);
        free(*conf);
        *conf = NULL;
    }
}

int conf_fault(struct conf *conf, const char *option, const char *format, ...)
{
    struct conf_where where = {CONF_FROM_OPTION, option, 0, 0};
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return conf_report(conf, &where, "%s", text);
}

/* ---- tables ---- */

const struct conf_directive *conf_table_find(const struct conf_table *table, struct span name)
{
    for (const struct conf_directive *row = table->rows; row->name; row++) {
        if (span_eq(name, span_str(row->name))) {
            return row;
        }
    }
    return NULL;
}

enum { PART_MIN = 4, MEANT_MAX = 4 };

/* Writes the names that may be meant: the one that is spelt alike, and those that have the word as
 * a part, or are a part of it, as "targets" is of "allow-targets". */
static void put_meant(const char *word, const char *const *names, size_t count, struct buf *out)
{
    const char *meant[MEANT_MAX] = {conf_closest(word, names, count)};
    size_t n = meant[0] ? 1 : 0;

    for (size_t i = 0; i < count && strlen(word) >= PART_MIN && n < MEANT_MAX; i++) {
        bool is_part = strlen(names[i]) >= PART_MIN && strstr(word, names[i]);
        if ((is_part || strstr(names[i], word)) && names[i] != meant[0]) {
            meant[n++] = names[i];
        }
    }
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "%s\"%s\"", i == 0 ? "" : i + 1 < n ? ", " : " or ", meant[i]);
    }
}

int conf_unknown(struct conf *conf, const struct conf_table *table, const struct conf_where *where,
                 const char *name)
{
    const char *names[64] = {NULL};
    struct buf known = BUF_INIT;
    size_t count = 0;

    for (const char *const *later = table->later; later && *later; later++) {
        if (strcmp(*later, name) == 0) {
            return conf_report(conf, where,
                               "\"%s\" is not supported yet; expected a configuration without it",
                               name);
        }
    }

    for (const struct conf_directive *row = table->rows; row->name; row++) {
        buf_printf(&known, "%s%s", count ? ", " : "", row->name);
        CHECK(count < ARRAY_LEN(names) - 1);
        names[count++] = row->name;
    }
    if (table == conf->root) {
        names[count++] = CONF_INCLUDE;
    }
    struct buf meant = BUF_INIT;
    put_meant(name, names, count, &meant);
    if (buf_len(&meant)) {
        conf_report(conf, where, "unknown directive \"%.80s\"; did you mean %.*s?", name,
                    SPAN_ARGS(buf_span(&meant)));
    } else {
        conf_report(conf, where, "unknown directive \"%.80s\"; expected %s%.*s", name,
                    count > 1 ? "one of " : "", SPAN_ARGS(buf_span(&known)));
    }
    buf_fini(&meant);
    buf_fini(&known);
    return ERR_CONFIG;
}

struct conf_node *conf_default(struct conf *conf, const struct conf_directive *row)
{
    struct conf_where where = {.source = CONF_FROM_DEFAULT, .name = row->name};
    struct conf_node *node;

    if (!row->fallback) {
        return NULL;
    }
    if (!row->field.list && row->type.is != CONF_IS_MAP) {
        return conf_node_scalar(conf, row->fallback, where);
    }
    CHECK(conf_tree_parse(conf, span_str(row->fallback), where, &node) == 0 && node != NULL);
    return node;
}

/* ---- files ---- */

struct span conf_without_mark(struct span yaml)
{
    return span_skip(yaml, span_starts(yaml, SPAN("\xef\xbb\xbf")) ? 3 : 0);
}

bool conf_misses_space(struct conf *conf, const struct conf_table *table,
                       const struct conf_node *node)
{
    struct span text = span_str(node->kind == CONF_SCALAR && node->plain ? node->text : "");
    size_t colon = span_find(text, ':');
    struct span name = span_take(text, colon);

    if (colon == text.len || !conf_table_find(table, name)) {
        return false;
    }
    conf_report(conf, &node->where, "no space after \"%.*s:\"; expected \"%.*s: VALUE\"",
                SPAN_ARGS(name), SPAN_ARGS(name));
    return true;
}

int conf_load_text(struct conf *conf, const char *name, struct span yaml)
{
    struct conf_where where = {CONF_FROM_FILE, name, 1, 1};
    struct conf_node *node;

    where.name = arena_printf(&conf->memory, "%s", name).at;
    if (conf->loaded) {
        return conf_report(conf, &where, "a second configuration file; expected one");
    }
    conf->loaded = true;
    conf->broken = true;
    int err = conf_tree_parse(conf, conf_without_mark(yaml), where, &node);
    if (err && !node) {
        return err;
    }
    if (!node || conf_node_is_nothing(node) || (node->kind == CONF_ENTRIES && !node->first)) {
        return conf_report(conf, &where, "nothing in this file; expected directives such as %s:",
                           conf->root->rows[0].name);
    }
    if (conf_misses_space(conf, conf->root, node)) {
        return ERR_CONFIG;
    }
    if (node->kind != CONF_ENTRIES) {
        return conf_report(conf, &node->where, "%s; expected directives such as %s:",
                           node->kind == CONF_ITEMS ? "a list" : "a single value",
                           conf->root->rows[0].name);
    }
    conf->broken = false;
    /* also for doubles, so that errors in the rest of the file are reported too */
    conf->tree = node;
    return err;
}

int conf_read_file(const char *path, struct buf *out, struct stat *stat_of)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;

    if (fd < 0) {
        return -errno;
    }
    while (n > 0 && buf_len(out) <= CONF_FILES_MAX) {
        n = read(fd, buf_reserve(out, 65536), 65536);
        buf_commit(out, n > 0 ? (size_t)n : 0);
    }
    int err = n < 0 || (stat_of && fstat(fd, stat_of) != 0) ? -errno : 0;
    close(fd);
    return !err && buf_len(out) > CONF_FILES_MAX ? ERR_TOO_LARGE : err;
}

int conf_load_file(struct conf *conf, const char *path)
{
    struct buf text = BUF_INIT;
    struct stat stat_of = {0};
    int err = conf_read_file(path, &text, &stat_of);

    conf->file_bytes = buf_len(&text);
    if (err == ERR_TOO_LARGE) {
        conf_fault(conf, path, "too large; expected at most 64MiB");
    } else if (err) {
        conf_fault(conf, path, "cannot be read: %s; expected a readable file", err_text(err));
    } else {
        err = conf_load_text(conf, path, buf_span(&text));
        if (!conf->broken && conf_include(conf, path, &stat_of) != 0) {
            conf->broken = true;
            err = ERR_CONFIG;
        }
    }
    conf->broken |= !conf->loaded;
    buf_fini(&text);
    return err ? ERR_CONFIG : 0;
}
