#include "dnsredir/admin/config.h"

#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <limits.h>
#include <unistd.h>

static const char *keep(struct arena *arena, const char *text)
{
    struct span copy = arena_copy(arena, span_of(text, strlen(text) + 1));
    return copy.at;
}

void config_report_init(struct config_report *report, const struct settings *settings)
{
    const struct conf_flat *flat = &settings->flat;

    *report = (struct config_report){.errors = BUF_INIT};
    arena_init(&report->memory, NULL, 0);
    report->fixed.at = arena_alloc(&report->memory, (flat->count + 1) * sizeof(*flat->at));
    for (size_t i = 0; i < flat->count; i++) {
        const struct conf_setting *from = &flat->at[i];
        if (!from->by_reload) {
            report->fixed.at[report->fixed.count++] =
                (struct conf_setting){.path = keep(&report->memory, from->path),
                                      .shown = keep(&report->memory, from->shown),
                                      .same = keep(&report->memory, from->same),
                                      .origin = keep(&report->memory, from->origin),
                                      .is_item = from->is_item,
                                      .is_part = from->is_part};
        }
    }
}

void config_report_fini(struct config_report *report)
{
    buf_fini(&report->errors);
    arena_fini(&report->memory);
}

void config_report_taken(struct config_report *report, struct span notes)
{
    report->taken++;
    buf_clear(&report->errors);
    while (notes.len) {
        struct span line = span_cut(&notes, '\n');
        log_warn("reload_note", "at=%.*s", SPAN_ARGS(line));
    }
}

static void log_lines(const char *event, struct span text)
{
    while (text.len) {
        struct span line = span_cut(&text, '\n');
        log_error(event, "at=%.*s", SPAN_ARGS(line));
    }
}

void config_report_refused(struct config_report *report, struct span errors)
{
    report->refused++;
    log_lines("reload_refused", errors);
    buf_clear(&report->errors);
    buf_append(&report->errors, errors);
}

const char *config_page_settings(const struct settings *settings,
                                 const struct config_report *report, int argc, char **argv,
                                 struct buf *out)
{
    const struct conf_flat *flat = &settings->flat;
    struct conf_flat by_reload = {.at = xcalloc(flat->count + 1, sizeof(*flat->at))};
    char folder[PATH_MAX];

    for (size_t i = 0; i < flat->count; i++) {
        if (flat->at[i].by_reload) {
            by_reload.at[by_reload.count++] = flat->at[i];
        }
    }
    conf_write_command(argc, argv, getcwd(folder, sizeof(folder)) ? folder : "/", out);
    conf_write_settings(&by_reload, out);
    conf_write_settings(&report->fixed, out);
    free(by_reload.at);
    return "text/plain; charset=utf-8";
}

struct span config_refusal(const struct config_report *report)
{
    struct span errors = buf_span(&report->errors);
    return span_cut(&errors, '\n');
}

json_t *config_line_json(struct span line)
{
    json_t *text = json_stringn(line.at, line.len);
    return text ? text : json_string("(not UTF-8)");
}

const char *config_page_state(const struct config_report *report, bool reloading, struct buf *out)
{
    struct span rest = buf_span(&report->errors);
    json_t *list = json_array();

    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        json_array_append_new(list, config_line_json(line));
    }
    char *errors = json_dumps(list, JSON_COMPACT);
    buf_printf(out,
               "{\"reloading\": %s, \"reloads\": %" PRIu64 ", \"refused\": %" PRIu64
               ", \"errors\": %s}\n",
               reloading ? "true" : "false", report->taken, report->refused, errors);
    free(errors);
    json_decref(list);
    return "application/json";
}

bool config_is_nameserver(const struct settings *settings, struct span host)
{
    struct name asked, name;

    if (name_parse_absolute(host, &asked)) {
        return false;
    }
    for (size_t i = 0; i < settings->zone_count; i++) {
        const struct zone_row *zone = &settings->zone_rows[i];
        for (size_t n = 0; n < zone->nameserver_count; n++) {
            if (name_parse_absolute(span_str(zone->nameservers[n]), &name) == 0 &&
                name_eq(&name, &asked)) {
                return true;
            }
        }
    }
    return false;
}
