/* Splits squid.conf into words, and writes notes about lines. */
#include "ctl/squid.h"

#include "ctl/show.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- words ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Takes a word from *rest; a text in double quotes is one word. Control bytes become '?'. */
static struct span next_word(struct squid *squid, struct span *rest)
{
    bool quoted = rest->len && rest->at[0] == '"';
    size_t i = quoted, len = 0;

    while (i < rest->len && (quoted ? rest->at[i] != '"' : !is_blank(rest->at[i]))) {
        i += quoted && rest->at[i] == '\\' ? 2 : 1;
    }
    i = i < rest->len ? i : rest->len;
    char *copy = arena_alloc(&squid->arena, i + 1);

    for (size_t at = quoted; at < i; at++) {
        char c = rest->at[at];
        if (quoted && c == '\\' && at + 1 < i) {
            c = rest->at[++at];
        }
        copy[len++] = (unsigned char)c < 0x20 || (unsigned char)c >= 0x7f ? '?' : c;
    }
    *rest = span_skip(*rest, i + quoted);
    return span_of(copy, len);
}

static void split(struct squid *squid, struct span text, struct squid_line *line)
{
    while (text.len) {
        if (is_blank(text.at[0])) {
            text = span_skip(text, 1);
        } else if (text.at[0] == '#') {
            return; /* comments may also follow words */
        } else if (line->count == SQUID_WORDS_MAX) {
            line->cut = true;
            return;
        } else {
            line->quoted[line->count] = text.at[0] == '"';
            line->words[line->count++] = next_word(squid, &text);
        }
    }
}

static bool is_continued(struct span *text)
{
    while (text->len && is_blank(text->at[text->len - 1])) {
        text->len--;
    }
    if (!span_ends(*text, SPAN("\\"))) {
        return false;
    }
    text->len--;
    return true;
}

bool squid_next(struct squid *squid, struct span *rest, unsigned *number, struct squid_line *line)
{
    struct buf raw = BUF_INIT;
    bool more = false;

    line->count = 0;
    line->cut = false;
    while (rest->len && *number < SQUID_LINES_MAX && (more || line->count == 0)) {
        struct span text = span_cut(rest, '\n');
        ++*number;
        line->number = more ? line->number : *number;
        more = is_continued(&text);
        split(squid, text, line);
        if (line->count) {
            buf_printf(&raw, "%s%.*s", buf_len(&raw) ? " " : "", SPAN_ARGS(span_trim(text)));
        }
    }
    /* the line is written to YAML and to a terminal */
    for (size_t i = raw.start; i < raw.end; i++) {
        unsigned char c = (unsigned char)raw.data[i];
        raw.data[i] = c == '\t' ? ' ' : c < 0x20 || c >= 0x7f ? '?' : (char)c;
    }
    line->raw = arena_copy(&squid->arena, buf_span(&raw));
    buf_fini(&raw);
    if (line->cut) {
        squid_lose(squid, line, "more than %d words: the rest is left out", SQUID_WORDS_MAX);
    }
    return line->count > 0;
}

struct span squid_rest(const struct squid_line *line, size_t words)
{
    struct span rest = line->raw;

    for (; words > 0; words--) {
        while (rest.len && is_blank(rest.at[0])) {
            rest = span_skip(rest, 1);
        }
        while (rest.len && !is_blank(rest.at[0])) {
            rest = span_skip(rest, 1);
        }
    }
    return span_trim(rest);
}

struct span squid_word(const struct squid_line *line, size_t i)
{
    return i < line->count ? line->words[i] : SPAN_EMPTY;
}

struct span squid_option(const struct squid_line *line, size_t from, const char *name)
{
    for (size_t i = from; i < line->count; i++) {
        if (span_starts(line->words[i], span_str(name))) {
            return span_skip(line->words[i], strlen(name));
        }
    }
    return SPAN_EMPTY;
}

bool squid_has(const struct squid_line *line, size_t from, const char *word)
{
    for (size_t i = from; i < line->count; i++) {
        if (span_eq(line->words[i], span_str(word))) {
            return true;
        }
    }
    return false;
}

/* ---- notes ---- */

