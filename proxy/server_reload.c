/* server_reload - settings: loading them, and taking them over while everything runs. */
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

int server_load(int argc, char **argv, const struct settings *before, struct buf *errors,
                struct settings **out)
{
    struct buf warnings = BUF_INIT;
    int err = settings_load(argc, argv, errors, out);

    if (!err) {
        err = tls_set_make(*out, before, &(struct tls_report){errors, &warnings});
        int other = access_set_make(*out, before, errors, &warnings);
        err = err ? err : other;
        log_warnings(&warnings);
    }
    if (err) {
        settings_unref(out);
    }
    buf_fini(&warnings);
    return err;
}

void server_keep_fixed(struct server *server)
{
    const struct conf_flat *all = &server->settings->flat;
    struct arena *arena = &server->fixed_memory;
    struct conf_flat *fixed = &server->fixed;

    fixed->at = arena_alloc(arena, all->count * sizeof(*fixed->at) + 1);
    for (size_t i = 0; i < all->count; i++) {
        const struct conf_setting *one = &all->at[i];
        if (!one->by_reload) {
            fixed->at[fixed->count++] = (struct conf_setting){
                .path = arena_printf(arena, "%s", one->path).at,
                .shown = arena_printf(arena, "%s", one->shown).at,
                .same = arena_printf(arena, "%s", one->same).at,
                .origin = arena_printf(arena, "%s", one->origin).at,
                .is_item = one->is_item,
            };
        }
    }
}

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

/* Only what a restart changes is of interest, and `fixed` has nothing else. */
static void warn_of_restart(struct server *server, const struct settings *next)
{
    struct conf_flat wanted = {
        .at = xcalloc(next->flat.count + 1, sizeof(*wanted.at)),
    };

    for (size_t i = 0; i < next->flat.count; i++) {
        if (!next->flat.at[i].by_reload) {
            wanted.at[wanted.count++] = next->flat.at[i];
        }
    }
    conf_compare(&server->fixed, &wanted, warn_of_fixed, NULL);
    free(wanted.at);
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
        return err;
    }
    warn_of_restart(server, next);
    for (size_t i = 0; i < server->crew_count; i++) {
        struct crew *crew = &server->crews[i];
        struct settings *old = atomic_exchange(&crew->next, settings_ref(next));
        settings_unref(&old);
        loop_post(crew->worker.loop, &crew->reload);
    }
    settings_unref(&server->settings);
    server->settings = next;
    server_tell_accounts(server);
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

bool server_reload_is_taken(struct server *server)
{
    for (size_t i = 0; i < server->crew_count; i++) {
        if (atomic_load(&server->crews[i].next) != NULL) {
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

const struct conf_flat *server_fixed(const struct server *server)
{
    return &server->fixed;
}
