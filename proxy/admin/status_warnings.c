/* status_warnings - /warnings: what needs attention, and what can be done. */
#include "base/clock.h"
#include "base/files.h"
#include "proxy/admin/decision_json.h"
#include "proxy/admin/dnsstatus.h"
#include "proxy/server_parts.h"
#include "proxy/admin/status_parts.h"
#include "proxy/tls_set.h"

#include <inttypes.h>
#include <stddef.h>

enum {
    LATELY = 600, /* seconds */
    FEW_CLIENTS = 1000,
};

struct findings {
    json_t *list;
};

__attribute__((format(printf, 4, 5))) static void
warn(struct findings *findings, const char *severity, const char *remedy, const char *format, ...)
{
    char what[512];
    va_list args;
    json_t *row = json_object();

    va_start(args, format);
    int len = vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    json_object_set_new(row, "severity", json_string(severity));
    json_object_set_new(
        row, "what",
        text_json(span_take(span_of(what, sizeof(what) - 1), len > 0 ? (size_t)len : 0)));
    json_object_set_new(row, "remedy", json_string(remedy));
    json_array_append_new(findings->list, row);
}

#define ERROR(remedy, ...) warn(findings, "error", remedy, __VA_ARGS__)
#define WARN(remedy, ...) warn(findings, "warning", remedy, __VA_ARGS__)

/* ---- the configuration ---- */

static void look_at_reload(struct findings *findings, struct server *server)
{
    const char *refusal = server_refusal(server);

    if (refusal) {
        ERROR(
            "Correct the file (`larderctl check` lists all its errors) and reload. Until then, the "
            "previous configuration is in force, and a restart would fail.",
            "The last reload was refused: %.400s", refusal);
    }
}

/* ---- the store ---- */

static void look_at_directory(struct findings *findings, const struct store_member *one)
{
    if (one->cause) {
        ERROR("Check the disk and the log. What was stored there is fetched again when needed; a "
              "restart takes the directory back into use.",
              "The store directory %s was taken out of use: %s.", one->path, one->cause);
        return;
    }
    if (one->failing) {
        ERROR("Check whether the disk is full or read-only. The log has the error "
              "(store_commit_failed).",
              "Nothing can be written to the store directory %s.", one->path);
    }
    if (one->stats.unreadable > 0 || one->stats.corrupt > 0) {
        WARN("The disk may be about to fail: check its health (smartctl), and verify all stored "
             "data with `larderctl verify`.",
             "On the disk of %s, %" PRIu64 " pages could not be read, and %" PRIu64
             " records were damaged since the start.",
             one->path, one->stats.unreadable, one->stats.corrupt);
    }
}

static void look_at_store(struct findings *findings, struct server *server)
{
    struct cache *cache = server_cache(server);

    for (size_t i = 0; i < cache_directories(cache); i++) {
        struct store_member one;
        cache_directory(cache, i, &one);
        look_at_directory(findings, &one);
    }
}

/* ---- limits ---- */

static void look_at_memory(struct findings *findings)
{
    static const char remedy[] = "Raise `memory`, or lower `limits.connections`. \"Memory\" below "
                                 "shows what it is used for.";

    if (memory_is_over()) {
        ERROR(remedy, "Memory is used up, so nothing new is fetched.");
    } else if (memory_is_tight()) {
        WARN(remedy, "Memory is short, so responses pass through without being stored.");
    }
}

static void look_at_queues(struct findings *findings, struct server *server)
{
    const struct history *history = server_history(server);
    uint64_t refused = history_sum(history, HISTORY_REFUSED, LATELY);
    uint64_t dropped = history_sum(history, HISTORY_DROPPED, LATELY);
    uint64_t unread = history_sum(history, HISTORY_READS_REFUSED, LATELY);

    if (refused > 0) {
        ERROR("Raise `limits.connections` and the number of open files (LimitNOFILE), or give the "
              "proxy more memory.",
              "%" PRIu64 " clients were turned away in the last 10 minutes.", refused);
    }
    if (dropped > 0) {
        WARN("The disk of `log.access` is full or too slow.",
             "%" PRIu64 " lines of the access log were lost in the last 10 minutes.", dropped);
    }
    if (unread > 0) {
        WARN("The store's disk cannot keep up: add memory, disks, or use a faster one.",
             "%" PRIu64
             " lookups were misses in the last 10 minutes because too many reads were waiting.",
             unread);
    }
}

static void look_at_descriptors(struct findings *findings, struct server *server)
{
    const struct settings *settings = server_settings(server);
    uint64_t wanted = settings->limits.connections * settings->workers;

    if (!conf_is_written(&settings->flat, "limits.connections")) {
        wanted = FEW_CLIENTS; /* the default is more than most installations need */
    }
    if (files_most_clients() < wanted) {
        WARN("Raise LimitNOFILE in the systemd unit (or `ulimit -n`), or lower "
             "`limits.connections`.",
             "The limit of open files allows %" PRIu64 " clients at once, not %" PRIu64 ".",
             files_most_clients(), wanted);
    }
}

/* ---- TLS ---- */

