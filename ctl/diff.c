/*
 * A file, or the configuration that a daemon was started with, against what is in force. The daemon
 * tells its settings and how it was started; its program, run once more by the same words, tells
 * those of the files as they are now.
 */
#include "ctl/fetch.h"
#include "ctl/program.h"
#include "ctl/reload.h"
#include "ctl/verbs.h"

#include "base/conf.h"
#include "base/err.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- what differs, as JSON ---- */

static void put_text(json_t *object, const char *name, const char *text)
{
    json_t *value = text ? json_string(text) : NULL;

    if (text) {
        json_object_set_new(object, name, value ? value : json_string("(not UTF-8)"));
    }
}

static void put_change(void *arg, const struct conf_change *change)
{
    static const char *const kinds[] = {[CONF_ADDED] = "added",
                                        [CONF_REMOVED] = "removed",
                                        [CONF_CHANGED] = "changed",
                                        [CONF_MOVED] = "moved"};
    const struct conf_setting *any = change->after ? change->after : change->before;
    json_t *row = json_object();

    put_text(row, "path", any->path);
    put_text(row, "kind", kinds[change->kind]);
    if (change->kind != CONF_MOVED) {
        put_text(row, "before", change->before ? change->before->shown : NULL);
        put_text(row, "after", change->after ? change->after->shown : NULL);
    }
    put_text(row, "origin", any->origin);
    put_text(row, "by", any->by_reload ? "reload" : "restart");
    json_array_append_new(arg, row);
}

int diff_settings(struct span before, struct span after, struct buf *out)
{
    struct conf_flat old, new;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    int err = conf_read_settings(before, &arena, &old);
    err = err ? err : conf_read_settings(after, &arena, &new);
    if (!err) {
        json_t *root = json_object(), *changes = json_array();
        conf_compare(&old, &new, put_change, changes);
        json_object_set_new(root, "changes", changes);
        char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        buf_printf(out, "%s\n", text);
        free(text);
        json_decref(root);
    }
    arena_fini(&arena);
    return err;
}

/* ---- what the files say ---- */

/* The words by which the daemon was started, with another file. */
static size_t words_with(const struct conf_command *command, const char *file, const char **out)
{
    size_t count = 0;

    out[count++] = "--print-settings";
    for (size_t i = 0; i < command->count; i++) {
        const char *word = command->arguments[i];
        bool names = strcmp(word, "--config") == 0;
        if (file && (names || strncmp(word, "--config=", 9) == 0)) {
            i += names;
        } else {
            out[count++] = word;
        }
    }
    if (file) {
        out[count++] = "--config";
        out[count++] = file;
    }
    return count;
}

static int load_files(enum ctl_program which, const struct conf_command *command, const char *file,
                      struct buf *out, struct buf *why)
{
    const char *words[CONF_ARGUMENTS_MAX + 3];
    char program[PROGRAM_PATH_MAX];

    program_find(which, program);
    int status =
        program_run(program, command->folder, words, words_with(command, file, words), out, why);
    if (status < 0) {
        buf_printf(why,
                   "larderctl: %s cannot be run in %s: %s; it is looked for beside larderctl and "
                   "in PATH\n",
                   program, command->folder, err_text(status));
    } else if (status > 0) {
        buf_printf(why, "larderctl: the configuration has errors\n");
    }
    return status ? ERR_CONFIG : 0;
}

int diff_by_program(enum ctl_program which, const char *admin, const char *file, struct buf *out,
                    struct buf *why)
{
    struct buf before = BUF_INIT, after = BUF_INIT;
    struct conf_command command;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    int err = fetch(admin, "/config/settings", &before, why);
    if (err) {
        buf_printf(why, "\n");
    } else if (conf_read_command(buf_span(&before), &arena, &command) != 0) {
        buf_printf(why, "larderctl: what answers there is no daemon of Larder\n");
        err = ERR_SYNTAX;
    } else {
        err = load_files(which, &command, file, &after, why);
        err = err ? err : diff_settings(buf_span(&before), buf_span(&after), out);
    }
    buf_fini(&before);
    buf_fini(&after);
    arena_fini(&arena);
    return err;
}
