/* The access logs: their destinations, and how a format string is compiled to pieces. */
#include "proxy/config/directives_table.h"

#include "base/err.h"
#include "http/names.h"

#include <stdio.h>

/* Longest line that certainly fits into ACCESSLOG_LINE_MAX (proxy/client/accesslog.h). */
enum { STYLE_MAX = 32000, PIECES_MAX = 100 };

const char *const log_field_words[] = {
#define X(id, word, max, number) [LOG_##id] = (word),
    LOG_FIELDS(X)
#undef X
};

static const size_t log_field_max[] = {
#define X(id, word, max, number) [LOG_##id] = (max),
    LOG_FIELDS(X)
#undef X
};

/* ---- fields ---- */

static enum log_field find_field(struct span word)
{
    for (int i = LOG_TEXT + 1; i < LOG_REQUEST; i++) {
        if (span_eq(word, span_str(log_field_words[i]))) {
            return (enum log_field)i;
        }
    }
    return LOG_TEXT;
}

static int unknown_field(struct span word, struct arena *arena, const char **what)
{
    const char *name = arena_printf(arena, "%.*s", SPAN_ARGS(span_take(word, 64))).at;
    const char *closest =
        conf_closest(name, log_field_words + LOG_TEXT + 1, LOG_REQUEST - LOG_TEXT - 1);

    *what = arena_printf(arena, "there is no field \"%s\"%s%s%s", name, CONF_HINT(closest, "")).at;
    return ERR_SYNTAX;
}

static int parse_field(struct span text, struct arena *arena, void *out, const char **what)
{
    struct log_piece *piece = out;
    struct span name = span_skip(text, span_starts(text, SPAN("request.")) ? 8 : text.len);

    *piece = (struct log_piece){.field = name.len ? LOG_REQUEST : find_field(text)};
    if (name.len && !http_is_token(name)) {
        *what = "a field of a request has another name";
        return ERR_SYNTAX;
    }
    piece->text = arena_copy(arena, name.len ? name : SPAN_EMPTY);
    return piece->field == LOG_TEXT ? unknown_field(text, arena, what) : 0;
}

const struct conf_custom log_field_type = {
    .expected = "a field of the log such as client or url",
    .size = sizeof(struct log_piece),
    .parse = parse_field,
};

/* ---- formats ---- */

struct builder {
    struct log_piece pieces[PIECES_MAX];
    size_t count;
    char text[4096]; /* text of the current piece */
    size_t len;
    size_t total; /* longest possible line */
};

static int add_piece(struct builder *builder, struct log_piece piece, const char **what)
{
    size_t most = piece.field == LOG_TEXT ? piece.text.len : log_field_max[piece.field];

    builder->total += most;
    if (builder->count == PIECES_MAX || builder->total > STYLE_MAX) {
        *what = "its lines could be too long";
        return ERR_SYNTAX;
    }
    builder->pieces[builder->count++] = piece;
    return 0;
}

static int add_text(struct builder *builder, struct arena *arena, const char **what)
{
    struct span text = span_of(builder->text, builder->len);

    builder->len = 0;
    return text.len == 0
               ? 0
               : add_piece(builder,
                           (struct log_piece){.field = LOG_TEXT, .text = arena_copy(arena, text)},
                           what);
}

static int add_field(struct builder *builder, struct span name, struct arena *arena,
                     const char **what)
{
    struct log_piece piece;
    bool quoted = builder->len > 0 && builder->text[builder->len - 1] == '"';
    int err = add_text(builder, arena, what);

    err = err ? err : parse_field(name, arena, &piece, what);
    piece.quoted = quoted;
    return err ? err : add_piece(builder, piece, what);
}

/* Reads one byte of text at the beginning of the template: *c is the byte, and the result how many
 * bytes of the template it takes; 0: a field begins. */
static size_t literal(struct span rest, char *c)
{
    *c = rest.at[0];
    if (span_starts(rest, SPAN("\\t"))) {
        *c = '\t';
        return 2;
    }
    if (span_starts(rest, SPAN("{{")) || span_starts(rest, SPAN("}}"))) {
        return 2;
    }
    return *c == '{' ? 0 : 1;
}

