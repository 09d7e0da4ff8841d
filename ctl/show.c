#include "ctl/show.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint64_t show_number(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

void show_count(struct buf *out, uint64_t value)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, value);

    for (int i = 0; i < len; i++) {
        buf_printf(out, "%s%c", i && (len - i) % 3 == 0 ? "," : "", digits[i]);
    }
}

void show_size(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    double value = (double)bytes;

    while (value >= 1024 && unit + 1 < ARRAY_LEN(units)) {
        value /= 1024;
        unit++;
    }
    buf_printf(out, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void show_duration(struct buf *out, uint64_t seconds)
{
    if (seconds >= 2ul * 86400) {
        buf_printf(out, "%" PRIu64 " d %" PRIu64 " h", seconds / 86400, seconds % 86400 / 3600);
    } else if (seconds >= 3600) {
        buf_printf(out, "%" PRIu64 " h %" PRIu64 " min", seconds / 3600, seconds % 3600 / 60);
    } else if (seconds >= 60) {
        buf_printf(out, "%" PRIu64 " min %" PRIu64 " s", seconds / 60, seconds % 60);
    } else {
        buf_printf(out, "%" PRIu64 " s", seconds);
    }
}

void show_percent(struct buf *out, uint64_t part, uint64_t whole)
{
    buf_printf(out, "%.1f %%", whole ? 100.0 * (double)part / (double)whole : 0.0);
}

void show_text(struct buf *out, const char *text)
{
    for (; text && *text; text++) {
        bool control = (unsigned char)*text < 0x20 || *text == 0x7f;
        buf_printf(out, "%c", control ? '?' : *text);
    }
}

void show_string(struct buf *out, const json_t *object, const char *name)
{
    show_text(out, json_string_value(json_object_get(object, name)));
}

void show_label(struct buf *out, const char *label)
{
    buf_printf(out, "%-12s", label);
}

static const char *words_for(const char *filter)
{
    return strcmp(filter, "off") == 0   ? "system calls are not filtered"
           : strcmp(filter, "log") == 0 ? "forbidden system calls are only logged"
                                        : "forbidden system calls fail";
}

void show_sandbox(const json_t *sandbox, struct buf *out)
{
    const char *filter = json_string_value(json_object_get(sandbox, "filter"));

    if (filter == NULL) {
        return; /* the daemon is of an older version */
    }
    show_label(out, "sandbox");
    buf_printf(out, "%s", words_for(filter));
    if (json_is_string(json_object_get(sandbox, "why"))) {
        buf_printf(out, " (");
        show_string(out, sandbox, "why");
        buf_printf(out, ")");
    }
    bool none = json_is_true(json_object_get(sandbox, "no_capabilities"));
    buf_printf(out, "; %s\n", none ? "no capabilities" : "capabilities are kept");
}

void show_refusal(const json_t *status, struct buf *out)
{
    if (json_is_string(json_object_get(status, "reload_refused"))) {
        buf_printf(out, "! the last reload was refused: ");
        show_string(out, status, "reload_refused");
        buf_printf(out, "\n");
    }
}