static void look_at_listener(struct findings *findings, const struct tls_context *context)
{
    static const char remedy[] = "Renew it and reload; an ACME client can do both automatically.";
    const char *file;
    int64_t end = context ? tls_context_expires(context, &file) : INT64_MAX;
    int64_t left = end == INT64_MAX ? INT64_MAX : end - clock_wall();

    if (left < 0) {
        ERROR(remedy, "The certificate %s has expired.", file);
    } else if (left < (int64_t)TLS_EXPIRY_DAYS * 86400) {
        WARN(remedy, "The certificate %s expires in %" PRId64 " days.", file, left / 86400);
    }
}

static void look_at_tls(struct findings *findings, const struct settings *settings)
{
    for (size_t i = 0; i < settings->listen_count; i++) {
        look_at_listener(findings, tls_set_listener(settings, settings->listen[i].at.text));
    }
    for (size_t i = 0; i < settings->site_count; i++) {
        if (!settings->sites[i].verify) {
            WARN("Name the authority of its origins as the site's `ca`, and remove `verify: no`.",
                 "The site %s has `verify: no`: anybody on the path can impersonate its origins.",
                 settings->sites[i].hosts[0]);
        }
    }
}

/* ---- the redirector and its replicas ---- */

enum { NAMED = 3 }; /* replicas that are named, of those that are down */

/* What to call a replica, and why it is down; false: it is not, or it has no name. */
static bool is_down(const json_t *replica, const char **name, const char **reason)
{
    const char *state = json_string_value(json_object_get(replica, "state"));

    *name = json_string_value(json_object_get(replica, "name"));
    *reason = json_string_value(json_object_get(replica, "reason"));
    return *name && state && strcmp(state, "down") == 0;
}

static const char *remedy_of_down(size_t down, size_t all)
{
    if (down == all) {
        return "No other replica is up, so clients are sent there nevertheless. `larderctl dns` "
               "shows "
               "since when and why each is down.";
    }
    if (down == 1) {
        return "Clients are sent to the other replicas. `larderctl dns` shows since when it is "
               "down; "
               "`larderctl drain` keeps it out of service when it comes back.";
    }
    return "Clients are sent to the other replicas. `larderctl dns` shows for each since when and "
           "why "
           "it is down.";
}

/* One warning for all of them: a network that fails takes many replicas along. */
static void warn_of_down(struct findings *findings, size_t down, size_t all, struct span names,
                         const char *why)
{
    const char *severity = down == all ? "error" : "warning", *remedy = remedy_of_down(down, all);

    if (down == 1) {
        warn(findings, severity, remedy, "The replica %.*s is down%s%.200s.", SPAN_ARGS(names),
             why ? ": " : "", why ? why : "");
    } else {
        warn(findings, severity, remedy, "%zu of %zu replicas are down: %.*s.", down, all,
             SPAN_ARGS(names));
    }
}

static void look_at_replicas(struct findings *findings, const json_t *replicas)
{
    struct buf names = BUF_INIT;
    const char *name, *reason, *why = NULL;
    json_t *replica;
    size_t i, down = 0;

    json_array_foreach(replicas, i, replica)
    {
        if (!is_down(replica, &name, &reason)) {
            continue;
        }
        if (down++ < NAMED) {
            why = reason;
            buf_printf(&names, "%s%.100s", buf_len(&names) ? ", " : "", name);
        }
    }
    if (down > NAMED) {
        buf_printf(&names, " and %zu more", down - NAMED);
    }
    if (down > 0) {
        warn_of_down(findings, down, json_array_size(replicas), buf_span(&names), why);
    }
    buf_fini(&names);
}

static void look_at_redirector_reload(struct findings *findings, const json_t *said)
{
    const char *refusal = json_string_value(json_object_get(said, "reload_refused"));

    if (refusal) {
        ERROR("Correct its file (`larderctl check` lists all its errors) and reload it with "
              "`larderctl reload --dns`. Until then, the previous configuration is in force, and a "
              "restart would fail.",
              "The last reload of larder-dns was refused: %.400s", refusal);
    }
}

static void look_at_redirector(struct findings *findings, struct server *server)
{
    const struct endpoint *at = &server_settings(server)->admin_dns;
    json_t *said;

    if (at->len == 0) {
        return;
    }
    struct dnsstatus_answer answer = dnsstatus_ask(server_dnsstatus(server), at);
    if (answer.error) {
        ERROR("Check that larder-dns is running there; if not, it answers no queries.",
              "larder-dns at %s does not respond: %s.", at->text, answer.error);
        return; /* what it said before is outdated */
    }
    said = json_loadb(answer.text.at ? answer.text.at : "", answer.text.len, 0, NULL);
    look_at_redirector_reload(findings, said);
    look_at_replicas(findings, json_object_get(said, "replicas"));
    json_decref(said);
}

int status_warnings(const struct status_query *query, struct buf *out)
{
    struct server *server = query->server;
    struct findings findings = {json_array()};
    json_t *root = json_object();

    look_at_reload(&findings, server);
    look_at_store(&findings, server);
    look_at_memory(&findings);
    look_at_queues(&findings, server);
    look_at_descriptors(&findings, server);
    look_at_tls(&findings, server_settings(server));
    look_at_redirector(&findings, server);
    json_object_set_new(root, "warnings", findings.list);
    status_write_json(root, out);
    return 200;
}
