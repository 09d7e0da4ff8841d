/*
 * Errors and notes as lines of text. What is found in several passes (syntax, unknown names,
 * values, what belongs together, files that are named) is put in the order of the file, which is
 * the order it is corrected in.
 */
#include "base/conf_tree.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

/* What a line is about; 0: it does not say. */
struct place {
    struct span name;
    uint64_t line, column;
};

/* Takes ":NUMBER" off the end of `name`; 0: there is none. */
static uint64_t take_number(struct span *name)
{
    size_t at = name->len;
    uint64_t number;

    while (at > 0 && name->at[at - 1] >= '0' && name->at[at - 1] <= '9') {
        at--;
    }
    if (at == 0 || name->at[at - 1] != ':' ||
        !span_to_u64(span_skip(*name, at), UINT64_MAX, &number)) {
        return 0;
    }
    *name = span_take(*name, at - 1);
    return number;
}

/* Reads what a line begins with: "FILE:LINE:COLUMN: ", "FILE:LINE: " or "OPTION: ". */
static struct place read_place(struct span line)
{
    struct place place = {.name = line};

    for (size_t i = 0; i + 1 < line.len; i++) {
        if (line.at[i] == ':' && line.at[i + 1] == ' ') {
            place.name = span_take(line, i);
            break;
        }
    }
    place.line = take_number(&place.name);
    uint64_t number = take_number(&place.name);
    if (number) {
        place.column = place.line;
        place.line = number;
    }
    return place;
}

static bool is_behind(const struct place *a, const struct place *b)
{
    return a->line > b->line || (a->line == b->line && a->column > b->column);
}

/* Where a new line belongs, as an offset: before the first that is behind it in its file, otherwise
 * behind the last about that file, otherwise at the end. */
static size_t offset_among(const struct buf *lines, size_t from, struct span line)
{
    struct place place = read_place(line);
    struct span rest = span_skip(buf_span(lines), from);
    size_t offset = buf_len(lines);

    while (rest.len) {
        size_t start = buf_len(lines) - rest.len;
        struct place other = read_place(span_cut(&rest, '\n'));
        if (!span_eq(other.name, place.name)) {
            continue;
        }
        if (is_behind(&other, &place)) {
            return start;
        }
        offset = buf_len(lines) - rest.len;
    }
    return offset;
}

void conf_sort_in(struct buf *errors, size_t from, struct span line)
{
    size_t offset = offset_among(errors, from, line), behind = buf_len(errors) - offset;

    buf_reserve(errors, line.len + 1);
    buf_commit(errors, line.len + 1);
    char *at = errors->data + errors->start + offset;
    memmove(at + line.len + 1, at, behind);
    memcpy(at, line.at, line.len);
    at[line.len] = '\n';
}

void conf_say(struct conf *conf, const struct conf_where *where, const char *text)
{
    struct buf line = BUF_INIT;

    if (where->line) {
        buf_printf(&line, "%s:%u:%u: %s", where->name, where->line, where->column, text);
    } else {
        buf_printf(&line, "%s: %s", where->name, text);
    }
    conf_sort_in(conf->errors, conf->said_from, buf_span(&line));
    buf_fini(&line);
}

int conf_report(struct conf *conf, const struct conf_where *where, const char *format, ...)
{
    va_list args;
    char text[2048];

    conf->error_count++;
    if (conf->error_count > CONF_ERRORS_MAX) {
        return ERR_CONFIG;
    }
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    conf_say(conf, where, text);
    return ERR_CONFIG;
}