__attribute__((format(printf, 4, 0))) static void note(struct squid *squid,
                                                       const struct squid_line *line,
                                                       const char *kind, const char *format,
                                                       va_list args)
{
    char text[512];

    vsnprintf(text, sizeof(text), format, args);
    for (char *at = text; *at; at++) { /* lists may contain bytes that control a terminal */
        *at = (unsigned char)*at < 0x20 || *at == 0x7f ? '?' : *at;
    }
    buf_printf(squid->notes, "%s:%u: %s", line->file, line->number, kind);
    for (size_t i = 0; i < line->count && i < 6; i++) {
        buf_printf(squid->notes, "%s%.*s", i ? " " : "", SPAN_ARGS(span_take(line->words[i], 60)));
    }
    buf_printf(squid->notes, "%s: %s\n", line->count > 6 ? " ..." : "", text);
}

void squid_lose(struct squid *squid, const struct squid_line *line, const char *format, ...)
{
    va_list args;

    squid->lost++;
    va_start(args, format);
    note(squid, line, "not translated: ", format, args);
    va_end(args);
}

void squid_remark(struct squid *squid, const struct squid_line *line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    note(squid, line, "", format, args);
    va_end(args);
}

/* ---- values ---- */

void squid_set(struct squid *squid, const struct squid_line *line, enum squid_value value,
               struct span text)
{
    if (text.len == 0) {
        squid_lose(squid, line, "not a valid value");
        return;
    }
    /* the last one counts, as in Squid */
    squid->values[value].text = arena_copy(&squid->arena, text);
    squid->values[value].from = arena_printf(&squid->arena, "%s:%u", line->file, line->number);
}

void squid_origin(const struct squid_line *line, struct buf *out)
{
    buf_printf(out, "  # %s:%u\n", line->file, line->number);
}

char *squid_string(struct squid *squid, struct span text)
{
    char *copy = arena_alloc(&squid->arena, text.len + 1);

    if (text.len) {
        memcpy(copy, text.at, text.len);
    }
    copy[text.len] = '\0';
    return copy;
}

struct squid_line squid_keep(struct squid *squid, const struct squid_line *line)
{
    struct squid_line kept = *line;

    kept.words = arena_alloc(&squid->arena, (line->count + 1) * sizeof(*line->words));
    kept.quoted = arena_alloc(&squid->arena, (line->count + 1) * sizeof(*line->quoted));
    memcpy(kept.words, line->words, line->count * sizeof(*line->words));
    memcpy(kept.quoted, line->quoted, line->count * sizeof(*line->quoted));
    return kept;
}

struct unit {
    const char *name;
    const char *suffix;
};

/* Translates "5", "5MB" or "5 MB" with the units of a list, of which the first is the default. */
static struct span with_unit(struct squid *squid, struct span number, struct span unit,
                             const struct unit *units)
{
    size_t digits = 0;
    uint64_t amount;

    while (digits < number.len && ascii_is_digit(number.at[digits])) {
        digits++;
    }
    if (digits < number.len) {
        unit = span_skip(number, digits);
    }
    if (!span_to_u64(span_take(number, digits), 1u << 30, &amount)) {
        return SPAN_EMPTY;
    }
    for (; units->name; units++) {
        if (span_ieq(unit, span_str(units->name))) {
            return arena_printf(&squid->arena, "%" PRIu64 "%s", amount, units->suffix);
        }
    }
    return SPAN_EMPTY;
}

struct span squid_size(struct squid *squid, struct span number, struct span unit)
{
    static const struct unit units[] = {{"", ""},      {"bytes", ""}, {"KB", "KiB"},
                                        {"MB", "MiB"}, {"GB", "GiB"}, {NULL, NULL}};

    return with_unit(squid, number, unit, units);
}

struct span squid_time(struct squid *squid, struct span number, struct span unit)
{
    static const struct unit units[] = {{"", "s"},         {"second", "s"},    {"seconds", "s"},
                                        {"minute", "min"}, {"minutes", "min"}, {"hour", "h"},
                                        {"hours", "h"},    {"day", "d"},       {"days", "d"},
                                        {"week", "w"},     {"weeks", "w"},     {NULL, NULL}};

    return with_unit(squid, number, unit, units);
}
