/* server_reload - loads settings, and gives them to the running workers. */
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/takeover.h"
#include "proxy/access/account.h"
#include "proxy/access/set.h"
#include "proxy/client/accesslog_set.h"
#include "proxy/server_parts.h"
#include "proxy/tls_set.h"

#include <limits.h>
#include <unistd.h>

static void log_warnings(struct buf *warnings)
{
    struct span rest = buf_span(warnings);

    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        log_warn("configuration", "what=%.*s", SPAN_ARGS(line));
    }
}

/* Adds lines to those from byte `from` on, those about a whole file ("FILE: what") with the place
 * of the directive that names it, in the order in which the directives are written. */
static void say_places(const struct settings *settings, const struct buf *told, struct buf *lines,
                       size_t from)
{
    struct span rest = buf_span(told);
    struct buf placed = BUF_INIT;

    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        const char *origin = NULL;
        for (size_t i = 0; i + 1 < line.len && !origin; i++) {
            bool ends = line.at[i] == ':' && line.at[i + 1] == ' ';
            origin = ends ? settings_origin(settings, span_take(line, i)) : NULL;
        }
        buf_clear(&placed);
        buf_printf(&placed, "%s%s%.*s", origin ? origin : "", origin ? ": " : "", SPAN_ARGS(line));
        conf_sort_in(lines, from, buf_span(&placed));
    }
    buf_fini(&placed);
}

/* Warns of store settings without a store path: a path was probably intended. */
static void warn_of_no_store(const struct settings *settings, struct buf *warnings)
{
    const struct conf_flat *flat = &settings->flat;

    for (size_t i = 0; i < flat->count && settings->store_count == 0; i++) {
        const struct conf_setting *one = &flat->at[i];
        if (span_starts(span_str(one->path), SPAN("store.")) && conf_is_written(flat, one->path)) {
            buf_printf(
                warnings,
                "%s: \"%s\" has no effect: without store.path (--store) responses are cached "
                "in memory only\n",
                one->origin, one->path);
        }
    }
}

/* Reads the files that the settings name, even after errors, so that all errors are reported at
 * once, together with those from byte `from` on. */
static int load_files(struct settings *settings, const struct settings *before, struct buf *errors,
                      size_t from)
{
    struct buf warnings = BUF_INIT, told = BUF_INIT, placed = BUF_INIT;
    int err = tls_set_make(settings, before, &(struct tls_report){&told, &warnings});
    int other = access_set_make(settings, before, &told, &warnings);
    int logs = accesslog_set_check(settings, before, &told, &warnings);

    say_places(settings, &told, errors, from);
    say_places(settings, &warnings, &placed, 0);
    warn_of_no_store(settings, &placed);
    if (!settings->broken) {
        log_warnings(&placed);
    }
    buf_fini(&warnings);
    buf_fini(&told);
    buf_fini(&placed);
    err = err ? err : other;
    return err ? err : logs;
}

int server_load(int argc, char **argv, const struct settings *before, struct buf *errors,
                struct settings **out)
{
    size_t from = buf_len(errors);
    int err = settings_load_beside(argc, argv, before, errors, out);
    int other = load_files(*out, before, errors, from);

    err = err ? err : other;
    if (err) {
        settings_unref(out);
    }
    return err;
}

/* Logs a value that the files change, but only a restart applies. */
static void warn_of_fixed(void *arg, const struct conf_change *change)
{
    const struct conf_setting *any = change->after ? change->after : change->before;

    (void)arg;
    if (!any->by_reload) {
        log_warn("reload_partial", "directive=%s now=%s wanted=%s at=%s why=%s", any->path,
                 change->before ? change->before->shown : "", change->after ? any->shown : "",
                 any->origin, "it takes effect at the next start");
    }
}

void server_log_errors(const char *event, const struct buf *errors, size_t from)
{
    struct span rest = span_skip(buf_span(errors), from);

    while (rest.len) {
        struct span line = span_cut(&rest, '\n');
        log_error(event, "error=%.*s", SPAN_ARGS(line));
    }
}

int server_load_next(struct server *server, struct buf *errors, struct settings **out)
{
    return server_load(server->argc, server->argv, server->settings, errors, out);
}

int server_open_accounts(struct server *server, const struct settings *settings)
{
    bool wanted = server->accounts == NULL && settings_have_limits(settings);

    if (!wanted) {
        return 0;
    }
    return takeover_gift() ? accounts_open_late(settings->state, &server->accounts)
                           : accounts_open(settings->state, &server->accounts);
}

void server_tell_accounts(struct server *server)
{
    if (server->accounts) {
        accounts_set_total(server->accounts, server->settings->shares.total);
    }
}

static int open_accounts_anew(struct server *server, const struct settings *next,
                              struct buf *errors)
{
    int err = server_open_accounts(server, next);

    if (err) {
        buf_printf(errors, "%s: cannot be opened: %s\n", next->state ? next->state : "accounts",
                   err_text(err));
    }
    return err;
}

/* Remembers the refused reload for the status; `lines` may be empty. */
static void keep_refusal(struct server *server, struct span lines)
{
    free(server->refusal);
    server->refusal = lines.len ? xspandup(span_take(lines, span_find(lines, '\n'))) : NULL;
}

int server_reload(struct server *server, struct buf *errors)
{
    struct settings *next;
    size_t before = buf_len(errors);
    int err = server_load_next(server, errors, &next);

    if (!err && (open_accounts_anew(server, next, errors) != 0 ||
                 accesslog_set_open(next, server->settings, errors) != 0)) {
        settings_unref(&next);
        err = ERR_CONFIG;
    }
    if (err) {
        atomic_fetch_add(&server->refused_reloads, 1);
        server_log_errors("reload_refused", errors, before);
        keep_refusal(server, span_skip(buf_span(errors), before));
        return err;
    }
    keep_refusal(server, SPAN_EMPTY);
    conf_compare(&next->in_force, &next->flat, warn_of_fixed, NULL);
    for (size_t i = 0; i < server->worker_count; i++) {
        struct worker_thread *thread = &server->workers[i];
        struct settings *old = atomic_exchange(&thread->next, settings_ref(next));
        settings_unref(&old);
        loop_post(thread->worker.loop, &thread->reload);
    }
    settings_unref(&server->settings);
    server->settings = next;
    server_tell_accounts(server);
    cache_set_object_max(server->cache, server->settings->object_max);
    log_level_set(next->log_level);
    atomic_fetch_add(&server->reloads, 1);
    log_info("reloaded", "sites=%zu access=%zu", next->site_count, next->access_count);
    return 0;
}

uint64_t server_reloads(const struct server *server)
{
    return atomic_load(&server->reloads);
}

uint64_t server_refused_reloads(const struct server *server)
{
    return atomic_load(&server->refused_reloads);
}

const char *server_refusal(const struct server *server)
{
    return server->refusal;
}

bool server_reload_is_taken(struct server *server)
{
    for (size_t i = 0; i < server->worker_count; i++) {
        if (atomic_load(&server->workers[i].next) != NULL) {
            return false;
        }
    }
    return true;
}

void server_write_command(const struct server *server, struct buf *out)
{
    char folder[PATH_MAX];

    conf_write_command(server->argc, server->argv, getcwd(folder, sizeof(folder)) ? folder : "/",
                       out);
}
