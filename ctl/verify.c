/* verify - `larderctl verify`: checks stored data against its checksums. A directory without a
 * running proxy is read directly; the store of a running proxy is verified by the proxy itself. */
#include "ctl/configured.h"
#include "ctl/fetch.h"
#include "ctl/show.h"
#include "ctl/verbs.h"

#include "base/check.h"
#include "base/err.h"
#include "cache/store/verify.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { VERIFY_RIGHT = 0, VERIFY_DAMAGED = 1, VERIFY_UNKNOWN = 2 };

/* Damaged objects that are printed; further ones are only counted. */
enum { COMPLAINTS_MAX = 100 };

#define RATE_MAX (UINT64_C(1) << 20) /* in MiB per second */

/* How often the progress is asked for, in ms. */
enum { STEP_MS = 250 };

static void show_line(struct buf *out, uint64_t count, const char *what)
{
    if (count) {
        buf_printf(out, "  ");
        show_count(out, count);
        buf_printf(out, " %s\n", what);
    }
}

static void print(FILE *to, struct buf *text)
{
    if (buf_len(text)) {
        fwrite(text->data, 1, buf_len(text), to);
    }
    fflush(to);
    buf_fini(text);
}

static const char damaged_text[] = "damaged: never served; the proxy drops them when it finds them";
static const char dead_text[] = "records of objects that were evicted: misses, no damage";
static const char unreadable_text[] = "objects that the disk did not return: check the disk";

static bool is_good(const json_t *dir)
{
    return show_number(dir, "damaged") + show_number(dir, "unreadable") +
               show_number(dir, "bad_files") ==
           0;
}

static void show_verdict(const json_t *dir, struct buf *out)
{
    uint64_t ms = show_number(dir, "ms"), bytes = show_number(dir, "bytes");

    show_string(out, dir, "path");
    buf_printf(out, ": %s\n", is_good(dir) ? "all right" : "damaged");
    buf_printf(out, "  ");
    show_count(out, show_number(dir, "right"));
    buf_printf(out, " objects are as they were written, ");
    show_size(out, bytes);
    buf_printf(out, " read");
    if (ms) {
        buf_printf(out, ", ");
        show_size(out, (uint64_t)((double)bytes * 1000 / (double)ms));
        buf_printf(out, "/s");
    }
    buf_printf(out, "\n");
    show_line(out, show_number(dir, "dead"), dead_text);
    show_line(out, show_number(dir, "strays"), "files are left over; the next start removes them");
    show_line(out, show_number(dir, "lost_segments"), "listed segments no longer have a file");
    show_line(out, show_number(dir, "bad_files"),
              "damaged files: the proxy leaves them out when it meets them");
    show_line(out, show_number(dir, "damaged"), damaged_text);
    show_line(out, show_number(dir, "unreadable"), unreadable_text);
}

/* ---- without a proxy ---- */

struct offline {
    const char *path;
    bool is_terminal;
    unsigned complaints;
    struct timespec shown;
};

static uint64_t ms_since(const struct timespec *then)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms = (now.tv_sec - then->tv_sec) * 1000 + (now.tv_nsec - then->tv_nsec) / 1000000;
    return ms > 0 ? (uint64_t)ms : 0;
}

static void on_complaint(void *arg, const char *what)
{
    struct offline *offline = arg;
    struct buf text = BUF_INIT;

    if (++offline->complaints > COMPLAINTS_MAX) {
        return;
    }
    show_text(&text, what);
    buf_printf(&text, "\n");
    if (offline->complaints == COMPLAINTS_MAX) {
        buf_printf(&text, "(further ones are not printed)\n");
    }
    print(stderr, &text);
}

static void show_progress(const char *path, uint64_t objects, uint64_t of, uint64_t bytes)
{
    struct buf text = BUF_INIT;

    buf_printf(&text, "\r");
    show_text(&text, path);
    buf_printf(&text, ": ");
    show_count(&text, objects);
    if (of) {
        buf_printf(&text, " of ");
        show_count(&text, of);
    }
    buf_printf(&text, " objects, ");
    show_size(&text, bytes);
    buf_printf(&text, "\033[K");
    print(stderr, &text);
}

static void on_progress(void *arg, const struct verify_report *so_far)
{
    struct offline *offline = arg;

    if (offline->is_terminal && ms_since(&offline->shown) > STEP_MS) {
        clock_gettime(CLOCK_MONOTONIC, &offline->shown);
        show_progress(offline->path, so_far->right + so_far->damaged, 0, so_far->bytes);
    }
}

static json_t *report_json(const char *path, const struct verify_report *report, uint64_t ms)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"right", report->right},         {"dead", report->dead},
        {"damaged", report->damaged},     {"unreadable", report->unreadable},
        {"segments", report->segments},   {"lost_segments", report->lost_segments},
        {"bad_files", report->bad_files}, {"strays", report->strays},
        {"bytes", report->bytes},         {"ms", ms},
    };
    json_t *object = json_object();

    json_object_set_new(object, "path", json_string(path));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_object_set_new(object, rows[i].name, json_integer((json_int_t)rows[i].value));
    }
    return object;
}

