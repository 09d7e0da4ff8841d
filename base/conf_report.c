/*
 * Errors and notes as lines of text. What is found in several passes (syntax, unknown names,
 * values, what belongs together) is put in the order of the file, which is the order it is
 * corrected in.
 */
#include "base/conf_tree.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

static bool is_behind(const struct conf_said *said, const struct conf_where *where)
{
    return said->line > where->line || (said->line == where->line && said->column > where->column);
}

/* Where a line stands among those already said: behind what comes before it in its file. */
static size_t place_among(const struct conf *conf, const struct conf_where *where)
{
    size_t place = conf->said_count;

    for (size_t i = 0; i < conf->said_count; i++) {
        const struct conf_said *said = &conf->said[i];
        if (strcmp(said->name, where->name) != 0) {
            continue;
        }
        if (is_behind(said, where)) {
            return i;
        }
        place = i + 1;
    }
    return place;
}

/* Moves the last `len` bytes to `offset`. */
static void move_up(struct buf *text, size_t offset, size_t len)
{
    char *start = text->data + text->start;
    size_t from = buf_len(text) - len;
    char *line = xmalloc(len);

    memcpy(line, start + from, len);
    memmove(start + offset + len, start + offset, from - offset);
    memcpy(start + offset, line, len);
    free(line);
}

/* The last `len` bytes of the text are a new line. */
static void sort_in(struct conf *conf, const struct conf_where *where, size_t len)
{
    size_t place = place_among(conf, where), offset = conf->said_from;

    if (conf->said_count == CONF_SAID_MAX) {
        return;
    }
    for (size_t i = 0; i < place; i++) {
        offset += conf->said[i].len;
    }
    move_up(conf->errors, offset, len);
    memmove(conf->said + place + 1, conf->said + place,
            (conf->said_count - place) * sizeof(*conf->said));
    conf->said[place] = (struct conf_said){where->name, where->line, where->column, len};
    conf->said_count++;
}

void conf_say(struct conf *conf, const struct conf_where *where, const char *text)
{
    size_t before = buf_len(conf->errors);

    if (where->line) {
        buf_printf(conf->errors, "%s:%u:%u: %s\n", where->name, where->line, where->column, text);
    } else {
        buf_printf(conf->errors, "%s: %s\n", where->name, text);
    }
    sort_in(conf, where, buf_len(conf->errors) - before);
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
