/* Writes and reads settings as lines of text, so that another process can compare them. */
#include "base/conf_tree.h"

#include "base/err.h"

enum { SETTINGS_MAX = 1 << 22, FIELDS = 5 };

/* Tabs separate fields and line feeds separate settings; inside a field both are escaped by "\". */
static void put_field(struct buf *out, const char *text, char end)
{
    for (; *text; text++) {
        const char *mark = *text == '\t'   ? "\\t"
                           : *text == '\n' ? "\\n"
                           : *text == '\\' ? "\\\\"
                                           : "";
        buf_append(out, *mark ? span_str(mark) : span_of(text, 1));
    }
    buf_append(out, span_of(&end, 1));
}

void conf_write_settings(const struct conf_flat *flat, struct buf *out)
{
    for (size_t i = 0; i < flat->count; i++) {
        const struct conf_setting *setting = &flat->at[i];
        char what = setting->is_item ? 'i' : setting->is_part ? 'p' : 'v';
        const char kind[] = {setting->by_reload ? 'r' : 's', what, '\0'};
        put_field(out, kind, '\t');
        put_field(out, setting->path, '\t');
        put_field(out, setting->shown, '\t');
        put_field(out, setting->same, '\t');
        put_field(out, setting->origin, '\n');
    }
}

/* NULL: the field is malformed. */
static const char *read_field(struct span field, struct arena *arena)
{
    char *text = arena_alloc(arena, field.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < field.len; i++) {
        char c = field.at[i];
        if (c == '\\') {
            const char *real = ++i < field.len ? strchr("t\tn\n\\\\", field.at[i]) : NULL;
            if (!real || field.at[i] == '\0') {
                return NULL;
            }
            c = real[1];
        }
        if (c == '\0') {
            return NULL;
        }
        text[len++] = c;
    }
    text[len] = '\0';
    return text;
}

static int read_setting(struct span line, struct arena *arena, struct conf_setting *out)
{
    const char *fields[FIELDS];

    for (size_t i = 0; i < FIELDS; i++) {
        bool last = i == FIELDS - 1;
        if (last == (span_find(line, '\t') < line.len)) {
            return ERR_SYNTAX; /* too many or too few fields */
        }
        fields[i] = read_field(last ? line : span_cut(&line, '\t'), arena);
        if (!fields[i]) {
            return ERR_SYNTAX;
        }
    }
    *out = (struct conf_setting){.by_reload = fields[0][0] == 'r',
                                 .is_item = fields[0][0] && fields[0][1] == 'i',
                                 .is_part = fields[0][0] && fields[0][1] == 'p',
                                 .path = fields[1],
                                 .shown = fields[2],
                                 .same = fields[3],
                                 .origin = fields[4]};
    return 0;
}

int conf_read_settings(struct span text, struct arena *arena, struct conf_flat *out)
{
    size_t lines = 0;
    int err = 0;

    for (size_t i = 0; i < text.len; i++) {
        lines += text.at[i] == '\n';
    }
    if (lines > SETTINGS_MAX || (text.len && text.at[text.len - 1] != '\n')) {
        return ERR_SYNTAX;
    }
    *out = (struct conf_flat){.at = arena_alloc(arena, (lines + 1) * sizeof(*out->at))};
    while (text.len && !err) {
        struct span line = span_cut(&text, '\n');
        if (!span_starts(line, SPAN("#"))) {
            err = read_setting(line, arena, &out->at[out->count++]);
        }
    }
    return err;
}

void conf_write_command(int argc, char **argv, const char *folder, struct buf *out)
{
    buf_printf(out, "#folder\t");
    put_field(out, folder, '\n');
    for (int i = 1; i < argc; i++) {
        buf_printf(out, "#argument\t");
        put_field(out, argv[i], '\n');
    }
}

int conf_read_command(struct span text, struct arena *arena, struct conf_command *out)
{
    *out = (struct conf_command){.folder = NULL};
    while (text.len) {
        struct span line = span_cut(&text, '\n'), name = span_cut(&line, '\t');
        bool is_folder = span_eq(name, SPAN("#folder"));
        if (!is_folder && !span_eq(name, SPAN("#argument"))) {
            continue;
        }
        const char *word = read_field(line, arena);
        if (!word || (!is_folder && out->count == CONF_ARGUMENTS_MAX)) {
            return ERR_SYNTAX;
        }
        if (is_folder) {
            out->folder = word;
        } else {
            out->arguments[out->count++] = word;
        }
    }
    return out->folder ? 0 : ERR_SYNTAX;
}
