/* larderctl diff, reload and reopen: shows what a reload would change, reloads and shows the
 * outcome, opens log files again. */
#include "ctl/fetch.h"
#include "ctl/reload.h"
#include "ctl/show.h"
#include "ctl/verbs.h"

#include "base/err.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TAKEN_TRIES = 500, TAKEN_STEP_MS = 20 };

/* ---- as text ---- */

static bool is_by(const json_t *change, const char *by)
{
    const char *word = json_string_value(json_object_get(change, "by"));
    return word && strcmp(word, by) == 0;
}

static void show_change(const json_t *change, struct buf *out)
{
    const char *kind = json_string_value(json_object_get(change, "kind"));
    char mark = kind ? kind[0] == 'a' ? '+' : kind[0] == 'r' ? '-' : ' ' : ' ';

    buf_printf(out, "%c ", mark);
    show_string(out, change, "path");
    buf_printf(out, ": ");
    if (kind && strcmp(kind, "moved") == 0) {
        buf_printf(out, "the same, in another order");
    }
    show_string(out, change, "before");
    buf_printf(out, "%s", kind && strcmp(kind, "changed") == 0 ? " -> " : "");
    show_string(out, change, "after");
    buf_printf(out, "  # ");
    show_string(out, change, "origin");
    buf_printf(out, "\n");
}

static size_t show_changes(const json_t *changes, const char *by, const char *title,
                           struct buf *out)
{
    size_t count = 0, i;
    json_t *change;

    json_array_foreach(changes, i, change)
    {
        if (is_by(change, by)) {
            buf_printf(out, "%s", count++ ? "" : title);
            show_change(change, out);
        }
    }
    return count;
}

int reload_render(struct span json, bool done, struct buf *out, size_t *count)
{
    json_t *root = json_loadb(json.at ? json.at : "", json.len, 0, NULL);
    const json_t *changes = json_object_get(root, "changes");

    if (!json_is_array(changes)) {
        json_decref(root);
        return ERR_SYNTAX;
    }
    *count = show_changes(changes, "reload", done ? "changed:\n" : "a reload would change:\n", out);
    *count += show_changes(changes, "restart", "only a restart changes:\n", out);
    if (*count == 0) {
        buf_printf(out, "%s\n", done ? "reloaded; no setting has changed" : "no difference");
    }
    json_decref(root);
    return 0;
}

/* Prints the errors of a 400 or 503 answer, one on each line. */
static void say_errors(struct span json)
{
    json_t *root = json_loadb(json.at ? json.at : "", json.len, 0, NULL);
    const json_t *errors = json_object_get(root, "errors");
    struct buf text = BUF_INIT;
    json_t *line;
    size_t i;

    json_array_foreach(errors, i, line)
    {
        show_text(&text, json_string_value(line));
        buf_printf(&text, "\n");
    }
    buf_printf(&text, "larderctl: ");
    show_string(&text, root, "error");
    fprintf(stderr, "%.*s\n", SPAN_ARGS(buf_span(&text)));
    buf_fini(&text);
    json_decref(root);
}

static void say(struct span why)
{
    fprintf(stderr, "larderctl: %.*s\n", SPAN_ARGS(why));
}

/* ---- the verbs ---- */

/* Prints an answer about changes. Returns the number of changes, or a negative code. */
static long answer(const struct ctl_options *options, struct span body, bool done)
{
    struct buf text = BUF_INIT;
    size_t count;
    long result = reload_render(body, done, &text, &count) ? -1 : (long)count;
    struct span shown = options->json ? body : buf_span(&text);

    if (result < 0) {
        say(SPAN("what answers there is not larder-proxy"));
    } else {
        fwrite(shown.at, 1, shown.len, stdout);
    }
    buf_fini(&text);
    return result;
}