/* Compiles "{time} {client} ...": {{ and }} are braces, \t is a tab. */
static int build(struct builder *builder, struct span rest, struct arena *arena, const char **what)
{
    while (rest.len) {
        char c;
        size_t len = literal(rest, &c);
        if (len == 0) {
            size_t end = span_find(rest, '}');
            if (end == rest.len) {
                *what = "a { without its }";
                return ERR_SYNTAX;
            }
            int err = add_field(builder, span_take(span_skip(rest, 1), end - 1), arena, what);
            if (err) {
                return err;
            }
            len = end + 1;
        } else if (len == 1 && c == '}') {
            *what = "a } without its {";
            return ERR_SYNTAX;
        } else if (builder->len < sizeof(builder->text)) {
            builder->text[builder->len++] = c;
        }
        rest = span_skip(rest, len);
    }
    return add_text(builder, arena, what);
}

static void finish_style(const struct builder *builder, struct arena *arena,
                         struct log_style *style)
{
    struct log_piece *pieces = arena_alloc(arena, builder->count * sizeof(*pieces) + 1);

    memcpy(pieces, builder->pieces, builder->count * sizeof(*pieces));
    style->pieces = pieces;
    style->piece_count = builder->count;
}

static int parse_style(struct span text, struct arena *arena, void *out, const char **what)
{
    static const struct span names[] = {[ACCESS_SQUID] = SPAN_INIT("squid"),
                                        [ACCESS_COMBINED] = SPAN_INIT("combined"),
                                        [ACCESS_JSON] = SPAN_INIT("json")};
    struct builder builder = {.count = 0};
    struct log_style *style = out;

    *style = (struct log_style){.format = ACCESS_SQUID};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (span_eq(text, names[i])) {
            style->format = (enum access_format)i;
            return 0;
        }
    }
    style->format = ACCESS_TEMPLATE;
    if (span_find(text, '{') == text.len || text.len > sizeof(builder.text)) {
        return ERR_SYNTAX;
    }
    int err = build(&builder, text, arena, what);
    finish_style(&builder, arena, style);
    return err;
}

const struct conf_custom log_style_type = {
    .expected = "squid, combined, json, or fields in a text such as \"{time} {client} {url} "
                "{outcome}\"",
    .size = sizeof(struct log_style),
    .parse = parse_style,
};

/* ---- logs ---- */

/* A list of fields makes a line with spaces between them or, as JSON, an object with only these. */
static int style_of_fields(struct access_log *log, bool as_json, struct arena *arena,
                           const char **what)
{
    struct builder builder = {.count = 0};
    int err = 0;

    for (size_t i = 0; !err && i < log->field_count; i++) {
        struct log_piece blank = {.field = LOG_TEXT, .text = SPAN(" ")};
        err = i && !as_json ? add_piece(&builder, blank, what) : 0;
        err = err ? err : add_piece(&builder, log->fields[i], what);
        builder.total += as_json ? 2 * strlen(log_field_words[log->fields[i].field]) + 600 : 0;
    }
    log->style.format = as_json ? ACCESS_JSON : ACCESS_TEMPLATE;
    finish_style(&builder, arena, &log->style);
    return err;
}

void access_log_finish(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct access_log *log = bound;
    bool styled = conf_given(at, "format");
    bool as_json = styled && log->style.format == ACCESS_JSON;
    const char *what = NULL;

    log->has_style = styled || log->field_count;
    if (styled && log->field_count && !as_json) {
        conf_complain(
            at, "fields", 0,
            "\"fields\" beside a \"format\" that names them itself; expected one of them, "
            "or format: json");
    } else if (log->field_count && style_of_fields(log, as_json, arena, &what) != 0) {
        conf_complain(at, "fields", 0, "%s; expected fewer fields", what);
    } else if (conf_given(at, "fields") && !log->field_count) {
        conf_complain(at, "fields", 0, "an empty list; expected fields such as client");
    }
}

/* Called for the map `log`, whose rows are bound to the settings. */
void log_finish(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct settings *settings = bound;

    (void)arena;
    if (settings->access_log_count > ACCESS_LOGS_MAX) {
        conf_complain(at, "access", ACCESS_LOGS_MAX, "%zu access logs; expected at most %d",
                      settings->access_log_count, ACCESS_LOGS_MAX);
    }
    for (size_t i = 0; i < settings->access_log_count; i++) {
        struct access_log *log = &settings->access_logs[i];
        if (!log->has_style) {
            log->style = settings->access_style;
        }
        for (size_t j = 0; j < i && log->to; j++) {
            const char *other = settings->access_logs[j].to;
            if (other && strcmp(log->to, other) == 0) {
                conf_complain(at, "access", i, "two logs to \"%s\"; expected different places",
                              log->to);
            }
        }
    }
}
