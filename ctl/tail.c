/* tail - `larderctl tail`: shows decisions as they are made, one on each line. */
#include "ctl/show.h"
#include "ctl/tail.h"
#include "ctl/watch.h"

#include "base/err.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- a line ---- */

/* Green if the origin was not asked, red for errors. */
static const char *color_of(const char *outcome)
{
    static const struct {
        const char *word, *color;
    } colors[] = {
        {"hit", "\x1b[32m"},         {"hit-memory", "\x1b[32m"}, {"stale", "\x1b[33m"},
        {"revalidated", "\x1b[32m"}, {"collapsed", "\x1b[32m"},  {"denied", "\x1b[31m"},
        {"error", "\x1b[31m"},       {"pass", "\x1b[35m"},       {"tunnel", "\x1b[36m"},
    };

    for (size_t i = 0; outcome && i < ARRAY_LEN(colors); i++) {
        if (strcmp(outcome, colors[i].word) == 0) {
            return colors[i].color;
        }
    }
    return "";
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "-";
}

/* "12:34:56.789" of "2026-11-22T12:34:56.789Z". */
static void show_time(struct buf *out, const char *time)
{
    struct span clock = span_skip(span_str(time), 11);

    buf_printf(out, "%.*s", SPAN_ARGS(span_take(clock, 12)));
}

static void show_how_long(struct buf *out, uint64_t us)
{
    if (us < 1000) {
        buf_printf(out, "%llu us", (unsigned long long)us);
    } else if (us < 10000) {
        buf_printf(out, "%llu.%llu ms", (unsigned long long)us / 1000,
                   (unsigned long long)us % 1000 / 100);
    } else if (us < 10000000) {
        buf_printf(out, "%llu ms", (unsigned long long)us / 1000);
    } else {
        buf_printf(out, "%llu s", (unsigned long long)us / 1000000);
    }
}

static void show_padded(struct buf *out, size_t width, void (*show)(struct buf *, uint64_t),
                        uint64_t value)
{
    struct buf text = BUF_INIT;

    show(&text, value);
    size_t len = buf_len(&text);
    buf_printf(out, "%*s%.*s ", len < width ? (int)(width - len) : 0, "",
               SPAN_ARGS(buf_span(&text)));
    buf_fini(&text);
}

static void show_reason(struct buf *out, const json_t *line)
{
    const char *kept = json_string_value(json_object_get(line, "store_reason"));
    const char *reason = text_of(line, "reason");

    show_text(out, reason);
    if (kept && strcmp(kept, "stored") != 0 && strcmp(kept, reason) != 0) {
        buf_printf(out, ",");
        show_text(out, kept);
    }
    const char *end = text_of(line, "end");
    if (strcmp(end, "complete") != 0) {
        buf_printf(out, " ");
        show_text(out, end);
    }
}

static void show_request(struct buf *out, const json_t *line, bool color)
{
    const char *outcome = text_of(line, "outcome");
    const char *on = color ? color_of(outcome) : "";
    struct buf client = BUF_INIT;

    show_time(out, text_of(line, "time"));
    show_text(&client, text_of(line, "client"));
    buf_printf(out, " %-15.*s ", SPAN_ARGS(buf_span(&client)));
    buf_fini(&client);
    buf_printf(out, "%s%-11.20s%s %3llu ", on, outcome, *on ? "\x1b[0m" : "",
               (unsigned long long)show_number(line, "status"));
    show_padded(out, 9, show_size, show_number(line, "bytes"));
    show_padded(out, 8, show_how_long, show_number(line, "elapsed_us"));
    show_text(out, text_of(line, "method"));
    buf_printf(out, " ");
    show_text(out, text_of(line, "url"));
    buf_printf(out, " ");
    show_reason(out, line);
    buf_printf(out, "\n");
}

int tail_render(struct span json, bool color, struct buf *out)
{
    json_t *line = json_loadb(json.at ? json.at : "", json.len, 0, NULL);
    uint64_t dropped = show_number(line, "dropped");
    int err = 0;

    if (dropped) {
        buf_printf(out, "(%llu more not shown: the output is read too slowly)\n",
                   (unsigned long long)dropped);
        err = ERR_AGAIN;
    } else if (!json_object_get(line, "outcome")) {
        err = ERR_SYNTAX;
    } else {
        show_request(out, line, color);
    }
    json_decref(line);
    return err;
}

/* ---- the verb ---- */

/* Shows the lines received. True: --count is reached. */
static bool show_lines(struct watch *watch, const struct ctl_options *options, uint64_t *left)
{
    bool color = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
    struct buf text = BUF_INIT;
    struct span line;

    while (*left && watch_line(watch, &line)) {
        int err = tail_render(line, color, &text);
        if (options->json && err != ERR_SYNTAX) {
            buf_clear(&text);
            buf_append(&text, line);
            buf_append(&text, SPAN("\n"));
        }
        *left -= err == 0;
        if (buf_len(&text) > 0) { /* a filtered line writes nothing */
            fwrite(text.data, 1, buf_len(&text), stdout);
        }
        buf_clear(&text);
    }
    fflush(stdout);
    buf_fini(&text);
    return *left == 0 || ferror(stdout);
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    interrupted = 1;
}

int verb_tail(const struct ctl_options *options)
{
    /* without SA_RESTART, so that a signal ends the wait */
    struct sigaction action = {.sa_handler = on_interrupt};
    struct buf why = BUF_INIT;
    struct watch watch;
    uint64_t left;

    if (!watch_count(options, &left)) {
        return CTL_USAGE;
    }
    int err = watch_open(&watch, options, &why);
    sigaction(SIGINT, &action, NULL);
    while (!err && !interrupted && !show_lines(&watch, options, &left)) {
        err = watch_more(&watch, &why);
    }
    err = interrupted ? 0 : err;
    if (err) {
        fprintf(stderr, "larderctl: %.*s\n", SPAN_ARGS(buf_span(&why)));
    }
    watch_close(&watch);
    buf_fini(&why);
    return err == ERR_REFUSED ? CTL_USAGE : err ? CTL_BAD : CTL_GOOD;
}
