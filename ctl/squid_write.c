/* Writes the translated file. */
#include "ctl/squid.h"

static void write_list(struct buf *yaml, const char *name, const struct buf *items)
{
    if (buf_len(items)) {
        buf_printf(yaml, "%s:\n%.*s", name, SPAN_ARGS(buf_span(items)));
    }
}

static void write_values(struct squid *squid, struct buf *yaml)
{
    static const char *const maps[] = {
#define X(id, map, name) map,
        SQUID_VALUES(X)
#undef X
    };
    static const char *const names[] = {
#define X(id, map, name) name,
        SQUID_VALUES(X)
#undef X
    };
    const char *map = "";

    for (size_t i = 0; i < SQUID_VALUE_COUNT; i++) {
        if (squid->values[i].text.len == 0) {
            continue;
        }
        if (strcmp(map, maps[i]) != 0) {
            map = maps[i];
            buf_printf(yaml, "%s:\n", map);
        }
        buf_printf(yaml, "%s%s: %.*s  # %.*s\n", *map ? "  " : "", names[i],
                   SPAN_ARGS(squid->values[i].text), SPAN_ARGS(squid->values[i].from));
    }
}

static void write_store(struct squid *squid, struct buf *yaml)
{
    if (squid->store_count == 0 && squid->object_max.len == 0) {
        return;
    }
    buf_printf(yaml, "store:\n");
    if (squid->store_count) {
        buf_printf(yaml,
                   "  # New directories: the store of Squid cannot be read.\n"
                   "  directories:\n%.*s",
                   SPAN_ARGS(buf_span(&squid->stores)));
    }
    if (squid->object_max.len) {
        buf_printf(yaml, "  object-max: %.*s  # %.*s\n", SPAN_ARGS(squid->object_max),
                   SPAN_ARGS(squid->object_max_from));
    }
}

/* Does the text contain a rule, and not only comments? */
static bool has_rule(struct span access)
{
    while (access.len) {
        if (span_starts(span_cut(&access, '\n'), SPAN("  - "))) {
            return true;
        }
    }
    return false;
}

void squid_write(struct squid *squid, struct buf *yaml)
{
    buf_printf(yaml,
               "# Converted from %s by larderctl import-squid, which has listed what is missing.\n",
               squid->name);
    if (buf_len(&squid->listen)) {
        write_list(yaml, "listen", &squid->listen);
    } else {
        buf_printf(yaml, "listen: [\"[::]:3128\"]  # Squid's own default\n");
    }
    write_store(squid, yaml);
    write_values(squid, yaml);
    if (has_rule(buf_span(&squid->access))) {
        write_list(yaml, "access", &squid->access);
    } else {
        buf_printf(yaml, "%.*saccess: [{deny: {}}]  # there is no rule that allows\n",
                   SPAN_ARGS(buf_span(&squid->access)));
    }
    write_list(yaml, "sites", &squid->sites);
    if (buf_len(&squid->logs)) {
        buf_printf(yaml, "log:\n  access:\n%.*s", SPAN_ARGS(buf_span(&squid->logs)));
    }
}
