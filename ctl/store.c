/* store - `larderctl store`: what is on the disks, segment by segment. */
#include "ctl/ask.h"
#include "ctl/show.h"
#include "ctl/verbs.h"

#include "base/err.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- a directory ---- */

static void show_amount(struct buf *out, const char *before, uint64_t bytes, const char *after)
{
    buf_printf(out, "%s", before);
    show_size(out, bytes);
    buf_printf(out, "%s", after);
}

static void show_number_of(struct buf *out, uint64_t count, const char *after)
{
    show_count(out, count);
    buf_printf(out, "%s", after);
}

static void show_used(const json_t *dir, struct buf *out)
{
    show_label(out, "used");
    show_amount(out, "", show_number(dir, "used"), " of ");
    show_amount(out, "", show_number(dir, "size"), ": segments ");
    show_amount(out, "", show_number(dir, "segment_bytes"), ", index ");
    show_amount(out, "", show_number(dir, "index_bytes"), "\n");
    show_label(out, "");
    show_amount(out, "spare files ", show_number(dir, "spare_bytes"), ", dropped but still read ");
    show_amount(out, "", show_number(dir, "dropped_bytes"), "\n");
    show_label(out, "objects");
    show_number_of(out, show_number(dir, "objects"), " records in the index\n");
}

static void show_log(const json_t *dir, const char *name, struct buf *out)
{
    const json_t *log = json_object_get(dir, name);
    uint64_t segments = show_number(log, "segments");

    show_label(out, name);
    show_number_of(out, segments, segments == 1 ? " segment, " : " segments, ");
    show_size(out, show_number(log, "bytes"));
    if (segments) {
        buf_printf(out, ", ");
        show_duration(out, show_number(log, "newest_seconds"));
        buf_printf(out, " to ");
        show_duration(out, show_number(log, "oldest_seconds"));
        buf_printf(out, " old");
    }
    buf_printf(out, "\n");
}

static uint64_t seconds_since(uint64_t when)
{
    uint64_t now = (uint64_t)time(NULL);

    return now > when ? now - when : 0;
}

static void show_live(const json_t *dir, struct buf *out)
{
    const json_t *live = json_object_get(dir, "live");
    const json_t *count = json_object_get(dir, "count");

    show_label(out, "live");
    if (!json_is_object(live)) {
        buf_printf(out, "not counted yet");
        if (json_is_true(json_object_get(count, "running"))) {
            buf_printf(out, "; a count is under way, ask again");
        }
        buf_printf(out, "\n");
        return;
    }
    show_percent(out, show_number(live, "bytes"), show_number(live, "of_bytes"));
    show_amount(out, " of ", show_number(live, "of_bytes"), " in segments, ");
    show_number_of(out, show_number(live, "objects"), " objects");
    if (show_number(count, "ended")) {
        buf_printf(out, "; ");
        show_duration(out, seconds_since(show_number(count, "ended")));
        buf_printf(out, " ago");
    }
    buf_printf(out, "\n");
}

static void show_writes(const json_t *dir, struct buf *out)
{
    uint64_t seconds = show_number(dir, "written_last_seconds");
    uint64_t written = show_number(dir, "written_bytes"), kept = show_number(dir, "kept_bytes");

    show_label(out, "writes");
    show_size(out, seconds ? show_number(dir, "written_last") / seconds : 0);
    buf_printf(out, "/s in the last %" PRIu64 " s; since the start ", seconds);
    show_amount(out, "", written, " of ");
    show_number_of(out, show_number(dir, "written_objects"), " objects\n");
    show_label(out, "commits");
    show_number_of(out, show_number(dir, "commits"), ", ");
    show_number_of(out, show_number(dir, "commit_errors"), " failed; ");
    show_amount(out, "", show_number(dir, "dirty_bytes"), " wait to be written\n");
    show_label(out, "evicted");
    show_number_of(out, show_number(dir, "evicted_segments"), " segments, ");
    show_number_of(out, show_number(dir, "recycled_segments"), " files written over\n");
    show_label(out, "kept");
    show_number_of(out, show_number(dir, "kept_objects"), " objects, ");
    show_amount(out, "", kept, " copied, ");
    show_percent(out, kept, written + kept);
    buf_printf(out, " of what was written\n");
}

static void show_verified(const json_t *dir, struct buf *out)
{
    const json_t *tour = json_object_get(dir, "verify");
    uint64_t damaged = show_number(tour, "damaged") + show_number(tour, "unreadable");

    show_label(out, "verified");
    if (!json_is_object(tour)) {
        buf_printf(out, "not since the start; larderctl verify --online does it\n");
        return;
    }
    if (json_is_true(json_object_get(tour, "running"))) {
        buf_printf(out, "under way, ");
        show_count(out, show_number(tour, "live") + show_number(tour, "dead") + damaged);
        buf_printf(out, " of ");
        show_number_of(out, show_number(tour, "records"), " objects\n");
        return;
    }
    show_duration(out, seconds_since(show_number(tour, "ended")));
    buf_printf(out, " ago: ");
    show_number_of(out, show_number(tour, "live"), " objects right, ");
    show_number_of(out, damaged, " damaged");
    if (json_is_string(json_object_get(tour, "error"))) {
        buf_printf(out, "; not to its end");
    }
    buf_printf(out, "\n");
}

