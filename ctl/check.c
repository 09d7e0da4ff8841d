/*
 * The daemons check their configuration themselves: `check` runs the program that the file is for,
 * so that the check cannot differ from what will happen when the file is loaded.
 */
#include "ctl/program.h"
#include "ctl/verbs.h"

#include "base/err.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

enum { DETECT_MAX = 1 << 20 };

/* ---- whose file ---- */

enum ctl_program check_detect(struct span yaml)
{
    static const char *const words[] = {"zones:", "replicas:", "nearest:", "resolver:"};

    while (yaml.len) {
        struct span line = span_cut(&yaml, '\n');
        for (size_t i = 0; i < ARRAY_LEN(words); i++) {
            if (span_starts(line, span_str(words[i]))) {
                return CTL_DNS;
            }
        }
    }
    return CTL_PROXY;
}

static enum ctl_program detect_file(const char *path)
{
    struct buf text = BUF_INIT;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? 1 : 0;

    while (n > 0 && buf_len(&text) < DETECT_MAX) {
        n = read(fd, buf_reserve(&text, 65536), 65536);
        buf_commit(&text, n > 0 ? (size_t)n : 0);
    }
    if (fd >= 0) {
        close(fd);
    }
    enum ctl_program program = check_detect(buf_span(&text));
    buf_fini(&text);
    return program;
}

/* ---- JSON ---- */

/* Removes ":12" from the front of *rest. False: it is not there, and nothing is removed. */
static bool cut_number(struct span *rest, uint64_t *out)
{
    struct span after = *rest;

    if (after.len == 0 || after.at[0] != ':') {
        return false;
    }
    after = span_skip(after, 1);
    size_t end = span_find(after, ':');
    if (!span_to_u64(span_take(after, end), UINT32_MAX, out)) {
        return false;
    }
    *rest = span_skip(after, end);
    return true;
}

/* Is it a line of the log, which begins with the time in milliseconds and a level? Errors of the
 * check are not. */
static bool is_log_line(struct span line)
{
    enum { TIME_LEN = sizeof("2026-11-29T20:32:02.728Z ") - 1 };
    struct span rest = span_skip(line, line.len < TIME_LEN ? line.len : TIME_LEN);

    return line.len > TIME_LEN && ascii_is_digit(line.at[0]) && line.at[TIME_LEN - 2] == 'Z' &&
           (span_starts(rest, SPAN("warn ")) || span_starts(rest, SPAN("info ")));
}

/* *note: the line is not an error, but a hint at something probably not intended. */
static json_t *line_json(const char *file, struct span line, bool *note)
{
    json_t *error = json_object();
    uint64_t row, column;
    struct span rest = line;

    if (span_starts(line, span_str(file))) {
        rest = span_skip(line, strlen(file));
        if (cut_number(&rest, &row) && cut_number(&rest, &column)) {
            json_object_set_new(error, "line", json_integer((json_int_t)row));
            json_object_set_new(error, "column", json_integer((json_int_t)column));
        }
        rest = span_starts(rest, SPAN(": ")) ? span_skip(rest, 2) : line;
    }
    *note = span_starts(rest, SPAN("note: ")) || is_log_line(rest);
    rest = span_starts(rest, SPAN("note: ")) ? span_skip(rest, 6) : rest;
    json_t *text = json_stringn(rest.at, rest.len);
    json_object_set_new(error, "text", text ? text : json_string("(not UTF-8)"));
    return error;
}

void check_json(const char *file, bool good, struct span lines, struct buf *out)
{
    json_t *root = json_object(), *errors = json_array(), *notes = json_array();
    bool note;

    while (lines.len) {
        struct span line = span_cut(&lines, '\n');
        if (line.len) {
            json_t *one = line_json(file, line, &note);
            json_array_append_new(note ? notes : errors, one);
        }
    }
    json_t *name = json_string(file);
    json_object_set_new(root, "file", name ? name : json_null());
    json_object_set_new(root, "good", json_boolean(good));
    json_object_set_new(root, "errors", errors);
    json_object_set_new(root, "notes", notes);
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    CHECK(text != NULL);
    buf_printf(out, "%s\n", text);
    free(text);
    json_decref(root);
}

/* ---- the verb ---- */

static void show(const struct ctl_options *options, const char *program, int status,
                 struct span lines)
{
    struct buf json = BUF_INIT;

    if (options->json) {
        check_json(options->operand, status == 0, lines, &json);
        fwrite(buf_span(&json).at, 1, buf_len(&json), stdout);
        buf_fini(&json);
        return;
    }
    fwrite(lines.at ? lines.at : "", 1, lines.len, stderr);
    if (status == 0) {
        const char *slash = strrchr(program, '/');
        printf("%s: a valid configuration for %s\n", options->operand, slash ? slash + 1 : program);
    }
}

int verb_check(const struct ctl_options *options)
{
    enum ctl_program which =
        options->program == CTL_DETECT ? detect_file(options->operand) : options->program;
    struct buf lines = BUF_INIT, nothing = BUF_INIT;
    const char *words[] = {"--check", "--config", options->operand};
    char program[PROGRAM_PATH_MAX];

    program_find(which, program);
    int status = program_run(program, NULL, words, ARRAY_LEN(words), &nothing, &lines);
    if (status < 0) {
        fprintf(stderr,
                "larderctl: %s cannot be run: %s; it is looked for beside larderctl and in "
                "PATH\n",
                program, err_text(status));
    } else {
        show(options, program, status, buf_span(&lines));
    }
    buf_fini(&lines);
    buf_fini(&nothing);
    return status < 0 ? CTL_USAGE : status ? CTL_BAD : CTL_GOOD;
}