static void refuse(const char *path, int err)
{
    struct buf text = BUF_INIT;

    buf_printf(&text, "larderctl: ");
    show_text(&text, path);
    if (err == ERR_BUSY) {
        buf_printf(&text, " is in use by a running process, which can verify it: "
                          "larderctl verify --online\n");
    } else if (err == ERR_NOT_FOUND) {
        buf_printf(&text, " has no store in it: there is no index.mdb\n");
    } else {
        buf_printf(&text, " cannot be read: %s\n", err_text(err));
    }
    print(stderr, &text);
}

static int verify_one(const char *path, json_t *list)
{
    struct offline offline = {.path = path};
    struct verify_options how = {
        .path = path, .complain = on_complaint, .progress = on_progress, .arg = &offline};
    struct verify_report report;
    struct timespec begun;

    clock_gettime(CLOCK_MONOTONIC, &begun);
    offline.is_terminal = isatty(STDERR_FILENO);
    offline.shown = begun;
    int err = verify_directory(&how, &report);
    if (offline.is_terminal) {
        fputs("\r\033[K", stderr);
    }
    if (err) {
        refuse(path, err);
        return VERIFY_UNKNOWN;
    }
    json_t *object = report_json(path, &report, ms_since(&begun));
    json_array_append_new(list, object);
    return is_good(object) ? VERIFY_RIGHT : VERIFY_DAMAGED;
}

/* ---- the result ---- */

static void show_all(const struct ctl_options *options, json_t *list)
{
    struct buf text = BUF_INIT;

    if (options->json) {
        json_t *root = json_object();
        json_object_set(root, "directories", list);
        json_dumpf(root, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(root);
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        show_verdict(json_array_get(list, i), &text);
    }
    print(stdout, &text);
}

static int verify_named(const struct ctl_options *options, json_t *list)
{
    int worst = VERIFY_RIGHT;

    for (size_t i = 0; i < options->operand_count; i++) {
        int one = verify_one(options->operands[i], list);
        worst = one > worst ? one : worst;
    }
    return worst;
}

static void say_which(const char *file, const struct settings *settings)
{
    struct buf text = BUF_INIT;

    buf_printf(&text, "larderctl: verifying what ");
    show_text(&text, file);
    buf_printf(&text, " names: ");
    for (size_t i = 0; i < settings->store_count; i++) {
        buf_printf(&text, "%s", i ? ", " : "");
        show_text(&text, settings->stores[i].path);
    }
    buf_printf(&text, "\n");
    print(stderr, &text);
}

static int verify_configured(const struct ctl_options *options, json_t *list)
{
    const char *file = options->config ? options->config : CONFIGURED_DEFAULT;
    struct settings *settings;
    struct buf why = BUF_INIT;
    int worst = VERIFY_RIGHT;

    if (configured_stores(file, &settings, &why) != 0) {
        buf_printf(&why, "larderctl: name the directories, or the file with --config FILE, or ask "
                         "the running proxy with --online\n");
        print(stderr, &why);
        return VERIFY_UNKNOWN;
    }
    say_which(file, settings);
    for (size_t i = 0; i < settings->store_count; i++) {
        int one = verify_one(settings->stores[i].path, list);
        worst = one > worst ? one : worst;
    }
    settings_unref(&settings);
    buf_fini(&why);
    return worst;
}

static int verify_offline(const struct ctl_options *options)
{
    json_t *list = json_array();
    int worst =
        options->operand_count ? verify_named(options, list) : verify_configured(options, list);

    show_all(options, list);
    json_decref(list);
    return worst;
}

/* ---- by the running proxy ---- */

static int complain(struct buf *why)
{
    fprintf(stderr, "larderctl: %.*s\n", SPAN_ARGS(buf_span(why)));
    buf_fini(why);
    return VERIFY_UNKNOWN;
}

static json_t *answer_of(struct buf *body)
{
    json_t *root = json_loadb(body->data ? body->data : "", buf_len(body), 0, NULL);

    buf_fini(body);
    return root;
}

/* The path of the request, ended by NUL. False: --rate is malformed, which was reported. */
static bool path_of(const struct ctl_options *options, struct buf *path)
{
    uint64_t mib;

    buf_printf(path, "/store/verify");
    if (options->rate && !span_to_u64(span_str(options->rate), RATE_MAX, &mib)) {
        fprintf(stderr, "larderctl: --rate %s is not a number of MiB per second\n", options->rate);
        buf_fini(path);
        return false;
    }
    if (options->rate) {
        buf_printf(path, "?rate=%" PRIu64, mib << 20);
    }
    buf_append(path, SPAN("\0"));
    return true;
}

/* Begins the verification. Returns VERIFY_RIGHT if it has begun in all directories. */
static int begin(const struct ctl_options *options)
{
    struct buf body = BUF_INIT, text = BUF_INIT, path = BUF_INIT;
    int result = VERIFY_RIGHT;

    if (!path_of(options, &path)) {
        return VERIFY_UNKNOWN;
    }
    int err = fetch_post(options->admin, path.data, &body, &text);
    buf_fini(&path);
    if (err) {
        buf_fini(&body);
        return complain(&text);
    }
    json_t *root = answer_of(&body);
    const json_t *list = json_object_get(root, "directories");
    if (json_array_size(list) == 0) {
        buf_printf(&text, "the proxy has no store");
        result = complain(&text);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *dir = json_array_get(list, i);
        if (json_is_true(json_object_get(dir, "began"))) {
            continue;
        }
        show_string(&text, dir, "path");
        buf_printf(&text, " is not verified: ");
        show_string(&text, dir, "why_not");
        result = complain(&text);
    }
    buf_fini(&text);
    json_decref(root);
    return result;
}

/* Is a directory still being verified? Shows the progress. */
static bool is_running(const json_t *root, bool is_terminal)
{
    const json_t *list = json_object_get(root, "directories");
    bool running = false;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *dir = json_array_get(list, i);
        const json_t *tour = json_object_get(dir, "verify");
        if (!json_is_true(json_object_get(tour, "running"))) {
            continue;
        }
        running = true;
        if (is_terminal) {
            show_progress(json_string_value(json_object_get(dir, "path")),
                          show_number(tour, "live") + show_number(tour, "damaged") +
                              show_number(tour, "dead"),
                          show_number(tour, "records"), show_number(tour, "bytes"));
        }
    }
    return running;
}

