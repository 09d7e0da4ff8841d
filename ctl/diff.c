/*
 * Compares a file, or the files that a daemon was started with, with the configuration in force.
 * The daemon reports its settings and how it was started; its program, run again with the same
 * arguments, prints the settings of the files as they are now.
 */
#include "ctl/fetch.h"
#include "ctl/program.h"
#include "ctl/reload.h"
#include "ctl/verbs.h"

#include "base/conf_json.h"
#include "base/err.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- what differs, as JSON ---- */

int diff_settings(struct span before, struct span after, struct buf *out)
{
    struct conf_flat old, new;
    struct arena arena;

    arena_init(&arena, NULL, 0);
    int err = conf_read_settings(before, &arena, &old);
    err = err ? err : conf_read_settings(after, &arena, &new);
    if (!err) {
        json_t *root = conf_changes_json(&old, &new);
        char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        buf_printf(out, "%s\n", text);
        free(text);
        json_decref(root);
    }
    arena_fini(&arena);
    return err;
}

/* ---- the settings of the files ---- */

/* The arguments with which the daemon was started, with another file. */
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
        buf_printf(why, "larderctl: what answers there is not a daemon of Larder\n");
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
