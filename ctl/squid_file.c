/* Reads the effective lines of squid.conf and of included files, without those that an "if"
 * excludes. */
#include "ctl/squid.h"

#include "base/err.h"

struct source {
    const char *name;
    struct buf text;
    struct span rest;
    unsigned number;
};

enum { IFS_MAX = 16 };

struct reading {
    struct squid *squid;
    struct source sources[SQUID_INCLUDES_MAX];
    size_t depth;
    unsigned lines;
    bool taken[IFS_MAX]; /* for each open "if": are its lines used? */
    size_t ifs;
};

/* ---- include ---- */

/* Pushed in reverse order, so that the first file is read first. */
static void push_files(struct reading *reading, const struct squid_line *line, struct span paths)
{
    struct squid *squid = reading->squid;
    size_t base = reading->depth;

    while (paths.len) {
        char *path = squid_string(squid, span_cut(&paths, '\0'));
        struct source source = {.name = path};
        if (reading->depth == SQUID_INCLUDES_MAX) {
            squid_lose(squid, line, "%s: more than %d files, one inside the other", path,
                       SQUID_INCLUDES_MAX);
            continue;
        }
        int err = squid->io->read(squid->io->arg, path, &source.text);
        if (err) {
            squid_lose(squid, line, "%s: %s", path, err_text(err));
            buf_fini(&source.text);
            continue;
        }
        source.rest = buf_span(&source.text);
        memmove(&reading->sources[base + 1], &reading->sources[base],
                (reading->depth - base) * sizeof(source));
        reading->sources[base] = source;
        reading->depth++;
    }
}

static void include(struct reading *reading, const struct squid_line *line)
{
    struct squid *squid = reading->squid;
    struct buf paths = BUF_INIT;

    if (!squid->io) {
        squid_lose(squid, line, "the file cannot be read");
        return;
    }
    for (size_t i = 1; i < line->count; i++) {
        size_t before = buf_len(&paths);
        squid->io->match(squid->io->arg, squid_string(squid, line->words[i]), &paths);
        if (buf_len(&paths) == before) {
            squid_remark(squid, line, "no file is there");
        }
    }
    push_files(reading, line, buf_span(&paths));
    buf_fini(&paths);
}

/* ---- if ---- */

/* Evaluates "true", "false", "1", "1 = 2". False: the condition is known only when Squid runs. */
static bool evaluate(const struct squid_line *line, bool *out)
{
    uint64_t left, right;
    bool pair = line->count == 4 && span_eq(line->words[2], SPAN("="));

    if (line->count == 2 && span_eq(line->words[1], SPAN("true"))) {
        *out = true;
        return true;
    }
    if (line->count == 2 && span_eq(line->words[1], SPAN("false"))) {
        *out = false;
        return true;
    }
    if (!span_to_u64(squid_word(line, 1), UINT32_MAX, &left) || (!pair && line->count != 2)) {
        return false;
    }
    if (pair && !span_to_u64(line->words[3], UINT32_MAX, &right)) {
        return false;
    }
    *out = pair ? left == right : left != 0;
    return true;
}

static bool is_taken(const struct reading *reading)
{
    for (size_t i = 0; i < reading->ifs; i++) {
        if (!reading->taken[i]) {
            return false;
        }
    }
    return true;
}

static void open_if(struct reading *reading, const struct squid_line *line)
{
    bool outer = is_taken(reading), taken = false;

    if (outer && !evaluate(line, &taken)) {
        squid_lose(
            reading->squid, line,
            "its value is only known when Squid runs; the lines up to else or endif are left out");
    }
    if (reading->ifs == IFS_MAX) {
        squid_lose(reading->squid, line, "more than %d, one inside the other", IFS_MAX);
        return;
    }
    reading->taken[reading->ifs++] = taken;
}

/* Handles "if", "else", "endif" and "include". False: it is another directive. */
static bool steer(struct reading *reading, const struct squid_line *line)
{
    struct span word = squid_word(line, 0);
    bool is_else = span_eq(word, SPAN("else")), is_end = span_eq(word, SPAN("endif"));

    if (span_eq(word, SPAN("if"))) {
        open_if(reading, line);
    } else if ((is_else || is_end) && reading->ifs == 0) {
        squid_lose(reading->squid, line, "no if is open");
    } else if (is_else) {
        reading->taken[reading->ifs - 1] = !reading->taken[reading->ifs - 1];
    } else if (is_end) {
        reading->ifs--;
    } else if (span_eq(word, SPAN("include")) && is_taken(reading)) {
        include(reading, line);
    } else {
        return !is_taken(reading);
    }
    return true;
}

void squid_read(struct squid *squid, struct span text,
                void (*each)(struct squid *squid, const struct squid_line *line))
{
    struct reading reading = {.squid = squid, .depth = 1};
    struct squid_line line = {
        .words = arena_alloc(&squid->arena, SQUID_WORDS_MAX * sizeof(struct span)),
        .quoted = arena_alloc(&squid->arena, SQUID_WORDS_MAX * sizeof(bool)),
    };

    reading.sources[0] = (struct source){.name = squid->name, .rest = text};
    while (reading.depth && reading.lines++ < SQUID_LINES_MAX) {
        struct source *source = &reading.sources[reading.depth - 1];
        line.file = source->name;
        if (!squid_next(squid, &source->rest, &source->number, &line)) {
            buf_fini(&source->text);
            reading.depth--;
        } else if (!steer(&reading, &line)) {
            each(squid, &line);
        }
    }
    while (reading.depth) {
        buf_fini(&reading.sources[--reading.depth].text);
    }
    if (reading.ifs) {
        squid_lose(squid, &line, "an if has no endif");
    }
}