/* Asks for the state until the verification has ended. NULL: the proxy does not answer any more. */
static json_t *await(const char *admin)
{
    struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    bool is_terminal = isatty(STDERR_FILENO);

    for (;;) {
        struct buf body = BUF_INIT, text = BUF_INIT;
        nanosleep(&step, NULL);
        int err = fetch(admin, "/store", &body, &text);
        if (err) {
            buf_fini(&body);
            complain(&text);
            return NULL;
        }
        json_t *root = answer_of(&body);
        if (!is_running(root, is_terminal)) {
            if (is_terminal) {
                fputs("\r\033[K", stderr);
            }
            return root;
        }
        json_decref(root);
    }
}

/* The result of a directory in /store, in the form of verify_offline(). NULL: unknown. */
static json_t *outcome_of(const json_t *dir)
{
    static const char *const same[] = {"dead", "damaged", "unreadable", "bytes"};
    const json_t *tour = json_object_get(dir, "verify");
    json_t *object = json_object();

    if (!json_is_object(tour) || !json_is_null(json_object_get(tour, "error"))) {
        json_decref(object);
        return NULL;
    }
    json_object_set(object, "path", json_object_get(dir, "path"));
    json_object_set(object, "right", json_object_get(tour, "live"));
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        json_object_set(object, same[i], json_object_get(tour, same[i]));
    }
    uint64_t began = show_number(tour, "began"), ended = show_number(tour, "ended");
    json_object_set_new(object, "ms", json_integer((json_int_t)(ended - began) * 1000));
    return object;
}

static int show_outcome(const struct ctl_options *options, const json_t *root)
{
    const json_t *dirs = json_object_get(root, "directories");
    json_t *list = json_array();
    int worst = VERIFY_RIGHT;

    for (size_t i = 0; i < json_array_size(dirs); i++) {
        const json_t *dir = json_array_get(dirs, i);
        json_t *outcome = outcome_of(dir);
        if (outcome == NULL) {
            struct buf text = BUF_INIT;
            show_string(&text, dir, "path");
            buf_printf(&text, " was not checked to its end; the log says why");
            worst = complain(&text);
            continue;
        }
        json_array_append_new(list, outcome);
        if (!is_good(outcome) && worst == VERIFY_RIGHT) {
            worst = VERIFY_DAMAGED;
        }
    }
    show_all(options, list);
    json_decref(list);
    return worst;
}

static int verify_online(const struct ctl_options *options)
{
    int began = begin(options);

    if (began != VERIFY_RIGHT) {
        return began;
    }
    json_t *root = await(options->admin);
    int result = root ? show_outcome(options, root) : VERIFY_UNKNOWN;
    json_decref(root);
    return result;
}

int verb_verify(const struct ctl_options *options)
{
    if (options->online + (options->operand_count > 0) + (options->config != NULL) > 1) {
        fprintf(stderr, "larderctl: verify takes --online, or directories, or --config; usage: "
                        "larderctl verify [DIR... | --config FILE | --online]\n");
        return CTL_USAGE;
    }
    return options->online ? verify_online(options) : verify_offline(options);
}
