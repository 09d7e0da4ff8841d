#include "proxy/client/accesslog_set.h"

#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "proxy/client/accesslog_sink.h"

#include <errno.h>
#include <sys/stat.h>

struct log_set {
    struct settings_part part;
    size_t count;
    struct accesslog_out outs[];
};

static const struct log_set *set_of(const struct settings *settings)
{
    return settings->logs ? container_of(settings->logs, struct log_set, part) : NULL;
}

static void set_free(struct settings_part *part)
{
    struct log_set *set = container_of(part, struct log_set, part);

    for (size_t i = 0; i < set->count; i++) {
        accesslog_unref(&set->outs[i].log);
    }
    free(set);
}

/* The log with this place that is open already, with a new reference; or NULL. */
static struct accesslog *find_open(const struct settings *before, const char *to)
{
    size_t count = 0;
    const struct accesslog_out *outs = before ? accesslog_set_of(before, &count) : NULL;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(accesslog_to(outs[i].log), to) == 0) {
            return accesslog_ref(outs[i].log);
        }
    }
    return NULL;
}

/* Where the log with this number is configured. */
static const char *origin_of(const struct settings *settings, size_t number)
{
    for (size_t i = 0; i < settings->flat.count; i++) {
        const struct conf_setting *one = &settings->flat.at[i];
        if (one->is_item && strcmp(one->path, "log.access") == 0 && number-- == 0) {
            return one->origin;
        }
    }
    return "log.access";
}

int accesslog_set_open(struct settings *settings, const struct settings *before, struct buf *errors)
{
    size_t count = settings->access_log_count;
    struct log_set *set = xcalloc(1, sizeof(*set) + count * sizeof(set->outs[0]));
    int failed = 0;

    set->part.free = set_free;
    for (size_t i = 0; i < count; i++) {
        const struct access_log *log = &settings->access_logs[i];
        struct accesslog *open = find_open(before, log->to);
        int err = open ? 0 : accesslog_open(log->to, &open);
        if (err) {
            buf_printf(errors,
                       "%s: the log \"%s\" cannot be opened: %s; expected a file that can be "
                       "written, or the socket of a log that runs\n",
                       origin_of(settings, i), log->to, err_text(err));
            failed = ERR_CONFIG;
            continue;
        }
        set->outs[set->count++] = (struct accesslog_out){open, log->style};
    }
    if (failed) {
        set_free(&set->part);
        return failed;
    }
    settings->logs = &set->part;
    return 0;
}

const struct accesslog_out *accesslog_set_of(const struct settings *settings, size_t *count)
{
    const struct log_set *set = set_of(settings);

    *count = set ? set->count : 0;
    return set ? set->outs : NULL;
}

size_t accesslog_set_reopen(const struct settings *settings, struct buf *errors)
{
    size_t count, good = 0;
    const struct accesslog_out *outs = accesslog_set_of(settings, &count);

    for (size_t i = 0; i < count; i++) {
        int err = accesslog_reopen(outs[i].log);
        good += err == 0;
        if (err) {
            buf_printf(errors, "the log \"%s\" cannot be reopened: %s\n", accesslog_to(outs[i].log),
                       err_text(err));
        }
    }
    return good;
}

/* ---- checks before logs are opened ---- */

static bool is_open(const struct settings *before, const char *to)
{
    struct accesslog *open = find_open(before, to);
    bool found = open != NULL;

    accesslog_unref(&open);
    return found;
}

/* Checks the folder of a file. 0 or a negative errno. */
static int look_at_folder(const char *file)
{
    const char *slash = strrchr(file, '/');
    struct span path = slash ? span_from_to(file, slash + 1) : SPAN("./");
    char *folder = xspandup(path);
    struct stat found;
    int err = stat(folder, &found) != 0 ? -errno : S_ISDIR(found.st_mode) ? 0 : -ENOTDIR;

    free(folder);
    return err;
}

static int check_file(const struct settings *settings, const char *to, struct buf *errors)
{
    int err = look_at_folder(to);

    if (err) {
        buf_printf(errors, "%s: the folder of the log \"%s\": %s; expected one that exists\n",
                   settings_origin(settings, span_str(to)), to, err_text(err));
    }
    return err ? ERR_CONFIG : 0;
}

static void check_socket(const struct settings *settings, const char *to, struct buf *warnings)
{
    char *path = sink_socket(to);
    struct stat found;

    if (path && stat(path, &found) != 0) {
        buf_printf(warnings,
                   "%s: the socket %s of the log \"%s\" does not exist: its lines are lost, and "
                   "counted, until it does\n",
                   settings_origin(settings, span_str(to)), path, to);
    }
    free(path);
}

int accesslog_set_check(const struct settings *settings, const struct settings *before,
                        struct buf *errors, struct buf *warnings)
{
    int err = 0;

    for (size_t i = 0; i < settings->access_log_count; i++) {
        const char *to = settings->access_logs[i].to;
        if (to == NULL || is_open(before, to)) {
            continue;
        }
        int one = sink_file(to) ? check_file(settings, to, errors) : 0;
        check_socket(settings, to, warnings);
        err = err ? err : one;
    }
    return err;
}