static void show_directory(const json_t *dir, struct buf *out)
{
    show_label(out, "store");
    show_string(out, dir, "path");
    buf_printf(out, ": ");
    show_string(out, dir, "state");
    if (json_is_string(json_object_get(dir, "cause"))) {
        buf_printf(out, ", ");
        show_string(out, dir, "cause");
    }
    buf_printf(out, "\n");
    if (!json_object_get(dir, "used")) {
        return;
    }
    show_used(dir, out);
    show_log(dir, "probation", out);
    show_log(dir, "main", out);
    show_live(dir, out);
    show_writes(dir, out);
    show_verified(dir, out);
    if (show_number(dir, "corrupt")) {
        buf_printf(out, "! dropped because a checksum did not hold: %" PRIu64 "; see the log\n",
                   show_number(dir, "corrupt"));
    }
}

/* ---- its segments ---- */

/* Appends what `show` writes, right-aligned. */
static void show_right(struct buf *out, int width, void (*show)(struct buf *out, uint64_t value),
                       const json_t *value)
{
    struct buf text = BUF_INIT;
    size_t len = 1;

    if (json_is_integer(value)) {
        show(&text, (uint64_t)json_integer_value(value));
        len = buf_len(&text);
    } else {
        buf_append(&text, SPAN("-"));
    }
    buf_printf(out, "%*s%.*s", len < (size_t)width ? width - (int)len : 0, "",
               SPAN_ARGS(buf_span(&text)));
    buf_fini(&text);
}

static void show_live_share(const json_t *segment, struct buf *out)
{
    const json_t *live = json_object_get(segment, "live_bytes");
    uint64_t used = show_number(segment, "used");
    char text[16] = "-";

    if (json_is_integer(live) && used) {
        snprintf(text, sizeof(text), "%.0f %%",
                 100.0 * (double)json_integer_value(live) / (double)used);
    }
    buf_printf(out, " %6s", text);
}

static void show_segment(const json_t *segment, struct buf *out)
{
    const char *state = json_string_value(json_object_get(segment, "state"));
    const char *log = json_string_value(json_object_get(segment, "log"));
    const char *mark = state && strcmp(state, "open") == 0      ? "*"
                       : state && strcmp(state, "dropped") == 0 ? "x"
                                                                : "";
    bool main = log && strcmp(log, "main") == 0;

    buf_printf(out, "%5" PRIu64 " %s%-*s", show_number(segment, "id"), main ? "main" : "probation",
               main ? 6 : 1, mark);
    show_right(out, 12, show_duration, json_object_get(segment, "age_seconds"));
    show_right(out, 9, show_size, json_object_get(segment, "capacity"));
    show_right(out, 9, show_size, json_object_get(segment, "used"));
    show_live_share(segment, out);
    show_right(out, 10, show_count, json_object_get(segment, "live_objects"));
    show_right(out, 9, show_count, json_object_get(segment, "hot_objects"));
    show_right(out, 5, show_count, json_object_get(segment, "pins"));
    buf_printf(out, "\n");
}

static void show_segments(const json_t *segments, struct buf *out)
{
    if (json_array_size(segments) == 0) {
        return;
    }
    buf_printf(out, "%5s %-10s%12s%9s%9s %6s%10s%9s%5s\n", "id", "log", "age", "size", "used",
               "live", "objects", "hot", "pins");
    for (size_t i = 0; i < json_array_size(segments); i++) {
        show_segment(json_array_get(segments, i), out);
    }
    buf_printf(out, "(* is written to, x was dropped and is still read)\n");
}

int store_render(struct span json, struct buf *out)
{
    json_t *root = json_loadb(json.at ? json.at : "", json.len, 0, NULL);
    const json_t *list = json_object_get(root, "directories");

    if (!json_is_array(list)) {
        json_decref(root);
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        buf_printf(out, "%s", i ? "\n" : "");
        show_directory(json_array_get(list, i), out);
        show_segments(json_object_get(json_array_get(list, i), "segments"), out);
    }
    if (json_array_size(list) == 0) {
        buf_printf(out, "no store: the proxy has its objects in memory only\n");
    }
    json_decref(root);
    return 0;
}

/* ---- asking ---- */

/* Are the live bytes still being counted for the first time? */
static bool is_counting(struct span json)
{
    json_t *root = json_loadb(json.at ? json.at : "", json.len, 0, NULL);
    const json_t *list = json_object_get(root, "directories");
    bool counting = false;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *dir = json_array_get(list, i);
        counting = counting ||
                   (json_is_null(json_object_get(dir, "live")) &&
                    json_is_null(json_object_get(dir, "count"))) ||
                   (json_is_null(json_object_get(dir, "live")) &&
                    json_is_true(json_object_get(json_object_get(dir, "count"), "running")));
    }
    json_decref(root);
    return counting;
}

int verb_store(const struct ctl_options *options)
{
    const struct question question = {
        .path = options->segments ? "/store?segments" : "/store",
        .render = store_render,
        .who = "not larder-proxy",
        .is_early = is_counting,
    };

    return ask(options, &question);
}