/* Compares with the help of the daemon's program: for a file, and for larder-dns. */
static int diff_elsewhere(const struct ctl_options *options)
{
    enum ctl_program which = options->program == CTL_DNS ? CTL_DNS : CTL_PROXY;
    struct buf body = BUF_INIT, why = BUF_INIT;
    char path[PATH_MAX];
    int status = CTL_USAGE;

    if (options->operand && !realpath(options->operand, path)) {
        fprintf(stderr, "larderctl: %s cannot be read: %s\n", options->operand, err_text(-errno));
        return CTL_USAGE;
    }
    int err = diff_by_program(which, options->admin, options->operand ? path : NULL, &body, &why);
    fwrite(why.data ? why.data : "", 1, buf_len(&why), stderr);
    if (!err) {
        long count = answer(options, buf_span(&body), false);
        status = count < 0 ? CTL_USAGE : count ? CTL_BAD : CTL_GOOD;
    }
    buf_fini(&body);
    buf_fini(&why);
    return status;
}

int verb_diff(const struct ctl_options *options)
{
    if (options->operand_count > 1) {
        say(SPAN("diff takes one file at most"));
        return CTL_USAGE;
    }
    if (options->operand || options->program == CTL_DNS) {
        return diff_elsewhere(options);
    }
    struct buf body = BUF_INIT, why = BUF_INIT;
    int status = CTL_USAGE;

    int err = fetch(options->admin, "/config/diff", &body, &why);
    if (err == ERR_REFUSED) {
        say_errors(buf_span(&body));
    } else if (err) {
        say(buf_span(&why));
    } else {
        long count = answer(options, buf_span(&body), false);
        status = count < 0 ? CTL_USAGE : count ? CTL_BAD : CTL_GOOD;
    }
    buf_fini(&body);
    buf_fini(&why);
    return status;
}

/* Waits until every worker uses the new settings, so that later requests are answered by them. */
static int await_taken(const char *admin, struct buf *why)
{
    struct timespec step = {.tv_nsec = TAKEN_STEP_MS * 1000000L};
    struct buf body = BUF_INIT;
    bool taken = false;
    int err = 0;

    for (int i = 0; i < TAKEN_TRIES && !taken && !err; i++) {
        if (i > 0) {
            nanosleep(&step, NULL);
        }
        buf_clear(&body);
        err = fetch(admin, "/reload/state", &body, why);
        json_t *root = err ? NULL : json_loadb(body.data, buf_len(&body), 0, NULL);
        taken = json_is_true(json_object_get(root, "taken"));
        json_decref(root);
    }
    if (!err && !taken) {
        buf_printf(why, "it is accepted, but some event loops have not taken it over yet");
        err = ERR_TIMEOUT;
    }
    buf_fini(&body);
    return err;
}

static int reload_elsewhere(const struct ctl_options *options)
{
    struct buf body = BUF_INIT, why = BUF_INIT;
    int err = reload_dns(options->admin, &body, &why);

    fwrite(why.data ? why.data : "", 1, buf_len(&why), stderr);
    bool good = !err && answer(options, buf_span(&body), true) >= 0;
    buf_fini(&body);
    buf_fini(&why);
    return good ? CTL_GOOD : CTL_BAD;
}

int verb_reload(const struct ctl_options *options)
{
    if (options->program == CTL_DNS) {
        return reload_elsewhere(options);
    }
    struct buf body = BUF_INIT, why = BUF_INIT;
    int status = CTL_BAD;

    int err = fetch_post(options->admin, "/reload", &body, &why);
    if (err == ERR_REFUSED || err == ERR_BUSY) {
        say_errors(buf_span(&body));
    } else if (err || await_taken(options->admin, &why) != 0) {
        say(buf_span(&why));
    } else {
        status = answer(options, buf_span(&body), true) < 0 ? CTL_BAD : CTL_GOOD;
    }
    buf_fini(&body);
    buf_fini(&why);
    return status;
}

int verb_reopen(const struct ctl_options *options)
{
    struct buf body = BUF_INIT, why = BUF_INIT;
    int err = fetch_post(options->admin, "/logs/reopen", &body, &why);

    if (err == ERR_REFUSED) {
        say_errors(buf_span(&body));
    } else if (err) {
        say(buf_span(&why));
    } else {
        puts("the access logs are reopened");
    }
    buf_fini(&body);
    buf_fini(&why);
    return err ? CTL_BAD : CTL_GOOD;
}
